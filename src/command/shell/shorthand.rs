//! What `alias` and `abbr` share: lines with a name of their own, for this session or kept in `config.toml`.

use std::collections::BTreeSet;

use crate::base::fault::{Fault, FaultKind};
use crate::base::line;
use crate::base::name::AliasName;
use crate::base::suggest::closest_match;
use crate::command::argument::{AliasDefinition, CommandWord};
use crate::command::registry::{self, CommandMatch};
use crate::command::{Cx, settings_file};
use crate::report::{FollowUp, Report, ShorthandKind, Table};

/// What is to be defined, or shown.
pub(super) struct Definition {
    pub kind: ShorthandKind,
    pub name: Option<AliasDefinition>,
    pub line: Vec<CommandWord>,
    /// Also for later sessions.
    pub save: bool,
}

impl Definition {
    /// Defines it if a line is given, else shows what there is.
    pub(super) fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(AliasDefinition(given)) = self.name.clone() else { return list(self.kind, cx, None) };
        let (name, first) = match given.split_once('=') {
            Some((name, first)) => (name, Some(first.to_owned())),
            None => (given.as_str(), None),
        };
        let name: AliasName = name.parse()?;
        self.refuse_trailing_save(&given)?;
        let rest = match &self.line[..] {
            [line] => line.0.clone(),
            words => line::join(words.iter().map(|word| &word.0)),
        };
        let mut text = [first.unwrap_or_default(), rest].join(" ").trim().to_owned();
        if text.is_empty() {
            match cx.settings.lines(self.kind).get(name.as_str()).filter(|_| self.save) {
                Some(known) => text.clone_from(known),
                None => return list(self.kind, cx, Some(name.as_str())),
            }
        }
        if !matches!(registry::resolve(&[name.as_str()]), CommandMatch::Nothing) {
            return Err(Fault::usage(format!("`{name}` is a command")).with_advice("choose another name"));
        }
        line::lex(&text)?;
        if self.save {
            settings_file::save_line(cx.paths, self.kind, name.as_str(), Some(&text))?;
            note_saved(self.kind, name.as_str(), cx);
        }
        Ok(Report::then(FollowUp::Shorthand {
            kind: self.kind,
            name: name.to_string(),
            line: Some(text),
            is_saved: self.save,
        }))
    }

    /// Behind the words of the line `--save` would be one of them, which is seldom meant.
    fn refuse_trailing_save(&self, given: &str) -> Result<(), Fault> {
        let Some((CommandWord(last), line)) = self.line.split_last() else { return Ok(()) };
        if last != "--save" || self.save || (line.is_empty() && !given.contains('=')) {
            return Ok(());
        }
        let (command, words) = (self.kind.command(), line::join(line.iter().map(|word| &word.0)));
        let kept = line::join([given]);
        let name = given.split('=').next().unwrap_or_default();
        Err(Fault::usage("`--save` behind the line is a part of it").with_advice(format!(
            "`{}` keeps it; to have `--save` in the line quote the whole line: `{command} {name}='… --save'`",
            format!("{command} --save {kept} {words}").trim_end()
        )))
    }
}

fn note_saved(kind: ShorthandKind, name: &str, cx: &mut Cx) {
    cx.console.note(&format!("saved {} {name} in {}", kind.word(), cx.paths.config().display()));
}

/// Removes one of this session, and with `save` that of `config.toml` too.
pub(super) fn remove(kind: ShorthandKind, name: &AliasName, save: bool, cx: &mut Cx) -> Result<Report, Fault> {
    let file = settings_file::read(&cx.paths.config())?.unwrap_or_default();
    let is_kept = file.settings.lines(kind).contains_key(name.as_str());
    let lines = cx.settings.lines(kind);
    if !(lines.contains_key(name.as_str()) || save && is_kept) {
        let fault = Fault::new(FaultKind::NotFound, format!("{} `{name}` does not exist", kind.word()));
        return Err(match closest_match(name.as_str(), lines.keys().map(String::as_str)) {
            Some(near) => fault.with_advice(format!("did you mean `{near}`?")),
            None => fault.with_advice(format!("`{}` lists those that exist", kind.command())),
        });
    }
    let config = cx.paths.config();
    if save && is_kept {
        settings_file::save_line(cx.paths, kind, name.as_str(), None)?;
        cx.console.note(&format!("removed {} {name} from {}", kind.word(), config.display()));
    } else if is_kept {
        let text =
            format!("it is back at the next start: `{}` has it; `--save` removes it there too", config.display());
        cx.console.note(&text);
    }
    Ok(Report::then(FollowUp::Shorthand { kind, name: name.to_string(), line: None, is_saved: save }))
}

fn list(kind: ShorthandKind, cx: &Cx, only: Option<&str>) -> Result<Report, Fault> {
    let file = settings_file::read(&cx.paths.config())?.unwrap_or_default();
    let columns = [("name", "NAME"), ("line", "LINE"), ("origin", "ORIGIN")];
    let empty = match only {
        Some(name) => format!("{} `{name}` does not exist; `{}` lists those that exist", kind.word(), kind.command()),
        None => format!("no {}", kind.table()),
    };
    let mut table = Table::new(&columns).when_empty(empty);
    let (here, kept) = (cx.settings.lines(kind), file.settings.lines(kind));
    let names: BTreeSet<&String> = here.keys().chain(kept.keys()).collect();
    for name in names.into_iter().filter(|name| only.is_none_or(|only| only == name.as_str())) {
        let place = file.lines.get(&format!("{}.{name}", kind.table()));
        let place = place.map(|line| format!("config.toml:{line}")).unwrap_or_default();
        let (line, origin) = match (here.get(name), kept.get(name)) {
            (Some(line), kept) if kept == Some(line) => (line, place),
            (Some(line), _) => (line, "this session".to_owned()),
            (None, Some(line)) => (line, format!("{place}, from the next start of the prompt on")),
            (None, None) => continue,
        };
        table.row(vec![name.into(), line.into(), origin.into()]);
    }
    Ok(Report::of(table))
}
