//! What the name of a key says about its value.

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameVerdict {
    /// Its value is a secret.
    Secret,
    /// It may be one; a second witness is needed.
    Maybe,
    /// Nothing.
    Nothing,
}

/// Words that make a name that of a secret when they are its last ones; joined, in lower case. An `s` may follow.
const LAST: [&str; 39] = [
    "pass",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "pwd",
    "secret",
    "token",
    "apikey",
    "apisecret",
    "privatekey",
    "secretkey",
    "accesskey",
    "accountkey",
    "authkey",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "sessionkey",
    "clientkey",
    "clientkeydata",
    "sharedkey",
    "presharedkey",
    "servicekey",
    "deploykey",
    "licensekey",
    "loggedinkey",
    "noncekey",
    "securityauthkey",
    "credential",
    "cred",
    "auth",
    "authtoken",
    "bearer",
    "psk",
    "requirepass",
    "masterauth",
    "userpass",
];

/// Words that make it so wherever they are in the name, unless what follows them says that it is about a secret only.
const ANYWHERE: [&str; 5] = ["password", "passwd", "passphrase", "secret", "apikey"];

/// Last words of names of what is known about a secret, and is none.
const ABOUT: [&str; 74] = [
    "algorithm",
    "arn",
    "attempts",
    "bits",
    "chars",
    "class",
    "command",
    "count",
    "created",
    "dir",
    "enabled",
    "encoder",
    "endpoint",
    "expiration",
    "expires",
    "expiry",
    "exists",
    "field",
    "file",
    "filename",
    // In two parts: it is data, not prose.
    concat!("fold", "er"),
    "form",
    "format",
    "hash",
    "header",
    "hint",
    "id",
    "ids",
    "input",
    "label",
    "length",
    "limit",
    "list",
    "location",
    "manager",
    "max",
    "message",
    "method",
    "min",
    "mode",
    "name",
    "names",
    "namespace",
    "option",
    "options",
    "path",
    "pattern",
    "placeholder",
    "policy",
    "port",
    "prefix",
    "prompt",
    "provider",
    "ref",
    "reference",
    "regex",
    "required",
    "reset",
    "rotation",
    "rules",
    "scope",
    "size",
    "source",
    "store",
    "strength",
    "text",
    "title",
    "ttl",
    "type",
    "uri",
    "url",
    "username",
    "validator",
    "version",
];

/// Words before `key` that make it a key of data, or one that everybody may see.
const OPEN_KEYS: [&str; 24] = [
    "public",
    "pub",
    "primary",
    "foreign",
    "partition",
    "sort",
    "cache",
    "index",
    "object",
    "row",
    "map",
    "hot",
    "natural",
    "schema",
    "sequence",
    "shortcut",
    "dict",
    "json",
    "registry",
    "lookup",
    "unique",
    "group",
    "column",
    "config",
];

/// Words before `token` that make it one of a parser, of a list in pages, or one for a single form.
const OPEN_TOKENS: [&str; 18] = [
    "next",
    "input",
    "output",
    "page",
    "paging",
    "pagination",
    "continuation",
    "cursor",
    "start",
    "end",
    "stop",
    "lock",
    "update",
    "csrf",
    "xsrf",
    "design",
    "sync",
    "cancellation",
];

/// Words that may name a secret.
const MAYBE: [&str; 9] = ["key", "salt", "cookie", "signature", "webhook", "session", "dsn", "pat", "pin"];

/// What a key says about its value.
pub(super) fn classify(key: &str) -> NameVerdict {
    let words = words(key);
    let Some(last) = words.last().map(String::as_str) else { return NameVerdict::Nothing };
    let ends = |count: usize| {
        words.len() >= count && {
            let joined = words[words.len() - count..].concat();
            LAST.contains(&&*joined) || joined.strip_suffix('s').is_some_and(|one| LAST.contains(&one))
        }
    };
    let before = words.len().checked_sub(2).map(|at| words[at].as_str());
    let is_open = matches!(last, "token" | "tokens") && before.is_some_and(|before| OPEN_TOKENS.contains(&before));
    if is_open || words.iter().any(|word| word == "public") || key.contains("::") {
        return NameVerdict::Nothing;
    }
    if (1..=3).any(ends) {
        return NameVerdict::Secret;
    }
    let joined: Vec<String> = words.windows(2).map(<[String]>::concat).collect();
    let mut all = words.iter().chain(&joined);
    if all.any(|word| ANYWHERE.contains(&&**word)) && !ABOUT.contains(&last) {
        return NameVerdict::Secret;
    }
    match last {
        "key" if before.is_some_and(|before| OPEN_KEYS.contains(&before)) => NameVerdict::Nothing,
        _ if MAYBE.contains(&last) => NameVerdict::Maybe,
        _ => NameVerdict::Nothing,
    }
}

/// The words of a name, in lower case: `dbPassword`, `DB_PASSWORD` and `db.password2` are `db` and `password`.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = '_';
    for c in key.chars() {
        let begins = c.is_ascii_uppercase() && last.is_ascii_lowercase();
        if !c.is_ascii_alphanumeric() || begins {
            words.push(String::new());
        }
        if c.is_ascii_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    words
}
