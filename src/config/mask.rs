//! Texts and values without what is secret in them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::base::dotenv;
use crate::base::redact::{self, MASK};
use crate::base::sort::SortExt;

use super::{patterns, secret};

/// Shorter values are not looked for in other texts: they would be found everywhere.
pub const MIN_SECRET_LENGTH: usize = 6;

/// An env file with the values of secret names hidden, its places as they were.
#[must_use]
pub fn env_values(text: &str) -> String {
    let Ok(entries) = dotenv::entries(text) else { return env_text(text) };
    let is_secret = |entry: &dotenv::SpannedEnvVar| secret::is_secret_text(&entry.variable.key, &entry.variable.value);
    let hidden: Vec<_> = entries.into_iter().filter(is_secret).map(|entry| entry.value).collect();
    redact::mask_ranges(text, &hidden)
}

/// An env file with everything hidden that could be a value, its places as they were.
#[must_use]
pub fn env_text(text: &str) -> String {
    let mut hidden = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let begin = line.find('=').map_or(0, |equals| equals + 1);
        let plain = line.trim_start().starts_with('#') || line.trim().is_empty();
        // A line without `=` may be the rest of a value.
        if !plain {
            hidden.push(at + begin..at + line.len());
        }
        at += line.len();
    }
    redact::mask_ranges(text, &hidden)
}

/// A TOML text with everything hidden that looks like a secret, its places as they were. It need not be sound.
#[must_use]
pub fn toml_text(text: &str) -> String {
    let mut hidden: Vec<Range<usize>> = patterns::patterns(text).into_iter().map(|(_, span)| span).collect();
    hidden.extend(redact::assignments(text, redact::is_secret_name));
    redact::mask_ranges(text, &hidden)
}

/// Known secrets, to be found in any text by their value.
#[derive(Debug, Clone, Default)]
pub struct Masker {
    /// Longest value first, so that one inside another does not leave its rest.
    values: Vec<(String, String)>,
    /// Variables that hold secrets though their names do not say so.
    keys: BTreeSet<String>,
}

impl Masker {
    /// The secrets of a name each.
    #[must_use]
    pub fn new(secrets: &BTreeMap<String, String>) -> Self {
        let long = secrets.iter().filter(|(_, value)| value.len() >= MIN_SECRET_LENGTH);
        let mut values: Vec<_> = long.map(|(name, value)| (name.clone(), value.clone())).collect();
        values.order_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        Self { values, keys: BTreeSet::new() }
    }

    /// Hides further variables whole.
    #[must_use]
    pub fn with_keys(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        self.keys.extend(keys);
        self
    }

    /// True for a variable that is hidden whole.
    #[must_use]
    pub fn masks(&self, key: &str) -> bool {
        redact::is_secret_name(key) || self.keys.contains(key)
    }

    /// The text with `«NAME»` for each secret.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(value, &format!("«{name}»")))
    }

    /// A variable as it may be shown.
    #[must_use]
    pub fn variable(&self, key: &str, value: &str) -> String {
        if value.is_empty() {
            return String::new();
        }
        if self.masks(key) {
            return MASK.to_owned();
        }
        redact::text(&self.text(value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_covered_wherever_they_stand() {
        let secrets = [("DB_PASSWORD", "hunter2hunter2"), ("PIN", "1234"), ("PART", "hunter2")];
        let secrets = secrets.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let cover = Masker::new(&secrets);
        assert_eq!(cover.text("pg://app:hunter2hunter2@h hunter2 1234"), "pg://app:«DB_PASSWORD»@h «PART» 1234");
        assert_eq!(cover.variable("API_KEY", "x"), "***");
        assert_eq!(cover.clone().with_keys(["BUCKET".to_owned()]).variable("BUCKET", "x"), "***");
        assert_eq!(cover.variable("PUBLIC_KEY", "ssh-ed25519 AAAA"), "ssh-ed25519 AAAA");
        assert_eq!(cover.variable("URL", "pg://u:pw@h"), "pg://u:***@h");
    }

    #[test]
    fn a_text_that_is_not_a_toml_is_shown_without_what_looks_like_a_secret() {
        let text = "[a]\nx = 1\napi_key = \"canary\nu = { token = \"canary\" }\nurl = \"pg://u:canary@h\"\nk = \"${secret:K}\"\n";
        let hidden = toml_text(text);
        assert_eq!(hidden.len(), text.len());
        assert!(!hidden.contains("canary") && hidden.contains("${secret:K}") && hidden.contains("x = 1"), "{hidden}");
    }

    #[test]
    fn a_hidden_text_keeps_its_places() {
        let text = "# k=v\nexport API_KEY='é\nx' # n\nPORT=1\n";
        let hidden = env_values(text);
        assert_eq!(hidden.len(), text.len());
        assert_eq!(hidden, "# k=v\nexport API_KEY=***\n******\nPORT=1\n");
        assert_eq!(env_text("A='x\nyz\n#c\n"), "A=**\n**\n#c\n");
    }

    proptest! {
        #[test]
        fn no_value_is_left(text in "\\PC{0,60}", from in 0_usize..80, length in 0_usize..20) {
            let hidden = redact::mask_ranges(&text, std::slice::from_ref(&(from.min(text.len())..(from + length).min(text.len()))));
            prop_assert_eq!(hidden.len(), text.len());
            prop_assert_eq!(env_text(&text).len(), text.len());
        }
    }
}
