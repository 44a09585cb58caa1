//! Secrets that stand where they must not: in configuration that is committed, copied and shown.
//!
//! Three tiers. The *name* of a key says that its value is a secret; a value has the *pattern* of a well-known token; a value is
//! so random (*entropy*) that it may be one. The first two are errors, the last a warning. A line that ends in
//! `# tetra:allow-secret REASON` is let pass. What is found is told by its place; its value is never repeated.

use std::ops::Range;
use std::path::Path;

use crate::base::diagnostic::{Diagnostic, Severity, SourceText};
use crate::base::dotenv;

use super::document::Document;
use super::scope::Raw;
use crate::base::redact;

/// What lets a line pass.
pub const ALLOW: &str = "tetra:allow-secret";

/// How a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// TOML; text that is none is read as `Other`.
    Toml,
    /// `KEY=VALUE` lines; text that is none is read as `Other`.
    Env,
    /// Anything: only patterns are looked for.
    Other,
}

impl Syntax {
    /// The syntax of a file by its name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let last = name.rsplit('/').next().unwrap_or_default();
        match last {
            _ if last.ends_with(".toml") => Self::Toml,
            _ if last.ends_with(".env") || last.ends_with(".env.tmpl") || last == ".env" || last.ends_with(".tsm") => {
                Self::Env
            }
            _ => Self::Other,
        }
    }
}

/// Why something is taken for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Its key says so.
    Name,
    /// It looks like a well-known token.
    Pattern,
    /// It is very random.
    Entropy,
}

/// Something that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Why.
    pub rule: Rule,
    /// The key it stands at, or what kind of token it is.
    pub what: String,
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// The reason for which it is let pass.
    pub allowed: Option<String>,
}

impl Finding {
    /// Errors stop, warnings are told. What is let pass is a warning.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.rule == Rule::Entropy || self.allowed.is_some() { Severity::Warning } else { Severity::Error }
    }
}

/// Everything in a text that looks like a secret, in its order.
#[must_use]
pub fn scan(text: &str, syntax: Syntax) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, value, span) in values(text, syntax) {
        if is_reference(&value) || is_placeholder(&value) {
            continue;
        }
        if is_secret_key(&key) && !value.trim().is_empty() && !is_file(&value) {
            found.push((Rule::Name, key, span));
        } else if !is_harmless_key(&key) && is_random(&value) {
            found.push((Rule::Entropy, key, span));
        }
    }
    for (kind, span) in patterns(text) {
        let known = |(rule, _, other): &(Rule, String, Range<usize>)| *rule == Rule::Name && overlap(other, &span);
        if !found.iter().any(known) {
            found.retain(|(rule, _, other)| *rule != Rule::Entropy || !overlap(other, &span));
            found.push((Rule::Pattern, kind.to_owned(), span));
        }
    }
    found.sort_by_key(|(_, _, span)| span.start);
    let found = found.into_iter();
    found.map(|(rule, what, span)| Finding { rule, what, allowed: allowed(text, &span), span }).collect()
}

/// What was found in a text, ready to be shown: the text is shown without any of it.
#[must_use]
pub fn diagnostics(name: &str, text: &str, findings: &[Finding]) -> Vec<Diagnostic> {
    let hidden: Vec<Range<usize>> = findings.iter().map(|finding| finding.span.clone()).collect();
    let source = SourceText::new(name, redact::covered(text, &hidden));
    let said = |finding: &Finding| {
        let what = &finding.what;
        let title = match (&finding.allowed, finding.rule) {
            (Some(reason), _) => format!("a secret is let pass here: {reason}"),
            (None, Rule::Name) => format!("`{what}` is a secret and stands in the open"),
            (None, Rule::Pattern) => format!("{what} stands in the open"),
            (None, Rule::Entropy) => format!("the value of `{what}` looks random enough to be a secret"),
        };
        let diagnostic = match finding.severity() {
            Severity::Error => source.error(title, finding.span.clone(), ""),
            Severity::Warning => source.warning(title, finding.span.clone(), ""),
        };
        match (&finding.allowed, finding.rule) {
            (Some(_), _) => diagnostic,
            (None, Rule::Entropy) => diagnostic.help(format!("if it is none, end the line with `# {ALLOW} REASON`")),
            (None, _) => diagnostic.help(instead(name)),
        }
    };
    findings.iter().map(said).collect()
}

/// What to do with a secret that stands in a file.
fn instead(name: &str) -> &'static str {
    // What is generated from there is copied around, and a secret must not be.
    if name == "--set" || Path::new(name).parent().is_some_and(|folder| folder.ends_with("environments")) {
        return "`secrets set ENV NAME` keeps it for the processes of that environment; take it out here, and change it at its source";
    }
    "`secrets set ENV NAME` keeps it; write `${secret:NAME}` here, and change it at its source"
}

