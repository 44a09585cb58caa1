//! `org env edit`

use std::fs;
use std::path::Path;

use super::context::organization;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::config::document::Document;
use crate::ops::service_keys;
use crate::org::error::OrgError;
use crate::org::store::{self, OrgStore};
use crate::org::{alias, read, schema};
use crate::report::{Message, Question, Report, UserAnswer};
use crate::sys::file::{self, Access, FileError};
use crate::sys::host::Invocation;

/// Editors that are tried if neither VISUAL nor EDITOR names one.
const EDITORS: [&str; 4] = ["vim", "vi", "nano", "emacs"];

/// Edit local.toml in your editor
///
/// Edits a copy, which replaces the file once it is valid. An invalid copy is saved, and the next `org env edit` continues with it.
#[derive(Debug, clap::Args)]
pub struct EnvEdit {
    /// The environment; only `local` can be edited
    #[arg(default_value = "local")]
    env: EnvName,
}

impl Command for EnvEdit {
    const NAME: &'static str = "org env edit";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org env edit local"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        if self.env != store::local_env() {
            let what = format!("cannot edit `{}.toml`: it is generated and edits would be lost", self.env);
            return Err(
                Fault::new(FaultKind::Refused, what).with_advice("edit its source with `tsm org env edit local`")
            );
        }
        if !cx.console.is_interactive() {
            let path = store.environment_path(&self.env);
            return Err(
                Fault::needs_terminal("an editor").with_advice(format!("edit the file itself: {}", path.display()))
            );
        }
        edit(cx, &store)
    }
}

fn edit(cx: &mut Cx, store: &OrgStore) -> Result<Report, Fault> {
    let path = store.environment_path(&store::local_env());
    let tree = store.dir();
    let before = read::text(&path, &tree)?.ok_or_else(|| OrgError::NoLocal { path: path.clone() })?;
    let copy = path.with_file_name(".local.toml.edit");
    match read::text(&copy, &tree)? {
        Some(_) => cx.console.note("continuing with the last edit, which was invalid"),
        None => {
            let _lock = store.lock()?;
            file::write(&copy, before.as_bytes(), Access::Shared)?;
        }
    }
    loop {
        run_editor(cx, &copy)?;
        let after = read::text(&copy, &tree)?.unwrap_or_default();
        let wrong = check_copy(&copy, &after);
        if wrong.is_empty() {
            return save(store, &before, &after, &path, &copy);
        }
        let fault = Fault::from(OrgError::invalid(&copy, wrong));
        cx.console.error(&fault);
        let ask = Question { text: "edit it again?".to_owned(), expected: None };
        if cx.console.ask(&ask) != UserAnswer::Yes {
            return Err(Fault::new(FaultKind::Failed, "local.toml was not changed: the edited text is invalid")
                .with_advice(format!(
                    "the edited text is saved in {}; `tsm org env edit` continues with it",
                    copy.display()
                )));
        }
    }
}

fn check_copy(copy: &Path, text: &str) -> Vec<Diagnostic> {
    match Document::parse(&copy.display().to_string(), text) {
        Err(found) => found,
        Ok(document) => {
            let mut found = schema::check(&document);
            found.retain(|it| it.severity == Severity::Error);
            found.extend(service_keys::check(&document));
            found.extend(alias::conflicts(&document));
            found
        }
    }
}

/// Puts the edited text into place, unless another process did meanwhile.
fn save(store: &OrgStore, before: &str, after: &str, path: &Path, copy: &Path) -> Result<Report, Fault> {
    let _lock = store.lock()?;
    let now = read::text(path, &store.dir())?.unwrap_or_default();
    if now != before {
        return Err(Fault::new(FaultKind::Stale, format!("`{}` was changed by another process", path.display()))
            .with_advice(format!("compare it with your edit: {}", copy.display())));
    }
    let changed = after != before;
    if changed {
        file::write(path, after.as_bytes(), Access::Shared)?;
    }
    fs::remove_file(copy).map_err(|source| FileError::Io { action: "remove", path: copy.to_owned(), source })?;
    let text = if changed { format!("changed {}", path.display()) } else { "nothing was changed".to_owned() };
    let said = Message::new(text).with("path", path.display().to_string()).with("changed", changed);
    let report = Report::of(said);
    Ok(if changed { report.note("next: `tsm org diff @dev`, then `tsm org promote @dev`") } else { report })
}

fn run_editor(cx: &Cx, copy: &Path) -> Result<(), Fault> {
    let named = cx.host.variable("VISUAL").or_else(|| cx.host.variable("EDITOR"));
    let found = || {
        let path = cx.host.variable("PATH").unwrap_or_default();
        let there = |editor: &&&str| path.split(':').any(|directory| Path::new(directory).join(editor).is_file());
        EDITORS.iter().find(there).copied()
    };
    let line = named
        .or_else(found)
        .ok_or_else(|| Fault::new(FaultKind::Failed, "no editor found").with_advice("set $VISUAL or $EDITOR"))?;
    let bad = || Fault::new(FaultKind::Failed, format!("invalid EDITOR `{line}`"));
    let mut words = shlex::split(line).ok_or_else(bad)?;
    if words.is_empty() {
        return Err(bad());
    }
    let program = words.remove(0);
    words.push(copy.display().to_string());
    let call = Invocation { program: program.clone(), arguments: words, inherit_stdio: true, ..Invocation::default() };
    let finished = cx.host.run(&call).map_err(|source| {
        Fault::new(FaultKind::Failed, format!("failed to start the editor `{program}`: {source}"))
            .with_advice("set $VISUAL or $EDITOR")
    })?;
    if finished.exit_code == 0 {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Failed,
        format!("the editor `{program}` exited with {}; local.toml was not changed", finished.exit_code),
    )
    .with_advice(format!("the edited text is saved in {}", copy.display())))
}
