//! `tsm upgrade`

use super::process_args;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Tone, Value};
use crate::tsm::store::{Process, ProcessStore};
use crate::tsm::upgrade::Upgraded;

/// Replace every supervisor with this version of the program
///
/// Processes keep running, with their pids and every byte they write. What this version supervises already is left alone.
#[derive(Debug, clap::Args)]
pub struct Upgrade {
    /// Only show what would be replaced
    #[arg(long)]
    dry_run: bool,
}

impl Command for Upgrade {
    const NAME: &'static str = "tsm upgrade";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm upgrade", "tsm upgrade --dry-run"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let all = if self.dry_run { Vec::new() } else { ProcessStore::open(cx.paths).all()? };
        Ok(all.iter().filter(|process| process.live.supervised).flat_map(Process::environments).collect())
    }

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Self::EFFECT }
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let all = ProcessStore::open(cx.paths).all()?;
        Ok(Some(process_args::plan(all.iter().filter(|process| process.live.supervised))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let context = cx.operation();
        let mut all = ProcessStore::open(cx.paths).all()?;
        if !self.dry_run {
            context.with_control(|control| control.reconcile(&mut all));
        }
        let supervised: Vec<&Process> = all.iter().filter(|process| process.live.supervised).collect();
        let mut report = Report::each(Vec::<Message>::new());
        if self.dry_run {
            for process in supervised {
                let current = context.with_control(|control| control.is_current(process));
                report = report
                    .and(result_message(process, if current { UpgradeState::Current } else { UpgradeState::Would }));
            }
            return Ok(report);
        }
        for (process, answer) in supervised.iter().zip(context.with_control(|control| control.upgrade(&supervised))) {
            match answer {
                Ok(Upgraded::Replaced) => report = report.and(result_message(process, UpgradeState::Done)),
                Ok(Upgraded::Current) => report = report.and(result_message(process, UpgradeState::Current)),
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(report)
    }
}

/// What is said of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UpgradeState {
    Would,
    Done,
    Current,
}

fn result_message(process: &Process, word: UpgradeState) -> Message {
    let name = &process.name;
    let (action, text, tone) = match word {
        UpgradeState::Would => ("would replace", format!("would replace the supervisor of {name}"), Tone::Plain),
        UpgradeState::Done => ("replaced", format!("replaced the supervisor of {name}"), Tone::Plain),
        UpgradeState::Current => ("current", format!("the supervisor of {name} is this version already"), Tone::Dim),
    };
    Message::new(text)
        .tone(tone)
        .with("id", Value::from(process.id()))
        .with("name", name.as_str())
        .with("action", action)
        .with("pid", Value::from(process.pid()))
}