/// Keys with their values and places.
fn values(text: &str, syntax: Syntax) -> Vec<(String, String, Range<usize>)> {
    match syntax {
        Syntax::Toml => {
            let Ok(document) = Document::parse("", text) else { return Vec::new() };
            let texts = document.entries.into_iter().filter_map(|entry| match entry.value {
                Raw::Text(value) => Some((entry.path.last().cloned().unwrap_or_default(), value, entry.span)),
                _ => None,
            });
            texts.collect()
        }
        Syntax::Env => {
            let entries = dotenv::entries(text).unwrap_or_default();
            entries.into_iter().map(|entry| (entry.setting.key, entry.setting.value, entry.value)).collect()
        }
        Syntax::Other => Vec::new(),
    }
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// The last words of names of secrets, in lower case, without `_` and `-`; an `s` may follow.
const SECRET_WORDS: [&str; 10] =
    ["pass", "password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey", "credential", "auth"];

/// True for a key whose value is a secret: `(^|_|-)(pass(word|wd)?|secret|token|api[_-]?key|private[_-]?key|credential|auth)s?$`
#[must_use]
pub fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let parts: Vec<&str> = key.split(['_', '-']).collect();
    let ends = |count: usize| {
        parts.len() >= count && {
            let last = parts[parts.len() - count..].concat();
            SECRET_WORDS.contains(&&*last) || last.strip_suffix('s').is_some_and(|last| SECRET_WORDS.contains(&last))
        }
    };
    ends(1) || ends(2)
}

/// What is random by nature and no secret.
fn is_harmless_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["sha", "digest", "checksum", "commit", "fingerprint", "public_key", "hash", "revision"]
        .iter()
        .any(|word| key.contains(word))
}

fn is_reference(value: &str) -> bool {
    value.contains("${") || value.starts_with("var.")
}

/// A path, which names a secret and is none.
fn is_file(value: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._/~@-".contains(c);
    let begins = ["/", "./", "../", "~/"].iter().any(|begin| value.starts_with(begin));
    let has_ending = value.contains('/') && value.rsplit('/').next().is_some_and(|last| last.contains('.'));
    value.chars().all(is_part) && (begins || has_ending)
}

/// A text that stands where a value is still to be filled in.
#[must_use]
pub fn is_placeholder(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let wrapped = |begin: &str, end: &str| value.starts_with(begin) && value.ends_with(end);
    wrapped("your_", "_here")
        || wrapped("your-", "-name")
        || wrapped("your-", "-here")
        || wrapped("placeholder_", "_here")
        || wrapped("<", ">")
        || value.starts_with("replace_")
        || value.contains("changeme")
        || value.contains("change_me")
        || value == "todo"
}

/// The shortest value that is measured.
const LONG_ENOUGH: usize = 20;

fn is_random(value: &str) -> bool {
    if value.len() < LONG_ENOUGH || value.contains([' ', '/', '.', '\n', '\t']) {
        return false;
    }
    let is_hex = value.len() >= 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    entropy(value) >= if is_hex { 3.0 } else { 4.0 }
}

/// Shannon's measure, in bits a character.
fn entropy(value: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::<char, u32>::new();
    value.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    let all = f64::from(counts.values().sum::<u32>());
    counts.values().map(|count| f64::from(*count) / all).map(|part| -part * part.log2()).sum()
}

/// Well-known tokens, private keys and passwords in URLs, wherever they stand.
fn patterns(text: &str) -> Vec<(&'static str, Range<usize>)> {
    redact::tokens(text).chain(redact::private_keys(text)).chain(passwords(text)).collect()
}

/// `scheme://user:password@host`
fn passwords(text: &str) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    text.match_indices("://").filter_map(move |(at, _)| {
        let begin = at + 3;
        let end = text[begin..].find(|c: char| c.is_whitespace() || "\"'/?#<>,`".contains(c));
        let authority = &text[begin..end.map_or(text.len(), |length| begin + length)];
        let (user, _) = authority.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        let plain = !password.is_empty() && !password.contains("${") && !password.starts_with('$');
        let start = begin + name.len() + 1;
        (plain && !is_placeholder(password) && !password.chars().all(|c| matches!(c, '*' | 'x' | '.')))
            .then(|| ("a password in a URL", start..start + password.len()))
    })
}

