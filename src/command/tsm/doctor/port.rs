//! `tsm doctor port`

use clap::builder::TypedValueParser;

use crate::base::fault::Fault;
use crate::base::redact;
use crate::command::argument::UsedPort;
use crate::command::tsm::info::drop_empty;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Fields, Report, Tone, Value};
use crate::tsm::conflict::{self, Conflict, PortHolder};
use crate::tsm::ports::read;
use crate::tsm::store::ProcessStore;

/// Show whether a port is free, and which process uses it
///
/// Exit code 3 if it is in use: a process listens on it; and if a managed process that does not listen yet has claimed it.
#[derive(Debug, clap::Args)]
pub struct Port {
    /// The port
    #[arg(value_parser = clap::value_parser!(u16).range(1..).map(UsedPort))]
    port: UsedPort,
}

impl Command for Port {
    const NAME: &'static str = "tsm doctor port";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor port 3000"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let all = ProcessStore::open(cx.paths).all()?;
        let found = conflict::find(self.port.0, &all);
        let reserved: Vec<String> =
            read(cx.paths)?.into_iter().filter(|claim| claim.port == self.port.0).map(|claim| claim.name).collect();
        let (pid, command, managed, user) = match found.as_ref().map(|found| &found.holder) {
            Some(PortHolder::Process { pid, command, managed }) => {
                (Some(*pid), Some(command.as_str()), managed.as_deref(), None)
            }
            Some(PortHolder::Claimed { name, pid, command }) => {
                (*pid, Some(command.as_str()), Some(name.as_str()), None)
            }
            Some(PortHolder::Hidden { user }) => (None, None, None, Some(user.clone())),
            None => (None, None, None, None),
        };
        let user = user.or_else(|| pid.map(|pid| crate::sys::net::describe(pid).user));
        let status = match &found {
            Some(Conflict { holder: PortHolder::Claimed { .. }, .. }) => {
                Cell::from("claimed").text("claimed, not listening").tone(Tone::Bad)
            }
            Some(_) => Cell::from("used").text("in use").tone(Tone::Bad),
            None => Cell::from("free").tone(Tone::Good),
        };
        let fields = Fields::titled(format!("Port {}", self.port.0))
            .json_only("port", self.port.0)
            .with("status", status)
            .with("tsm", Value::from(managed))
            .with("pid", Value::from(pid))
            .with("user", Value::from(user))
            .with("command", Value::from(command.map(redact::text)))
            .with("reserved_for", Value::from(reserved))
            .with("advice", Value::from(found.as_ref().map(advice)));
        Ok(Report { check_failed: found.is_some(), ..Report::of(drop_empty(fields)) })
    }
}

fn advice(conflict: &Conflict) -> String {
    match &conflict.holder {
        PortHolder::Process { managed: None, pid, .. } => format!("tsm doctor kill {}, or kill {pid}", conflict.port),
        _ => conflict.suggestion(),
    }
}
