//! Secrets in plain text: in configuration that is committed, copied and shown.
//!
//! The *name* of a key says that its value is a secret; a value has the *pattern* of a well-known token; a name says that it may be
//! one and it is too random to be anything else (*entropy*); or a *command* holds what the logs hide of it. A value alone is never taken for a secret because it is random. What
//! a documentation shows and what is still to be filled in is passed over. A line that ends in `# tetra:allow-secret REASON` is
//! let pass. Findings are reported by their place; its value is never repeated.

mod commands;
mod lines;

use std::ops::Range;
use std::path::Path;

use crate::base::diagnostic::{Diagnostic, Severity, SourceText};
use crate::base::dotenv;
use crate::base::sort::SortExt;

use crate::base::redact::{self, NameVerdict};
use crate::config::Value;

use super::document::{Document, Leaf};
use super::patterns::{self, overlap, values};

use lines::LineVerdict;

pub use lines::TextKind;

/// What lets a line pass.
pub const ALLOW: &str = "tetra:allow-secret";

/// How a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// TOML; text that is none is read as `Other`.
    Toml,
    /// `KEY=VALUE` lines; text that is none is read as `Other`.
    Env,
    /// Anything else that is text, written as freely as its name lets expect.
    Text(TextKind),
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
            _ => Self::Text(TextKind::of(name)),
        }
    }
}

/// Why something is taken for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DetectionRule {
    /// Its key says so.
    Name,
    /// It looks like a well-known token.
    Pattern,
    /// Its key says that it may be one, and it is very random.
    Entropy,
    /// It is an argument of a command, which takes a secret there.
    Command,
}

/// Something that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFinding {
    /// Why.
    pub rule: DetectionRule,
    /// The key it is at, or what kind of token it is.
    pub what: String,
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// The reason for which it is let pass.
    pub allowed: Option<String>,
}

impl SecretFinding {
    /// Errors fail a check, warnings do not. An allowed secret is a warning.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.allowed.is_some() { Severity::Warning } else { Severity::Error }
    }
}

/// Everything in a text that looks like a secret, in its order. `name` is that of the file.
#[must_use]
pub fn scan(name: &str, text: &str, syntax: Syntax) -> Vec<SecretFinding> {
    let mut found = Vec::new();
    let known = values_of(text, syntax);
    for SourceValue { key, value, span } in known.iter().flatten() {
        let Value::String(value) = value else { continue };
        let (key, span) = (key.clone(), span.clone());
        let is_dummy = value.trim().is_empty() || values::is_dummy(value);
        match if is_dummy { NameVerdict::Nothing } else { redact::classify(&key) } {
            NameVerdict::Secret => found.push((DetectionRule::Name, key, span)),
            NameVerdict::Maybe if values::is_random(value) => found.push((DetectionRule::Entropy, key, span)),
            NameVerdict::Maybe | NameVerdict::Nothing => {}
        }
    }
    let kind = match syntax {
        Syntax::Text(kind) => Some(kind),
        Syntax::Toml | Syntax::Env => known.is_none().then_some(TextKind::Config),
        Syntax::Other => None,
    };
    // A text without a syntax of its own, or that breaks it, is read line by line.
    if let Some(kind) = kind {
        let pairs = lines::pairs(text, kind).into_iter().chain(lines::passwords(text, name));
        for pair in pairs {
            let rule = match lines::judge(&pair, text, kind) {
                LineVerdict::Named => DetectionRule::Name,
                LineVerdict::Witnessed => DetectionRule::Entropy,
                LineVerdict::Nothing => continue,
            };
            if !found.iter().any(|(_, _, other)| overlap(other, &pair.span)) {
                found.push((rule, pair.key, pair.span));
            }
        }
    }
    for (kind, span) in patterns::patterns(text) {
        if !found.iter().any(|(_, _, other)| overlap(other, &span)) {
            found.push((DetectionRule::Pattern, kind.to_owned(), span));
        }
    }
    for value in known.iter().flatten() {
        for span in commands::secrets(value, text) {
            if !found.iter().any(|(_, _, other)| other.start <= span.start && span.end <= other.end) {
                found.push((DetectionRule::Command, value.key.clone(), span));
            }
        }
    }
    found.order_by_key(|(_, _, span)| span.start);
    let found = found.into_iter();
    found.map(|(rule, what, span)| SecretFinding { rule, what, allowed: allowed(text, &span), span }).collect()
}

