//! `tsm ports remove`

use super::processes;
use crate::base::fault::Fault;
use crate::command::argument::PortName;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Table, Value};
use crate::tsm::ports::{self, edit};

/// Release the port that is reserved for a name
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// The name
    name: PortName,
}

impl Command for Remove {
    const NAME: &'static str = "tsm ports remove";
    const ALIASES: &'static [&'static str] = &["tsm ports rm"];
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm ports remove devpages"];

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let mut table = Table::new(&[("port", "PORT"), ("name", "NAME")]);
        for claim in edit::removable(&ports::read(cx.paths)?, &processes(cx)?, &self.name.0)? {
            table.row(vec![claim.port.into(), claim.name.into()]);
        }
        Ok(Some(Report::of(table)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let given_up = edit::remove(cx.paths, &processes(cx)?, &self.name.0)?;
        let words: Vec<String> = given_up.iter().map(ToString::to_string).collect();
        let text = format!("released port {} of {}", words.join(", "), self.name.0);
        Ok(Report::of(
            Message::new(text)
                .with("name", &self.name.0)
                .with("ports", Value::List(given_up.into_iter().map(Value::from).collect()))
                .with("action", "removed"),
        ))
    }
}
