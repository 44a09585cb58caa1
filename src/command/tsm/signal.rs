//! `tsm signal`

use super::process_args::{Targets, control};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::signal::Signal;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Value};

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

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::find_whole_read_only(std::slice::from_ref(&self.target), cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Targets::find_whole_read_only(std::slice::from_ref(&self.target), cx)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find_whole(std::slice::from_ref(&self.target), cx)?;
        let mut report = targets.report();
        let signal = self.signal;
        for process in &targets.processes {
            match control(cx, &|| cx.host.interrupted()).signal(process, signal) {
                Ok(pid) => {
                    let name = &process.name;
                    report = report.and(
                        Message::new(format!("tsm: sent {signal} to '{name}' (PID: {pid})"))
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
