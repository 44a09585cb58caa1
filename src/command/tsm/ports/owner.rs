//! `tsm ports owner`

use super::list::{owner_cells, protocol};
use super::processes;
use clap::builder::TypedValueParser;

use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::UsedPort;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::ports::status;

/// Show the owner of a port
///
/// Who declares it, and who listens on it: pid, user and command.
#[derive(Debug, clap::Args)]
pub struct Owner {
    /// The port
    #[arg(value_parser = clap::value_parser!(u16).range(1..).map(UsedPort))]
    port: UsedPort,
}

impl Command for Owner {
    const NAME: &'static str = "tsm ports owner";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm ports owner 4000"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let all = processes(cx)?;
        let declared: Vec<_> =
            status::declared(cx.paths, &all)?.into_iter().filter(|it| it.claim.port == self.port.0).collect();
        let held: Vec<_> = status::held(&all).into_iter().filter(|it| it.listener.port == self.port.0).collect();
        if declared.is_empty() && held.is_empty() {
            let message =
                format!("port {} has no owner: it is not declared, and no process listens on it", self.port.0);
            return Err(Fault::new(FaultKind::NotFound, message));
        }
        let mut table = Table::new(&[
            ("port", "PORT"),
            ("how", "HOW"),
            ("name", "NAME"),
            ("pid", "PID"),
            ("user", "USER"),
            ("command", "COMMAND"),
        ]);
        for it in &declared {
            let (pid, [_, user, command]) = (Value::from(it.pid), owner_cells(None));
            let how = if it.process.is_some() { "process" } else { "reserved" };
            let name = Cell::from(it.claim.name.as_str()).tone(Tone::Strong);
            table.row(vec![self.port.0.into(), how.into(), name, pid.into(), user, command]);
        }
        for it in &held {
            let [pid, user, command] = owner_cells(Some(it));
            let name = Value::from(it.managed.as_ref().map(|name| name.as_str()));
            table.row(vec![self.port.0.into(), protocol(it).into(), name.into(), pid, user, command]);
        }
        Ok(Report::of(table))
    }
}
