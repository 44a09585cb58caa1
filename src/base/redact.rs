//! Secrets in command lines and texts, replaced before anything is kept or shown.

use std::ops::Range;

/// What stands for a secret.
pub const MASK: &str = "***";

/// Parts of names that hold secrets, in upper case.
const SECRET_PARTS: [&str; 9] =
    ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY"];

/// Words of a name, between `_` and `-`, that make it a secret one.
const SECRET_WORDS: [&str; 8] = ["KEY", "PASS", "PWD", "AUTH", "AUTHORIZATION", "PW", "DSN", "COOKIE"];

/// How well-known tokens begin, and the fewest characters that follow.
const SHAPES: [(&str, usize); 17] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("sk_live_", 12),
    ("rk_live_", 12),
    ("sk-", 24),
    ("npm_", 24),
    ("dop_v1_", 24),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("AGE-SECRET-KEY-", 20),
];

/// True for the name of a variable or option whose value is a secret: `DB_PASSWORD`, `--api-key`, `token`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.trim_start_matches('-').replace('-', "_").to_ascii_uppercase();
    SECRET_PARTS.iter().any(|part| name.contains(part)) || name.split('_').any(|word| SECRET_WORDS.contains(&word))
}

/// The words of a command line without its secrets: values of secret options, variables, headers and JSON keys, passwords in
/// URLs and after `-u`, tokens of well-known shape.
pub fn redact<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut before = String::new();
    let mut redacted = Vec::new();
    let mut setting = None;
    for (index, word) in words.into_iter().enumerate() {
        let word = word.as_ref();
        // `secrets set ENV NAME` takes no value; one that is given all the same must not be kept.
        if word == "set" && before == "secrets" {
            setting = Some(index);
        }
        let beyond = setting.is_some_and(|set| index > set + 2) && !word.starts_with('-');
        let names_secret = before.starts_with("--") && !before.contains('=') && is_secret_name(&before);
        redacted.push(match word.split_once(':') {
            _ if beyond => MASK.to_owned(),
            _ if (names_secret && !word.starts_with("--")) || before.eq_ignore_ascii_case("bearer") => MASK.to_owned(),
            Some((user, _)) if matches!(before.as_str(), "-u" | "--user") => format!("{user}:{MASK}"),
            _ => assigned(word).unwrap_or_else(|| text(word)),
        });
        word.clone_into(&mut before);
    }
    redacted
}

/// What separates words inside a text.
const BETWEEN: [char; 8] = [' ', '\t', '\n', '"', '\'', ',', ';', '&'];

/// A text without the secrets that can be told by their shape or by the name before them.
#[must_use]
pub fn text(text: &str) -> String {
    let mut out = String::new();
    let mut state = After::Nothing;
    for piece in text.split_inclusive(BETWEEN) {
        let word = piece.trim_end_matches(BETWEEN);
        let end = &piece[word.len()..];
        if !word.is_empty() {
            out.push_str(&state.masked(word));
            state = state.then(word);
        }
        out.push_str(end);
    }
    out
}

/// A line of `KEY=VALUE` with as many stars as the value has characters; all stars if there is no `=`.
#[must_use]
pub fn assignment(line: &str) -> String {
    let key = line.find('=').map_or("", |equals| &line[..=equals]);
    format!("{key}{}", "*".repeat(line[key.len()..].chars().count()))
}

/// A text whose parts at `spans` are stars, byte for byte: every other place stays what it was.
#[must_use]
pub fn covered(text: &str, spans: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        let begin = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end);
        for byte in bytes[begin..end].iter_mut().filter(|byte| **byte != b'\n') {
            *byte = b'*';
        }
    }
    // Whole characters were replaced by stars.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Where the values of secret keys stand in a TOML text, to the ends of their lines. It need not be sound.
pub fn assignments(text: &str, is_secret: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // An inline table has several keys on a line.
        let secret = line.match_indices('=').find(|(equals, _)| {
            let key = line[..*equals].rsplit(['.', '{', ',', '=']).next().unwrap_or_default();
            let value = line[equals + 1..].trim_start();
            let plain = value.contains("${") || value.starts_with("\"var.");
            is_secret(key.trim_matches([' ', '\t', '"', '\''])) && !plain
        });
        if let Some((equals, _)) = secret {
            let begin = line.len() - line[equals + 1..].trim_start().len();
            found.push(at + begin..at + line.trim_end().len().max(begin));
        }
        at += line.len();
    }
    found
}

/// What the words before one say about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    /// A secret name that a `:` may follow: `"password" : "…"`.
    Name,
    /// A secret name and its colon: `Authorization:`.
    Colon,
    /// `Bearer`, or the scheme of an authorization.
    Scheme,
}

impl After {
    fn masked(self, word: &str) -> String {
        match self {
            Self::Scheme => MASK.to_owned(),
            Self::Colon if !is_scheme(word) => MASK.to_owned(),
            _ => assigned(word).unwrap_or_else(|| shape(&url(word))),
        }
    }

