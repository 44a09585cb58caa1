//! Names with their values in any text: `k: v`, `k = v`, `"k": "v"`, `ENV k=v` and what else configuration looks like.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::base::redact::{NameVerdict, classify};
use crate::config::patterns::values;

/// How freely a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// Configuration: a value may be without quotes.
    Config,
    /// Data in JSON: what is not a string is not a secret.
    Json,
    /// A program: only what is in quotes is a value, and it must look like a secret itself.
    Code,
    /// For people: everything must look like a secret itself.
    Prose,
}

/// Endings of programs.
const CODE: &str = " rs py pyi js mjs cjs ts tsx jsx go java kt swift c h cc cpp hpp cs rb php scala ex exs erl pl pm lua r m mm dart \
    vue svelte css scss less map s asm d zig hs ml clj el proto graphql sol in cmake groovy sql ";

/// Endings of texts for people.
const PROSE: &str = " md markdown rst txt adoc html htm svg csv tex po pot log ftl strings resx arb xliff 1 3 5 7 8 ";

impl TextKind {
    /// By the name of the file.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let last = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let ending = format!(" {} ", last.rsplit_once('.').map_or("", |(_, ending)| ending));
        match ending.trim() {
            // What an example says is made up.
            _ if last.contains("example") || last.contains("sample") => Self::Prose,
            "json" | "jsonc" | "json5" | "ipynb" | "tfstate" => Self::Json,
            "" => Self::Config,
            _ if CODE.contains(&ending) => Self::Code,
            _ if PROSE.contains(&ending) => Self::Prose,
            _ => Self::Config,
        }
    }
}

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretCandidate {
    /// The name.
    pub key: String,
    /// Where the value is, in bytes, without quotes.
    pub span: Range<usize>,
    /// It is in quotes.
    pub quoted: bool,
}

/// `key = "value"` in all its forms. The value is one of the groups behind the first.
static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        (?: "([A-Za-z_][0-9A-Za-z_.\-\x20]*)" | '([A-Za-z_][0-9A-Za-z_.\-\x20]*)' | ([A-Za-z_][0-9A-Za-z_.\-]*) )
        \]? [\x20\t]* (?: => | := | \?= | \+= | = | : ) [\x20\t]*
        (?: [bfrLu@]? "((?:\\.|[^"\\\n])*)" | [bfrLu]? '((?:\\.|[^'\\\n])*)' | `([^`\n]*)` | ([^\s"'`,;&|)\]}<>({\[][^\s"'`,;&|)\]}<>]*) )"#,
    )
    .ok()
});

/// What follows a word and a blank: `ENV k v`, `--password v`, `requirepass v`, `set -x k v`, `IDENTIFIED BY 'v'`.
static SPACED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        (?: ^\s*(?:ENV|ARG)\s+([A-Za-z_][0-9A-Za-z_]*)
          | ^\s*(?:setenv|set\s+-[a-z]+|\$env:)\s+([A-Za-z_][0-9A-Za-z_]*)
          | --([a-zA-Z][0-9A-Za-z_\-]*)
          | ^\s*([A-Za-z_][0-9A-Za-z_.\-]*)
          | \b(IDENTIFIED\s+BY|PASSWORD|password)
        )
        [\x20\t]+ (?: "((?:\\.|[^"\\\n])+)" | '((?:\\.|[^'\\\n])+)' | ([^\s"'`,;&|)\]}<>({\[=:\-][^\s"'`,;&|)\]}<>]*) ) [\x20\t]* (;?$|\S?)"#,
    )
    .ok()
});

/// `<password>v</password>`
static ELEMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"<([A-Za-z_][0-9A-Za-z_.\-]*)[^<>]*>([^<>\n]+)</").ok());

/// `Authorization: Bearer v`, also within a text.
static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(authorization|proxy-authorization)\\?["']?\s*[:=,]\s*\\?["']?(?:bearer|basic|token|apikey|bot)\s+([A-Za-z0-9._~+/=\-]{8,})"#).ok()
});

/// `curl -u user:v`, `mysql -pv`, `sshpass -p v`, `docker login -p v`
static FLAG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?x) \b(?: curl\b[^\n|;]*?\s(?:-u|--user)[\s=]*["']?[0-9A-Za-z_.@\-]+:([^\s"']+)
          | (?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;]*?\s-p([^\s"']+)
          | sshpass\s+-p\s*["']?([^\s"']+)
          | (?:docker|podman|helm\s+registry)\s+login\b[^\n|;]*?\s-p[\s=]*["']?([^\s"']+) )"#,
    )
    .ok()
});

/// `name: DB_PASSWORD`, whose `value:` is on the next line or behind it.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:\b(?:name|key|variable)["']?\s*[:=]?\s*["']?)([A-Za-z_][0-9A-Za-z_.\-]*)["']?"#).ok()
});
static VALUED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:value|default|content)["']?\s*[:=]\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"',}{\[]+))"#).ok()
});

