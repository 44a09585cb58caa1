//! The words of names that hold secrets, and of those that only look so.

/// Parts of names that hold secrets, wherever they are.
pub(super) const PARTS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "credential",
    "apikey",
    "privatekey",
    "accesskey",
    "authorization",
];

/// How a word of a name ends that holds a secret: `clientsecret`, `authtoken`, but not `tokenizer`.
pub(super) const ENDS: [&str; 4] = ["secret", "secrets", "token", "tokens"];

/// Words of a name that hold a secret by themselves.
pub(super) const WORDS: [&str; 14] = [
    "pass",
    "pwd",
    "pw",
    "passin",
    "passout",
    "psk",
    "otp",
    "dsn",
    "cookie",
    "bearer",
    "creds",
    "jwt",
    "signature",
    "sig",
];

/// Words of a name that mostly hold a secret, and sometimes say where one is or whether there is one.
pub(super) const WEAK: [&str; 4] = ["key", "keys", "auth", "credentials"];

/// What precedes `pass` and `pwd` in one word with them. Other words end like that too: `compass`, `bypass`.
pub(super) const BEFORE_PASS: [&str; 23] = [
    "db",
    "pg",
    "mysql",
    "user",
    "admin",
    "root",
    "smtp",
    "mail",
    "imap",
    "ftp",
    "sftp",
    "ssh",
    "http",
    "proxy",
    "ldap",
    "bind",
    "redis",
    "require",
    "master",
    "key",
    "store",
    "srcstore",
    "deststore",
];

/// Last words of names that describe a secret instead of holding one.
pub(super) const ABOUT: [&str; 45] = [
    "alg",
    "algorithm",
    "count",
    "dir",
    "directory",
    "disabled",
    "enabled",
    "endpoint",
    "expiration",
    "expires",
    "expiry",
    "file",
    "filename",
    "files",
    // In two parts: it is data, not prose.
    concat!("fold", "er"),
    "format",
    "header",
    "helper",
    "host",
    "interval",
    "len",
    "length",
    "limit",
    "method",
    "mode",
    "name",
    "path",
    "policy",
    "port",
    "prefix",
    "prompt",
    "provider",
    "required",
    "rounds",
    "service",
    "size",
    "stdin",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
    "user",
    "username",
    "version",
];

/// The same for names in files.
pub(super) const ABOUT_IN_FILES: [&str; 42] = [
    "arn",
    "attempts",
    "bits",
    "chars",
    "class",
    "command",
    "created",
    "encoder",
    "exists",
    "field",
    "form",
    "hash",
    "hint",
    "id",
    "ids",
    "input",
    "label",
    "list",
    "location",
    "manager",
    "max",
    "message",
    "min",
    "names",
    "namespace",
    "option",
    "options",
    "pattern",
    "placeholder",
    "ref",
    "reference",
    "regex",
    "reset",
    "rotation",
    "rules",
    "scope",
    "source",
    "store",
    "strength",
    "text",
    "title",
    "validator",
];

/// Words beside `key` that make it a key of another kind.
pub(super) const OTHER_KEYS: [&str; 8] =
    ["public", "primary", "foreign", "sort", "partition", "cache", "routing", "map"];

/// Words beside `tokens` that make them something to be counted.
pub(super) const COUNTED: [&str; 7] = ["max", "min", "num", "total", "context", "completion", "prompt"];

/// Last words that make a name in a file that of a secret; joined. An `s` may follow.
pub(super) const LAST: [&str; 39] = [
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

/// Words that do so wherever they are in the name.
pub(super) const ANYWHERE: [&str; 5] = ["password", "passwd", "passphrase", "secret", "apikey"];

/// Words before `key` that make it a key of data, or a public one.
pub(super) const OPEN_KEYS: [&str; 24] = [
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

/// Words before `token` that make it one of a parser, of a paginated list, or of a single form.
pub(super) const OPEN_TOKENS: [&str; 18] = [
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

/// Last words that may name a secret.
pub(super) const MAYBE: [&str; 9] = ["key", "salt", "cookie", "signature", "webhook", "session", "dsn", "pat", "pin"];
