//! A draft as TOML: the bytes of local.toml with the changed values put in their places.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Value;

use super::document::{Document, TablePlace};
use super::draft::{Cell, Difference, Draft, METADATA, OVERRIDES};
use super::path::{KeyPath, quoted};

/// Whether changed lines say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotate {
    /// `# Changed`, `# Flag added`, `# Added`.
    Yes,
    /// No further comments.
    No,
}

/// The text of a draft.
#[must_use]
pub fn render(draft: &Draft, annotate: Annotate) -> String {
    let text = &draft.document.source.text;
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut writer = Writer {
        document: draft.document,
        text,
        newline,
        annotate,
        edits: Vec::new(),
        said: BTreeMap::new(),
        filled: BTreeMap::new(),
        tables: Vec::new(),
    };
    for (path, cell) in &draft.cells {
        if let Some(leaf) = cell.leaf {
            writer.known(draft, path, (leaf, cell));
        }
    }
    for path in &draft.added {
        if let Some(value) = draft.value(path) {
            writer.add(path, value);
        }
    }
    writer.overrides();
    writer.headers(draft);
    writer.finish()
}

/// A value as TOML writes it, on one line where that is possible.
#[must_use]
pub fn written(value: &Value) -> String {
    value.to_string()
}

/// What happens at one place. Ordered: at the same place a comment comes before new lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Value,
    Comment,
    Lines,
}

struct Writer<'a> {
    document: &'a Document,
    text: &'a str,
    newline: &'static str,
    annotate: Annotate,
    edits: Vec<(Range<usize>, Turn, String)>,
    /// What is said at the end of a line.
    said: BTreeMap<usize, BTreeSet<&'static str>>,
    /// Keys added between braces, by the place where they stand.
    filled: BTreeMap<usize, (&'static str, Vec<String>)>,
    /// Tables that are new, in order, with their lines.
    tables: Vec<(KeyPath, Vec<String>)>,
}

