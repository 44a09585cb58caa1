//! What goes wrong with keys, pins and hosts.

use std::path::PathBuf;

use super::authorized_keys::KeysLeft;
use super::host::HostName;
use super::key::{Fingerprint, InvalidKey};
use crate::base::environment::EnvName;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::InvalidName;
use crate::config::document::DocumentError;
use crate::config::read::ReadFileError;
use crate::sys::file::FileError;

/// Why something with keys was not done. Nothing was changed, unless the message says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum TkmError {
    /// A file could not be read, written or trusted.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadFileError),
    /// A TOML file could not be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A file of the store says what cannot be.
    #[error("`{}` is not valid: {why}", path.display())]
    BrokenStore {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file of the store is of a later version of this program.
    #[error("`{}` has the format {found}, and this program knows {known}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The latest that is known.
        known: u64,
    },
    /// No such host.
    #[error("host `{0}` does not exist")]
    NoHost(HostName),
    /// A file says of no host what environment it belongs to.
    #[error("no environment is given for the hosts")]
    NoEnvironment,
    /// A host of that name is there.
    #[error("host `{0}` already exists")]
    HostExists(HostName),
    /// There is a host, and no key of it is pinned.
    #[error("the host key of `{name}` is not pinned")]
    NotPinned {
        /// The host.
        name: HostName,
        /// What adds it.
        add: String,
    },
    /// The host offers another key than the pinned one.
    #[error("the host key of `{name}` has changed: {} is pinned, {} was offered", or_none(pinned), shown(offered.as_ref()))]
    HostKeyChanged {
        /// The host.
        name: HostName,
        /// What is pinned.
        pinned: Vec<Fingerprint>,
        /// What it offered, if that was said.
        offered: Option<Fingerprint>,
    },
    /// The host offers another key than the fingerprint that was given.
    #[error("the host key of `{name}` is {offered}, not {expected}")]
    FingerprintMismatch {
        /// The host.
        name: HostName,
        /// What it offered.
        offered: Fingerprint,
        /// What was given.
        expected: Fingerprint,
    },
    /// The fingerprint of a host was not confirmed.
    #[error("the host key of `{name}` is {offered}, which is not confirmed")]
    Unconfirmed {
        /// The host.
        name: HostName,
        /// What it offered.
        offered: Fingerprint,
        /// What confirms it.
        command: String,
    },
    /// There is no key for an environment.
    #[error("`@{env}` has no key")]
    NoKey {
        /// The environment.
        env: String,
    },
    /// The private half of a key is not there.
    #[error("the private key `{}` does not exist", path.display())]
    NoPrivateKey {
        /// Its file.
        path: PathBuf,
    },
    /// A private key belongs to another user, who can change it.
    #[error("the private key `{}` belongs to another user", path.display())]
    ForeignKey {
        /// Its file.
        path: PathBuf,
    },
    /// A command is for the hosts of an environment that has none.
    #[error("@{env} has no hosts")]
    NoHosts {
        /// The environment.
        env: EnvName,
    },
    /// There is none, or it was revoked.
    #[error("`@{env}` has no certificate")]
    NoCertificate {
        /// The environment.
        env: String,
    },
    /// The agent did not sign with a key that it was asked to sign with.
    #[error("{subject}: your agent did not sign with `{key}`: {why}")]
    AgentDidNotSign {
        /// What it was meant for: a host that would have let the key in, or a certificate.
        subject: String,
        /// The file of the private key; what `ssh-add -l` shows of one in no file.
        key: String,
        /// Why, as far as is known.
        why: &'static str,
    },
    /// More keys could be meant than are tried on a host. Nothing was sent.
    #[error("ssh would offer `{name}` {} keys, and which of them is meant is not known", keys.len())]
    SeveralKeys {
        /// The host.
        name: HostName,
        /// What they are known by.
        keys: Vec<String>,
    },
    /// There is no token, or it did not make the key.
    #[error("no FIDO token made the key: {0}")]
    NoToken(String),
    /// There is none that could sign.
    #[error("`@{env}` has no key that signs certificates")]
    NoAuthority {
        /// The environment.
        env: String,
    },
    /// No such certificate.
    #[error("certificate {0} does not exist")]
    NoSuchCertificate(u64),
    /// The host did not let a certificate in.
    #[error("`{name}` does not accept the certificate of {login}")]
    CertificateRefused {
        /// The host.
        name: HostName,
        /// The user and the file.
        login: String,
        /// The environment.
        env: String,
    },
    /// There is one already.
    #[error("`@{env}` already has the key {fingerprint}")]
    KeyExists {
        /// The environment.
        env: String,
        /// The key.
        fingerprint: Fingerprint,
    },
    /// A file holds no public key, or one that is too weak.
    #[error("`{}`: {why}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: InvalidKey,
    },
    /// A file holds no private key that ssh reads.
    #[error("`{}` {why}", path.display())]
    PrivateKeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
        /// What to do.
        advice: String,
    },
    /// A key is not one, or is too weak.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// `ssh-keygen`, or another program of OpenSSH, failed.
    #[error("`{program}` failed: {why}")]
    Program {
        /// The program.
        program: &'static str,
        /// What it said.
        why: String,
    },
    /// No connection was made.
    #[error("cannot reach `{name}`: {why}")]
    Unreachable {
        /// The host.
        name: HostName,
        /// What ssh said.
        why: String,
    },
    /// The host did not let the key in.
    #[error("`{name}` does not accept {login}: {why}")]
    Refused {
        /// The host.
        name: HostName,
        /// The user and the key.
        login: String,
        /// What ssh said.
        why: String,
    },
    /// The login works and commands do not.
    #[error("`{name}` accepts the login, and runs no command: {why}")]
    NoCommand {
        /// The host.
        name: HostName,
        /// What it said instead.
        why: String,
    },
    /// What a key is bound to on a host did not do what was asked.
    #[error("the agent of `{name}`: {why}")]
    Agent {
        /// The host.
        name: HostName,
        /// What it said.
        why: String,
    },
    /// A key does what an agent does, and nothing else.
    #[error("the key of `@{env}` is bound to `tetra agent` on `{name}`, and opens no session")]
    Bound {
        /// The host.
        name: HostName,
        /// The environment.
        env: String,
    },
    /// There is no program that could run a command.
    #[error("`{name}` has no `tetra`, neither in a directory of PATH nor in ~/.local/bin")]
    NoProgram {
        /// The host.
        name: HostName,
    },
    /// The connection broke after the login.
    #[error("lost the connection to `{name}`: {why}")]
    Lost {
        /// The host.
        name: HostName,
        /// What ssh said.
        why: String,
    },
    /// A user or a file of root could not be made on a host.
    #[error("`{name}`: {why}")]
    Setup {
        /// The host.
        name: HostName,
        /// What it said.
        why: String,
    },
    /// The file of keys on a host is not one that is changed.
    #[error("`{name}`: {why}")]
    AuthorizedKeys {
        /// The host.
        name: HostName,
        /// Why not.
        why: String,
    },
    /// What was added is not let in, and was taken away again.
    #[error("`{name}` does not accept the new key: {why}")]
    Verification {
        /// The host.
        name: HostName,
        /// What ssh said.
        why: String,
        /// The file of keys is as it was before.
        is_restored: bool,
    },
    /// A line is gone, and the login after it failed. The host puts its file back by itself.
    #[error("`{name}` did not let the login in after the change, and puts its old keys back within {seconds} s: {why}")]
    Armed {
        /// The host.
        name: HostName,
        /// When.
        seconds: u64,
        /// What ssh said.
        why: String,
    },
    /// A key was not tried, as the operator's agent did not sign with it: that says nothing of the host.
    #[error("{cause}; {}", left.words(name))]
    Untried {
        /// The host.
        name: HostName,
        /// What the agent did.
        cause: Box<TkmError>,
        /// What became of the file of keys.
        left: KeysLeft,
    },
    /// Ctrl-C.
    #[error("interrupted at `{name}`")]
    Interrupted {
        /// The host.
        name: HostName,
    },
    /// It would leave no way to log in.
    #[error("{0}")]
    LastWayIn(String),
}