    fn then(self, word: &str) -> Self {
        let secret = |name: &str| is_plain_name(name) && is_secret_name(name);
        match word.strip_suffix(':') {
            Some("") if self == Self::Name => Self::Colon,
            Some(name) if secret(name) => Self::Colon,
            _ if self == Self::Colon && is_scheme(word) => Self::Scheme,
            _ if word.eq_ignore_ascii_case("bearer") => Self::Scheme,
            _ if secret(word) => Self::Name,
            _ => Self::Nothing,
        }
    }
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "token", "digest"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// `NAME=value` with a secret name, also behind `--env=` and as the parameter of a URL, without the value.
fn assigned(word: &str) -> Option<String> {
    let mut start = 0;
    let mut in_url = false;
    for (at, character) in word.char_indices() {
        match character {
            '=' if is_plain_name(&word[start..at]) && is_secret_name(&word[start..at]) => {
                let rest = word[at..].find('&').filter(|_| in_url).map_or("", |end| &word[at + end..]);
                let rest = assigned(rest).unwrap_or_else(|| rest.to_owned());
                return Some(format!("{}={MASK}{rest}", url(&word[..at])));
            }
            '?' | '&' => {
                in_url = true;
                start = at + 1;
            }
            '=' => start = at + 1,
            _ => {}
        }
    }
    None
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// `scheme://user:password@host` without the password, or without a lone token before the `@`.
fn url(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, host)) = authority.rsplit_once('@') else { return word.to_owned() };
    let user = match user.split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}"),
        None if user.len() >= 20 => MASK.to_owned(),
        None => user.to_owned(),
    };
    format!("{scheme}://{user}@{host}{}", &rest[authority.len()..])
}

/// Masks every token of well-known shape inside a word.
fn shape(word: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut out = String::new();
    let mut rest = word;
    while let Some(start) = rest.find(is_part) {
        out.push_str(&rest[..start]);
        let run = &rest[start..];
        let end = run.find(|c| !is_part(c)).unwrap_or(run.len());
        let (token, after) = run.split_at(end);
        let is_token =
            |(begin, least): &(&str, usize)| token.strip_prefix(begin).is_some_and(|tail| tail.len() >= *least);
        // Three base64 parts with dots: a JSON web token.
        let is_jwt = token.starts_with("eyJ") && token.len() >= 16 && after.starts_with('.');
        if is_jwt {
            let end = after.find(|c| !is_part(c) && c != '.').unwrap_or(after.len());
            out.push_str(MASK);
            rest = &after[end..];
        } else {
            out.push_str(if SHAPES.iter().any(is_token) { MASK } else { token });
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        for (given, kept) in [
            ("tsm start --env dev api", "tsm start --env dev api"),
            ("x --token abc --name b", "x --token *** --name b"),
            ("x --api-key=abc", "x --api-key=***"),
            ("x --db-password abc", "x --db-password ***"),
            (
                "tsm start DB_PASSWORD=a API_KEY=b PORT=3 node a.js",
                "tsm start DB_PASSWORD=*** API_KEY=*** PORT=3 node a.js",
            ),
            ("x postgres://u:pw@h/db?x=1", "x postgres://u:***@h/db?x=1"),
            ("x https://h/a@b", "x https://h/a@b"),
            ("curl -H Authorization:Bearer abc", "curl -H Authorization:Bearer abc"),
            ("curl Bearer abc", "curl Bearer ***"),
            ("x ghp_abcdefghijklmnopqrstuvwxyz123456", "x ***"),
            ("x a=eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.abc-_", "x a=***"),
            ("x monkey=1 keyboard=2", "x monkey=1 keyboard=2"),
            ("secrets set prod API_KEY", "secrets set prod API_KEY"),
            ("secrets set prod API_KEY hunter2 x", "secrets set prod API_KEY *** ***"),
            ("x --env=DB_PASSWORD=a=b&c", "x --env=DB_PASSWORD=***"),
            ("x https://h/p?token=abc&x=1&key=2", "x https://h/p?token=***&x=1&key=***"),
            ("x https://u:pw@h/p?token=abc", "x https://u:***@h/p?token=***"),
            ("curl -u me:pw http://h:80/", "curl -u me:*** http://h:80/"),
            ("x {\"password\":\"abc\",\"port\":1}", "x {\"password\":\"***\",\"port\":1}"),
            ("tsm logs api --since 10:30", "tsm logs api --since 10:30"),
        ] {
            assert_eq!(redact(given.split(' ')).join(" "), kept);
        }
    }

    #[test]
    fn secrets_inside_a_quoted_word_are_masked() {
        assert_eq!(
            redact(["tsm", "start", "A_TOKEN=x node app.js --url 'https://u:p@h'"])[2],
            "A_TOKEN=***",
            "the value may reach to the end"
        );
        assert_eq!(text("env PORT=1 A_TOKEN=x node 'https://u:p@h'"), "env PORT=1 A_TOKEN=*** node 'https://u:***@h'");
        for (given, kept) in [
            ("-H 'Authorization: Bearer abc'", "-H 'Authorization: Bearer ***'"),
            ("-H 'Authorization: Basic abc' x", "-H 'Authorization: Basic ***' x"),
            ("-H 'X-Api-Key: abc' x", "-H 'X-Api-Key: ***' x"),
            ("{ \"secret\" : \"abc\", \"a\": \"b\" }", "{ \"secret\" : \"***\", \"a\": \"b\" }"),
            ("curl 'http://h?a=1&token=abc' && x", "curl 'http://h?a=1&token=***' && x"),
            ("the key is here", "the key is here"),
        ] {
            assert_eq!(text(given), kept);
        }
    }

    #[test]
    fn names_of_secrets() {
        for name in ["DB_PASSWORD", "token", "--api-key", "AWS_SECRET_ACCESS_KEY", "SSH_KEY", "PGPASSWORD", "db_pass"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["PORT", "KEYBOARD", "PATH", "COMPASS", "NODE_ENV", "AUTHOR"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_secret_survives(name in "[A-Z]{1,5}_(TOKEN|PASSWORD|SECRET|KEY)", secret in "[a-z0-9]{9,20}") {
            let words = redact([format!("{name}={secret}"), format!("--{}", name.to_lowercase()), secret.clone()]);
            prop_assert!(!words.join(" ").contains(&secret));
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = super::text(&text);
            let _ = redact([text]);
        }
    }
}