impl Writer<'_> {
    /// A value that the document has.
    fn known(&mut self, draft: &Draft, path: &KeyPath, (leaf, cell): (usize, &Cell)) {
        let document = self.document;
        let leaf = &document.leaves[leaf];
        let overridden = leaf.path.keys()[0] == OVERRIDES;
        match (draft.difference(cell), &cell.value) {
            _ if overridden => {}
            (Some(Difference::Removed), _) => self.remove(&leaf.statement, &leaf.key, &leaf.span),
            (Some(how), Some(value)) => {
                let new = written(value);
                self.keep_column(&leaf.span, &new);
                self.edits.push((leaf.span.clone(), Turn::Value, new));
                self.keep_comments(&leaf.span, leaf.statement.start);
                self.say(path, leaf.statement.end, how);
            }
            _ => {}
        }
        if path.last() != leaf.path.last() && cell.value.is_some() {
            self.edits.push((leaf.key.clone(), Turn::Value, quoted(path.last())));
            self.say(path, leaf.statement.end, Difference::Changed);
        }
    }

    fn say(&mut self, path: &KeyPath, at: usize, how: Difference) {
        if self.annotate == Annotate::Yes && path.keys()[0] != METADATA {
            self.said.entry(self.line_end(at)).or_default().insert(how.words());
        }
    }

    /// A comment behind the value stays in its column, as far as the new value leaves room.
    fn keep_column(&mut self, span: &Range<usize>, new: &str) {
        let rest = &self.text[span.end..self.line_end(span.end)];
        let gap = rest.len() - rest.trim_start_matches(' ').len();
        if gap < 2 || !rest[gap..].starts_with('#') || new.contains('\n') || self.text[span.clone()].contains('\n') {
            return;
        }
        let (old, new) = (self.text[span.clone()].chars().count(), new.chars().count());
        let wanted = (old + gap).saturating_sub(new).max(2);
        self.edits.push((span.end..span.end + gap, Turn::Value, " ".repeat(wanted)));
    }

    /// Comments inside of a value that is replaced stand above its line from now on.
    fn keep_comments(&mut self, span: &Range<usize>, statement: usize) {
        let comments = comments(&self.text[span.clone()]);
        if !comments.is_empty() {
            let start = self.line_start(statement);
            let lines: String = comments.iter().map(|comment| format!("{comment}{}", self.newline)).collect();
            self.edits.push((start..start, Turn::Lines, lines));
        }
    }

    /// Takes a key and its value away; comments stay.
    fn remove(&mut self, statement: &Range<usize>, key: &Range<usize>, span: &Range<usize>) {
        if statement.end != span.end || statement.start != key.start {
            return self.remove_between_braces(key.start..span.end);
        }
        self.keep_comments(span, statement.start);
        self.remove_line(self.line_start(statement.start)..statement.end);
    }

    /// Takes the overrides away, whatever shape they have.
    fn overrides(&mut self) {
        let document = self.document;
        let ours = |path: &KeyPath| path.keys().first().is_some_and(|key| key == OVERRIDES);
        let values = document.leaves.iter().filter(|leaf| ours(&leaf.path)).map(|leaf| &leaf.statement);
        let braces = document.tables.iter().filter(|(path, _)| ours(path)).filter_map(|(_, place)| match place {
            TablePlace::Inline { statement, .. } => Some(statement),
            _ => None,
        });
        let all: BTreeSet<(usize, usize)> = values.chain(braces).map(|it| (it.start, it.end)).collect();
        for (start, end) in all {
            self.keep_comments(&(start..end), start);
            self.remove_line(self.line_start(start)..end);
        }
    }

    /// Takes away what stands on a line, and the line if nothing is left of it.
    fn remove_line(&mut self, what: Range<usize>) {
        let end = self.line_end(what.end);
        let rest = &self.text[what.end..end];
        let until = if rest.trim().is_empty() {
            let after = &self.text[end..];
            end + if after.starts_with("\r\n") { 2 } else { usize::from(after.starts_with('\n')) }
        } else {
            what.end + rest.len() - rest.trim_start().len()
        };
        self.edits.push((what.start..until, Turn::Value, String::new()));
    }

    fn remove_between_braces(&mut self, what: Range<usize>) {
        let after = &self.text[what.end..];
        let gap = after.len() - after.trim_start().len();
        if after[gap..].starts_with(',') {
            let rest = &after[gap + 1..];
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            self.edits.push((what.start..what.end + gap + 1 + blank, Turn::Value, String::new()));
            return;
        }
        let before = self.text[..what.start].trim_end();
        let start = if before.ends_with(',') { before.len() - 1 } else { what.start };
        self.edits.push((start..what.end, Turn::Value, String::new()));
    }

    /// A key that the document does not have.
    fn add(&mut self, path: &KeyPath, value: &Value) {
        let table = path.parent().unwrap_or_default();
        let mut around = table.clone();
        loop {
            let depth = around.keys().len();
            match self.document.tables.get(&around) {
                Some(TablePlace::Inline { end, comma, depth, statement }) => {
                    let text = format!("{} = {}", path.from(*depth), written(value));
                    self.filled.entry(*end).or_insert((comma, Vec::new())).1.push(text);
                    return self.say(path, statement.end, Difference::Added);
                }
                Some(TablePlace::Dotted { body, depth }) => {
                    return self.add_line(*body, path.from(*depth), (path, value));
                }
                Some(TablePlace::Body { body }) if around == table => {
                    return self.add_line(*body, path.from(depth), (path, value));
                }
                Some(TablePlace::Body { .. } | TablePlace::Implied | TablePlace::Items) => break,
                None => match around.parent() {
                    Some(outer) => around = outer,
                    None => break,
                },
            }
        }
        let line = format!("{}{}", self.line(&path.from(table.keys().len()), value), self.comment(path));
        match self.tables.iter_mut().find(|(known, _)| *known == table) {
            Some((_, lines)) => lines.push(line),
            None => self.tables.push((table, vec![line])),
        }
    }

    fn line(&self, key: &KeyPath, value: &Value) -> String {
        format!("{key} = {}", written(value))
    }

    fn comment(&self, path: &KeyPath) -> &'static str {
        if self.annotate == Annotate::Yes && path.keys()[0] != METADATA { "  # Added" } else { "" }
    }

    fn add_line(&mut self, body: usize, key: KeyPath, (path, value): (&KeyPath, &Value)) {
        let body = &self.document.bodies[body];
        let line = format!("{}{}", self.line(&key, value), self.comment(path));
        if body.header.is_none() && body.end == 0 {
            self.edits.push((0..0, Turn::Lines, format!("{line}{}", self.newline)));
            return;
        }
        let start = self.line_start(body.end);
        let indent = &self.text[start..];
        let blank = indent.len() - indent.trim_start_matches([' ', '\t']).len();
        let at = self.line_end(body.end);
        let indent = if self.text[start..body.end].contains('\n') { "" } else { &self.text[start..start + blank] };
        self.edits.push((at..at, Turn::Lines, format!("{}{indent}{line}", self.newline)));
    }

    /// Headers below which nothing is left by intention.
    fn headers(&mut self, draft: &Draft) {
        for body in &self.document.bodies {
            let Some(header) = &body.header else { continue };
            let inside = || draft.cells.range(body.path.clone()..).take_while(|(path, _)| path.is_within(&body.path));
            let emptied = inside().next().is_some() && inside().all(|(_, cell)| cell.value.is_none());
            if body.path.keys()[0] == OVERRIDES || emptied {
                self.remove_line(self.line_start(header.start)..header.end);
            }
        }
    }

    fn finish(mut self) -> String {
        for (at, (comma, texts)) in std::mem::take(&mut self.filled) {
            let inner = texts.join(", ");
            let text = if comma.starts_with(',') { format!("{comma}{inner}") } else { format!(" {inner} ") };
            self.edits.push((at..at, Turn::Value, text));
        }
        for (at, words) in std::mem::take(&mut self.said) {
            let words: Vec<&str> = words.into_iter().collect();
            self.edits.push((at..at, Turn::Comment, format!("  # {}", words.join(", "))));
        }
        // What is added at one place keeps its order: the sort is stable.
        self.edits.sort_by_key(|(range, turn, _)| (range.start, *turn));
        let mut out = String::with_capacity(self.text.len() + 4096);
        let mut at = 0;
        for (range, _, new) in &self.edits {
            if range.start >= at {
                out.push_str(&self.text[at..range.start]);
            }
            out.push_str(new);
            at = at.max(range.end);
        }
        out.push_str(&self.text[at..]);
        for (table, lines) in &self.tables {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push_str(self.newline);
            }
            let blank = if out.is_empty() { "" } else { self.newline };
            out.push_str(&format!("{blank}[{table}]{}", self.newline));
            for line in lines {
                out.push_str(&format!("{line}{}", self.newline));
            }
        }
        out
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// The end of the line, before its line end.
    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |end| at + end);
        if self.text[..end].ends_with('\r') && end > at { end - 1 } else { end }
    }
}

