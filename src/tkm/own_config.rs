//! What `ssh -G` says of the keys that a host is offered.

use std::collections::BTreeMap;

/// What of the operator's configuration says which keys a host is offered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OwnConfig {
    /// `IdentityFile`, as it is written; those of ssh itself where there is none.
    pub(super) files: Vec<String>,
    /// `IdentitiesOnly`: other keys of the agent are not offered.
    pub(super) is_limited: bool,
    /// `IdentityAgent`, as it is written.
    agent: Option<String>,
    /// A certificate or a token is named: what is offered then is not a list of keys.
    pub(super) is_more_than_keys: bool,
}

impl OwnConfig {
    /// What `ssh -G` printed.
    pub(super) fn parse(text: &str) -> Self {
        let lines = || text.lines().filter_map(|line| line.split_once(' '));
        let has = |name: &str, value: &str| lines().any(|line| line == (name, value));
        let is_set = |name: &str| lines().any(|(key, value)| key == name && value != "none");
        Self {
            files: lines().filter(|(key, _)| *key == "identityfile").map(|(_, value)| value.to_owned()).collect(),
            is_limited: has("identitiesonly", "yes"),
            agent: lines().find(|(key, _)| *key == "identityagent").map(|(_, value)| value.to_owned()),
            is_more_than_keys: is_set("certificatefile") || is_set("pkcs11provider"),
        }
    }

    /// True where no file is named: the files are those that ssh looks for by itself.
    pub(super) fn has_no_files(&self) -> bool {
        ["rsa", "ecdsa", "ed25519"]
            .iter()
            .all(|kind| self.files.iter().any(|file| *file == format!("~/.ssh/id_{kind}")))
    }

    /// The socket of the agent; none if there is none, or it shall not be used.
    pub(super) fn socket<'a>(&'a self, variables: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let of = |name: &str| variables.get(name).map(String::as_str);
        match self.agent.as_deref() {
            None | Some("SSH_AUTH_SOCK") => of("SSH_AUTH_SOCK"),
            Some("none") => None,
            Some(path) => path.strip_prefix('$').map_or(Some(path), of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_ssh_itself_are_not_taken_for_named_ones() {
        let own = OwnConfig::parse(
            "identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ecdsa\nidentityfile ~/.ssh/id_ed25519\n",
        );
        assert!(own.has_no_files() && !own.is_limited && !own.is_more_than_keys);
        let own = OwnConfig::parse(
            "identityfile ~/.ssh/id_ed25519\nidentitiesonly yes\nidentityagent none\ncertificatefile c\n",
        );
        assert!(!own.has_no_files() && own.is_limited && own.is_more_than_keys);
        assert_eq!(own.socket(&BTreeMap::from([("SSH_AUTH_SOCK".to_owned(), "/x".to_owned())])), None);
    }

    #[test]
    fn an_agent_is_where_the_configuration_says() {
        let variables = BTreeMap::from([
            ("SSH_AUTH_SOCK".to_owned(), "/usual".to_owned()),
            ("OTHER".to_owned(), "/other".to_owned()),
        ]);
        for (line, socket) in [
            ("", Some("/usual")),
            ("identityagent SSH_AUTH_SOCK", Some("/usual")),
            ("identityagent $OTHER", Some("/other")),
            ("identityagent $NONE", None),
            ("identityagent /a b", Some("/a b")),
        ] {
            assert_eq!(OwnConfig::parse(line).socket(&variables), socket, "{line}");
        }
    }
}
