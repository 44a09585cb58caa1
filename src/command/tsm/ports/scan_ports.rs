//! `tsm scan-ports`

use super::list::{owner_cells, protocol};
use super::processes;
use crate::base::fault::Fault;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::ports::status;

/// List listening ports and their owners
///
/// TCP and UDP, IPv4 and IPv6, as the kernel lists them. The owner of another user's socket is visible to root only.
#[derive(Debug, clap::Args)]
pub struct ScanPorts {
    /// One port, or a range such as 1024-10000
    #[arg(value_name = "PORT|FROM-TO", if_not_given = "all")]
    range: Option<String>,
}

fn bounds(given: &str) -> Result<(u16, u16), Fault> {
    let (from, to) = given.split_once('-').unwrap_or((given, given));
    let port = |digits: &str| digits.parse::<u16>().ok();
    match (port(from), port(to)) {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        _ => Err(Fault::usage(format!("invalid port or range of ports `{given}`"))
            .with_advice("expected PORT or FROM-TO, such as 3000-3999")),
    }
}

impl Command for ScanPorts {
    const NAME: &'static str = "tsm scan-ports";
    const ALIASES: &'static [&'static str] = &["tsm doctor scan", "tsm doctor ports"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm scan-ports", "tsm scan-ports 3000-9000 --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let (from, to) = self.range.as_deref().map_or(Ok((0, u16::MAX)), bounds)?;
        let mut table = Table::new(&[
            ("port", "PORT"),
            ("protocol", "PROTOCOL"),
            ("address", "ADDRESS"),
            ("tsm", "TSM"),
            ("pid", "PID"),
            ("user", "USER"),
            ("command", "COMMAND"),
        ])
        .when_empty("No listening ports.");
        for held in status::held(&processes(cx)?).iter().filter(|it| (from..=to).contains(&it.listener.port)) {
            let [pid, user, command] = owner_cells(Some(held));
            let tsm = Value::from(held.managed.as_ref().map(|name| name.as_str()));
            table.row(vec![
                Cell::from(held.listener.port).tone(Tone::Strong),
                protocol(held).into(),
                held.listener.address.to_string().into(),
                Cell::from(tsm).tone(Tone::Good),
                pid,
                user,
                command,
            ]);
        }
        Ok(Report::of(table))
    }
}