/// The comments inside of a value that is written on several lines.
fn comments(value: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let rest = &value[at..];
        at += match rest.as_bytes()[0] {
            b'#' => {
                let end = rest.find('\n').unwrap_or(rest.len());
                found.push(rest[..end].trim_end_matches('\r'));
                end
            }
            quote @ (b'"' | b'\'') => text_length(rest, char::from(quote)),
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    found
}

/// The length of a text with its quotes.
fn text_length(rest: &str, quote: char) -> usize {
    let long = quote.to_string().repeat(3);
    let close = if rest.starts_with(&long) { long } else { quote.to_string() };
    let mut at = close.len();
    while let Some(c) = rest[at..].chars().next() {
        if rest[at..].starts_with(&close) {
            return at + close.len();
        }
        at += c.len_utf8();
        if c == '\\' && quote == '"' {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::org::draft::{Chain, Deed, Layer, Step};
    use crate::org::profile::{Op, Profile};
    use crate::org::promote::{Recipe, Stamp};
    use crate::org::variables::Names;
    use crate::org::{header, store};

    fn promoted(text: &str, env: &str) -> String {
        let local = Document::parse("local.toml", text).expect("TOML");
        let mut profiles = vec![Profile::built_in(env).expect("it is there")];
        while let Some((next, _)) = profiles[0].extends.clone() {
            profiles.insert(0, Profile::built_in(next.trim_start_matches("builtin:")).expect("it is there"));
        }
        let (org, env) = ("acme".parse().expect("a name"), env.parse().expect("a name"));
        let (chain, names) = (Chain { profiles }, Names::new());
        let recipe =
            Recipe { org: &org, env: &env, local: &local, chain: &chain, options: &[], names: &names, home: None };
        let made = recipe.make().unwrap_or_else(|error| panic!("{error}\n{text}"));
        let stamp = Stamp { at: "2026-11-20T12:00:00Z".into(), by: "me".into(), commit: None };
        let whole = recipe.text(&made, &stamp, Annotate::Yes);
        assert_eq!(store::content_of(&whole).as_ref(), Some(&made.content), "{whole}");
        assert!(matches!(header::state(&whole), header::State::Intact(_)));
        render(&made.draft, Annotate::Yes)
    }

    /// The text after some values were given or taken away.
    fn given(text: &str, values: &[(&str, Option<Value>)]) -> String {
        let document = Document::parse("f", text).expect("TOML");
        let mut draft = Draft::new(&document);
        for (path, value) in values {
            let step = Step { layer: Layer::Option, deed: Deed::Rule(Op::Set), value: value.clone(), span: None };
            draft.give(&path.parse().expect("a path"), step);
        }
        let made = render(&draft, Annotate::Yes);
        let read = Document::parse("made", &made).unwrap_or_else(|found| panic!("{found:?}\n{made}"));
        for (path, value) in values {
            let leaf = read.leaf(&path.parse().expect("a path"));
            assert_eq!(leaf.map(|leaf| &leaf.value), value.as_ref(), "{path} in\n{made}");
        }
        made
    }

    #[test]
    fn the_example_of_the_documentation_comes_out_as_it_says() {
        let text = "[deployment]\nuser = \"mricos\"\ntetra_src = \"~/src/devops/tetra\"\n\n[services.tetra]\n\
                    command = \"node server/server.js\"\nauto_restart = false\n\n[security]\nfirewall_enabled = false\n";
        let made = promoted(text, "dev");
        for line in [
            "user = \"root\"  # Changed",
            "tetra_src = \"/root/src/devops/tetra\"  # Changed",
            "command = \"node server/server.js --env dev\"  # Flag added",
            "auto_restart = true  # Changed",
            "firewall_enabled = true  # Changed",
            "allowed_ips = [\"0.0.0.0/0\"]  # Added",
        ] {
            assert!(made.lines().any(|it| it == line), "{line}\n{made}");
        }
        assert!(promoted(text, "prod").contains("node server/server.js --env production\"  # Flag added"));
    }

    #[test]
    fn keys_find_their_place_however_the_table_is_written() {
        let one = || Some(Value::Integer(1));
        for (text, key, expected) in [
            ("a = 0 # c\n", "a", "a = 1 # c  # Changed\n"),
            ("a = 0      # c\n", "a", "a = 1      # c  # Changed\n"),
            ("[t]\n  a = 0\n\n# u\n[u]\n", "t.b", "[t]\n  a = 0\n  b = 1  # Added\n\n# u\n[u]\n"),
            ("[t] # t\n[u]\n", "t.b", "[t] # t\nb = 1  # Added\n[u]\n"),
            ("t = { a = 0 } # c\n", "t.b", "t = { a = 0, b = 1 } # c  # Added\n"),
            ("t = {}\n", "t.b", "t = { b = 1 }  # Added\n"),
            ("t.a = 0\n[u]\n", "t.b", "t.a = 0\nt.b = 1  # Added\n[u]\n"),
            ("[t.a]\nx = 0\n", "t.b", "[t.a]\nx = 0\n\n[t]\nb = 1  # Added\n"),
            ("[u]", "t.b", "[u]\n\n[t]\nb = 1  # Added\n"),
            ("# only\n[u]\n", "b", "b = 1  # Added\n# only\n[u]\n"),
            ("", "t.\"x y\".b", "[t.\"x y\"]\nb = 1  # Added\n"),
            ("a = [ # one\n 1, # two\n]\n", "a", "# one\n# two\na = 1  # Changed\n"),
            ("a = 0\r\n[t]\r\n", "t.b", "a = 0\r\n[t]\r\nb = 1  # Added\r\n"),
        ] {
            assert_eq!(given(text, &[(key, one())]), expected, "{text:?}");
        }
    }

    #[test]
    fn services_are_changed_however_they_are_written() {
        for text in [
            "[services.web]\ncommand = 'node a.js'\n",
            "services.web.command = 'node a.js'\n",
            "services = { web = { command = 'node a.js' } }\n",
            "services = { web.command = 'node a.js' }\n",
            "[services]\nweb = { command = 'node a.js', env_file = 'x' }\n",
            "[services]\nweb.command = 'node a.js'\n",
            "[[services]]\nname = 'web'\ncommand = 'node a.js'\n[[services]]\ncommand = 'python3 b.py'\n",
        ] {
            let made = promoted(text, "prod");
            assert!(made.contains("node a.js --env production"), "{made}");
            assert!(made.contains("env/prod.env") && made.contains("auto_restart = true"), "{made}");
        }
    }

    #[test]
    fn what_is_taken_away_leaves_its_comments() {
        for (text, expected) in [
            ("a = 0\nb = 1\n", "b = 1\n"),
            ("# x\na = 0 # y\nb = 1\n", "# x\n# y\nb = 1\n"),
            ("[t]\na.b = 0\nc = 1\n", "[t]\na.b = 0\nc = 1\n"),
        ] {
            assert_eq!(given(text, &[("a", None)]), expected, "{text:?}");
        }
        assert_eq!(given("t = { a = 0, b = 1 }\n", &[("t.a", None)]), "t = { b = 1 }\n");
        assert_eq!(given("t = { a = 0, b = 1 }\n", &[("t.b", None)]), "t = { a = 0 }\n");
        assert_eq!(given("[t]\na.b = 0 # c\nc = 1\n", &[("t.a.b", None)]), "[t]\n# c\nc = 1\n");
        assert_eq!(given("[t] # h\na = 0\n[u]\n", &[("t.a", None)]), "# h\n[u]\n");
    }

    /// A value, with what may stand inside of it.
    fn a_value() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("0".to_owned()),
            Just("false".to_owned()),
            Just("1.5".to_owned()),
            Just("\"a # b\"".to_owned()),
            Just("'~/src/x'".to_owned()),
            Just("\"\"\"\n# text\n\"\"\"".to_owned()),
            Just("[1, 2]".to_owned()),
            Just("[ # inner\n  \"x # y\", # second\n  # third\n]".to_owned()),
            Just("{ k = 1, l = [2] }".to_owned()),
            Just("1979-05-27T07:32:00Z".to_owned()),
        ]
    }

    fn a_comment() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), "( |  |\t)?# [a-zäß=\"'\\[\\]#{}. ]{0,20}"]
    }

    /// Tables and keys that profiles change, and others.
    fn a_document() -> impl Strategy<Value = String> {
        let tables = [
            "deployment",
            "services.web",
            "services.\"a b\"",
            "security",
            "own",
            "own.deep.er",
            "logging",
            "overrides.dev",
        ];
        let keys = ["x", "y1", "\"z z\"", "d.e", "quoted-key"];
        let line = (0..keys.len(), a_value(), a_comment(), "[ \t]{0,2}", "(\n# alone é\n)?");
        let table = (proptest::collection::vec(line, 0..5), a_comment());
        (proptest::collection::vec(table, tables.len()), any::<bool>(), any::<u8>()).prop_map(
            move |(all, windows, mask)| {
                let mut text = String::from("# head\n");
                for (number, (lines, comment)) in all.iter().enumerate() {
                    if mask & (1 << number) == 0 {
                        continue;
                    }
                    text.push_str(&format!("[{}]{comment}\n", tables[number]));
                    let mut used = std::collections::BTreeSet::new();
                    for (key, value, comment, indent, alone) in lines {
                        if used.insert(*key) {
                            text.push_str(&format!("{indent}{} = {value}{comment}{alone}\n", keys[*key]));
                        }
                    }
                    match tables[number] {
                        "services.web" => text.push_str("command = \"node a.js\" # run\nworking_dir = '~/x' # where\n"),
                        "deployment" => text.push_str("user = 'me'   # who\n"),
                        "security" => text.push_str("allowed_ips = [ # ips\n  \"1.1.1.1\", # one\n]\n"),
                        _ => {}
                    }
                }
                if windows { text.replace('\n', "\r\n") } else { text }
            },
        )
    }

    /// Every comment of a text, as the parser of TOML sees them.
    fn all_comments(text: &str) -> Vec<String> {
        let mut gaps = text.as_bytes().to_vec();
        let mut blank = |span: Option<Range<usize>>| {
            span.into_iter().for_each(|span| {
                gaps[span].iter_mut().filter(|byte| !byte.is_ascii_control()).for_each(|byte| *byte = b' ')
            })
        };
        for leaf in Document::parse("f", text).expect("TOML").leaves {
            if !text[leaf.span.clone()].starts_with('[') {
                blank(Some(leaf.span));
            } else {
                let value = &text[leaf.span.clone()];
                let inside = comments(value);
                let mut found: Vec<Range<usize>> = Vec::new();
                for comment in inside {
                    let start = comment.as_ptr() as usize - value.as_ptr() as usize;
                    found.push(start..start + comment.len());
                }
                let mut from = leaf.span.start;
                for comment in found {
                    blank(Some(from..leaf.span.start + comment.start));
                    from = leaf.span.start + comment.end;
                }
                blank(Some(from..leaf.span.end));
            }
            blank(Some(leaf.key));
        }
        let gaps = String::from_utf8(gaps).expect("whole characters were blanked");
        gaps.lines().filter_map(|line| Some(line[line.find('#')?..].trim_end_matches('\r').to_owned())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn every_comment_survives_and_the_result_is_the_same_twice(text in a_document()) {
            for env in ["dev", "prod"] {
                let made = promoted(&text, env);
                prop_assert!(Document::parse("made", &made).is_ok(), "{made}");
                let mut rest: Vec<String> = all_comments(&made);
                for comment in all_comments(&text) {
                    let at = rest.iter().position(|it| it.starts_with(comment.as_str()));
                    prop_assert!(at.is_some(), "{comment:?} of\n{text}\nis not in\n{made}");
                    rest.remove(at.unwrap_or(0));
                }
                prop_assert_eq!(&made, &promoted(&text, env));
                prop_assert_eq!(text.contains("\r\n"), made.contains("\r\n"));
            }
        }
    }
}
