//! What a deploy carries beside a release: env files and secrets. No release holds them, for every user of a host may read it.
//!
//! Both sides compare them by digests; their contents are in one frame of the session, in the file of a host that services read,
//! and, while a deploy has not ended, in a private directory of it with what was there before.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::release::{ContentHash, EntryPath};
use crate::base::environment::EnvName;

/// The most bytes that all of them have together: half of the room that is kept for putting a release back.
pub const MAX_CARRIED: usize = 512 << 10;

/// More names of keys are not said.
const MAX_KEYS: usize = 10;

/// What is carried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carried {
    /// The secrets of the environment.
    Secrets,
    /// An env file that services name, from `TETRA_DIR`.
    EnvFile(EntryPath),
}

impl Carried {
    /// What it is called: `secrets/dev.env`, `env/dev.env`.
    #[must_use]
    pub fn name(&self, env: &EnvName) -> String {
        match self {
            Self::Secrets => format!("secrets/{env}.env"),
            Self::EnvFile(path) => path.to_string(),
        }
    }
}

/// How it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// As text.
    Plain,
    /// Sealed for recipients; only secrets are.
    Sealed,
}

/// The digests of its files; an env file is never sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// Of the file that can be read.
    pub plain: Option<ContentHash>,
    /// Of the sealed file.
    pub sealed: Option<ContentHash>,
}

/// Its settings: each name with the first digits of a digest of its value.
pub type Keys = BTreeMap<String, String>;

/// How it is on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Of its files.
    pub digests: Digests,
    /// Of the text that services get; none where it is sealed and the host cannot open it.
    pub text: Option<ContentHash>,
    /// No other user may read it.
    pub is_private: bool,
    /// What it sets.
    pub keys: Keys,
}

/// How it is on a host, and how a deploy left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedState {
    /// What.
    pub what: Carried,
    /// None if it is not there.
    pub found: Option<Found>,
    /// As the last deploy that stayed left it; none if none did.
    pub deployed: Option<Digests>,
}

impl CarriedState {
    /// True where it is not as a deploy left it.
    #[must_use]
    pub fn has_drifted(&self) -> bool {
        let found = self.found.as_ref().map(|found| found.digests.clone()).unwrap_or_default();
        self.deployed.as_ref().is_some_and(|deployed| *deployed != found)
    }
}

/// It with its content, which nothing prints.
pub struct CarriedFile {
    /// What.
    pub what: Carried,
    /// How it is kept.
    pub form: Form,
    /// What is in its file.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Of its text; none where it is sealed and no key here opens it.
    pub text: Option<ContentHash>,
    /// What it sets, as far as that is known.
    pub keys: Keys,
}

impl CarriedFile {
    /// Of what is in its file.
    #[must_use]
    pub fn digest(&self) -> ContentHash {
        ContentHash::of(&self.bytes)
    }

    /// Of its files once it is in its place.
    #[must_use]
    pub fn digests(&self) -> Digests {
        match self.form {
            Form::Plain => Digests { plain: Some(self.digest()), sealed: None },
            Form::Sealed => Digests { plain: None, sealed: Some(self.digest()) },
        }
    }

    /// True where it is there already. Text that was sealed twice is the same text.
    #[must_use]
    pub fn is_there(&self, found: Option<&Found>) -> bool {
        let Some(found) = found.filter(|found| found.is_private) else { return false };
        let is_same_text = self.text.is_some() && self.text == found.text;
        match self.form {
            Form::Plain => found.digests.plain == Some(self.digest()),
            Form::Sealed if found.digests.plain.is_some() => found.digests.sealed.is_some() && is_same_text,
            Form::Sealed => {
                found.digests.sealed == Some(self.digest()) || found.digests.sealed.is_some() && is_same_text
            }
        }
    }

    /// `: API_KEY, DB_URL`; nothing where it is not known.
    #[must_use]
    pub fn sets(&self) -> String {
        named(": ", self.keys.keys())
    }

    /// What it would change there: `adds API_KEY; changes DB_URL`. Names, and no values.
    #[must_use]
    pub fn changes(&self, found: Option<&Found>) -> String {
        let Some(found) = found else { return format!("is new{}", self.sets()) };
        if self.text.is_none() || found.text.is_none() {
            return "other sealed secrets".to_owned();
        }
        let known = |key: &String| found.keys.get(key);
        let added = named("adds ", self.keys.keys().filter(|key| known(key).is_none()));
        let is_other = |(key, digest): &(&String, &String)| known(key).is_some_and(|there| there != *digest);
        let changed = named("changes ", self.keys.iter().filter(is_other).map(|(key, _)| key));
        let removed = named("removes ", found.keys.keys().filter(|key| !self.keys.contains_key(*key)));
        let parts: Vec<String> = [added, changed, removed].into_iter().filter(|part| !part.is_empty()).collect();
        if !parts.is_empty() {
            return parts.join("; ");
        }
        let what = match self.form {
            Form::Sealed if found.digests.plain.is_some() => "is sealed",
            Form::Plain if found.digests.plain.is_none() => "is sealed no more",
            _ if !found.is_private => "is closed to other users",
            _ => "sets the same in another text",
        };
        what.to_owned()
    }
}

