//! The files of an application: made by its build command, if it has one.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::fault::{Fault, FaultKind};
use crate::base::home;
use crate::base::time::HumanDuration;
use crate::command::Cx;
use crate::config::document::Document;
use crate::deploy::release::Application;
use crate::ops::service_keys;
use crate::org::error::OrgError;
use crate::org::release::{self, DeclaredApplication};
use crate::org::store::{OrgStore, local_env};
use crate::sys::child::{self, ChildExit, ChildNews, ShellLine};

/// The longest that a build may take.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// How long one may write nothing before it is said that it goes on.
const SILENCE: Duration = Duration::from_secs(5);

/// Whether the build command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    Run,
    /// The files are taken as they are.
    Omitted,
}

/// What the promoted text of an environment says about application files, after its build command ran.
///
/// # Errors
///
/// Fails if the table is invalid, or the command does not succeed.
pub(super) fn made(
    cx: &mut Cx,
    store: &OrgStore,
    text: &str,
    build: Build,
    notes: &mut Vec<String>,
) -> Result<Option<Application>, Fault> {
    let path = store.environment_path(&local_env());
    let parse = |text: &str| {
        Document::parse(&path.display().to_string(), text).map_err(|found| OrgError::invalid(&path, found))
    };
    let declared = release::declared(&parse(text)?).map_err(|found| OrgError::invalid(&path, found))?;
    let Some(DeclaredApplication { from, exclude, build: command }) = declared else { return Ok(None) };
    // Of this machine: the promoted text has the directories of the hosts.
    let local = store.read(&path)?.map(|it| parse(&it.text)).transpose()?;
    let home = cx.host.variable("HOME");
    let base = local
        .map_or_else(|| cx.paths.home().to_owned(), |local| service_keys::source_directory(&local, cx.paths, home));
    let from = base.join(home::expand(&from, home));
    match command {
        Some(command) if build == Build::Omitted => {
            notes.push(format!("`{command}` is run before a deploy, and was not for this plan"));
        }
        Some(command) => run(cx, &command, &base)?,
        None => {}
    }
    if from.is_dir() {
        return Ok(Some(Application { from, exclude }));
    }
    let missing = format!("the directory `{}` of application files does not exist", from.display());
    Err(Fault::new(FaultKind::NotFound, missing).with_advice("`from` of `[release]` names it, and `build` may make it"))
}

fn run(cx: &mut Cx, command: &str, base: &PathBuf) -> Result<(), Fault> {
    cx.console.note(&format!("running `{command}` in {}", base.display()));
    let line =
        ShellLine { text: command, cwd: base, variables: cx.host.variables(), limit: BUILD_LIMIT, silence: SILENCE };
    let console = &mut *cx.console;
    let ended = child::run_lines(line, &mut |news| match news {
        ChildNews::Line(text) => {
            console.end_progress();
            console.note(text);
        }
        ChildNews::Silent(how_long) => {
            console.waiting(&format!("still running `{command}` ({} s)", how_long.as_secs()));
        }
    });
    console.end_progress();
    let why = match ended {
        Ok(ChildExit::Code(0)) => return Ok(()),
        Ok(ChildExit::Code(code)) => format!("ended with {code}"),
        Ok(ChildExit::Killed) => format!("was ended, by Ctrl-C or after {}", HumanDuration(BUILD_LIMIT)),
        Err(error) => format!("could not be started: {error}"),
    };
    Err(Fault::new(FaultKind::Preflight, format!("`{command}` {why}; nothing was deployed"))
        .with_advice("`build` of `[release]` is what is run; its output is above"))
}
