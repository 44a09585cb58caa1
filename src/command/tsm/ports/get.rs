//! `tsm ports get`

use super::processes;
use crate::base::fault::Fault;
use crate::command::argument::PortName;
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Report, Value};
use crate::tsm::ports::{self, edit, status};

/// Print the port of a name
///
/// Of a process or of a reservation. A name with several ports has the lowest one printed first.
#[derive(Debug, clap::Args)]
pub struct Get {
    /// The name, with or without its port
    name: PortName,
}

impl Command for Get {
    const NAME: &'static str = "tsm ports get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm ports get devpages"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let accounts = status::declared(cx.paths, &processes(cx)?)?;
        let claims: Vec<_> = accounts.into_iter().map(|account| account.claim).collect();
        let is_meant =
            |it: &&ports::PortEntry| it.name == self.name.0 || format!("{}-{}", it.name, it.port) == self.name.0;
        let found: Vec<u16> = claims.iter().filter(is_meant).map(|claim| claim.port).collect();
        let Some(first) = found.first() else { return Err(edit::unknown(&self.name.0, &claims).into()) };
        let text = found.iter().map(|port| format!("{port}\n")).collect();
        let all = found.iter().map(|port| Value::from(*port)).collect();
        let data = [("name", Value::from(&self.name.0)), ("port", (*first).into()), ("ports", Value::List(all))];
        let data = Value::Record(data.map(|(key, value)| (key.to_owned(), value)).into());
        Ok(Report::of(Block::TextWithData { text, data }))
    }
}
