//! What the name of a variable, option or key says about its value.
//!
//! One rule with two thresholds. Showing a secret is worse than hiding something harmless, so [`is_secret_name`] is broad. A false
//! alarm about a file costs trust, so [`classify`] is narrow; whatever it calls a secret is hidden too.

use super::name_words::{
    ABOUT, ABOUT_IN_FILES, ANYWHERE, BEFORE_PASS, COUNTED, ENDS, FAINT, LAST, MAYBE, OPEN_KEYS, OPEN_TOKENS,
    OTHER_KEYS, PARTS, WEAK, WORDS,
};

/// How sure a name is when its value is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Its value is not a secret.
    None,
    /// Its value is one unless it looks like a file or a switch, is the number of a contact, or a package.
    Faint,
    /// Its value is one unless it looks like a file or a switch.
    Weak,
    /// Its value is a secret whatever it looks like.
    Strong,
}

/// What a name in a file says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameVerdict {
    /// Its value is a secret.
    Secret,
    /// It may be one; a second witness is needed.
    Maybe,
    /// Nothing.
    Nothing,
}

/// True for the name of a variable, option or key whose value must not be shown: `DB_PASSWORD`, `--api-key`, `authToken`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    weight(name) != Weight::None
}

/// Whether a name says that its value must not be shown.
pub(super) fn weight(name: &str) -> Weight {
    let words = words(name);
    if is_about(name, &words) {
        return Weight::None;
    }
    match broad(&words) {
        Weight::None if narrow(name, &words) == NameVerdict::Secret => Weight::Weak,
        weight => weight,
    }
}

/// What a name in a file says about its value.
#[must_use]
pub fn classify(name: &str) -> NameVerdict {
    let words = words(name);
    if is_about(name, &words) { NameVerdict::Nothing } else { narrow(name, &words) }
}

/// It describes a secret, or is the directory that a shell is in.
fn is_about(name: &str, words: &[String]) -> bool {
    matches!(name, "PWD" | "OLDPWD" | "XDG_SESSION_ID")
        || words.last().is_none_or(|last| ABOUT.contains(&last.as_str()))
        || is_counted(words)
}

/// `max_tokens`
fn is_counted(words: &[String]) -> bool {
    has(words, &["tokens"]) && has(words, &COUNTED)
}

/// It admits to a session without a password.
const SESSION_ID: [&str; 2] = ["session", "id"];

fn has(words: &[String], list: &[&str]) -> bool {
    words.iter().any(|word| list.contains(&word.as_str()))
}

fn broad(words: &[String]) -> Weight {
    let whole = words.concat();
    if PARTS.iter().any(|part| whole.contains(part)) && !whole.ends_with("less") {
        let is_weak = words.last().is_some_and(|last| last == "credentials");
        return if is_weak { Weight::Weak } else { Weight::Strong };
    }
    if has(words, &["public"]) {
        return Weight::None;
    }
    let is_strong = |word: &String| {
        WORDS.contains(&word.as_str())
            || ENDS.iter().any(|end| word.ends_with(end))
            || ["pass", "pwd"].iter().filter_map(|end| word.strip_suffix(end)).any(|it| BEFORE_PASS.contains(&it))
            || word == "masterauth"
    };
    if words.iter().any(is_strong) {
        return Weight::Strong;
    }
    if has(words, &WEAK) && !has(words, &OTHER_KEYS) {
        return Weight::Weak;
    }
    let is_faint =
        has(&words[words.len().saturating_sub(1)..], &FAINT) || words.ends_with(&SESSION_ID.map(str::to_owned));
    if is_faint { Weight::Faint } else { Weight::None }
}

fn narrow(name: &str, words: &[String]) -> NameVerdict {
    let Some(last) = words.last().map(String::as_str) else { return NameVerdict::Nothing };
    let ends = |count: usize| {
        words.len() >= count && {
            let joined = words[words.len() - count..].concat();
            LAST.contains(&&*joined) || joined.strip_suffix('s').is_some_and(|one| LAST.contains(&one))
        }
    };
    let before = words.len().checked_sub(2).map(|at| words[at].as_str());
    let is_open = matches!(last, "token" | "tokens") && before.is_some_and(|before| OPEN_TOKENS.contains(&before));
    if is_open || has(words, &["public"]) || name.contains("::") {
        return NameVerdict::Nothing;
    }
    if (1..=3).any(ends) {
        return NameVerdict::Secret;
    }
    let joined: Vec<String> = words.windows(2).map(<[String]>::concat).collect();
    if (has(words, &ANYWHERE) || has(&joined, &ANYWHERE)) && !ABOUT_IN_FILES.contains(&last) {
        return NameVerdict::Secret;
    }
    match last {
        "key" if before.is_some_and(|before| OPEN_KEYS.contains(&before)) => NameVerdict::Nothing,
        _ if MAYBE.contains(&last) => NameVerdict::Maybe,
        _ => NameVerdict::Nothing,
    }
}

