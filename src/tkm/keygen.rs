//! Keys are made by the operator's own `ssh-keygen`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::audit::Actor;
use super::error::TkmError;
use super::key::PublicKey;
use super::route::last_line;
use super::state::{Key, KeyId, KeyStatus};
use super::store::Store;
use crate::base::name::sanitize;
use crate::config::read;
use crate::disk;
use crate::sys::capture::{Capture, Captured};
use crate::sys::file::{self, FileError};
use crate::sys::host::{Host as Surroundings, Invocation};
use crate::sys::kernel;

/// How the passphrase of a new key is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passphrase {
    /// None.
    None,
    /// `ssh-keygen` asks the operator.
    Ask,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// Whose.
    pub id: &'a KeyId,
    /// How its passphrase is set.
    pub passphrase: Passphrase,
    /// `ed25519` or `ed25519-sk`.
    pub algorithm: &'a str,
    /// When hosts stop to accept it, in milliseconds since 1970.
    pub expires: Option<u64>,
}

/// How long `ssh-keygen` may take where it asks nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A call of `ssh-keygen` that asks nothing.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its arguments.
    pub arguments: &'a [String],
    /// The variables of the operator.
    pub variables: &'a BTreeMap<String, String>,
    /// What it reads.
    pub input: &'a [u8],
}

/// Calls `ssh-keygen`, whatever it ends with.
///
/// # Errors
///
/// Fails if it is not there.
pub fn call(call: &Call) -> Result<Captured, TkmError> {
    let capture = Capture {
        program: "ssh-keygen",
        arguments: call.arguments,
        variables: call.variables,
        input: call.input,
        limit: PATIENCE,
        max_output: 1 << 20,
    };
    capture.run().map_err(|error| TkmError::Program { program: "ssh-keygen", why: error.to_string() })
}

/// That it failed, with the last line of what it said.
#[must_use]
pub fn failure(program: &'static str, said: &[u8]) -> TkmError {
    TkmError::Program { program, why: last_line(said) }
}

/// Makes a key in the store, which is not in the state yet. The caller holds the lock.
///
/// # Errors
///
/// Fails if `ssh-keygen` does, or the file cannot be written.
pub fn generate(store: &Store, host: &dyn Surroundings, actor: Actor, new: &NewKey) -> Result<Key, TkmError> {
    let below = new.id.directory();
    let dir = store.keys_dir().join(&below);
    file::create_private_dir(dir.parent().unwrap_or(&dir))?;
    file::create_private_dir(&dir)?;
    let path = free_path(&dir, new);
    let temporary = tempfile::Builder::new()
        .prefix(file::TEMPORARY_PREFIX)
        .tempdir_in(&dir)
        .map_err(FileError::io("write in", &dir))?;
    let made = temporary.path().join("key");
    let machine = sanitize(&kernel::hostname(), "host");
    let comment = format!("tetra:{}:{}@{machine}", below.replace('/', ":"), actor.user);
    let mut arguments: Vec<String> = ["-q", "-t", new.algorithm, "-a", "100", "-C"].map(str::to_owned).into();
    arguments.extend([comment, "-f".to_owned(), made.display().to_string()]);
    if new.algorithm.ends_with("-sk") {
        arguments.extend(["-O".to_owned(), "verify-required".to_owned()]);
    }
    if new.passphrase == Passphrase::None {
        arguments.extend(["-N".to_owned(), String::new()]);
    }
    let call = Invocation {
        program: "ssh-keygen".to_owned(),
        arguments,
        inherit_stdio: new.passphrase == Passphrase::Ask,
        ..Invocation::default()
    };
    let fail = |error: std::io::Error| TkmError::Program { program: "ssh-keygen", why: error.to_string() };
    let done = host.run(&call).map_err(fail)?;
    if done.exit_code != 0 {
        let said = if done.stderr.is_empty() { &done.stdout } else { &done.stderr };
        return Err(if new.algorithm.ends_with("-sk") {
            // What it lacks comes first, and then only that it failed.
            let text = String::from_utf8_lossy(said);
            let helper = text.lines().find(|line| line.starts_with("start_helper: "));
            TkmError::NoToken(helper.map_or_else(|| last_line(said), |line| line.trim_end().to_owned()))
        } else {
            failure("ssh-keygen", said)
        });
    }
    let public = read_public(&made.with_extension("pub"))?;
    // The private half first: a public one without it would be installed for nothing.
    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(FileError::io("write", to));
    rename(&made, &path)?;
    rename(&made.with_extension("pub"), &public_path(&path))?;
    let directory = disk::user_file().directory().open(&dir).and_then(|opened| opened.sync_all());
    directory.map_err(FileError::io("write", &dir))?;
    Ok(Key {
        org: new.id.org.as_ref().map(ToString::to_string),
        env: new.id.env.to_string(),
        purpose: new.id.purpose,
        file: format!("keys/{below}/{}", path.file_name().unwrap_or_default().to_string_lossy()),
        public: public.line(),
        fingerprint: public.fingerprint.to_string(),
        created: actor.now.0,
        expires: new.expires,
        status: KeyStatus::Active,
        hosts: Vec::new(),
        replaced: None,
    })
}

/// The public key of a `.pub` file.
///
/// # Errors
///
/// Fails if it cannot be read, or is not a key.
pub fn read_public(path: &Path) -> Result<PublicKey, TkmError> {
    let text = read::text(path)?;
    let key = PublicKey::parse(text.lines().next().unwrap_or_default());
    key.map_err(|why| TkmError::KeyFile { path: path.to_owned(), why })
}

/// The file of the public half.
#[must_use]
pub fn public_path(private: &Path) -> PathBuf {
    let mut name = private.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// A name that no file has: `id_ed25519`, or with the purpose and a number behind it.
fn free_path(dir: &Path, new: &NewKey) -> PathBuf {
    let base = match new.id.purpose {
        super::state::Purpose::Deploy => format!("id_{}", new.algorithm.replace('-', "_")),
        other => format!("id_{}_{}", new.algorithm.replace('-', "_"), other.word()),
    };
    let first = dir.join(&base);
    let numbered = |number: u32| dir.join(format!("{base}_{number}"));
    if first.exists() { (2..).map(numbered).find(|path| !path.exists()).unwrap_or(first) } else { first }
}