fn or_none(pinned: &[Fingerprint]) -> String {
    match pinned {
        [] => "nothing".to_owned(),
        all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
    }
}

fn shown(offered: Option<&Fingerprint>) -> String {
    offered.map_or_else(|| "a key of another kind".to_owned(), ToString::to_string)
}

impl UserFacingError for TkmError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Read(error) => error.kind(),
            Self::Document(error) => error.kind(),
            Self::Name(error) => error.kind(),
            Self::Key(_) | Self::KeyFile { .. } | Self::NoEnvironment => FaultKind::Usage,
            Self::PrivateKeyFile { .. } => FaultKind::Failed,
            Self::BrokenStore { .. } | Self::NewerFormat { .. } | Self::Program { .. } | Self::NoToken(_) => {
                FaultKind::Failed
            }
            Self::NoHost(_) | Self::NoSuchCertificate(_) => FaultKind::NotFound,
            Self::HostExists(_) | Self::KeyExists { .. } | Self::LastWayIn(_) | Self::Bound { .. } => {
                FaultKind::Refused
            }
            Self::NotPinned { .. }
            | Self::HostKeyChanged { .. }
            | Self::FingerprintMismatch { .. }
            | Self::Unconfirmed { .. } => FaultKind::HostKey,
            Self::NoKey { .. } | Self::NoPrivateKey { .. } | Self::NoCertificate { .. } | Self::NoAuthority { .. } => {
                FaultKind::SecretMissing
            }
            Self::ForeignKey { .. } => FaultKind::UnsafeMode,
            Self::NoProgram { .. } | Self::NoHosts { .. } => FaultKind::NotFound,
            Self::Unreachable { .. } => FaultKind::Unreachable,
            Self::Refused { .. }
            | Self::CertificateRefused { .. }
            | Self::AgentDidNotSign { .. }
            | Self::SeveralKeys { .. } => FaultKind::Auth,
            Self::NoCommand { .. } | Self::Setup { .. } | Self::AuthorizedKeys { .. } | Self::Agent { .. } => {
                FaultKind::Preflight
            }
            Self::Lost { .. } | Self::Armed { .. } => FaultKind::Unknown,
            Self::Untried { cause, .. } => cause.kind(),
            Self::Interrupted { .. } => FaultKind::Interrupted,
            Self::Verification { is_restored: true, .. } => FaultKind::Reverted,
            Self::Verification { .. } => FaultKind::RevertFailed,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.advice(),
            Self::Read(error) => return error.advice(),
            Self::Document(error) => return error.advice(),
            Self::Name(error) => return error.advice(),
            Self::BrokenStore { .. } => "correct the file, or restore it from a backup".to_owned(),
            Self::NewerFormat { .. } => "install the version of tetra that wrote it".to_owned(),
            Self::NoHost(_) => "`tkm host list` lists the hosts, `tkm host add NAME ADDRESS` adds one".to_owned(),
            Self::NoEnvironment => "add it: `--env dev`".to_owned(),
            Self::HostExists(name) => format!("`tkm host show {name}` shows it, `tkm host rm {name}` removes it"),
            Self::NotPinned { add, .. } => format!("compare the fingerprint on the host, then run `{add}`"),
            Self::Unconfirmed { command, .. } => {
                format!(
                    "compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host, then run `{command}`"
                )
            }
            Self::HostKeyChanged { name, .. } => format!(
                "someone may be between you and the host; if its key was replaced, run `tkm host rekey {name} \
                 --fingerprint SHA256:…` with the fingerprint that the host itself shows"
            ),
            Self::FingerprintMismatch { .. } => "nothing was pinned; check the address and the fingerprint".to_owned(),
            Self::NoKey { env } => format!("run `tkm generate {env}`"),
            Self::KeyExists { env, .. } => format!("`tkm rotate @{env}` replaces it"),
            Self::PrivateKeyFile { advice, .. } => advice.clone(),
            Self::Key(_) | Self::KeyFile { .. } => "use an ed25519 key, or RSA with 3072 bits or more".to_owned(),
            Self::Refused { name, .. } => {
                format!("`tkm bootstrap {name} --identity FILE` installs the key with one that the host accepts")
            }
            other => return other.further_advice(),
        })
    }
}