/// The reason behind the mark on the line on which the span ends.
fn allowed(text: &str, span: &Range<usize>) -> Option<String> {
    let line = text.get(span.end..)?.lines().next()?;
    let inside = text.get(span.clone())?;
    let (_, reason) = line.split_once(ALLOW).or_else(|| inside.lines().last()?.split_once(ALLOW))?;
    let reason = reason.trim();
    Some(if reason.is_empty() { "without a reason".to_owned() } else { reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str, syntax: Syntax) -> Vec<(Rule, String)> {
        scan(text, syntax).into_iter().map(|finding| (finding.rule, finding.what)).collect()
    }

    fn toml(line: &str) -> Vec<Rule> {
        found(line, Syntax::Toml).into_iter().map(|(rule, _)| rule).collect()
    }

    #[test]
    fn the_name_of_a_key_tells_a_secret() {
        for key in ["api_key", "API-KEY", "db_password", "passwd", "tokens", "auth", "client_secret", "privateKey"] {
            assert_eq!(toml(&format!("{key} = \"dev-server-key-12345\"")), [Rule::Name], "{key}");
        }
        for line in [
            "api_key = \"\"",
            "api_key = \"${secret:API_KEY}\"",
            "api_key = \"var.API_KEY\"",
            "private_key = \"/etc/ssl/key.pem\"",
            "private_key = \"keys/key.pem\"",
            "auth = true",
            "token = \"your_token_here\"",
            "author = \"a b\"",
            "compass = \"north\"",
            "monkey = \"banana\"",
        ] {
            assert_eq!(toml(line), [], "{line}");
        }
    }

    #[test]
    fn well_known_tokens_are_found_anywhere() {
        for (text, kind) in [
            ("# old: ghp_abcdefghijklmnopqrstuvwxyz0123456789", "a GitHub token"),
            ("x = [\"AKIAIOSFODNN7EXAMPLE\"]", "an AWS access key"),
            ("url = \"postgres://app:S3cr3t@db/x\"", "a password in a URL"),
            (
                "k = '''\n-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----'''",
                "a private key",
            ),
            ("j = \"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc\"", "a JSON web token"),
            ("a = \"AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQ\"", "an age key"),
        ] {
            assert_eq!(found(text, Syntax::Toml), [(Rule::Pattern, kind.to_owned())], "{text}");
        }
        for text in [
            "u = \"postgres://localhost/dev\"",
            "u = \"https://user@host/\"",
            "u = \"pg://u:${PW}@h\"",
            "u = \"pg://u:***@h\"",
            "u = \"http://[::1]:80/a@b\"",
        ] {
            assert_eq!(found(text, Syntax::Toml), [], "{text}");
        }
    }

    #[test]
    fn randomness_is_a_warning() {
        assert_eq!(toml("x = \"q7Jx2mVz9LpT4sRw8NcK1bYd\""), [Rule::Entropy]);
        assert_eq!(toml("x = \"9f86d081884c7d659a2feaa0c55ad015\""), [Rule::Entropy]);
        for line in [
            "sha256 = \"9f86d081884c7d659a2feaa0c55ad015\"",
            "x = \"/root/src/devops/tetra\"",
            "x = \"node server/server.js --env production\"",
            "x = \"staging.pixeljamarcade.com\"",
            "x = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\"",
        ] {
            assert_eq!(toml(line), [], "{line}");
        }
    }

    #[test]
    fn a_line_can_be_let_pass_with_a_reason() {
        let text = "token = \"abc123\" # tetra:allow-secret public demo\n";
        let findings = scan(text, Syntax::Toml);
        assert_eq!(findings[0].allowed.as_deref(), Some("public demo"));
        assert_eq!(findings[0].severity(), Severity::Warning);
        let env = scan("TOKEN=abc123 # tetra:allow-secret demo\n", Syntax::Env);
        assert_eq!(env[0].allowed.as_deref(), Some("demo"));
    }

    #[test]
    fn what_is_shown_holds_no_value() {
        let text = "[a]\ntoken = \"s3cr3tvalue\" # and ghp_abcdefghijklmnopqrstuvwxyz\n";
        let shown = diagnostics("x.toml", text, &scan(text, Syntax::Toml));
        assert_eq!(shown.len(), 2);
        for diagnostic in shown {
            let all = format!("{diagnostic:?}");
            assert!(!all.contains("s3cr3t") && !all.contains("ghp_"), "{all}");
            assert_eq!(diagnostic.place().map(|place| place.line), Some(2));
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,60}|[a-z=\"'\\n:/@${}#-]{0,60}") {
            for syntax in [Syntax::Toml, Syntax::Env, Syntax::Other] {
                let found = scan(&text, syntax);
                let _ = diagnostics("x", &text, &found);
            }
        }
    }
}