/// How many lines behind a name its value may be.
const NEAR: usize = 4;

/// The passwords of a file of which each line is one: `host:port:database:user:password`.
pub(super) fn passwords(text: &str, name: &str) -> Vec<SecretCandidate> {
    let last = name.rsplit('/').next().unwrap_or_default();
    if !matches!(last, ".pgpass" | "pgpass" | "pgpass.conf") {
        return Vec::new();
    }
    let mut at = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let fields: Vec<&str> = line.trim_end().splitn(5, ':').collect();
        if let [_, _, _, _, password] = fields[..]
            && !line.starts_with('#')
        {
            let begin = at + line.trim_end().len() - password.len();
            found.push(SecretCandidate {
                key: "password".to_owned(),
                span: begin..begin + password.len(),
                quoted: true,
            });
        }
        at += line.len();
    }
    found
}

/// Every name of a secret with its value.
pub(super) fn pairs(text: &str, kind: TextKind) -> Vec<SecretCandidate> {
    let mut found = Vec::new();
    // Data may be one long line; a long line of a program was made by another one, and says nothing by its names.
    let longest = if matches!(kind, TextKind::Config | TextKind::Json) { 256 << 10 } else { 4 << 10 };
    let mut at = 0;
    let mut named: Option<(String, usize)> = None;
    let mut block: Option<String> = None;
    let mut sealed = ManifestBlock { is_secret: kind == TextKind::Config && is_secret_manifest(text), inside: None };
    for line in text.split_inclusive('\n') {
        if line.len() <= longest {
            if let Some(key) = block.take_if(|_| !line.trim().is_empty()) {
                let begin = at + (line.len() - line.trim_start().len());
                found.push(SecretCandidate { key, span: begin..begin + line.trim().len(), quoted: false });
            }
            on_line(line, at, kind, &mut found);
            block = opens_block(line, kind);
            if let Some(pair) = sealed.on_line(line, at) {
                found.push(pair);
            }
            value_of_name(line, at, &mut named, &mut found);
        }
        at += line.len();
    }
    found.retain(|pair| classify(&pair.key) != NameVerdict::Nothing);
    found
}

/// A secret of Kubernetes: everything below `data` is one, whatever its name.
struct ManifestBlock {
    is_secret: bool,
    /// How far `data` is indented.
    inside: Option<usize>,
}

fn is_secret_manifest(text: &str) -> bool {
    text.lines().any(|line| line.trim_end() == "kind: Secret")
}

impl ManifestBlock {
    fn on_line(&mut self, line: &str, at: usize) -> Option<SecretCandidate> {
        let (text, indent) = (line.trim(), line.len() - line.trim_start().len());
        if !self.is_secret || text.is_empty() || text.starts_with('#') {
            return None;
        }
        if self.inside.is_some_and(|data| indent > data) {
            let (key, value) = text.split_once(':')?;
            let value = value.trim().trim_matches(['"', '\'']);
            let begin = at + line.find(value)?;
            return (!value.is_empty()).then(|| SecretCandidate {
                key: format!("{key}_secret"),
                span: begin..begin + value.len(),
                quoted: true,
            });
        }
        self.inside = matches!(text, "data:" | "stringData:").then_some(indent);
        None
    }
}

/// `password: |`: the value is the next line.
fn opens_block(line: &str, kind: TextKind) -> Option<String> {
    if kind != TextKind::Config {
        return None;
    }
    let (key, rest) = line.trim().split_once(':')?;
    let opens = matches!(rest.trim(), "|" | ">" | "|-" | ">-" | "|+" | ">+");
    let key = key.trim_start_matches("- ").trim_matches(['"', '\'']);
    (opens && classify(key) == NameVerdict::Secret).then(|| key.to_owned())
}

fn value_of_name(line: &str, at: usize, named: &mut Option<(String, usize)>, found: &mut Vec<SecretCandidate>) {
    let mut from = 0;
    if let Some(captures) = NAMED.as_ref().and_then(|named| named.captures(line)) {
        let name = captures.get(1).map_or("", |name| name.as_str());
        if classify(name) == NameVerdict::Secret {
            *named = Some((name.to_owned(), NEAR));
            from = captures.get(0).map_or(0, |all| all.end());
        }
    }
    let Some((name, left)) = named.take() else { return };
    if let Some(captures) = VALUED.as_ref().and_then(|valued| valued.captures(&line[from..])) {
        let value = (1..=3).find_map(|group| captures.get(group));
        if let Some(value) = value {
            let quoted = captures.get(3).is_none();
            let begin = at + from;
            found.push(SecretCandidate { key: name, span: begin + value.start()..begin + value.end(), quoted });
        }
    } else if left > 0 {
        *named = Some((name, left - 1));
    }
}

