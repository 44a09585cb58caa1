//! `tsm import`

use crate::base::fault::Fault;
use crate::base::redact;
use crate::command::argument::FilePath;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Shape, Table, Tone};
use crate::tsm::import;
use crate::tsm::service::{Over, Services};

/// Make services of the files of other process managers
///
/// Reads ecosystem.config.json, package.json, Procfile or compose.yaml by their names and writes a definition for each service.
/// Nothing in them is executed. Every field that could not be carried over is listed with the reason.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The file
    file: FilePath,
    /// Replace services of the same names
    #[arg(long, short)]
    force: bool,
    /// Only show what would be written
    #[arg(long)]
    dry_run: bool,
}

impl Command for Import {
    const NAME: &'static str = "tsm import";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm import Procfile", "tsm import compose.yaml --dry-run"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let imported = import::read(&cx.host.cwd().join(&self.file.0))?;
        let services = Services::open(cx.paths);
        let over = if self.force { Over::Saved } else { Over::Nothing };
        let mut table = Table::new(&[("service", "SERVICE"), ("result", "RESULT"), ("command", "COMMAND")])
            .when_empty("No services were found in it.");
        let mut faults: Vec<Fault> = Vec::new();
        for definition in &imported.services {
            let result = match () {
                () if self.dry_run => "not saved",
                () => match services.save(definition, over) {
                    Ok(_) => "saved",
                    Err(error) => {
                        faults.push(error.into());
                        "failed"
                    }
                },
            };
            let tone = if result == "failed" { Tone::Bad } else { Tone::Good };
            let result = crate::report::Cell::from(result).tone(tone);
            table.row(vec![definition.name.as_str().into(), result, redact::text(&definition.command).into()]);
        }
        let mut lost =
            Table::new(&[("field", "NOT CARRIED OVER"), ("why", "WHY")]).when_empty("Everything was carried over.");
        for it in imported.lost {
            lost.row(vec![it.field.into(), it.why.into()]);
        }
        let mut report = Report::of(table).and(lost);
        report.shape = Shape::Many;
        report.faults = faults;
        Ok(report)
    }
}