/// What was found in a text, ready to be shown: the text is shown without any of it.
#[must_use]
pub fn diagnostics(name: &str, text: &str, findings: &[SecretFinding]) -> Vec<Diagnostic> {
    let hidden: Vec<Range<usize>> = findings.iter().map(|finding| finding.span.clone()).collect();
    let source = SourceText::new(name, redact::mask_ranges(text, &hidden));
    let said = |finding: &SecretFinding| {
        let what = &finding.what;
        let title = match (&finding.allowed, finding.rule) {
            (Some(reason), _) => format!("secret allowed here: {reason}"),
            (None, DetectionRule::Name) => format!("`{what}` is a secret in plain text"),
            (None, DetectionRule::Pattern) => format!("{what} in plain text"),
            (None, DetectionRule::Entropy) => format!("the value of `{what}` is random enough to be a secret"),
            (None, DetectionRule::Command) => format!("`{what}` holds a secret in plain text"),
        };
        let diagnostic = match finding.severity() {
            Severity::Error => source.error(title, finding.span.clone(), ""),
            Severity::Warning => source.warning(title, finding.span.clone(), ""),
        };
        match (&finding.allowed, finding.rule) {
            (Some(_), _) => diagnostic,
            (None, DetectionRule::Entropy) => {
                diagnostic.help(format!("if it is not a secret, end the line with `# {ALLOW} REASON`"))
            }
            (None, DetectionRule::Command) => diagnostic.help(command_remedy(what)),
            (None, _) => diagnostic.help(remedy(name)),
        }
    };
    findings.iter().map(said).collect()
}

/// What to do with a secret that is in the command at this key.
fn command_remedy(key: &str) -> String {
    let way = match key {
        "build" => {
            "write `$NAME` here, set the variable NAME in the shell that runs `org deploy`, and rotate the secret"
        }
        _ => {
            "store it with `secrets set ENV NAME`, write `$NAME` here, and rotate it; a service gets the secrets of its \
             environment when it is started"
        }
    };
    format!("{way}. If it is not a secret, end the line with `# {ALLOW} REASON`")
}

/// What to do with a secret that is in a file.
fn remedy(name: &str) -> &'static str {
    // What is generated from there is copied around, and a secret must not be.
    if name == "--set" || Path::new(name).parent().is_some_and(|directory| directory.ends_with("environments")) {
        return "store it with `secrets set ENV NAME`, remove it here, and rotate it";
    }
    // There `${…}` names a variable only.
    if name.ends_with(".tsm") {
        return "store it with `secrets set ENV NAME`, remove it here, and rotate it; a service gets the secrets of its \
                environment when it is started";
    }
    "store it with `secrets set ENV NAME`, write `${secret:NAME}` here, and rotate it"
}

/// A key with its value, and where that is.
struct SourceValue {
    key: String,
    value: Value,
    span: Range<usize>,
}

