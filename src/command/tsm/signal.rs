//! `tsm signal`

use super::process_args::{Targets, label};
use crate::base::fault::Fault;
use crate::base::signal::Signal;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::report::{Message, Report, Value};
use crate::tsm::store::Process;

/// Send a signal to a process
///
/// The process itself gets it, not what it started. What it does then is its own affair: if it ends, its restart policy decides
/// whether it is started again. `tsm stop` ends it and everything it started.
#[derive(Debug, clap::Args)]
pub struct SendSignal {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all
    target: ProcessTarget,
    /// The signal, by name or number: HUP, SIGUSR1, 10
    signal: Signal,
}

impl Command for SendSignal {
    const NAME: &'static str = "tsm signal";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm signal api HUP", "tsm signal api SIGUSR1"];

    fn effect(&self) -> Effect {
        if NON_DESTRUCTIVE.contains(&self.signal.number()) { Effect::Write } else { Effect::Destroy }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let mut targets = Targets::find_exact(std::slice::from_ref(&self.target), cx)?;
        if targets.all {
            targets.set_aside(Process::is_running);
        }
        let (effect, environments) = (targets.effect(self.effect()), targets.environments());
        let state = SignalStage { targets, signal: self.signal };
        let plan = |it: &SignalStage, _: &mut Cx| Ok(Some(it.targets.plan()));
        Ok(Stage { effect, environments, state, plan, run: SignalStage::run }.ready())
    }
}

/// A signal and the processes that get it.
struct SignalStage {
    targets: Targets,
    signal: Signal,
}

impl SignalStage {
    fn run(mut self, cx: &mut Cx) -> Result<Report, Fault> {
        self.targets.reconcile(cx);
        let mut report = self.targets.report();
        let (context, signal) = (cx.operation(), self.signal);
        for process in &self.targets.processes {
            match context.with_control(|control| control.signal(process, signal)) {
                Ok(pid) => {
                    let name = &process.name;
                    report = report.and(
                        Message::new(format!("sent {signal} to {}", label(process)))
                            .with("id", Value::from(process.id()))
                            .with("name", name.as_str())
                            .with("action", "signalled")
                            .with("signal", signal.to_string())
                            .with("pid", pid),
                    );
                }
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(report)
    }
}

/// Signals that ask for something else than an end: HUP, USR1, USR2, CONT, URG, WINCH.
const NON_DESTRUCTIVE: [i32; 6] = [1, 10, 12, 18, 23, 28];
