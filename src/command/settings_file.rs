//! `config.toml`: the settings of the shell and aliases, each with its place.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Value;

use super::context::{InvalidSetting, SETTINGS, Settings, setting, validation_error};
use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::AliasName;
use crate::base::suggest::closest_match;
use crate::config::document::{Document, Leaf};
use crate::config::edits::{Edits, NewEntry};
use crate::config::path::KeyPath;
use crate::disk;
use crate::report::ShorthandKind;
use crate::sys::file::{self, Access};
use crate::sys::paths::Paths;

/// What the file says.
#[derive(Debug, Default)]
pub struct SettingsFile {
    /// Its valid keys.
    pub settings: Settings,
    /// The line of each of them; of aliases as `aliases.NAME`.
    pub lines: BTreeMap<String, usize>,
    /// Everything that is wrong; those keys count as not written.
    pub wrong: Option<Fault>,
    /// It could not be parsed, so nothing of it counts.
    pub is_unreadable: bool,
}

/// More keys than this are not named at the start of a prompt.
const MAX_NAMED: usize = 5;

impl SettingsFile {
    /// What is wrong, on a line for each key with its place, and what to do about it; nothing if all is well.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let Some(wrong) = &self.wrong else { return Vec::new() };
        let what = if self.is_unreadable { "the whole file is ignored" } else { "this key is ignored" };
        let line = |found: &Diagnostic| {
            let place = found.location().map(|place| format!("{place}: ")).unwrap_or_default();
            let expected = found.labels.first().map(|label| label.text.as_str()).filter(|text| !text.is_empty());
            let why = expected.map(|text| format!(": {text}")).unwrap_or_default();
            let help = found.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
            format!("warning: {place}{}{why}{help}; {what}", found.title)
        };
        let mut lines: Vec<String> = wrong.diagnostics.iter().take(MAX_NAMED).map(line).collect();
        let more = wrong.diagnostics.len().saturating_sub(MAX_NAMED);
        if more > 0 {
            lines.push(format!("and {more} more: `config show` lists them; `config edit` opens the file"));
        } else if let Some(last) = lines.last_mut() {
            last.push_str("; `config edit` opens the file");
        }
        lines
    }
}

/// Reads the file; none if it does not exist.
///
/// # Errors
///
/// Fails if it cannot be read. What is wrong in it is in the result.
pub fn read(path: &Path) -> Result<Option<SettingsFile>, Fault> {
    match disk::read_trusted_bytes(path) {
        Ok(bytes) => Ok(Some(parse(path, &Decoded::new(&bytes)))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::new(FaultKind::Failed, format!("failed to read `{}`: {error}", path.display()))),
    }
}

/// What is wrong with a byte that is not text, and what helps.
const NOT_TEXT: &str = "this is not UTF-8 text";
const TO_TEXT: &str = "`iconv -f latin1 -t utf-8` converts";

/// The text of a file, with a replacement for each part that is not UTF-8.
struct Decoded {
    text: String,
    /// Where the replacements are, in bytes.
    replaced: Vec<Range<usize>>,
}

impl Decoded {
    fn new(bytes: &[u8]) -> Self {
        let (mut text, mut replaced) = (String::new(), Vec::new());
        // Places are counted behind a byte order mark.
        for chunk in bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                let start = text.len();
                text.push(char::REPLACEMENT_CHARACTER);
                replaced.push(start..text.len());
            }
        }
        Self { text, replaced }
    }

    /// The first replacement in a range.
    fn replaced_in(&self, range: &Range<usize>) -> Option<Range<usize>> {
        self.replaced.iter().find(|it| it.start >= range.start && it.start < range.end).cloned()
    }

    /// What makes the whole file unreadable: what is not UTF-8, and what else is wrong on other lines.
    fn explain(&self, wrong: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let Some(first) = wrong.first() else { return wrong };
        let shown = SourceText { name: first.file.clone(), text: Arc::clone(&first.source) };
        let line = |range: &Range<usize>| shown.location(range).line;
        let is_other = |it: &Diagnostic| {
            !self.replaced.iter().any(|at| it.labels.iter().any(|label| line(&label.span) == line(at)))
        };
        let not_text = |at: &Range<usize>| shown.error("invalid character", at.clone(), NOT_TEXT).help(TO_TEXT);
        self.replaced.iter().map(not_text).chain(wrong.iter().filter(|it| is_other(it)).cloned()).collect()
    }
}

