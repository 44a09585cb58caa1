//! `tsm import`

use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ServiceName;
use crate::base::redact;
use crate::command::argument::FilePath;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, JsonShape, Report, Table, Tone};
use crate::tsm::definition::Definition;
use crate::tsm::import::{self, Imported};
use crate::tsm::service::{Overwrite, ServiceError, Services};

/// Import services from PM2, Procfile, Compose, systemd and others
///
/// Reads an ecosystem file of PM2, package.json, a Procfile, compose.yaml, process-compose.yaml, supervisord.conf, a unit of systemd
/// (NAME.service), or a `run` script of s6 or runit or a directory of them, and writes a definition for each service. Nothing in them
/// is executed. Every field that could not be carried over is listed with the reason. If a service of one of the names is saved
/// already, nothing is written.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The file
    file: FilePath,
    /// Only this service of it; may be repeated, or several with commas between them
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Put this before the names of its services
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Replace services of the same names
    #[arg(long, short)]
    force: bool,
    /// Only show what would be written, and end as the import would
    #[arg(long)]
    dry_run: bool,
}

impl Command for Import {
    const NAME: &'static str = "tsm import";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &[
        "tsm import Procfile",
        "tsm import compose.yaml --dry-run",
        "tsm import ecosystem.config.js --only api,web --prefix shop",
    ];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let path = cx.host.cwd().join(&self.file.0);
        let imported = import::read(&path, cx.host.variables())?.only(&self.only, &path)?;
        let imported = match &self.prefix {
            Some(prefix) => imported.prefixed(prefix)?,
            None => imported,
        };
        let services = Services::open(cx.paths);
        let mut table = Table::new(&[("service", "SERVICE"), ("result", "RESULT"), ("command", "COMMAND")])
            .when_empty("No services were found in it.");
        let mut faults = Vec::new();
        for (definition, outcome) in imported.services.iter().zip(self.outcomes(&imported, &services, &mut faults)) {
            let tone = if matches!(outcome, "failed" | "taken") { Tone::Bad } else { Tone::Good };
            let result = Cell::from(outcome).tone(tone);
            table.row(vec![definition.name.as_str().into(), result, redact::text(&definition.command).into()]);
        }
        let refused = |it: &import::Unsupported| {
            Fault::new(FaultKind::Failed, format!("`{}` cannot be imported: {}", it.field, it.why))
        };
        faults.extend(imported.rejected.iter().map(refused));
        let mut lost =
            Table::new(&[("field", "NOT CARRIED OVER"), ("why", "WHY")]).when_empty("Everything was carried over.");
        for it in imported.unsupported {
            lost.row(vec![it.field.into(), it.why.into()]);
        }
        let mut report = Report::of(table).and(lost);
        report.json_shape = JsonShape::Many;
        report.faults = faults;
        Ok(report)
    }
}

impl Import {
    /// Saves all or none, unless this is only to be shown; what became of each.
    fn outcomes(&self, imported: &Imported, services: &Services, faults: &mut Vec<Fault>) -> Vec<&'static str> {
        let name = |it: &Definition| -> ServiceName { it.name.parse().expect("an imported name is legal") };
        let there: Vec<bool> = imported.services.iter().map(|it| services.find(&name(it)).is_ok()).collect();
        if !self.force && there.contains(&true) {
            let taken = imported.services.iter().zip(&there).filter(|(_, there)| **there);
            faults.extend(taken.map(|(it, _)| Fault::from(ServiceError::Taken { name: name(it) })));
            return there.into_iter().map(|there| if there { "taken" } else { "not saved" }).collect();
        }
        let over = if self.force { Overwrite::Existing } else { Overwrite::Never };
        let each = imported.services.iter().zip(there).map(|(it, there)| match (self.dry_run, there) {
            (true, true) => "would be replaced",
            (true, false) => "would be saved",
            (false, _) => match services.save(it, over) {
                Ok(_) if there => "replaced",
                Ok(_) => "saved",
                Err(error) => {
                    faults.push(error.into());
                    "failed"
                }
            },
        });
        each.collect()
    }
}
