//! A draft as TOML: the text of local.toml with the changed values put in their places.

use crate::config::Value;

use super::draft::{DiffKind, Draft, METADATA, OVERRIDES, ValueState};
use crate::config::document::{Document, TableLayout};
use crate::config::edits::{Edits, NewEntry};
use crate::config::path::{KeyPath, quoted};
use crate::config::value::same;

/// Whether changed lines say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotate {
    /// `# InstallResult`, `# EnvFlag added`, `# Added`.
    Yes,
    /// No further comments.
    No,
}

/// The text of a draft. It is read again, and says what the draft says.
///
/// # Errors
///
/// Fails with the keys that differ, which is a bug.
pub fn render(draft: &Draft, annotate: Annotate) -> Result<String, Vec<String>> {
    let mut writer = Writer { draft, document: draft.document, annotate, edits: Edits::new(draft.document) };
    for (path, cell) in &draft.values {
        writer.edit_existing(path, cell);
    }
    for path in &draft.added {
        writer.add_new(path);
    }
    writer.remove_overrides();
    writer.remove_empty_headers();
    let text = writer.edits.finish();
    let wrong = differing(&text, draft);
    if wrong.is_empty() { Ok(text) } else { Err(wrong) }
}

/// The keys at which a text does not say what a draft says.
fn differing(text: &str, draft: &Draft) -> Vec<String> {
    let Ok(document) = Document::parse("", text) else { return vec!["its syntax".to_owned()] };
    let cells = draft.values.iter().filter_map(|(path, cell)| Some((path, cell.value.as_ref()?)));
    let is_there =
        |(path, value): &(&KeyPath, &Value)| document.leaf(path).is_some_and(|leaf| same(&leaf.value, value));
    let lost = cells.filter(|cell| !is_there(cell)).map(|(path, _)| path.to_string());
    let stray =
        document.leaves.iter().filter(|leaf| draft.value(&leaf.path).is_none()).map(|leaf| leaf.path.to_string());
    lost.chain(stray).collect()
}

struct Writer<'d, 'a> {
    draft: &'d Draft<'a>,
    document: &'a Document,
    annotate: Annotate,
    edits: Edits<'a>,
}

impl Writer<'_, '_> {
    /// A value that the document has.
    fn edit_existing(&mut self, path: &KeyPath, cell: &ValueState) {
        let Some(leaf) = cell.leaf.map(|leaf| &self.document.leaves[leaf]) else { return };
        if is_override(&leaf.path) {
            return;
        }
        let Some(written) = self.draft.written(cell) else { return self.edits.remove(leaf) };
        let difference = self.draft.diff_kind(cell);
        if difference.is_some() {
            self.edits.value(leaf, &written);
        }
        let renamed = path.last() != leaf.path.last();
        if renamed {
            self.edits.key(leaf, &quoted(path.last()));
        }
        let word = difference.or(renamed.then_some(DiffKind::Changed)).and_then(|how| self.annotation(path, how));
        if let Some(word) = word {
            self.edits.annotate(&leaf.statement, word);
        }
    }

    /// A value that the document does not have.
    fn add_new(&mut self, path: &KeyPath) {
        let cell = self.draft.values.get(path).filter(|cell| cell.leaf.is_none());
        let Some(value) = cell.and_then(|cell| self.draft.written(cell)) else { return };
        let table = path.parent().unwrap_or_default();
        self.edits.add(NewEntry {
            path,
            table: &table,
            value: &value,
            comment: self.annotation(path, DiffKind::Added),
        });
    }

    fn annotation(&self, path: &KeyPath, how: DiffKind) -> Option<&'static str> {
        let says = self.annotate == Annotate::Yes && path.keys()[0] != METADATA;
        says.then(|| how.comment())
    }

    /// Takes away the overrides, whatever shape they have, and tables between braces of which nothing is to be left.
    fn remove_overrides(&mut self) {
        for (number, statement) in self.document.statements.iter().enumerate() {
            let braces = statement.value.is_some() && self.document.leaf(&statement.path).is_none();
            if is_override(&statement.path) || braces && !self.draft.tables.contains(&statement.path) {
                self.edits.remove_statement(number);
            }
        }
    }

    /// Takes away headers below which nothing is left by intention.
    fn remove_empty_headers(&mut self) {
        for (number, body) in self.document.sections.iter().enumerate().filter(|(_, body)| body.header.is_some()) {
            if self.is_header_removed(&body.path) && self.edits.is_empty(number) {
                let header = |it: &crate::config::document::TomlStatement| it.section == number && it.value.is_none();
                self.document
                    .statements
                    .iter()
                    .position(header)
                    .into_iter()
                    .for_each(|it| self.edits.remove_statement(it));
            }
        }
    }

    fn is_header_removed(&self, table: &KeyPath) -> bool {
        let is_gone = |table: &KeyPath| !self.draft.tables.contains(table);
        match table.parent().filter(|outer| self.document.tables.get(outer) == Some(&TableLayout::ArrayOfTables)) {
            // The others would get other numbers.
            Some(array) => is_gone(&array),
            None => {
                let mut inside = self.draft.values.range(table.clone()..).take_while(|(path, _)| path.is_within(table));
                is_gone(table) || inside.clone().next().is_some() && inside.all(|(_, cell)| cell.value.is_none())
            }
        }
    }
}

