//! `.env` values: what they mean here and to the programs that read such files, and that what is written is read back by all.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use tetra::base::dotenv;
use tetra::env::format::EnvFormat;

#[derive(Deserialize)]
struct Table {
    vector: Vec<Vector>,
}

/// A value, or `false` where the line is refused or sets nothing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Meaning {
    Value(String),
    Refused(bool),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    text: String,
    tetra: Meaning,
    python: Option<Meaning>,
    compose: Option<Meaning>,
    reason: Option<String>,
}

#[test]
fn a_value_means_what_others_read_or_there_is_a_reason() {
    let table: Table = toml::from_str(include_str!("../../vectors/dotenv.toml")).expect("sound");
    let mut texts = BTreeMap::new();
    for vector in &table.vector {
        let text = &vector.text;
        let read = dotenv::parse(text).ok().and_then(|mut all| all.pop());
        let read = read.map_or(Meaning::Refused(false), |setting| Meaning::Value(setting.value));
        assert_eq!(read, vector.tetra, "{text}");
        // A further line means the same whatever comes before it.
        if read != Meaning::Refused(false) {
            let more = dotenv::parse(&format!("{text}\nNEXT=1\n")).expect("sound");
            assert_eq!(more.last().map(|it| it.value.as_str()), Some("1"), "{text}");
        }
        let differs = vector.python.is_some() || vector.compose.is_some();
        assert_eq!(differs, vector.reason.is_some(), "{text}: each difference has a reason");
        assert!([&vector.python, &vector.compose].into_iter().flatten().all(|it| *it != read), "{text}: no difference");
        assert_eq!(texts.insert(text, ()), None, "{text} is there twice");
    }
    assert!(table.vector.len() >= 50, "{}", table.vector.len());
}

/// What python-dotenv reads behind `K=`, by its grammar, without expansion of `${…}`. `later` is further text of the file.
fn python(text: &str) -> Option<String> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let line = text.split('\n').next().unwrap_or_default();
        let mut last = '=';
        let comment = line.char_indices().find(|(_, c)| std::mem::replace(&mut last, *c).is_whitespace() && *c == '#');
        let value = comment.map_or(line, |(at, _)| &line[..at]);
        return Some(value.trim_end().to_owned());
    };
    // An escaped quote goes on as long as another one is there to close.
    let quotes: Vec<usize> = text.match_indices(quote).map(|(at, _)| at).skip(1).collect();
    let is_escaped = |at: &&usize| text[..**at].ends_with('\\');
    let end = quotes.iter().find(|at| !is_escaped(at)).or(quotes.last())?;
    let mut value = String::new();
    let mut rest = text[1..*end].chars().peekable();
    while let Some(c) = rest.next() {
        let meant = match rest.peek() {
            Some(c @ ('\\' | '\'')) => Some(*c),
            Some('"') if quote == '"' => Some('"'),
            Some('n') if quote == '"' => Some('\n'),
            Some('r') if quote == '"' => Some('\r'),
            Some('t') if quote == '"' => Some('\t'),
            Some('a') if quote == '"' => Some('\u{7}'),
            Some('b') if quote == '"' => Some('\u{8}'),
            Some('f') if quote == '"' => Some('\u{c}'),
            Some('v') if quote == '"' => Some('\u{b}'),
            _ => None,
        };
        match meant.filter(|_| c == '\\') {
            Some(meant) => {
                rest.next();
                value.push(meant);
            }
            None => value.push(c),
        }
    }
    Some(value)
}

/// What `docker compose` reads behind `K=`, as its documentation says.
fn compose(text: &str) -> Option<String> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let line = text.split('\n').next().unwrap_or_default();
        return Some(line.split(" #").next().unwrap_or_default().trim_end().to_owned());
    };
    let mut value = String::new();
    let mut rest = text[1..].chars();
    loop {
        match rest.next()? {
            c if c == quote => return Some(value),
            '\\' => match rest.next()? {
                c if c == quote => value.push(c),
                'n' if quote == '"' => value.push('\n'),
                'r' if quote == '"' => value.push('\r'),
                't' if quote == '"' => value.push('\t'),
                '\\' if quote == '"' => value.push('\\'),
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
}

/// Whether `$` in it would be expanded: never between single quotes.
fn expands(text: &str) -> bool {
    !text.starts_with('\'') && text.contains('$')
}

/// What no form can hold for all: to both of them a last backslash takes the meaning of a closing quote away, and outside of
/// quotes a line end, a quote in front or a comment means something.
fn is_beyond(value: &str) -> bool {
    let quoted_only = value.contains(['\n', '\r']) || value.trim() != value || value.starts_with(['\'', '"', '`', '#']);
    let comment = value.contains(" #") || value.contains("\t#");
    let control = value.contains(|c: char| c.is_control() && c != '\n' && c != '\r');
    let backslashes = value.ends_with('\\') || value.contains("\\\\") || value.contains("\\'");
    (backslashes && (quoted_only || comment || control || value.contains('$')))
        || (value.contains('$') && value.contains(['\r', '\'']))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_for_libraries_is_read_back_by_all(
        value in "[ab \"'$`\\\\#={}\n\r\tn:/é]{0,8}|[ab'\"\\\\ ]{0,6}|\\{\"[a-z]{1,3}\": [\"'a-z\\[\\], ]{0,6}\\}|[A-Z]:\\\\[a-z]{1,4}\\\\"
    ) {
        let line = EnvFormat::Dotenv.line("K", &value).expect("writable");
        // Another variable behind it must not be drawn in.
        let file = format!("{line}N=\"it's\"\n");
        let ours: Vec<String> = dotenv::parse(&file).expect("sound").into_iter().map(|it| it.value).collect();
        prop_assert_eq!(&ours, &[value.clone(), "it's".to_owned()], "{:?}", line);
        let text = file.strip_prefix("K=").expect("it begins so");
        if !is_beyond(&value) {
            prop_assert_eq!(python(text), Some(value.clone()), "python: {:?}", line);
            prop_assert!(!expands(text), "expanded: {:?}", line);
            prop_assert_eq!(compose(text), Some(value), "compose: {:?}", line);
        }
    }
}
