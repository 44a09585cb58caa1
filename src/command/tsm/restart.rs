//! `tsm restart`

use super::targets::{Targets, control};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Sentence, Tone, Value};
use crate::tsm::restart::Risen;
use crate::tsm::store::Process;

/// Restart processes and wait until they are up
///
/// They keep their id, logs and command; env files are read again. What does not run is started.
#[derive(Debug, clap::Args)]
pub struct Restart {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all; the selected process if left out
    targets: Vec<ProcessTarget>,
}

impl Command for Restart {
    const NAME: &'static str = "tsm restart";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm restart 0", "tsm restart api web", "tsm restart *"];

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvName>, Fault> {
        Ok(Targets::look_up(&self.targets, cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Targets::look_up(&self.targets, cx)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let targets = Targets::find(&self.targets, cx)?;
        let processes: Vec<&Process> = targets.processes.iter().collect();
        let answers = control(cx, &|| cx.host.interrupted()).restart(&processes, cx.host.now());
        let mut report = Report::each(Vec::<Sentence>::new());
        report.faults = targets.faults;
        for (process, answer) in processes.iter().zip(answers) {
            match answer {
                Ok(risen) => report = report.and(said(process, &risen)),
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(report)
    }
}

fn said(process: &Process, risen: &Risen) -> Sentence {
    let (id, name, pid) = (risen.meta.tsm_id, &process.name, risen.meta.pid);
    let port = risen.meta.port.map_or("none".to_owned(), |port| port.to_string());
    let done = if risen.was_running { "restarted" } else { "started" };
    Sentence::new(format!("tsm: {done} '{name}' (TSM ID: {id}, PID: {pid}, Port: {port})"))
        .tone(Tone::Good)
        .with("id", id)
        .with("name", name.as_str())
        .with("action", done)
        .with("pid", pid)
        .with("port", Value::from(risen.meta.port))
        .with("restarts", risen.meta.restarts)
}
