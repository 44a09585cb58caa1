//! `tsm ports conflicts`

use super::processes;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::ports::{edit, status};

/// Show ports that two names claim, and with --fix move the one without a process
///
/// Two names with one port, or a declared port on which another process listens. A name that is only reserved gets the next free port of
/// the same range; the port of a process changes only with a start. Exit code 3 if a conflict is left.
#[derive(Debug, clap::Args)]
pub struct Conflicts {
    /// Give names without a process another port
    #[arg(long)]
    fix: bool,
}

impl Command for Conflicts {
    const NAME: &'static str = "tsm ports conflicts";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm ports conflicts", "tsm ports conflicts --fix"];

    fn effect(&self) -> Effect {
        if self.fix { Effect::Write } else { Effect::Read }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let survey = status::read_status(cx.paths, &processes(cx)?)?;
        let mut contested = edit::conflicts(&survey);
        if self.fix {
            edit::resolve(cx.paths, &survey, &mut contested)?;
        }
        let mut table = Table::new(&[
            ("name", "NAME"),
            ("port", "PORT"),
            ("conflict", "CONFLICT"),
            ("moved_to", "MOVED TO"),
            ("advice", "ADVICE"),
        ])
        .when_empty("No conflicts.");
        for it in &contested {
            let advice = match (&it.process, it.moved_to) {
                (_, Some(_)) => None,
                (Some(process), None) => Some(format!("tsm start --port {}+ {process}", it.claim.port)),
                (None, None) => Some("tsm ports conflicts --fix".to_owned()),
            };
            table.row(vec![
                Cell::from(it.claim.name.as_str()).tone(Tone::Strong),
                it.claim.port.into(),
                Cell::from(it.by.as_str()).tone(if it.moved_to.is_some() { Tone::Dim } else { Tone::Bad }),
                Value::from(it.moved_to).into(),
                Value::from(advice).into(),
            ]);
        }
        let says_no = contested.iter().any(|it| it.moved_to.is_none());
        Ok(Report { check_failed: says_no, ..Report::of(table) })
    }
}
