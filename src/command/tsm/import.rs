//! `tsm import`

use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ServiceName;
use crate::base::redact;
use crate::command::argument::FilePath;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::report::{Cell, JsonShape, Report, Table, Tone};
use crate::tsm::definition::{Definition, environment_of};
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

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let path = cx.host.cwd().join(&self.file.0);
        let imported = import::read(&path, cx.host.variables())?.only(&self.only, &path)?;
        let imported = match &self.prefix {
            Some(prefix) => imported.prefixed(prefix)?,
            None => imported,
        };
        let services = Services::open(cx.paths);
        let taken: Vec<bool> = imported.services.iter().map(|it| services.find(&name(it)).is_ok()).collect();
        let replaced = imported.services.iter().zip(&taken).filter(|(_, taken)| **taken && self.force);
        let environments = replaced.filter_map(|(it, _)| environment_of(&cx.paths.service(&name(it)))).collect();
        let overwrite = if self.force { Overwrite::Existing } else { Overwrite::Never };
        let state = PlannedImport { imported, taken, overwrite };
        let stage =
            Stage { effect: Self::EFFECT, environments, state, plan: PlannedImport::show, run: PlannedImport::save };
        Ok(if self.dry_run { stage.dry_run() } else { stage.ready() })
    }
}

fn name(definition: &Definition) -> ServiceName {
    definition.name.parse().expect("an imported name is legal")
}

/// What will be saved: all services or none.
struct PlannedImport {
    imported: Imported,
    /// For each service whether one of its name exists.
    taken: Vec<bool>,
    overwrite: Overwrite,
}

impl PlannedImport {
    fn show(&self, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let mut faults = Vec::new();
        let outcomes =
            self.outcomes(&mut faults, |_, taken, _| if taken { "would be replaced" } else { "would be saved" });
        Ok(Some(self.report(&outcomes, faults)))
    }

    fn save(self, cx: &mut Cx) -> Result<Report, Fault> {
        let (services, mut faults) = (Services::open(cx.paths), Vec::new());
        let outcomes = self.outcomes(&mut faults, |it, taken, faults| match services.save(it, self.overwrite) {
            Ok(_) if taken => "replaced",
            Ok(_) => "saved",
            Err(error) => {
                faults.push(error.into());
                "failed"
            }
        });
        Ok(self.report(&outcomes, faults))
    }

    /// What becomes of each service.
    fn outcomes(
        &self,
        faults: &mut Vec<Fault>,
        mut each: impl FnMut(&Definition, bool, &mut Vec<Fault>) -> &'static str,
    ) -> Vec<&'static str> {
        let services = || self.imported.services.iter().zip(self.taken.iter().copied());
        if self.overwrite == Overwrite::Never && self.taken.contains(&true) {
            let taken = services().filter(|(_, taken)| *taken);
            faults.extend(taken.map(|(it, _)| Fault::from(ServiceError::Taken { name: name(it) })));
            return services().map(|(_, taken)| if taken { "taken" } else { "not saved" }).collect();
        }
        services().map(|(it, taken)| each(it, taken, faults)).collect()
    }

    fn report(&self, outcomes: &[&'static str], mut faults: Vec<Fault>) -> Report {
        let mut table = Table::new(&[("service", "SERVICE"), ("result", "RESULT"), ("command", "COMMAND")])
            .when_empty("No services were found in it.");
        for (definition, outcome) in self.imported.services.iter().zip(outcomes) {
            let tone = if matches!(*outcome, "failed" | "taken") { Tone::Bad } else { Tone::Good };
            let result = Cell::from(*outcome).tone(tone);
            table.row(vec![definition.name.as_str().into(), result, redact::text(&definition.command).into()]);
        }
        let refused = |it: &import::Unsupported| {
            Fault::new(FaultKind::Failed, format!("`{}` cannot be imported: {}", it.field, it.why))
        };
        faults.extend(self.imported.rejected.iter().map(refused));
        // Only what was imported as a whole was carried over.
        let all = if faults.is_empty() && !outcomes.is_empty() { "Everything was carried over." } else { "" };
        let mut lost = Table::new(&[("field", "NOT CARRIED OVER"), ("why", "WHY")]).when_empty(all);
        for it in &self.imported.unsupported {
            lost.row(vec![it.field.as_str().into(), it.why.as_str().into()]);
        }
        let mut report = Report::of(table).and(lost);
        report.json_shape = JsonShape::Many;
        report.faults = faults;
        report
    }
}
