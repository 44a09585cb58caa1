//! `tkm bootstrap`

use std::path::PathBuf;

use super::context::{actor, find, key_id, not_initialized};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::UserName;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tkm::access::{self, Installation};
use crate::tkm::host::{Address, HostName};
use crate::tkm::ssh::{Connection, Login};
use crate::tkm::state::Purpose;
use crate::tkm::{bootstrap, client_config};

/// Install the key of its environment on a host
///
/// Logs in with the keys that you use already, or with --identity, adds the key to ~/.ssh/authorized_keys of that user, and
/// verifies it on a fresh connection. If that fails, the file is put back. The way in that was used stays, and is noted as
/// break-glass.
#[derive(Debug, clap::Args)]
pub struct Bootstrap {
    /// The host
    host: HostName,
    /// The user to log in as, and whose key it becomes
    #[arg(long = "as", value_name = "USER")]
    user: Option<UserName>,
    /// A private key that the host accepts already
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Addresses that may use the key, as `from=` of authorized_keys
    #[arg(long, value_name = "PATTERNS", value_parser = from_patterns)]
    from: Option<String>,
}

/// Patterns of `from=`, which are written between quotes.
fn from_patterns(given: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".:*?,!/-_".contains(c);
    if !given.is_empty() && given.chars().all(allowed) {
        Ok(given.to_owned())
    } else {
        Err("expected addresses or patterns, with commas between them".to_owned())
    }
}

impl Command for Bootstrap {
    const NAME: &'static str = "tkm bootstrap";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["tkm bootstrap dev", "tkm bootstrap prod --as root --identity ~/.ssh/id_ed25519"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let Some(store) = find(cx)? else { return Ok(Vec::new()) };
        Ok(vec![cx.selection.qualify(store.host(&self.host)?.env)])
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let mut host = store.host(&self.host)?;
        if let Some(UserName(user)) = &self.user {
            // Checked as the address of which it becomes a part.
            host.address = format!("{user}@{}", Address { user: None, ..host.address }).parse::<Address>()?;
        }
        let variables = cx.host.variables();
        let by = match &self.identity {
            Some(path) => access::login_with(&cx.host.cwd().join(path), variables)?,
            None => Login::Operator,
        };
        let connection = Connection::open(&store, &host, variables)?;
        let id = key_id(cx, &host.env, Purpose::Deploy);
        let _lock = store.lock()?;
        let wanted = bootstrap::Bootstrap { by: &by, id: &id, from: self.from };
        let done = bootstrap::run(&connection, actor(cx), &wanted)?;
        if self.user.is_some() {
            let with_user = |known: crate::tkm::host::Host| if known.name == host.name { host.clone() } else { known };
            store.write_hosts(&store.hosts()?.into_iter().map(with_user).collect::<Vec<_>>())?;
        }
        client_config::write(&store, cx.selection.org.as_ref())?;
        let user = &connection.route.user;
        let text = match done.installation {
            Installation::Added => {
                format!("installed the key of {} on {} for {user}, and verified it", host.env, host.name)
            }
            Installation::Present => format!("{} accepts the key of {} for {user} already", host.name, host.env),
        };
        let message = Message::new(text)
            .with("host", host.name.as_str())
            .with("env", host.env.as_str())
            .with("user", user.as_str())
            .with("fingerprint", done.fingerprint.as_str())
            .with("added", done.installation == Installation::Added);
        Ok(Report::of(message).note(format!("next: `tkm test {0}`, `tkm ssh {0}`", host.name)))
    }
}
