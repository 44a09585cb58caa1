//! Sealing secrets at rest, to age or ssh keys.
//!
//! Who can open a sealed file cannot be read from it, so a list of recipients is next to it. An ssh key that only ssh-agent
//! or a hardware token holds cannot open anything; neither can one behind a passphrase.

mod age;
#[cfg(test)]
mod interop_tests;
mod keys;
mod secret;
mod ssh;
mod stanza;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::base::diagnostic::Diagnostic;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::disk;
use crate::sys::file::FileError;

use crate::config::document::{Document, DocumentError};
use crate::config::path::KeyPath;
use crate::config::read::{self, ReadFileError};

use age::AgeFile;
use keys::{IdentityKey, RecipientKey};
use ssh::PrivateKeyError;

pub use stanza::DecryptError;

/// A recipient who can open sealed files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// As the manifest calls them.
    pub name: String,
    /// `ssh-ed25519 …`, `ssh-rsa …` or `age1…`.
    pub key: String,
}

/// Why something cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadFileError),
    /// There are no recipients.
    #[error("there are no recipients in `{}`", manifest.display())]
    NoRecipients {
        /// The manifest.
        manifest: PathBuf,
    },
    /// A recipient's key is invalid.
    #[error("the key of the recipient `{name}` is neither an ssh nor an age key")]
    InvalidRecipient {
        /// The recipient.
        name: String,
    },
    /// No key to open with.
    #[error("no key to open sealed secrets")]
    NoIdentity {
        /// Where one was looked for.
        tried: Vec<PathBuf>,
    },
    /// A key that cannot be used.
    #[error("the key `{}` cannot open anything: {why}", path.display())]
    InvalidIdentity {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// It was not sealed for this key, or it is damaged.
    #[error("failed to open `{}`", path.display())]
    UnsealFailed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DecryptError,
    },
    /// Sealing failed.
    #[error("failed to seal the secrets: {why}")]
    SealFailed {
        /// Why.
        why: String,
    },
    /// What was sealed cannot be opened with any key that is here.
    #[error("no key here could open `{}` again", path.display())]
    NotForUs {
        /// The file that was to be written.
        path: PathBuf,
    },
}

impl UserFacingError for SealError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Document(error) => error.kind(),
            Self::Read(error) => error.kind(),
            Self::NoRecipients { .. } => FaultKind::CheckFailed,
            Self::NoIdentity { .. }
            | Self::InvalidIdentity { .. }
            | Self::UnsealFailed { .. }
            | Self::NotForUs { .. } => FaultKind::Auth,
            Self::InvalidRecipient { .. } | Self::SealFailed { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Document(error) => return error.advice(),
            Self::Read(error) => return error.advice(),
            Self::NoRecipients { .. } => "add them: [secrets.recipients] alice = \"ssh-ed25519 …\"".to_owned(),
            Self::InvalidRecipient { .. } => "write `ssh-ed25519 …`, `ssh-rsa …` or `age1…`".to_owned(),
            Self::NoIdentity { tried } => {
                let tried: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
                format!("name one with --identity FILE; looked for {}", tried.join(", "))
            }
            Self::InvalidIdentity { .. } => {
                "use an unencrypted ssh key or an age key; keys that only ssh-agent or a token holds cannot open"
                    .to_owned()
            }
            Self::UnsealFailed { .. } => "ask a recipient to `secrets rekey` with your key in the manifest".to_owned(),
            Self::NotForUs { .. } => {
                "nothing was changed; add your own key to [secrets.recipients] of manifest.toml, or name a recipient's with --identity FILE"
                    .to_owned()
            }
            Self::SealFailed { .. } => return None,
        })
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Document(error) => error.diagnostics(),
            _ => Vec::new(),
        }
    }
}

/// The recipients in a manifest: `[secrets.recipients]`.
///
/// # Errors
///
/// Fails if the manifest cannot be read, lists no one, or has a value that is not the text of a key.
pub fn recipients(manifest: &Path) -> Result<Vec<Recipient>, SealError> {
    let document = Document::read(manifest, &manifest.display().to_string())?;
    let table = KeyPath::of(&["secrets", "recipients"]);
    let all = document.values_below(&table).map(|leaf| {
        let name = leaf.path.last().to_owned();
        match leaf.value.as_str() {
            Some(key) => Ok(Recipient { name, key: key.trim().to_owned() }),
            // One that was passed over could not open what is sealed.
            None => Err(SealError::InvalidRecipient { name }),
        }
    });
    let all: Vec<Recipient> = all.collect::<Result<_, _>>()?;
    if all.is_empty() { Err(SealError::NoRecipients { manifest: manifest.to_owned() }) } else { Ok(all) }
}