/// `changes A, B and 3 more`; nothing where there is no key.
fn named<'a>(verb: &str, keys: impl Iterator<Item = &'a String>) -> String {
    let keys: Vec<&str> = keys.map(String::as_str).collect();
    if keys.is_empty() {
        return String::new();
    }
    let mut text = format!("{verb}{}", keys[..keys.len().min(MAX_KEYS)].join(", "));
    if keys.len() > MAX_KEYS {
        let _ = write!(text, " and {} more", keys.len() - MAX_KEYS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pairs: &[(&str, &str)]) -> Keys {
        pairs.iter().map(|(key, digest)| ((*key).to_owned(), (*digest).to_owned())).collect()
    }

    fn file(form: Form, bytes: &str, text: Option<&str>) -> CarriedFile {
        CarriedFile {
            what: Carried::Secrets,
            form,
            bytes: Zeroizing::new(bytes.as_bytes().to_vec()),
            text: text.map(|text| ContentHash::of(text.as_bytes())),
            keys: keys(&[("A", "1"), ("B", "2")]),
        }
    }

    fn found(plain: Option<&str>, sealed: Option<&str>, text: Option<&str>) -> Found {
        let hash = |text: &str| ContentHash::of(text.as_bytes());
        let digests = Digests { plain: plain.map(hash), sealed: sealed.map(hash) };
        Found { digests, text: text.map(hash), is_private: true, keys: keys(&[("B", "3"), ("C", "4")]) }
    }

    #[test]
    fn it_is_there_where_services_get_the_same_in_the_same_form() {
        let plain = file(Form::Plain, "A=1", Some("A=1"));
        assert!(plain.is_there(Some(&found(Some("A=1"), None, Some("A=1")))));
        let open = Found { is_private: false, ..found(Some("A=1"), None, Some("A=1")) };
        let other = found(Some("A=2"), None, Some("A=2"));
        let sealed = found(None, Some("x"), Some("A=1"));
        for found in [None, Some(&open), Some(&other), Some(&sealed)] {
            assert!(!plain.is_there(found), "{found:?}");
        }

        let sealed = file(Form::Sealed, "sealed", Some("A=1"));
        assert!(sealed.is_there(Some(&found(None, Some("sealed"), None))));
        assert!(sealed.is_there(Some(&found(None, Some("sealed again"), Some("A=1")))));
        assert!(sealed.is_there(Some(&found(Some("A=1"), Some("sealed"), Some("A=1")))));
        assert!(!sealed.is_there(Some(&found(Some("A=1"), None, Some("A=1")))), "it is open there");
        assert!(!sealed.is_there(Some(&found(Some("A=2"), Some("sealed"), Some("A=2")))), "services get the open one");
        let unknown = file(Form::Sealed, "sealed", None);
        assert!(unknown.is_there(Some(&found(None, Some("sealed"), None))));
        assert!(!unknown.is_there(Some(&found(None, Some("another"), None))));
    }

    #[test]
    fn a_change_is_said_by_names() {
        let plain = file(Form::Plain, "A=1", Some("A=1"));
        assert_eq!(plain.changes(None), "is new: A, B");
        let there = found(Some("A=2"), None, Some("A=2"));
        assert_eq!(plain.changes(Some(&there)), "adds A; changes B; removes C");
        let same = Found { keys: plain.keys.clone(), ..there.clone() };
        assert_eq!(plain.changes(Some(&same)), "sets the same in another text");
        assert_eq!(plain.changes(Some(&Found { is_private: false, ..same })), "is closed to other users");
        assert_eq!(file(Form::Sealed, "x", None).changes(Some(&there)), "other sealed secrets");
        let sealed = CarriedFile { keys: there.keys.clone(), ..file(Form::Sealed, "x", Some("A=2")) };
        assert_eq!(sealed.changes(Some(&there)), "is sealed");
        let many: Keys = (10..25).map(|number| (format!("K{number}"), String::new())).collect();
        let many = CarriedFile { keys: many, ..plain };
        assert!(many.changes(None).ends_with("K19 and 5 more"), "{}", many.changes(None));
    }

    #[test]
    fn what_is_not_as_a_deploy_left_it_has_drifted() {
        let there = found(Some("A=1"), None, Some("A=1"));
        let state = |deployed| CarriedState { what: Carried::Secrets, found: Some(there.clone()), deployed };
        assert!(!state(None).has_drifted());
        assert!(!state(Some(there.digests.clone())).has_drifted());
        assert!(state(Some(Digests::default())).has_drifted());
        assert!(CarriedState { found: None, ..state(Some(there.digests.clone())) }.has_drifted());
    }
}