fn is_override(path: &KeyPath) -> bool {
    path.keys().first().is_some_and(|key| key == OVERRIDES)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::base::fault::{FaultKind, UserFacingError};
    use crate::config::line_editor::comments;
    use crate::org::draft::{Layer, LayerChange, Operation, ProfileChain};
    use crate::org::error::OrgError;
    use crate::org::profile::{Op, Profile};
    use crate::org::promote::{EnvPromotion, Stamp};
    use crate::org::variables::Names;
    use crate::org::{header, store};

    fn chain(env: &str) -> ProfileChain {
        let mut profiles = vec![Profile::built_in(env).expect("it is there")];
        while let Some((next, _)) = profiles[0].extends.clone() {
            profiles.insert(0, Profile::built_in(next.trim_start_matches("builtin:")).expect("it is there"));
        }
        ProfileChain { profiles }
    }

    fn promoted(text: &str, env: &str) -> String {
        let local = Document::parse("local.toml", text).expect("TOML");
        static DEV: LazyLock<ProfileChain> = LazyLock::new(|| chain("dev"));
        static PROD: LazyLock<ProfileChain> = LazyLock::new(|| chain("prod"));
        let chain: &ProfileChain = if env == "dev" { &DEV } else { &PROD };
        let (org, env, names) = ("acme".parse().expect("a name"), env.parse().expect("a name"), Names::new());
        let recipe =
            EnvPromotion { org: &org, env: &env, local: &local, chain, options: &[], names: &names, home: None };
        let made = recipe.run().unwrap_or_else(|error| panic!("{error}\n{text}"));
        let stamp = Stamp { at: "2026-11-20T12:00:00Z".into(), by: "me".into(), commit: None };
        let whole = recipe.text(&made, &stamp, Annotate::Yes).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(store::content_of(&whole).as_ref(), Some(&made.content), "{whole}");
        assert!(matches!(header::state(&whole), header::GeneratedFileState::Intact(_)));
        render(&made.draft, Annotate::Yes).expect("it says what it should")
    }

    /// The text after some values were given or taken away.
    fn given(text: &str, values: &[(&str, Option<Value>)]) -> String {
        let document = Document::parse("f", text).expect("TOML");
        let mut draft = Draft::new(&document);
        for (path, value) in values {
            let step = LayerChange::computed(Layer::Option, Operation::Rule(Op::Set), value.clone());
            draft.set(&path.parse().expect("a path"), step);
        }
        let made = render(&draft, Annotate::Yes).unwrap_or_else(|keys| panic!("{keys:?} in {text}"));
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

    #[test]
    fn a_text_that_says_something_else_is_not_given_out() {
        let document = Document::parse("f", "a = 1\n[t]\nb = nan\n").expect("TOML");
        let draft = Draft::new(&document);
        for (text, expected) in [
            ("t.b = nan\na = 0x1\n", vec![]),
            ("a = 2\n[t]\nb = nan\n", vec!["a"]),
            ("a = 1\n[t]\nb = 'nan'\nc = 1\n", vec!["t.b", "t.c"]),
            ("a = 1  # Added[t]\nb = nan\n", vec!["t.b", "b"]),
            ("a = 1 [t]\n", vec!["its syntax"]),
        ] {
            assert_eq!(differing(text, &draft), expected, "{text}");
        }
        let error = OrgError::RoundTripMismatch { env: "dev".parse().expect("a name"), keys: Vec::new() };
        assert_eq!(error.kind(), FaultKind::Internal);
    }

    /// A value, with what may be inside of it.
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
        let tables =
            ["deployment", "services.web", "own.\"a b\"", "security", "own", "own.deep.er", "logging", "overrides.dev"];
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
                let mut from = leaf.span.start;
                for comment in inside {
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