/// Keys with their values; none if the text has no syntax that names them, or breaks it.
fn values_of(text: &str, syntax: Syntax) -> Option<Vec<SourceValue>> {
    match syntax {
        Syntax::Toml => {
            let document = Document::parse("", text).ok()?;
            // A byte order mark is not part of the document.
            let before = text.len() - document.source.text.len();
            let value = |leaf: &Leaf| SourceValue {
                key: leaf.path.last().to_owned(),
                value: leaf.value.clone(),
                span: before + leaf.span.start..before + leaf.span.end,
            };
            Some(document.leaves.iter().map(value).collect())
        }
        Syntax::Env => {
            let entries = dotenv::entries(text).ok()?;
            let value = |entry: dotenv::SpannedEnvVar| SourceValue {
                key: entry.variable.key,
                value: Value::String(entry.variable.value),
                span: entry.value,
            };
            Some(entries.into_iter().map(value).collect())
        }
        Syntax::Text(_) | Syntax::Other => None,
    }
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

    #[test]
    fn advice_works_in_the_file_that_it_is_about() {
        for (name, wanted) in [("a/web.tsm", false), ("a/x.env", true), ("a/tetra.toml", true)] {
            let text = "API_TOKEN=\"hunter2hunter2\"\n";
            let said = format!("{:?}", diagnostics(name, text, &scan(name, text, Syntax::of(name))));
            assert!(said.contains("store it with") && said.contains("${secret:NAME}") == wanted, "{name}: {said}");
        }
    }

    fn found(text: &str, syntax: Syntax) -> Vec<(DetectionRule, String)> {
        scan("x", text, syntax).into_iter().map(|finding| (finding.rule, finding.what)).collect()
    }

    fn toml(line: &str) -> Vec<DetectionRule> {
        found(line, Syntax::Toml).into_iter().map(|(rule, _)| rule).collect()
    }

    #[test]
    fn the_name_of_a_key_tells_a_secret() {
        for key in ["api_key", "API-KEY", "db_password", "passwd", "tokens", "auth", "client_secret", "privateKey"] {
            assert_eq!(toml(&format!("{key} = \"dev-server-key-12345\"")), [DetectionRule::Name], "{key}");
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
            "trespass = \"north\"",
            "monkey = \"banana\"",
        ] {
            assert_eq!(toml(line), [], "{line}");
        }
    }

    #[test]
    fn a_command_holds_no_secret() {
        for line in [
            "command = \"curl -u admin:pw https://h/\"",
            "command = 'x --token hunter2'",
            "command = 'A_TOKEN=hunter2 x'",
            "command = \"sh -c 'mysql -phunter2 shop'\"",
            "pre_command = 'echo hunter2 | docker login --password-stdin'",
            "args = ['--token', 'hunter2']",
            "health = 'exec:curl -u admin:hunter2 http://h/'",
            "build = 'NPM_TOKEN=hunter2 npm ci'",
            "[overrides.prod]\n\"services.web.command\" = 'x --token hunter2'",
            // Behind `-p` of a program that is not known a name is a name; a password is one behind that of those which take it.
            "command = './server -p hunter2'",
            "command = './server -p Api'",
            "command = './server -p correct-horse-battery'",
            "command = 'sshpass -p letmein ssh h'",
            "command = 'docker login -u a -p letmein h'",
            "command = 'mongosh -u a -p letmein'",
            "command = \"sh -c 'mycli -p letmein'\"",
            "args = ['-p', 'hunter2']",
            "args = ['sshpass', '-p', 'letmein']",
        ] {
            assert_eq!(toml(line), [DetectionRule::Command], "{line}");
            let (name, text) = ("a/local.toml", format!("{line}\n"));
            let said = format!("{:?}", diagnostics(name, &text, &scan(name, &text, Syntax::Toml)));
            assert_eq!(said.contains("shell that runs `org deploy`"), line.starts_with("build"), "{said}");
            assert!(!said.contains("hunter2") && !said.contains(":pw") && said.contains("write `$NAME`"), "{said}");
        }
        for value in ["$PW", "${PW}", "\\\"$PW\\\"", "$(cat /run/pw)", "`cat /run/pw`", "***", "${secret:PW}"] {
            for line in [
                format!("command = \"curl -u admin:{value} https://h/\""),
                format!("command = \"x --token {value} -v\""),
                format!("command = \"x --token={value}; y\""),
                format!("command = \"A_TOKEN={value} x\""),
                format!("command = \"mysql -p{value} shop\""),
                format!("command = \"echo {value} | docker login --password-stdin\""),
            ] {
                assert_eq!(toml(&line), [], "{line}");
            }
        }
        for line in [
            "command = 'node server.js --port 3000 --key-file a.pem'",
            "command = 'tetra serve --port $PORT'",
            "description = 'x --token hunter2'",
            "command = './app -p api'",
            "command = './app -p \"api\" --verbose'",
            "command = 'ps; ./app -p dev-eu'",
            "command = './app -p 8080'",
            "args = ['-p', 'api']",
            "build = 'npm ci && npm run build'",
            "args = ['--token', '${secret:PW}']",
        ] {
            assert_eq!(toml(line), [], "{line}");
        }
        let tsm = "TSM_COMMAND=\"curl -u admin:pw https://h/\"\n";
        assert_eq!(found(tsm, Syntax::Env), [(DetectionRule::Command, "TSM_COMMAND".to_owned())]);
        let twice = "command = 'x --token hunter2 postgres://u:hunter3@h/d'";
        assert_eq!(toml(twice), [DetectionRule::Command, DetectionRule::Pattern]);
        assert_eq!(scan("x", twice, Syntax::Toml)[0].span, 21..28);
        let again = "command = 'pwgen -u a:b; curl -u a:pw h'";
        assert_eq!(scan("x", again, Syntax::Toml).last().map(|it| it.span.clone()), Some(35..37));
        let allowed = "command = 'x --token demo1' # tetra:allow-secret a demo";
        assert!(scan("x", allowed, Syntax::Toml)[0].allowed.is_some());
    }

    #[test]
    fn well_known_tokens_are_found_anywhere() {
        for (text, kind) in [
            ("# old: ghp_abcdefghijklmnopqrstuvwxyz0123456789", "a GitHub token"),
            ("x = [\"AKIAQ7JX2MVZ3LPT4SRW\"]", "an AWS access key"),
            ("url = \"postgres://app:S3cr3t@db/x\"", "a password in a URL"),
            (
                "k = '''\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUA\n-----END OPENSSH PRIVATE KEY-----'''",
                "a private key",
            ),
            ("j = \"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.q7Jx2mVz9LpT\"", "a JSON web token"),
            ("a = \"AGE-SECRET-KEY-1Q7JX2MVZ3LPT4SRW8NCKQ2P\"", "an age key"),
        ] {
            assert_eq!(found(text, Syntax::Toml), [(DetectionRule::Pattern, kind.to_owned())], "{text}");
        }
        for text in [
            "u = \"postgres://localhost/dev\"",
            "u = \"https://user@host/\"",
            "u = \"pg://u:${PW}@h\"",
            "u = \"pg://u:***@h\"",
            "u = \"http://[::1]:80/a@b\"",
            "x = [\"AKIAIOSFODNN7EXAMPLE\"]",
        ] {
            assert_eq!(found(text, Syntax::Toml), [], "{text}");
        }
    }

    #[test]
    fn randomness_is_a_second_witness_only() {
        assert_eq!(toml("stripe_key = \"q7Jx2mVz9LpT4sRw8NcK1bYd\""), [DetectionRule::Entropy]);
        assert_eq!(toml("salt = \"9f86d081884c7d659a2feaa0c55ad015\""), [DetectionRule::Entropy]);
        for line in [
            "x = \"q7Jx2mVz9LpT4sRw8NcK1bYd\"",
            "sha256 = \"9f86d081884c7d659a2feaa0c55ad015\"",
            "stripe_key = \"the-name-of-a-key-in-a-store\"",
            "public_key = \"q7Jx2mVz9LpT4sRw8NcK1bYd\"",
            "key = \"/root/src/devops/tetra\"",
        ] {
            assert_eq!(toml(line), [], "{line}");
        }
    }

    #[test]
    fn a_line_can_be_let_pass_with_a_reason() {
        let text = "token = \"abc123\" # tetra:allow-secret public demo\n";
        let findings = scan("x", text, Syntax::Toml);
        assert_eq!(findings[0].allowed.as_deref(), Some("public demo"));
        assert_eq!(findings[0].severity(), Severity::Warning);
        let env = scan("x", "TOKEN=abc123 # tetra:allow-secret demo\n", Syntax::Env);
        assert_eq!(env[0].allowed.as_deref(), Some("demo"));
    }

    #[test]
    fn what_is_shown_holds_no_value() {
        let text = "[a]\ntoken = \"s3cr3tvalue\" # and ghp_abcdefghijklmnopqrstuvwxyz\n";
        let shown = diagnostics("x.toml", text, &scan("x", text, Syntax::Toml));
        assert_eq!(shown.len(), 2);
        for diagnostic in shown {
            let all = format!("{diagnostic:?}");
            assert!(!all.contains("s3cr3t") && !all.contains("ghp_"), "{all}");
            assert_eq!(diagnostic.location().map(|place| place.line), Some(2));
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,60}|[a-z=\"'\\n:/@${}#-]{0,60}") {
            for syntax in [Syntax::Toml, Syntax::Env, Syntax::Other, Syntax::Text(TextKind::Config), Syntax::Text(TextKind::Code)] {
                let found = scan("x", &text, syntax);
                let _ = diagnostics("x", &text, &found);
            }
        }
    }
}
