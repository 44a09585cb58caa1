//! `tsm env`

use std::path::Path;

use super::process_args::find_one;
use crate::base::fault::{Fault, FaultKind};
use crate::base::redact;
use crate::base::sort::SortExt;
use crate::command::argument::SingleProcess;
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::disk;
use crate::report::{Cell, Report, Table, Tone};
use crate::sys::process;
use crate::tsm::environment;
use crate::tsm::store::Process;

/// Show the variables of a process, secrets masked
///
/// Those with which it was started if it runs; otherwise those that its next start would give it, as far as its files say now.
#[derive(Debug, clap::Args)]
pub struct Env {
    /// Id, name, the beginning or a part of a name, pid or port
    #[arg(if_not_given = SELECTED_PROCESS)]
    target: Option<SingleProcess>,
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
        settings.order();
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
    let files = process.meta.env_files().into_iter().map(|file| file.path);
    for file in [run.secrets_file.as_str()].into_iter().chain(files) {
        if Path::new(file).is_file() {
            environment::read(Path::new(file))?.into_iter().for_each(|it| set(it.key, it.value));
        }
    }
    run.set.iter().for_each(|(key, value)| set(key.clone(), value.clone()));
    Ok(settings)
}
