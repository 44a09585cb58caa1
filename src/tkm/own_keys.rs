//! Which of the operator's own keys a host is offered: one in a connection.
//!
//! ssh itself would offer all that the agent holds, and those of `~/.ssh`, in one connection. A server with a low `MaxAuthTries` ends
//! it before the right one, and one of OpenSSH 9.8 or later shuts out for a while who failed several times. So what ssh would offer is
//! found out before: a single key is used as it is, a few are tried in a connection each, and of more the operator has to name one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::TkmError;
use super::key::PublicKey;
use super::keygen::{self, Call, public_path};
use super::login::{HeldKey, Login};
use super::route::Route;
use super::ssh::Connection;
use crate::sys::capture::Capture;
use crate::sys::child::ChildExit;
use crate::sys::file::{self, Access, FileError};
use crate::sys::{passwd, process, signal};

/// The most keys that are tried on a host. Fewer failures than that shut no one out of a server as OpenSSH is set up.
const MAX_TRIED: usize = 3;

/// How long an agent may take to list its keys.
const PATIENCE: Duration = Duration::from_secs(10);

/// A key that ssh would offer.
#[derive(Debug, Clone)]
struct OwnKey {
    login: Login,
    public: Option<PublicKey>,
    origin: Origin,
}

/// Where a key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The configuration names it for the host.
    Named,
    /// In the agent, or a file that ssh looks for by itself.
    Found,
    /// A file with a passphrase that no agent knows: of use only to say so.
    Locked,
}

/// A login with one key in the place of one with whatever ssh would offer. Another login comes back as it is.
///
/// # Errors
///
/// Fails if more keys could be meant than are tried, if none of a few is let in, and if the host is not reached while they are tried.
pub fn settle(connection: &Connection, given: &Login) -> Result<Login, TkmError> {
    if *given.inner() != Login::Operator {
        return Ok(given.clone());
    }
    let Some(mut keys) = keys_of(connection)? else { return Ok(given.clone()) };
    let logins = |keys: &[OwnKey]| keys.iter().map(|key| given.with(key.login.clone())).collect::<Vec<_>>();
    if keys.len() > MAX_TRIED {
        let all: Vec<String> = keys.iter().filter_map(|key| key.login.shown()).collect();
        keys.retain(|key| key.origin == Origin::Named);
        if !(1..=MAX_TRIED).contains(&keys.len()) {
            return Err(TkmError::SeveralKeys { name: connection.host.name.clone(), keys: all });
        }
    }
    match &logins(&keys)[..] {
        // What is refused without any key is to be said as such.
        [] => first_let_in(connection, given, std::slice::from_ref(given)),
        [one] => Ok(one.clone()),
        several => first_let_in(connection, given, several),
    }
}

/// The first of some logins that works, each tried on a connection of its own.
fn first_let_in(connection: &Connection, given: &Login, logins: &[Login]) -> Result<Login, TkmError> {
    let mut refusal = String::new();
    for login in logins {
        match connection.exchange(login, "exit 0".to_owned(), b"") {
            Ok(_) => return Ok(login.clone()),
            Err(TkmError::Refused { why, .. }) => refusal = why,
            Err(error) => return Err(error),
        }
    }
    let tried: Vec<String> = logins.iter().filter_map(Login::shown).collect();
    let user = connection.user_of(given);
    let login = match &tried[..] {
        [] => format!("user {user} without a key, and neither your agent nor ~/.ssh has one"),
        all => format!("user {user} with {}", all.join(", or ")),
    };
    Err(TkmError::Refused { name: connection.host.name.clone(), login, why: refusal })
}

/// The keys that ssh would offer a host, in the order in which they are tried; none where that is not known.
fn keys_of(connection: &Connection) -> Result<Option<Vec<OwnKey>>, TkmError> {
    let (route, variables) = (&connection.route, connection.variables);
    let config = &route.own;
    let files: Option<Vec<PathBuf>> =
        config.files.iter().filter(|file| *file != "none").map(|file| expand(file, route, variables)).collect();
    let (Some(files), false) = (files, config.is_more_than_keys) else { return Ok(None) };
    let Some(held) = held(config.socket(variables), variables)? else { return Ok(None) };
    let origin = if config.has_no_files() { Origin::Found } else { Origin::Named };
    let mut keys: Vec<OwnKey> = files.iter().filter_map(|file| of_file(file, origin, &held, variables)).collect();
    let is_new = |key: &&PublicKey| keys.iter().all(|own| own.public.as_ref().map(PublicKey::body) != Some(key.body()));
    let others: Vec<&PublicKey> = held.iter().filter(is_new).filter(|_| !config.is_limited).collect();
    let others = others.into_iter().map(|key| of_agent(connection, key)).collect::<Result<Vec<_>, _>>()?;
    // As ssh does it: what is named, what the agent holds, the files that ssh looks for.
    let at = if origin == Origin::Named { keys.len() } else { 0 };
    keys.splice(at..at, others).for_each(drop);
    let is_locked = |key: &OwnKey| key.origin == Origin::Locked;
    if !keys.iter().all(is_locked) {
        keys.retain(|key| !is_locked(key));
    }
    Ok(Some(keys))
}

