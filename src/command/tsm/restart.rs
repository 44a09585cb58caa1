//! `tsm restart`

use super::limits;
use super::targets::Targets;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::secrets::opener;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Sentence, Tone, Value};
use crate::supervise::limits::Limits;
use crate::tsm::control::Control;
use crate::tsm::ends;
use crate::tsm::request::Around;
use crate::tsm::restart::Risen;
use crate::tsm::start::{Patience, Starter};
use crate::tsm::store::{Process, Store};
use crate::tsm::watch::Seen;

/// Restart processes and wait until they are up
///
/// They keep their id, logs and command; env files are read again. What does not run is started.
#[derive(Debug, clap::Args)]
pub struct Restart {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all; the selected process if left out
    targets: Vec<ProcessTarget>,
    /// Do not wait until they have settled or their ports answer
    #[arg(long)]
    no_wait: bool,
}

impl Command for Restart {
    const NAME: &'static str = "tsm restart";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm restart 0", "tsm restart api web", "tsm restart *"];

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::look_up(&self.targets, cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Targets::look_up(&self.targets, cx)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find(&self.targets, cx)?;
        let all = Store::open(cx.paths).all()?;
        let host = cx.host;
        let interrupted = || host.interrupted();
        let control = Control { paths: cx.paths, program: host.program(), interrupted: &interrupted };
        let around = Around {
            paths: cx.paths,
            cwd: host.cwd(),
            variables: host.variables(),
            org: cx.selection.org.as_ref(),
            env: cx.selection.env.as_ref(),
            // Each keeps its own.
            restart: None,
            limits: Limits::default(),
            terms: limits::terms,
            processes: &all,
        };
        let console = &mut *cx.console;
        let patience = if self.no_wait { Patience::UntilItRuns } else { Patience::UntilItIsReady };
        let mut starter = Starter {
            paths: cx.paths,
            host,
            patience,
            say: &mut |text| console.note(text),
            open: &opener(cx.paths, host),
        };
        let mut report = targets.report();
        let processes: Vec<&Process> = targets.processes.iter().collect();
        let answers = control.restart(&processes, &around, &mut starter);
        for (process, answer) in processes.iter().zip(answers) {
            match answer {
                Ok(risen) => {
                    report = said(report, &risen);
                    if let Some(note) = ends::unwritten(process) {
                        report = report.note(note);
                    }
                }
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(report)
    }
}

fn said(report: Report, risen: &Risen) -> Report {
    let Risen { id, name, pid, port, .. } = risen;
    let shown = port.map_or("none".to_owned(), |port| port.to_string());
    let done = if risen.was_running { "restarted" } else { "started" };
    let report = report.and(
        Sentence::new(format!("tsm: {done} '{name}' (TSM ID: {id}, PID: {pid}, Port: {shown})"))
            .tone(Tone::Good)
            .with("id", *id)
            .with("name", name.as_str())
            .with("action", done)
            .with("pid", *pid)
            .with("port", Value::from(*port))
            .with("restarts", risen.restarts),
    );
    match (risen.seen, port) {
        (Seen::NotListening, Some(port)) => {
            report.note(format!("'{name}' runs and does not listen on port {port} yet"))
        }
        (Seen::NotHealthy, _) => report.note(format!("'{name}' runs and is not healthy yet")),
        (Seen::Interrupted, _) => report.note(format!("stopped watching '{name}'; it runs")),
        _ => report,
    }
}