fn on_line(line: &str, at: usize, kind: TextKind, found: &mut Vec<SecretCandidate>) {
    let bare = matches!(kind, TextKind::Config | TextKind::Prose);
    assignments(line, at, 0, &mut |pair| {
        if pair.quoted || bare {
            found.push(pair);
        }
    });
    let mut take = |key: &str, value: regex::Match, quoted: bool| {
        found.push(SecretCandidate { key: key.to_owned(), span: at + value.start()..at + value.end(), quoted });
    };
    for captures in HEADER.iter().flat_map(|header| header.captures_iter(line)) {
        if let Some(value) = captures.get(2) {
            take("authorization_token", value, true);
        }
    }
    for captures in FLAG.iter().flat_map(|flag| flag.captures_iter(line)) {
        if let Some(value) = (1..=4).find_map(|group| captures.get(group)) {
            take("password", value, true);
        }
    }
    if kind == TextKind::Config {
        for captures in ELEMENT.iter().flat_map(|element| element.captures_iter(line)) {
            if let (Some(key), Some(value)) = (captures.get(1), captures.get(2)) {
                take(key.as_str(), value, true);
            }
        }
        for captures in SPACED.iter().flat_map(|spaced| spaced.captures_iter(line)) {
            let key = (1..=5).find_map(|group| Some((group, captures.get(group)?)));
            let value = (6..=8).find_map(|group| Some((group, captures.get(group)?)));
            let (Some((form, key)), Some((group, value))) = (key, value) else { continue };
            let alone = captures.get(9).is_some_and(|end| end.as_str().is_empty() || end.as_str() == ";");
            // Two words alone on a line are a setting; in a sentence they are not.
            if form < 4 || (alone && (form == 4 || group < 8)) {
                let key = if form == 5 { "password" } else { key.as_str() };
                take(key, value, group < 8);
            }
        }
    }
}

/// How deep quoted texts with assignments in them are looked into.
const DEEPEST: usize = 2;

fn assignments(text: &str, at: usize, depth: usize, take: &mut dyn FnMut(SecretCandidate)) {
    let Some(regex) = PAIR.as_ref() else { return };
    let mut from = 0;
    while let Some(captures) = regex.captures_at(text, from) {
        let Some(whole) = captures.get(0) else { return };
        let key = (1..=3).find_map(|group| captures.get(group));
        let value = (4..=7).find_map(|group| Some((group, captures.get(group)?)));
        let (Some(key), Some((group, value))) = (key, value) else { return };
        from = whole.end().max(from + 1);
        let separator = &text[key.end()..value.start()];
        // `arn:aws:secretsmanager:…:secret:x` is a name in parts.
        let is_part = separator == ":" && text[..key.start()].ends_with(':');
        let compares = is_part || value.as_str().starts_with(['=', '~', ':', '>']) || separator.contains("::");
        if compares {
            from = key.end().max(whole.start() + 1);
            continue;
        }
        let (key, quoted) = (key.as_str(), group < 7);
        let span = at + value.start()..at + value.end();
        if classify(key) != NameVerdict::Nothing {
            take(SecretCandidate { key: key.to_owned(), span, quoted });
        } else if quoted && depth < DEEPEST {
            assignments(value.as_str(), span.start, depth + 1, &mut |pair| {
                take(SecretCandidate { quoted: true, ..pair })
            });
        } else if !quoted {
            // `- KEY=v`, `user:password=v`: the value may begin a pair of its own.
            from = value.start();
        }
    }
}

/// A name of what people choose themselves.
fn chosen(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pass", "pwd", "secret"].iter().any(|word| key.contains(word))
}

/// What a pair is, as far as its text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineVerdict {
    /// A secret by the name of its key.
    Named,
    /// One by its name and its randomness together.
    Witnessed,
    /// None.
    Nothing,
}

/// Judges a pair in its kind of text.
pub(super) fn judge(pair: &SecretCandidate, text: &str, kind: TextKind) -> LineVerdict {
    let value = &text[pair.span.clone()];
    let calls = |value: &str| value.contains('(') || value.starts_with("self.") || value.starts_with('&');
    if value.trim().len() < 3 || values::is_dummy(value) || (!pair.quoted && calls(value)) {
        return LineVerdict::Nothing;
    }
    let same =
        |one: &str| one.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect::<String>();
    if same(value) == same(&pair.key) || value.bytes().all(|byte| byte.is_ascii_digit()) && value.len() < 5 {
        return LineVerdict::Nothing;
    }
    match (classify(&pair.key), kind) {
        (NameVerdict::Secret, TextKind::Config) => LineVerdict::Named,
        // A program gives out what such a name says; what a person chose may be a word.
        (NameVerdict::Secret, TextKind::Json)
            if !value.contains(char::is_whitespace) && (chosen(&pair.key) || values::is_made(value)) =>
        {
            LineVerdict::Named
        }
        (NameVerdict::Secret, TextKind::Code | TextKind::Prose) if values::is_contrived(value) => LineVerdict::Named,
        (NameVerdict::Maybe, TextKind::Config | TextKind::Json) if values::is_random(value) => LineVerdict::Witnessed,
        _ => LineVerdict::Nothing,
    }
}
