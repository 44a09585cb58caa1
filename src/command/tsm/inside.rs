//! `tsm env` and `tsm paths`: the variables and the files of a process.

use std::fs;
use std::path::{Path, PathBuf};

use super::process_args::Targets;
use crate::base::fault::{Fault, FaultKind};
use crate::base::redact;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::disk;
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::supervise::meta;
use crate::sys::process;
use crate::tsm::environment;
use crate::tsm::store::Process;

/// Show the variables of a process, secrets masked
///
/// Those with which it was started if it runs; otherwise those that its next start would give it, as far as its files say now.
#[derive(Debug, clap::Args)]
pub struct Env {
    /// Id, name, the beginning or a part of a name, pid or port; the selected process if left out
    target: Option<ProcessTarget>,
}

impl Command for Env {
    const NAME: &'static str = "tsm env";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm env api", "tsm env 0 --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let process = find_one(self.target, cx)?;
        let settings = match process.pid() {
            Some(pid) => process::environment(pid).ok_or_else(|| {
                Fault::new(
                    FaultKind::Failed,
                    format!("the variables of `{}` (PID {pid}) may not be read", process.name),
                )
                .with_advice("act as its user, or as root")
            })?,
            None => snapshot_variables(&process)?,
        };
        let mut settings: Vec<(String, String)> = settings.into_iter().collect();
        settings.sort();
        let mut table = Table::new(&[("name", "NAME"), ("value", "VALUE"), ("masked", "MASKED")])
            .with_visibility("masked", crate::report::Visibility::Never);
        for (name, value) in settings {
            let shown = redact::variable(&name, &value);
            let masked = shown != value;
            let cell = Cell::from(shown);
            let cell = if masked { cell.tone(Tone::Dim) } else { cell };
            table.row(vec![Cell::from(name).tone(Tone::Strong), cell, masked.into()]);
        }
        Ok(Report::of(table))
    }
}

/// What the next start would give it, in the order in which it is put together.
fn snapshot_variables(process: &Process) -> Result<Vec<(String, String)>, Fault> {
    let run = &process.meta.run;
    let mut settings = process::parse_environ(&disk::read_own(process.dir.join("environ")).unwrap_or_default());
    let mut set = |key: String, value: String| {
        settings.retain(|(known, _)| *known != key);
        settings.push((key, value));
    };
    for file in [run.secrets_file.as_str(), process.meta.env_file.as_str()] {
        if Path::new(file).is_file() {
            environment::read(Path::new(file))?.into_iter().for_each(|it| set(it.key, it.value));
        }
    }
    run.set.iter().for_each(|(key, value)| set(key.clone(), value.clone()));
    Ok(settings)
}

/// Show the files and directories of a process
#[derive(Debug, clap::Args)]
pub struct Paths {
    /// Id, name, the beginning or a part of a name, pid or port; the selected process if left out
    target: Option<ProcessTarget>,
}

impl Command for Paths {
    const NAME: &'static str = "tsm paths";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm paths api", "tsm paths 0 --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let process = find_one(self.target, cx)?;
        let (meta, run) = (&process.meta, &process.meta.run);
        let given = |path: &str| Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
        let program = run.argv.first().map(PathBuf::from).filter(|path| path.is_absolute());
        let rows = [
            ("directory", Some(process.dir.clone())),
            ("record", Some(meta::path(&process.dir))),
            ("pid_file", Some(process.pid_file())),
            ("stdout", Some(process.out_log())),
            ("stderr", Some(process.err_log())),
            ("orders", Some(process.dir.join("orders"))),
            ("environ", Some(process.dir.join("environ"))),
            ("cwd", Some(meta.cwd.clone())),
            ("program", program),
            ("env_file", given(&meta.env_file)),
            ("secrets_file", given(&run.secrets_file)),
            ("service", given(&run.service)),
        ];
        let mut table = Table::new(&[("what", "WHAT"), ("path", "PATH"), ("there", "THERE"), ("size", "SIZE")]);
        for (what, path) in rows {
            let Some(path) = path else { continue };
            let found = fs::metadata(&path).ok();
            let size = found.as_ref().filter(|it| it.is_file()).map(|it| Value::Bytes(it.len()));
            table.row(vec![
                what.into(),
                path.display().to_string().into(),
                found.is_some().into(),
                size.unwrap_or(Value::Null).into(),
            ]);
        }
        Ok(Report::of(table))
    }
}

/// The one process that is meant.
fn find_one(target: Option<ProcessTarget>, cx: &Cx) -> Result<Process, Fault> {
    let words: Vec<ProcessTarget> = target.into_iter().collect();
    let mut found = Targets::find_read_only(&words, cx)?;
    match (found.processes.len(), found.faults.pop()) {
        (1, None) => Ok(found.processes.remove(0)),
        (_, Some(fault)) => Err(fault),
        (0, None) => Err(Fault::new(FaultKind::NotFound, "there is no process")),
        (count, None) => Err(Fault::usage(format!("one process is shown at a time, and {count} were named"))),
    }
}