/// The list next to a sealed file.
#[must_use]
pub fn list(recipients: &[Recipient]) -> String {
    recipients.iter().map(|it| format!("{} {}\n", it.name, it.key)).collect()
}

/// The names in a list whose key is not among the recipients any more.
#[must_use]
pub fn missing(list: &str, recipients: &[Recipient]) -> Vec<String> {
    let lines = list.lines().filter_map(|line| line.split_once(' '));
    let gone = lines.filter(|(_, key)| !recipients.iter().any(|it| it.key == *key));
    gone.map(|(name, _)| name.to_owned()).collect()
}

/// Seals a text for everybody.
///
/// # Errors
///
/// Fails if a key is invalid.
pub fn seal(text: &str, recipients: &[Recipient]) -> Result<Vec<u8>, SealError> {
    let keys = recipients.iter().map(|recipient| {
        RecipientKey::parse(&recipient.key).ok_or_else(|| SealError::InvalidRecipient { name: recipient.name.clone() })
    });
    let keys: Vec<RecipientKey> = keys.collect::<Result<_, _>>()?;
    age::encrypt(text.as_bytes(), &keys).map_err(|why| SealError::SealFailed { why: why.to_string() })
}

/// Seals a text, and makes sure that it can be opened again with a key that is here: it may take the place of the only
/// other copy.
///
/// # Errors
///
/// As [`seal`], and with [`SealError::NotForUs`].
pub fn seal_for_us(
    path: &Path,
    text: &str,
    recipients: &[Recipient],
    identity: &Identity,
) -> Result<Vec<u8>, SealError> {
    let sealed = seal(text, recipients)?;
    match unseal(path, &sealed, identity) {
        Ok(opened) if opened == text => Ok(sealed),
        _ => Err(SealError::NotForUs { path: path.to_owned() }),
    }
}

/// Keys that open sealed files.
pub struct Identity(Vec<IdentityKey>);

/// Reads every key that is there. One that cannot be used matters only if there is no other.
///
/// # Errors
///
/// Fails if there is none, or none can be used.
pub fn identity(files: &[PathBuf]) -> Result<Identity, SealError> {
    let (mut keys, mut bad) = (Vec::new(), None);
    for path in files.iter().filter(|path| path.exists()) {
        match read_identities(path) {
            Ok(found) => keys.extend(found),
            Err(error) => bad = bad.or(Some(error)),
        }
    }
    match bad {
        _ if !keys.is_empty() => Ok(Identity(keys)),
        Some(error) => Err(error),
        None => Err(SealError::NoIdentity { tried: files.to_vec() }),
    }
}

fn read_identities(path: &Path) -> Result<Vec<IdentityKey>, SealError> {
    let text = Zeroizing::new(read::text(path)?);
    let invalid = |why: &str| SealError::InvalidIdentity { path: path.to_owned(), why: why.to_owned() };
    if text.contains("AGE-SECRET-KEY-1") {
        return IdentityKey::parse_file(&text).ok_or_else(|| invalid("not an age key"));
    }
    IdentityKey::parse_ssh(&text).map(|key| vec![key]).map_err(|why| match why {
        PrivateKeyError::Invalid => invalid("not an ssh key"),
        PrivateKeyError::Encrypted => invalid("it is behind a passphrase"),
        PrivateKeyError::Unsupported => invalid("its kind is not supported"),
    })
}

/// The text of a sealed file, opened with the first of `keys` that is there; none if there is no such file.
///
/// # Errors
///
/// Fails if it cannot be read, if there is no key, or if the file cannot be opened with it.
pub fn text(path: &Path, keys: &[PathBuf]) -> Result<Option<String>, SealError> {
    let sealed = match disk::read(path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(ReadFileError::from(FileError::Io { action: "read", path: path.to_owned(), source }).into());
        }
    };
    unseal(path, &sealed, &identity(keys)?).map(Some)
}