fn parse(path: &Path, decoded: &Decoded) -> SettingsFile {
    let name = path.display().to_string();
    let mut file = SettingsFile::default();
    let mut found = Vec::new();
    match Document::parse(&name, &decoded.text) {
        Err(diagnostics) => (found, file.is_unreadable) = (decoded.explain(diagnostics), true),
        Ok(document) => {
            let mut leaves = document.leaves.iter().peekable();
            while let Some(leaf) = leaves.next() {
                let not_text = decoded.replaced_in(&(leaf.key.start..leaf.span.end)).map(|at| {
                    let title = format!("invalid value for `{}`", leaf.path.keys().join("."));
                    Box::new(document.shown().error(title, at, NOT_TEXT).help(TO_TEXT))
                });
                match not_text.map_or_else(|| read_leaf(leaf, &document), Err) {
                    Ok((key, value)) => {
                        file.lines.insert(leaf.path.keys().join("."), document.line(leaf.key.start));
                        match shorthand_of(leaf) {
                            None => file.settings.values.insert(key, value),
                            Some((kind, _)) => file.settings.lines_mut(kind).insert(key, value),
                        };
                    }
                    Err(wrong) => {
                        found.push(*wrong);
                        // A table is wrong once.
                        let first = leaf.path.keys().first();
                        while leaf.path.keys().len() > 1
                            && shorthand_of(leaf).is_none()
                            && leaves.next_if(|next| next.path.keys().first() == first).is_some()
                        {
                        }
                    }
                }
            }
        }
    }
    if !found.is_empty() {
        let what = match found.len() {
            _ if file.is_unreadable => "is not TOML, and nothing of it is used",
            1 => "has a key that is ignored",
            _ => "has keys that are ignored",
        };
        file.wrong = Some(
            Fault::usage(format!("`{name}` {what}"))
                .with_advice("`config show` lists the keys; `config edit` opens the file")
                .with_diagnostics(found),
        );
    }
    file
}

