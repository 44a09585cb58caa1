//! What a value says about itself: a reference, something still to be filled in, a documented example, randomness.

use crate::base::sort::SortExt;

/// It refers to a value somewhere else.
pub(in crate::config) fn is_reference(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let begins = [
        "var.",
        "$",
        "%(",
        "env.",
        "env:",
        "vault:",
        "op://",
        "arn:",
        "ref+",
        "!ref",
        "!sub",
        "!vault",
        "!secret",
        "!env",
        "!getatt",
        "process.env",
        "os.environ",
        "secrets.",
        "data.",
        "local.",
        "module.",
        "file:",
        "enc[",
    ];
    value.contains("${")
        || value.contains("{{")
        || value.contains("$(")
        || value.contains("<%")
        || value.contains("@@")
        || begins.iter().any(|begin| lower.starts_with(begin))
        || wrapped(value, "%", "%")
        || wrapped(value, "{", "}")
        || wrapped(value, "__", "__")
        || wrapped(value, "[", "]")
}

fn wrapped(value: &str, begin: &str, end: &str) -> bool {
    value.len() > begin.len() + end.len() && value.starts_with(begin) && value.ends_with(end)
}

/// A path, which names a secret and is none.
pub(in crate::config) fn is_file(value: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._/~@-".contains(c);
    let begins = ["/", "./", "../", "~/"].iter().any(|begin| value.starts_with(begin));
    let last = value.rsplit('/').next().unwrap_or_default();
    let has_ending = value.contains('/') && last.contains('.');
    let endings = [
        ".pem", ".key", ".crt", ".cert", ".txt", ".json", ".yaml", ".yml", ".toml", ".env", ".p12", ".pfx", ".jks",
        ".pub",
    ];
    let named = endings.iter().any(|ending| value.to_ascii_lowercase().ends_with(ending));
    value.chars().all(is_part)
        && ((begins && value.matches('/').count() + usize::from(last.contains('.')) > 1) || has_ending || named)
}

/// A text that is where a value is still to be filled in.
#[must_use]
pub fn is_placeholder(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    wrapped(&value, "your_", "_here")
        || wrapped(&value, "your-", "-name")
        || wrapped(&value, "your-", "-here")
        || wrapped(&value, "placeholder_", "_here")
        || wrapped(&value, "<", ">")
        || value.starts_with("replace_")
        || value.contains("changeme")
        || value.contains("change_me")
        || value == "todo"
}

/// Parts of values that are never real: they are to be filled in, left out, or from a documentation.
const PLACEHOLDERS: [&str; 28] = [
    "example",
    "xxxx",
    "****",
    "....",
    "____",
    "your_",
    "your-",
    "yourpass",
    "yourtoken",
    "yoursecret",
    "yourkey",
    "my_secret",
    "my-secret",
    "mysecret",
    "changeit",
    "change-me",
    "change_this",
    "change-this",
    "replace_",
    "replace-",
    "replaceme",
    "placeholder",
    "redacted",
    "dummy",
    "insert_",
    "insert-",
    "fixme",
    "deadbeef",
];

/// Parts of the tokens that documentations show, in lower case.
const DOCUMENTED_EXAMPLES: [&str; 5] = [
    "wjalrxutnfemi/k7mdeng",
    "_4ec39hqlyjwdarjtt1zdp7dc",
    "_bqokikjovbii2hlwgh4olfq2",
    "eyjzdwiioiixmjm0nty3odkwiiwibmftzsi6ikpvag4grg9l",
    "014df517-39d1-4453-b7b3-9930c563627c",
];

/// Values that say what is wanted, or that there is none.
const WORDS: [&str; 52] = [
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "null",
    "nil",
    "none",
    "undefined",
    "string",
    "str",
    "text",
    "number",
    "int",
    "integer",
    "boolean",
    "bool",
    "object",
    "array",
    "any",
    "password",
    "passwd",
    "pass",
    "secret",
    "token",
    "key",
    "auth",
    "basic",
    "bearer",
    "oauth",
    "oauth2",
    "jwt",
    "plain",
    "login",
    "read",
    "write",
    "admin",
    "required",
    "optional",
    "default",
    "disabled",
    "enabled",
    "inherit",
    "empty",
    "hidden",
    "masked",
    "never",
    "always",
    "prompt",
    "env",
    "apikey",
];

/// It is not a secret, whatever its key says.
pub(in crate::config) fn is_dummy(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let mut kinds: Vec<char> = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    kinds.order();
    kinds.dedup();
    is_placeholder(value)
        || is_reference(value)
        || is_file(value)
        || has(&PLACEHOLDERS)
        || has(&DOCUMENTED_EXAMPLES)
        || WORDS.contains(&&*lower)
        || kinds.len() < 2
        || lower.ends_with("...")
        || (lower.starts_with("http") && lower.contains("://"))
}

/// A token that a documentation shows, or that holds something to be filled in.
pub(in crate::config) fn is_example(token: &str) -> bool {
    let lower = token.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let tail = &lower[lower.len() / 3..];
    let mut kinds: Vec<char> = tail.chars().filter(|c| c.is_alphanumeric()).collect();
    kinds.order();
    kinds.dedup();
    has(&PLACEHOLDERS) || has(&DOCUMENTED_EXAMPLES) || kinds.len() < 4
}

/// The shortest value that is measured.
const MIN_RANDOM_LENGTH: usize = 20;

/// So random that no person made it up.
pub(in crate::config) fn is_random(value: &str) -> bool {
    if value.len() < MIN_RANDOM_LENGTH
        || value.contains([' ', '.', '\n', '\t', ':', '('])
        || value.matches('/').count() > 3
    {
        return false;
    }
    let is_hex = value.len() >= 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    has_digit && entropy(value) >= if is_hex { 3.0 } else { 4.0 }
}

/// A number of something, as a rule: eight, four, four, four and twelve.
fn is_uuid(value: &str) -> bool {
    value.len() == 36 && value.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

/// A program may have made it: it is not a word.
pub(in crate::config) fn is_made(value: &str) -> bool {
    !is_uuid(value)
        && value.len() >= 8
        && value.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_punctuation())
}

/// Not a word, not a sentence, not a name in a program: what a password or a token may look like.
pub(in crate::config) fn is_contrived(value: &str) -> bool {
    let has = |is: fn(&char) -> bool| value.chars().any(|c| is(&c));
    let mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    let lower = has(char::is_ascii_lowercase);
    value.len() >= 9
        && mixed
        && lower
        && !is_uuid(value)
        && !value.contains(char::is_whitespace)
        && entropy(value) >= 3.0
}

/// Shannon's measure, in bits a character.
fn entropy(value: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::<char, u32>::new();
    value.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    let all = f64::from(counts.values().sum::<u32>());
    counts.values().map(|count| f64::from(*count) / all).map(|part| -part * part.log2()).sum()
}