/// An option that describes a secret and takes none: `--no-password`, `--ask-pass`, `--with-token`.
pub(super) fn is_switch(option: &str) -> bool {
    const SWITCHES: [&str; 14] = [
        "no", "skip", "without", "disable", "enable", "show", "ask", "use", "require", "allow", "with", "generate",
        "print", "accept",
    ];
    words(option).first().is_some_and(|first| SWITCHES.contains(&first.as_str()))
}

/// A name that is a verb: `set-credentials`, `get-token`.
pub(super) fn is_verb(word: &str) -> bool {
    const VERBS: [&str; 8] = ["set", "get", "list", "create", "delete", "remove", "unset", "rotate"];
    words(word).first().is_some_and(|first| VERBS.contains(&first.as_str()))
}

/// Characters of a name.
pub(super) fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']')
}

/// True for what can be the name of a variable, an option or a key.
pub(super) fn is_plain(name: &str) -> bool {
    name.chars().all(is_part) && name.contains(|c: char| c.is_ascii_alphabetic())
}

/// The words of a name in lower case, without digits: between other characters, and where a capital follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            words.push(String::new());
        }
        if c.is_ascii_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "DB_PASSWORD",
            "token",
            "--api-key",
            "AWS_SECRET_ACCESS_KEY",
            "SSH_KEY",
            "PGPASSWORD",
            "db_pass",
            "authToken",
            "apiKey",
            "clientSecret",
            "SECRET_KEY_BASE",
            "requirepass",
            "DBPASS",
            "MYSQL_PWD",
            "pwd",
            "db.password",
            "users[0].password",
            "API_KEY_PROD",
            "_authToken",
            "SENTRY_DSN",
            "X-Amz-Signature",
            "password1",
            "AWS_ACCESS_KEY_ID",
            "Authorization",
            "-storepass",
            "KEYS",
            "encryptionkey",
            "SECRET1",
            "ldap_cred",
            "--so-pin",
            "PASSWORD_SALT",
            "GITHUB_PAT",
            "proxyauth",
            "srppass",
            "--license",
            "sessionId",
            "SESSION_ID",
            "PHPSESSID",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PORT",
            "KEYBOARD",
            "PATH",
            "TRESPASS",
            "UNDERPASS",
            "PASSENGER",
            "PASSPORT",
            "passive",
            "NODE_ENV",
            "AUTHOR",
            "PWD",
            "DB_PASSWORD_FILE",
            "--password-file",
            "--password-stdin",
            "TOKEN_URL",
            "--max-tokens",
            "TOKENIZER",
            "monkey",
            "PUBLIC_KEY",
            "NEXT_PUBLIC_API_TOKENS",
            "CACHE_KEY",
            "PASSWORDLESS",
            "SECRETARY",
            "key-file",
            "port",
            "credential.helper",
            "multipass",
            "SALT_MASTER",
            "pinned",
            "XDG_SESSION_ID",
            "--license-file",
            "PATTERN",
            "OVERPASS",
            "",
            "--",
            "_",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_name_in_a_file_needs_more_to_be_that_of_a_secret() {
        for (name, verdict) in [
            ("DB_PASSWORD", NameVerdict::Secret),
            ("encryption_key", NameVerdict::Secret),
            ("userPass", NameVerdict::Secret),
            ("stripe_key", NameVerdict::Maybe),
            ("SENTRY_DSN", NameVerdict::Maybe),
            ("max_tokens", NameVerdict::Nothing),
            ("next_token", NameVerdict::Nothing),
            ("PASSWORD_HASH", NameVerdict::Nothing),
            ("password_rounds", NameVerdict::Nothing),
        ] {
            assert_eq!(classify(name), verdict, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_reported_is_hidden(name in "[a-zA-Z_.:-]{0,6}(PASSWORD|secret|token|api_?key|cred|auth|pwd|signing[_-]?key)[a-zA-Z0-9_.-]{0,8}") {
            prop_assert!(classify(&name) != NameVerdict::Secret || is_secret_name(&name));
        }
    }
}
