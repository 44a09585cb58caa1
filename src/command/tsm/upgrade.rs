//! `tsm upgrade`

use super::targets::control;
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Sentence, Tone, Value};
use crate::tsm::store::{Process, Store};
use crate::tsm::upgrade::Upgraded;

/// Put this version of the program in the place of every supervisor
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

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvName>, Fault> {
        let all = if self.dry_run { Vec::new() } else { Store::open(cx.paths).all()? };
        Ok(all.iter().filter(|process| process.view.supervised).filter_map(Process::environment).collect())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let interrupted = || cx.host.interrupted();
        let control = control(cx, &interrupted);
        let mut all = Store::open(cx.paths).all()?;
        if !self.dry_run {
            control.tend(&mut all);
        }
        let supervised: Vec<&Process> = all.iter().filter(|process| process.view.supervised).collect();
        let mut report = Report::each(Vec::<Sentence>::new());
        if self.dry_run {
            for process in supervised {
                let current = control.is_current(process);
                report = report.and(said(process, if current { CURRENT } else { WOULD }));
            }
            return Ok(report);
        }
        for (process, answer) in supervised.iter().zip(control.upgrade(&supervised)) {
            match answer {
                Ok(Upgraded::Replaced) => report = report.and(said(process, DONE)),
                Ok(Upgraded::Current) => report = report.and(said(process, CURRENT)),
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(report)
    }
}

/// A word for programs, one for people.
const WOULD: (&str, &str) = ("would replace", "would replace the supervisor of");
const DONE: (&str, &str) = ("replaced", "replaced the supervisor of");
const CURRENT: (&str, &str) = ("current", "is this version already: the supervisor of");

fn said(process: &Process, (word, words): (&'static str, &'static str)) -> Sentence {
    let tone = if word == CURRENT.0 { Tone::Dim } else { Tone::Plain };
    Sentence::new(format!("tsm: {words} '{}'", process.name))
        .tone(tone)
        .with("id", Value::from(process.id()))
        .with("name", process.name.as_str())
        .with("action", word)
        .with("pid", Value::from(process.pid()))
}
