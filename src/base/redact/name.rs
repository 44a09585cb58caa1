//! Names that say that their value is a secret.

/// Parts of names that hold secrets, wherever they stand.
const PARTS: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASSCODE",
    "CREDENTIAL",
    "APIKEY",
    "PRIVATEKEY",
    "ACCESSKEY",
    "AUTHORIZATION",
];

/// How a word of a name begins or ends that holds a secret: `CLIENTSECRET`, `AUTHTOKEN`, but no `TOKENIZER`.
const ENDS: [&str; 4] = ["SECRET", "SECRETS", "TOKEN", "TOKENS"];

/// Words of a name that hold a secret by themselves.
const WORDS: [&str; 14] = [
    "PASS",
    "PWD",
    "PW",
    "PASSIN",
    "PASSOUT",
    "PSK",
    "OTP",
    "DSN",
    "COOKIE",
    "BEARER",
    "CREDS",
    "JWT",
    "SIGNATURE",
    "SIG",
];

/// Words of a name that mostly hold a secret, and sometimes say where one is or whether there is one.
const WEAK: [&str; 4] = ["KEY", "KEYS", "AUTH", "CREDENTIALS"];

/// What stands before PASS and PWD in one word with them. Other words end like that too: `COMPASS`, `BYPASS`.
const BEFORE_PASS: [&str; 23] = [
    "DB",
    "PG",
    "MYSQL",
    "USER",
    "ADMIN",
    "ROOT",
    "SMTP",
    "MAIL",
    "IMAP",
    "FTP",
    "SFTP",
    "SSH",
    "HTTP",
    "PROXY",
    "LDAP",
    "BIND",
    "REDIS",
    "REQUIRE",
    "MASTER",
    "KEY",
    "STORE",
    "SRCSTORE",
    "DESTSTORE",
];

/// Last words of names that tell something about a secret instead of being one.
const ABOUT: [&str; 45] = [
    "FILE",
    "FILENAME",
    "FILES",
    "PATH",
    "DIR",
    "DIRECTORY",
    "DIR",
    "URL",
    "URI",
    "ENDPOINT",
    "NAME",
    "TYPE",
    "MODE",
    "METHOD",
    "STDIN",
    "LENGTH",
    "LEN",
    "SIZE",
    "TTL",
    "EXPIRY",
    "EXPIRES",
    "EXPIRATION",
    "TIMEOUT",
    "LIMIT",
    "COUNT",
    "POLICY",
    "PROVIDER",
    "ALGORITHM",
    "ALG",
    "PROMPT",
    "FORMAT",
    "HEADER",
    "PREFIX",
    "INTERVAL",
    "ENABLED",
    "DISABLED",
    "REQUIRED",
    "HOST",
    "PORT",
    "USER",
    "USERNAME",
    "VERSION",
    "ROUNDS",
    "HELPER",
    "SERVICE",
];

/// Words beside KEY that make it a key of another kind.
const OTHER_KEYS: [&str; 8] = ["PUBLIC", "PRIMARY", "FOREIGN", "SORT", "PARTITION", "CACHE", "ROUTING", "MAP"];

/// Words beside TOKENS that make them something to be counted.
const COUNTED: [&str; 7] = ["MAX", "MIN", "NUM", "TOTAL", "CONTEXT", "COMPLETION", "PROMPT"];

/// How sure a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Its value is no secret.
    None,
    /// Its value is one unless it looks like a file or a switch.
    Weak,
    /// Its value is a secret whatever it looks like.
    Strong,
}

/// True for the name of a variable or option whose value is a secret: `DB_PASSWORD`, `--api-key`, `authToken`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    weight(name) != Weight::None
}

/// Whether a name says that its value is a secret.
pub(super) fn weight(name: &str) -> Weight {
    // The directory that a shell is in.
    if matches!(name, "PWD" | "OLDPWD") {
        return Weight::None;
    }
    let words = words(name);
    let Some(last) = words.last() else { return Weight::None };
    if ABOUT.contains(&last.as_str()) {
        return Weight::None;
    }
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let whole = words.concat();
    if PARTS.iter().any(|part| whole.contains(part)) && !whole.ends_with("LESS") {
        return if last == "CREDENTIALS" { Weight::Weak } else { Weight::Strong };
    }
    if any(&["PUBLIC"]) || (any(&["TOKENS"]) && any(&COUNTED)) {
        return Weight::None;
    }
    let is_strong = |word: &String| {
        WORDS.contains(&word.as_str())
            || ENDS.iter().any(|end| word.ends_with(end))
            || ["PASS", "PWD"].iter().filter_map(|end| word.strip_suffix(end)).any(|it| BEFORE_PASS.contains(&it))
            || word == "MASTERAUTH"
    };
    if words.iter().any(is_strong) {
        return Weight::Strong;
    }
    if any(&WEAK) && !any(&OTHER_KEYS) { Weight::Weak } else { Weight::None }
}

/// An option that says something about a secret and takes none: `--no-password`, `--ask-pass`, `--with-token`.
pub(super) fn is_switch(option: &str) -> bool {
    const SWITCHES: [&str; 13] = [
        "NO", "SKIP", "WITHOUT", "DISABLE", "ENABLE", "SHOW", "ASK", "USE", "REQUIRE", "ALLOW", "WITH", "GENERATE",
        "PRINT",
    ];
    words(option).first().is_some_and(|first| SWITCHES.contains(&first.as_str()))
}

/// A name that is a verb: `set-credentials`, `get-token`.
pub(super) fn is_verb(word: &str) -> bool {
    const VERBS: [&str; 8] = ["SET", "GET", "LIST", "CREATE", "DELETE", "REMOVE", "UNSET", "ROTATE"];
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

/// The words of a name in upper case: between `_`, `-` and `.`, and where a capital follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric() {
            words.last_mut().expect("there is one from the start").push(c.to_ascii_uppercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
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
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PORT",
            "KEYBOARD",
            "PATH",
            "COMPASS",
            "BYPASS",
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
            "",
            "--",
            "_",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
