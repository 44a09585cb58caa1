//! `tsm ports set`

use super::processes;
use crate::base::fault::Fault;
use crate::command::argument::PortName;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Value};
use crate::tsm::ports::edit::{self, Assigned};
use crate::tsm::ports::status;

/// Reserve a port for a name
///
/// The name is that of a process without its port. What was reserved for it before is given up. A port that another name or
/// process has is refused.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The name
    name: PortName,
    /// The port
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

impl Command for Set {
    const NAME: &'static str = "tsm ports set";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm ports set devpages 4000"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let processes = processes(cx)?;
        let assigned = edit::set(cx.paths, &processes, &self.name.0, self.port)?;
        let report = Report::of(result_message(&self.name.0, assigned));
        let account =
            status::read_status(cx.paths, &processes)?.declared.into_iter().find(|it| it.claim.port == self.port);
        match account.as_ref().and_then(|account| account.tcp().next()).and_then(|held| held.owner.as_ref()) {
            Some(owner) => Ok(report.note(format!("PID {} listens on it now ({})", owner.pid, owner.command))),
            None => Ok(report),
        }
    }
}

pub(super) fn result_message(name: &str, assigned: Assigned) -> Message {
    let Assigned { port, before } = assigned;
    let (action, text) = match before {
        Some(before) if before == port => ("kept", format!("port {port} is already reserved for {name}")),
        Some(before) => ("assigned", format!("reserved port {port} for {name} (before: {before})")),
        None => ("assigned", format!("reserved port {port} for {name}")),
    };
    Message::new(text).with("name", name).with("port", port).with("before", Value::from(before)).with("action", action)
}