/// The key of a file; none where ssh would find no key.
fn of_file(file: &Path, origin: Origin, held: &[PublicKey], variables: &BTreeMap<String, String>) -> Option<OwnKey> {
    let arguments = ["-y", "-P", "", "-f"].map(str::to_owned).into_iter().chain([file.display().to_string()]);
    let arguments: Vec<String> = arguments.collect();
    // A file of a public key alone is one of which an agent has the other half.
    let beside = [public_path(file), file.to_owned()];
    if !beside.iter().any(|path| path.is_file()) {
        return None;
    }
    let read = keygen::call(&Call { arguments: &arguments, variables, input: b"" }).ok();
    if let Some(found) = read.filter(|found| found.exit == ChildExit::Code(0)) {
        let public = PublicKey::parse(&String::from_utf8_lossy(&found.stdout)).ok();
        return Some(OwnKey { login: Login::Key(file.to_owned()), public, origin });
    }
    let (path, public) = beside.into_iter().find_map(|path| Some((path.clone(), keygen::read_public(&path).ok()?)))?;
    let is_held = held.iter().any(|key| key.body() == public.body());
    let origin = if is_held { origin } else { Origin::Locked };
    Some(OwnKey { login: Login::AgentKey(path), public: Some(public), origin })
}

/// A key of the agent, with its public half in a file for as long as it is used.
fn of_agent(connection: &Connection, key: &PublicKey) -> Result<OwnKey, TkmError> {
    let dir = connection.store.dir();
    let scratch = tempfile::Builder::new().prefix(file::TEMPORARY_PREFIX).suffix(".pub").tempfile_in(dir);
    let scratch = scratch.map_err(FileError::io("write in", dir))?.into_temp_path();
    file::write(&scratch, format!("{}\n", key.line()).as_bytes(), Access::Private)?;
    let comment: String = key.comment.chars().filter(|c| !c.is_control()).collect();
    let name =
        if comment.is_empty() { key.fingerprint.to_string() } else { format!("{} ({comment})", key.fingerprint) };
    let login = Login::Held(HeldKey { public: Arc::new(scratch), name });
    Ok(OwnKey { login, public: Some(key.clone()), origin: Origin::Found })
}

/// The keys that the agent holds; none at all if it holds certificates, which are not offered as keys are. An agent that is locked or
/// gone holds nothing.
fn held(socket: Option<&str>, variables: &BTreeMap<String, String>) -> Result<Option<Vec<PublicKey>>, TkmError> {
    let Some(socket) = socket else { return Ok(Some(Vec::new())) };
    let mut variables = variables.clone();
    variables.insert("SSH_AUTH_SOCK".to_owned(), socket.to_owned());
    let arguments = ["-L".to_owned()];
    let capture = Capture {
        program: "ssh-add",
        arguments: &arguments,
        variables: &variables,
        input: b"",
        limit: PATIENCE,
        max_output: 1 << 20,
    };
    let Ok(found) = capture.run() else { return Ok(Some(Vec::new())) };
    if found.exit == ChildExit::Killed && !signal::interrupted() {
        // ssh would wait for it too, and the host would be said not to answer.
        let why = format!("your agent at `{socket}` gave no answer within {} s", PATIENCE.as_secs());
        return Err(TkmError::Program { program: "ssh-add", why });
    }
    let text = String::from_utf8_lossy(&found.stdout);
    let is_certificate = |line: &str| line.split(' ').next().is_some_and(|word| word.contains("-cert-"));
    let keys = || text.lines().filter_map(|line| PublicKey::parse(line).ok()).collect();
    Ok((!text.lines().any(is_certificate)).then(keys))
}

/// The path that ssh makes of an `IdentityFile`; none for one with what only ssh knows.
fn expand(text: &str, route: &Route, variables: &BTreeMap<String, String>) -> Option<PathBuf> {
    let user = passwd::find(&process::own_uid().to_string()).ok().flatten();
    let home = user.as_ref().map(|user| user.home.display().to_string()).or_else(|| variables.get("HOME").cloned())?;
    let mut path = String::new();
    let mut rest = match text.strip_prefix('~') {
        Some(below) if below.starts_with('/') => {
            path.push_str(&home);
            below
        }
        Some(_) => return None,
        None => text,
    };
    while let Some(at) = rest.find(['%', '$']) {
        path.push_str(&rest[..at]);
        let sign = &rest[at..];
        if let Some(named) = sign.strip_prefix("${") {
            let (name, after) = named.split_once('}')?;
            path.push_str(variables.get(name)?);
            rest = after;
            continue;
        }
        if let Some(after) = sign.strip_prefix('$') {
            path.push('$');
            rest = after;
            continue;
        }
        match sign.chars().nth(1)? {
            '%' => path.push('%'),
            'd' => path.push_str(&home),
            'h' => path.push_str(&route.hostname),
            'p' => path.push_str(&route.port.to_string()),
            'r' => path.push_str(&route.user),
            'u' => path.push_str(&user.as_ref()?.name),
            'i' => path.push_str(&process::own_uid().to_string()),
            _ => return None,
        }
        rest = &sign[2..];
    }
    Some(PathBuf::from(path + rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_ssh_reads_it() {
        let route = Route::parse("user ann\nhostname 10.0.0.5\nport 2222\n").expect("a route");
        let variables = BTreeMap::from([("KEYS".to_owned(), "/keys".to_owned())]);
        let path = |text: &str| expand(text, &route, &variables).map(|path| path.display().to_string());
        assert_eq!(path("/k/%h-%p-%r%%$").as_deref(), Some("/k/10.0.0.5-2222-ann%$"));
        assert_eq!(path("${KEYS}/a").as_deref(), Some("/keys/a"));
        assert_eq!(path("~/a"), path("%d/a"));
        for text in ["~ann/a", "%k", "%", "${NONE}/a", "${KEYS"] {
            assert_eq!(path(text), None, "{text}");
        }
    }
}
