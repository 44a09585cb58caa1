//! `tsm ports set`, `get`, `owner`, `remove` and `allocate`

use super::list::{owner_cells, protocol};
use super::processes;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Cell, Message, Report, Table, Tone, Value};
use crate::tsm::ports::edit::{self, Assigned};
use crate::tsm::ports::ranges::Range;
use crate::tsm::ports::{self, status};

/// Reserve a port for a name
///
/// The name is that of a process without its port. What was reserved for it before is given up. A port that another name or
/// process has is refused.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The name
    name: String,
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
        let assigned = edit::set(cx.paths, &processes, &self.name, self.port)?;
        let report = Report::of(result_message(&self.name, assigned));
        let account =
            status::read_status(cx.paths, &processes)?.declared.into_iter().find(|it| it.claim.port == self.port);
        match account.as_ref().and_then(|account| account.tcp().next()).and_then(|held| held.owner.as_ref()) {
            Some(owner) => Ok(report.note(format!("PID {} listens on it now ({})", owner.pid, owner.command))),
            None => Ok(report),
        }
    }
}

fn result_message(name: &str, assigned: Assigned) -> Message {
    let Assigned { port, before } = assigned;
    let (action, text) = match before {
        Some(before) if before == port => ("kept", format!("tsm: port {port} is already reserved for '{name}'")),
        Some(before) => ("assigned", format!("tsm: port {port} reserved for '{name}' (before: {before})")),
        None => ("assigned", format!("tsm: port {port} reserved for '{name}'")),
    };
    Message::new(text).with("name", name).with("port", port).with("before", Value::from(before)).with("action", action)
}

/// Print the port of a name
///
/// Of a process or of a reservation. A name with several ports has the lowest one printed first.
#[derive(Debug, clap::Args)]
pub struct Get {
    /// The name, with or without its port
    name: String,
}

impl Command for Get {
    const NAME: &'static str = "tsm ports get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm ports get devpages"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let accounts = status::declared(cx.paths, &processes(cx)?)?;
        let claims: Vec<_> = accounts.into_iter().map(|account| account.claim).collect();
        let is_meant = |it: &&ports::PortEntry| it.name == self.name || format!("{}-{}", it.name, it.port) == self.name;
        let found: Vec<u16> = claims.iter().filter(is_meant).map(|claim| claim.port).collect();
        let Some(first) = found.first() else { return Err(edit::unknown(&self.name, &claims).into()) };
        let text = found.iter().map(|port| format!("{port}\n")).collect();
        let all = found.iter().map(|port| Value::from(*port)).collect();
        let data = [("name", Value::from(&self.name)), ("port", (*first).into()), ("ports", Value::List(all))];
        let data = Value::Record(data.map(|(key, value)| (key.to_owned(), value)).into());
        Ok(Report::of(Block::TextWithData { text, data }))
    }
}

/// Say who has a port
///
/// Who declares it, and who listens on it: pid, user and command.
#[derive(Debug, clap::Args)]
pub struct Owner {
    /// The port
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

impl Command for Owner {
    const NAME: &'static str = "tsm ports owner";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm ports owner 4000"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let all = processes(cx)?;
        let declared: Vec<_> =
            status::declared(cx.paths, &all)?.into_iter().filter(|it| it.claim.port == self.port).collect();
        let held: Vec<_> = status::held(&all).into_iter().filter(|it| it.listener.port == self.port).collect();
        if declared.is_empty() && held.is_empty() {
            let message = format!("port {} is nobody's: not declared, and nobody listens on it", self.port);
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
            table.row(vec![self.port.into(), how.into(), name, pid.into(), user, command]);
        }
        for it in &held {
            let [pid, user, command] = owner_cells(Some(it));
            let name = Value::from(it.managed.as_ref().map(|name| name.as_str()));
            table.row(vec![self.port.into(), protocol(it).into(), name.into(), pid, user, command]);
        }
        Ok(Report::of(table))
    }
}

/// Give up the port that is reserved for a name
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// The name
    name: String,
}

impl Command for Remove {
    const NAME: &'static str = "tsm ports remove";
    const ALIASES: &'static [&'static str] = &["tsm ports rm"];
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm ports remove devpages"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let given_up = edit::remove(cx.paths, &processes(cx)?, &self.name)?;
        let words: Vec<String> = given_up.iter().map(ToString::to_string).collect();
        let text = format!("tsm: port {} is no longer reserved for '{}'", words.join(", "), self.name);
        Ok(Report::of(
            Message::new(text)
                .with("name", &self.name)
                .with("ports", Value::List(given_up.into_iter().map(Value::from).collect()))
                .with("action", "removed"),
        ))
    }
}

/// Reserve the next free port of an environment's range for a name
///
/// A name that has a port in the range keeps it, so this can be run again. `tsm ranges` shows the ranges.
#[derive(Debug, clap::Args)]
pub struct Allocate {
    /// The name
    name: String,
    /// The environment, or `proxy`; the active one if left out
    range: Option<String>,
}

impl Command for Allocate {
    const NAME: &'static str = "tsm ports allocate";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm ports allocate api", "tsm ports allocate api staging"];

    fn environments(&self, _cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        // What is reserved for another environment's range still is only a line in this registry.
        Ok(Vec::new())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let range = match self.range.as_deref() {
            Some(name) => match (Range::named(name), name.parse::<EnvName>()) {
                (Some(range), _) => range,
                (None, Ok(env)) => Range::of(Some(&env)),
                (None, Err(error)) => return Err(Fault::usage(error.to_string())),
            },
            None => Range::of(cx.selection.env.as_ref()),
        };
        let assigned = edit::allocate(cx.paths, &processes(cx)?, &self.name, range)?;
        Ok(Report::of(result_message(&self.name, assigned)))
    }
}
