//! What a login is made with, and whose it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;

/// What a login is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Nothing: only the host key is looked at.
    Nothing,
    /// This key and no other.
    Key(PathBuf),
    /// The key whose public half this is; the agent holds the private one.
    AgentKey(PathBuf),
    /// A key of the agent that is in no file.
    Held(HeldKey),
    /// A certificate of a key.
    Certificate {
        /// The login with the key.
        by: Box<Login>,
        /// Its certificate.
        file: PathBuf,
    },
    /// What the operator uses without tetra: whatever ssh offers by itself. [`settle`](super::own_keys::settle) makes one key of it.
    Operator,
    /// Root, or one who may become root by `sudo` without a password, who then does everything as another user.
    Become {
        /// The login.
        by: Box<Login>,
        /// Who logs in.
        login: String,
        /// As whom it is done.
        user: String,
    },
}

/// A key that only an agent holds.
#[derive(Debug, Clone)]
pub struct HeldKey {
    /// Its public half, in a file that lasts as long as this.
    pub(super) public: Arc<TempPath>,
    /// What a person knows it by.
    pub(super) name: String,
}

impl PartialEq for HeldKey {
    fn eq(&self, other: &Self) -> bool {
        **self.public == **other.public
    }
}

impl Eq for HeldKey {}

impl Login {
    /// The file of the key, or of its public half; none for what is not one key.
    #[must_use]
    pub fn key_file(&self) -> Option<&Path> {
        match self.inner() {
            Self::Key(path) | Self::AgentKey(path) => Some(path),
            Self::Held(key) => Some(&key.public),
            Self::Certificate { by, .. } => by.key_file(),
            Self::Nothing | Self::Operator | Self::Become { .. } => None,
        }
    }

    /// The public half of a key that an agent has to sign with.
    #[must_use]
    pub(super) fn agent_key(&self) -> Option<&Path> {
        match self.inner() {
            Self::AgentKey(path) => Some(path),
            Self::Held(key) => Some(&key.public),
            Self::Certificate { by, .. } => by.agent_key(),
            _ => None,
        }
    }

    /// The file of the certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<&Path> {
        if let Self::Certificate { file, .. } = self.inner() { Some(file) } else { None }
    }

    /// What a person knows the key by, or its certificate; none for what is not one key.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        let file = || self.certificate().or_else(|| self.key_file()).map(|path| path.display().to_string());
        self.held_name().or_else(file)
    }

    /// What a person knows a key by that only an agent holds.
    pub(super) fn held_name(&self) -> Option<String> {
        if let Self::Held(key) = self.inner() { Some(key.name.clone()) } else { None }
    }

    /// The same with another way to log in.
    #[must_use]
    pub(super) fn with(&self, inner: Self) -> Self {
        match self {
            Self::Become { login, user, .. } => {
                Self::Become { by: Box::new(inner), login: login.clone(), user: user.clone() }
            }
            _ => inner,
        }
    }

    /// What ssh logs in with.
    #[must_use]
    pub(super) fn inner(&self) -> &Self {
        if let Self::Become { by, .. } = self { by } else { self }
    }

    /// The line that has a line of `sh` run, which holds no single quote. It is the same for every call: POSIX shells, fish and csh
    /// read it alike.
    pub(super) fn shell(&self, line: &str) -> String {
        let Self::Become { user, .. } = self else { return format!("exec sh -c '{line}'") };
        // `su` of every system takes the options before the name. The name is one of `HostUser`.
        let become_user = format!("su -s /bin/sh -c \"$0\" {user}");
        format!(
            "exec sh -c 'if [ \"$(id -u)\" = 0 ]; then exec {become_user}; else exec sudo -n {become_user}; fi' '{line}'"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_becomes_another_user_says_so_in_single_quotes() {
        let root = Login::Become { by: Box::new(Login::Operator), login: "ann".to_owned(), user: "web".to_owned() };
        assert_eq!(Login::Operator.shell("x"), "exec sh -c 'x'");
        let line = root.shell("x");
        assert!(line.contains("exec sudo -n su -s /bin/sh -c \"$0\" web; fi' 'x'"), "{line}");
        assert_eq!(line.matches('\'').count(), 4);
        assert_eq!((root.inner(), root.key_file()), (&Login::Operator, None));
    }
}
