//! `daemon uninstall`

use super::{UnitArgs, message};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::daemon::uninstall::uninstall;
use crate::ops::unit::InstalledUnit;
use crate::report::{Block, Report};

/// Stop a unit, disable it and remove its file
///
/// Data, services, users and drop-ins are kept.
#[derive(Debug, clap::Args)]
pub struct Uninstall {
    #[command(flatten)]
    unit: UnitArgs,
}

impl Command for Uninstall {
    const NAME: &'static str = "daemon uninstall";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm daemon uninstall", "tsm daemon uninstall @dev"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let unit = self.unit.find(cx)?;
        let environments = vec![unit.environment()];
        Ok(Stage { effect: Self::EFFECT, environments, state: unit, plan: show, run }.ready())
    }
}

fn show(unit: &InstalledUnit, _: &mut Cx) -> Result<Option<Report>, Fault> {
    let text = format!("stop {0} with all its services, disable it, remove {1}\n", unit.name, unit.file.display());
    Ok(Some(Report::of(Block::Text(text))))
}

fn run(unit: InstalledUnit, cx: &mut Cx) -> Result<Report, Fault> {
    let kept = uninstall(cx.host, &unit)?;
    let home =
        unit.home.as_deref().map_or_else(|| cx.paths.home().display().to_string(), |it| it.display().to_string());
    let report = Report::of(message("uninstalled", &unit)).note(format!("the data in {home} was kept"));
    let drop_in = |report: Report, file: &std::path::PathBuf| report.note(format!("{} was kept", file.display()));
    Ok(kept.iter().fold(report, drop_in))
}