/// A setting or an alias, by name and value.
fn read_leaf(leaf: &Leaf, document: &Document) -> Result<(String, String), Box<Diagnostic>> {
    let wrong = |title: String, label: String| Box::new(document.shown().error(title, leaf.key.clone(), label));
    let value = match &leaf.value {
        Value::Boolean(on) => if *on { "on" } else { "off" }.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Some((kind, name)) = shorthand_of(leaf) {
        let kind = kind.word();
        return match (name.parse::<AliasName>(), &leaf.value) {
            (Err(error), _) => Err(wrong(format!("invalid {kind} name `{name}`"), error.to_string())),
            (Ok(_), Value::String(_)) => Ok((name.to_owned(), value)),
            (Ok(_), _) => Err(wrong(format!("invalid value for the {kind} `{name}`"), "expected a string".to_owned())),
        };
    }
    match leaf.path.keys() {
        [key] => match (setting(key), validation_error(key, &value)) {
            (Some(_), Some(InvalidSetting { why, near })) => {
                let found = document.shown().error(format!("invalid value for `{key}`"), leaf.span.clone(), why);
                Err(Box::new(match near {
                    Some(near) => found.help(format!("did you mean `{near}`?")),
                    None => found,
                }))
            }
            (None, _) => {
                let near = closest_match(key, SETTINGS.iter().map(|setting| setting.name));
                let found = wrong(format!("unknown key `{key}`"), "not a setting".to_owned());
                Err(near.map_or(found.clone(), |near| Box::new(found.help(format!("did you mean `{near}`?")))))
            }
            (Some(_), None) => Ok((key.clone(), value)),
        },
        path => Err(wrong(
            format!("unknown key `{}`", path.join(".")),
            "expected a setting or a table [aliases] or [abbreviations]".to_owned(),
        )),
    }
}

/// The alias or abbreviation that a key defines.
fn shorthand_of(leaf: &Leaf) -> Option<(ShorthandKind, &str)> {
    let [table, name] = leaf.path.keys() else { return None };
    ShorthandKind::ALL.into_iter().find(|kind| kind.table() == table).map(|kind| (kind, name.as_str()))
}

/// Writes an alias or abbreviation into the file, or removes it without a line. Everything else in the file stays as it is,
/// also where the file is a link.
///
/// # Errors
///
/// Fails if the file is not TOML, or cannot be written.
pub fn save_line(paths: &Paths, kind: ShorthandKind, name: &str, line: Option<&str>) -> Result<(), Fault> {
    let path = paths.config();
    let path = path.canonicalize().unwrap_or(path);
    file::create_dir(path.parent().unwrap_or(&path))?;
    let change = |old: &[u8]| -> Result<Vec<u8>, Fault> {
        let shown = path.display().to_string();
        let text = std::str::from_utf8(old)
            .map_err(|_| Fault::usage(format!("`{shown}` is not UTF-8")).with_advice("`config edit` opens it"))?;
        let document = Document::parse(&shown, text).map_err(|wrong| {
            Fault::usage(format!("`{shown}` is not TOML; nothing was saved"))
                .with_advice("`config edit` opens it")
                .with_diagnostics(wrong)
        })?;
        let table = KeyPath::of(&[kind.table()]);
        let key = table.join(name);
        let value = line.map(|line| Value::String(line.to_owned()).to_string());
        let mut edits = Edits::new(&document);
        match (document.leaf(&key), &value) {
            (Some(leaf), Some(value)) => edits.value(leaf, value),
            (Some(leaf), None) => edits.remove(leaf),
            (None, Some(value)) => edits.add(NewEntry { path: &key, table: &table, value, comment: None }),
            (None, None) => {}
        }
        Ok(edits.finish().into_bytes())
    };
    file::update(&path, Access::Private, change)
}

/// The file with every key, each with its default, unit and meaning, all commented out.
#[must_use]
pub fn template() -> String {
    let mut text = "# Settings of the shell. A key that is commented out has the value that is shown.\n\n".to_owned();
    for it in SETTINGS {
        let value =
            if it.default.parse::<u32>().is_ok() { it.default.to_owned() } else { format!("\"{}\"", it.default) };
        text.push_str(&format!("# {}\n# {}\n#{} = {value}\n\n", it.help, it.accepts.expected(), it.name));
    }
    text + "# Lines with a name of their own:\n#[aliases]\n#down = \"tsm stop all\"\n\n\
            # Words that are written out while they are typed:\n#[abbreviations]\n#lf = \"tsm logs -f\"\n"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_text(text: impl AsRef<[u8]>) -> SettingsFile {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("config.toml");
        fs::write(&path, text).expect("written");
        read(&path).expect("it can be read").expect("it is there")
    }

    #[test]
    fn settings_are_those_of_set_and_aliases() {
        let file = read_text("edit-mode = 'vi'\nhistory-size = 5\nplain = true\n[aliases]\ndown = 'tsm stop all'\n");
        let get = |key| file.settings.get(key);
        assert_eq!((get("edit-mode"), get("history-size"), get("plain")), ("vi", "5", "on"));
        assert_eq!(file.settings.aliases.get("down").map(String::as_str), Some("tsm stop all"));
        assert_eq!((file.lines["plain"], file.lines["aliases.down"]), (3, 5));
        assert!(file.wrong.is_none());
        assert!(read(Path::new("/nonexistent/config.toml")).expect("no file is fine").is_none());
    }

    #[test]
    fn what_is_not_text_drops_its_key_alone() {
        let file =
            read_text(b"plain = true # \xff\nedit-mode = 'v\xe9i'\n[aliases]\nd = 'tsm list'\nu = 'use \xff@\xff'\n");
        assert_eq!((file.settings.get("plain"), file.settings.get("edit-mode")), ("on", "emacs"));
        assert_eq!(file.settings.aliases.keys().collect::<Vec<_>>(), ["d"]);
        assert!(!file.is_unreadable);
        let lines = file.warnings();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains(":2:15: invalid value for `edit-mode`: this is not UTF-8 text; "), "{lines:?}");
        assert!(lines[1].contains(":5:10: invalid value for `aliases.u`: "), "{lines:?}");
        let file = read_text(b"plain = true\nedit\xff = 'vi'\n = 1\n");
        let lines = file.warnings();
        assert!(file.is_unreadable && lines.len() == 2, "{lines:?}");
        let wanted = ":2:5: invalid character: this is not UTF-8 text; ";
        assert!(lines[0].contains(wanted) && lines[0].ends_with("; the whole file is ignored"), "{lines:?}");
        assert!(lines[1].contains(":3:"), "{lines:?}");
    }

    #[test]
    fn only_what_is_wrong_is_dropped_and_each_has_a_place() {
        let file = read_text(
            "plain = true\n edit-mod = 'vi'\nhistory-size = 'x'\n[aliases]\n9 = 1\nd = 'use @dev'\n[a]\nb = 1\nc = 2\n",
        );
        assert_eq!(file.settings.get("plain"), "on");
        assert_eq!(file.settings.aliases.len(), 1);
        let wrong = file.wrong.expect("it is wrong");
        let places: Vec<_> =
            wrong.diagnostics.iter().filter_map(Diagnostic::location).map(|at| (at.line, at.column)).collect();
        assert_eq!(places, [(2, 2), (3, 16), (5, 1), (8, 1)], "{wrong:?}");
        assert_eq!(wrong.diagnostics[0].help.as_deref(), Some("did you mean `edit-mode`?"));
    }

    #[test]
    fn a_prompt_begins_with_what_is_ignored_and_where() {
        let warnings = |text: &str| {
            let lines = read_text(text).warnings();
            lines
                .iter()
                .map(|line| line.replacen(line.split_once("config.toml").map_or("", |it| it.0), "", 1))
                .collect()
        };
        let said: Vec<String> = warnings("plain = true\n");
        assert!(said.is_empty());
        let said: Vec<String> = warnings("edit-mod = 'vi'\nhistory-size = 'x'\n");
        assert_eq!(
            said,
            [
                "config.toml:1:1: unknown key `edit-mod`: not a setting; did you mean `edit-mode`?; this key is ignored",
                "config.toml:2:16: invalid value for `history-size`: expected a whole number of lines; this key is ignored; \
                 `config edit` opens the file",
            ]
        );
        let said: Vec<String> = warnings("edit-mode = \n");
        assert!(said[0].contains("the whole file is ignored") && said.len() == 1, "{said:?}");
        let many: String = (0..8).map(|number| format!("key{number} = 1\n")).collect();
        let said: Vec<String> = warnings(&many);
        assert_eq!(
            (said.len(), said[5].as_str()),
            (6, "and 3 more: `config show` lists them; `config edit` opens the file")
        );
    }

    #[test]
    fn what_is_not_toml_has_a_place() {
        let wrong = read_text("plain = [\n").wrong.expect("it is wrong");
        assert_eq!(wrong.at.map(|at| at.line), Some(1));
    }

    #[test]
    fn the_template_is_valid_as_it_is_and_with_every_key() {
        let whole: String = template()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if !key.starts_with(' ') => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert!(read_text(template()).wrong.is_none());
        let file = read_text(&whole);
        assert!(file.wrong.is_none(), "{whole}: {:?}", file.wrong);
        assert_eq!(file.settings.values.len(), SETTINGS.len());
    }
}