/// What a sealed file is to those who ask here.
pub enum UnsealResult {
    /// Its text.
    Unsealed(String),
    /// It is sound as far as can be seen, and no key here opens it.
    ForOthers,
    /// No identity can open it.
    Broken(SealError),
}

/// Looks at a sealed file.
#[must_use]
pub fn try_unseal(path: &Path, keys: &[PathBuf]) -> UnsealResult {
    let sealed = match disk::read(path) {
        Ok(sealed) => sealed,
        Err(source) => {
            return UnsealResult::Broken(
                ReadFileError::from(FileError::Io { action: "read", path: path.to_owned(), source }).into(),
            );
        }
    };
    // Without a key, too, it can be seen whether it is a sealed file at all.
    if let Err(source) = AgeFile::parse(&sealed) {
        return UnsealResult::Broken(SealError::UnsealFailed { path: path.to_owned(), source });
    }
    match identity(keys).and_then(|identity| unseal(path, &sealed, &identity)) {
        Ok(text) => UnsealResult::Unsealed(text),
        Err(
            SealError::NoIdentity { .. }
            | SealError::InvalidIdentity { .. }
            | SealError::UnsealFailed { source: DecryptError::NoMatchingKeys, .. },
        ) => UnsealResult::ForOthers,
        Err(error) => UnsealResult::Broken(error),
    }
}

/// Opens a sealed file.
///
/// # Errors
///
/// Fails if it was not sealed for this key, is damaged, or is not text.
pub fn unseal(path: &Path, sealed: &[u8], identity: &Identity) -> Result<String, SealError> {
    let decrypted = AgeFile::parse(sealed).and_then(|file| file.decrypt(&identity.0));
    let mut bytes = decrypted.map_err(|source| SealError::UnsealFailed { path: path.to_owned(), source })?;
    Ok(read::decode(path, std::mem::take(&mut bytes))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(name: &str, key: &str) -> Recipient {
        Recipient { name: name.to_owned(), key: key.trim().to_owned() }
    }

    #[test]
    fn only_recipients_open_what_was_sealed() {
        let home = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let keygen = |name: &str| {
            let output = std::process::Command::new("age-keygen").output().expect("age-keygen is there");
            let text = String::from_utf8(output.stdout).expect("text");
            let public =
                text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("it has one").to_owned();
            (write(name, &text), public)
        };
        let ((age_key, alice), (other, _)) = (keygen("alice"), keygen("eve"));
        let ssh_key = home.path().join("id_ed25519");
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "bob@example.com", "-f"]).arg(&ssh_key);
        assert!(keygen.status().expect("ssh-keygen is there").success());
        let ssh_public = std::fs::read_to_string(home.path().join("id_ed25519.pub")).expect("made");
        let all = [recipient("alice", &alice), recipient("bob", &ssh_public)];
        let sealed = seal("API_KEY=hunter2\n", &all).expect("sealed");
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert!(sealed.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));
        let path = Path::new("dev.env.age");
        for key in [age_key, ssh_key] {
            let identity = identity(&[home.path().join("none"), key]).expect("a key");
            assert_eq!(unseal(path, &sealed, &identity).expect("opened"), "API_KEY=hunter2\n");
        }
        let eve = identity(&[other]).expect("a key");
        assert_eq!(unseal(path, &sealed, &eve).expect_err("closed").kind(), FaultKind::Auth);
        let mut torn = sealed.clone();
        torn.truncate(sealed.len() - 60);
        let key = identity(&[home.path().join("alice")]).expect("a key");
        assert!(unseal(path, &torn, &key).is_err(), "a torn file is not half opened");
    }

    #[test]
    fn a_lost_recipient_is_named_by_key() {
        let before = [recipient("alice", "age1a"), recipient("carol", "ssh-ed25519 C c@x")];
        let now = [recipient("alicia", "age1a")];
        assert_eq!(missing(&list(&before), &now), ["carol"]);
    }

    #[test]
    fn an_invalid_key_is_reported_with_its_name() {
        let error = seal("x", &[recipient("mallory", "ssh-dss AAAA")]).expect_err("bad");
        assert!(error.to_string().contains("mallory"), "{error}");
        assert_eq!(identity(&[]).err().map(|error| error.kind()), Some(FaultKind::Auth));
    }
}
