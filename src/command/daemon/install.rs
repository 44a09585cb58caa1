//! `daemon install`

use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::daemon::install::{self, EditedUnit, InstallPlan, InstallRequest, StepContext, UnitForm};
use crate::ops::unit::{UnitScope, generated_environments};
use crate::report::{Block, Report, Value};
use crate::unit::DiffLine;

/// Install a systemd unit for an environment
///
/// The unit runs `tetra daemon run @ENV` with the user, limits and hardening of the environment, or of its profile without an
/// organization. The user, the directories and a copy of the program are made where they are missing. The unit is neither
/// started nor enabled. A unit that was edited by hand is kept (exit code 21); drop-ins and added Environment= lines stay.
#[derive(Debug, clap::Args)]
pub struct Install {
    /// The environment: @dev, @staging, @production or one of your own
    #[arg(value_name = "@ENV", if_not_given = "the only generated one")]
    env: Option<EnvName>,
    /// For your own user manager; needs no root
    #[arg(long, conflicts_with = "template")]
    user: bool,
    /// Install `tetra@.service`, whose instances are users: `systemctl start tetra@root`
    #[arg(long)]
    template: bool,
    /// The port of the service `tetra`
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), if_not_given = "that of the environment, or the next one that no other unit has")]
    port: Option<u16>,
    /// Only show the steps and the changes of the unit
    #[arg(long)]
    dry_run: bool,
    /// Replace a unit that was edited by hand, or that tetra did not write
    #[arg(long)]
    force: bool,
}

impl Command for Install {
    const NAME: &'static str = "daemon install";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &[
        "tsm daemon install @dev",
        "tsm daemon install @production --dry-run",
        "tsm daemon install @dev --user",
        "tsm daemon install @dev --port 4500",
    ];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let env = match &self.env {
            Some(env) => env.clone(),
            None => only_environment(cx)?,
        };
        let request = InstallRequest {
            env: &env,
            scope: if self.user { UnitScope::Session } else { UnitScope::OfEnvironment },
            form: if self.template { UnitForm::Template } else { UnitForm::Single },
            port: self.port,
            edited: if self.force { EditedUnit::Replace } else { EditedUnit::Keep },
        };
        let plan = install::plan(&cx.operation(), &request)?;
        let environments = vec![EnvRef { org: plan.settings.org.clone(), env: env.clone() }];
        let stage = Stage { effect: Effect::Write, environments, state: plan, plan: show, run };
        Ok(if self.dry_run { Stage { plan: show_dry, ..stage }.dry_run() } else { stage.ready() })
    }
}

/// The environment that is meant where none is named.
fn only_environment(cx: &Cx) -> Result<EnvName, Fault> {
    let generated = generated_environments(cx.paths, cx.selection.org.as_ref());
    if let Some(chosen) = cx.selection.env.as_ref().filter(|env| generated.contains(env)) {
        return Ok(chosen.clone());
    }
    let advice = "pass one: `tsm daemon install @dev`";
    match generated.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Fault::usage("missing environment").with_advice(advice)),
        several => {
            let names: Vec<&str> = several.iter().map(EnvName::as_str).collect();
            let message = format!("several environments are generated: {}", names.join(", "));
            Err(Fault::new(FaultKind::NotFound, message).with_advice(advice))
        }
    }
}

fn show(plan: &InstallPlan, cx: &mut Cx) -> Result<Option<Report>, Fault> {
    if let Some(obstacle) = plan.obstacle(&cx.operation()) {
        return Err(obstacle.into());
    }
    Ok(Some(report(plan, &[], NewUnit::Shown)))
}

/// The plan, also where it cannot be carried out.
fn show_dry(plan: &InstallPlan, cx: &mut Cx) -> Result<Option<Report>, Fault> {
    let obstacle = plan.obstacle(&cx.operation()).map(|obstacle| obstacle.to_string());
    let report = report(plan, &[], NewUnit::Shown);
    let report = obstacle.into_iter().fold(report, Report::note);
    Ok(Some(report.note("nothing was changed")))
}

fn run(plan: InstallPlan, cx: &mut Cx) -> Result<Report, Fault> {
    if let Some(obstacle) = plan.obstacle(&cx.operation()) {
        let report = report(&plan, &[], NewUnit::Named).note("these steps were not taken");
        return Ok(Report { faults: vec![obstacle.into()], ..report });
    }
    let context = StepContext { paths: cx.paths, host: cx.host, manager: plan.manager };
    let (mut done, mut faults) = (Vec::new(), Vec::new());
    for step in &plan.steps {
        match step.run(&context) {
            Ok(()) => done.push("done"),
            Err(fault) => {
                done.push("failed");
                faults.push(fault);
                break;
            }
        }
    }
    let succeeded = faults.is_empty();
    let report = Report { faults, ..report(&plan, &done, NewUnit::Named) };
    Ok(match (succeeded, plan.steps.is_empty()) {
        (false, _) => report.note("the steps before it are done; the same command goes on from there"),
        (true, true) => report.note(format!("{} is up to date", plan.settings.name)),
        (true, false) => report.note(installed(&plan)),
    })
}

fn installed(plan: &InstallPlan) -> String {
    let env = &plan.settings.env;
    format!(
        "installed {}, port {}\nnext: `tsm daemon enable @{env}` to start it at boot, `tsm daemon start @{env}` to start it now",
        plan.settings.name, plan.settings.port
    )
}

/// Whether the text of a unit that is new is shown; what changes in an old one always is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NewUnit {
    Shown,
    Named,
}

/// The steps with what became of them, the changes of the unit, and what there is to know.
fn report(plan: &InstallPlan, done: &[&'static str], new_unit: NewUnit) -> Report {
    let (mut text, mut steps) = (String::new(), Vec::new());
    for (index, step) in plan.steps.iter().enumerate() {
        let (kind, what) = step.subject();
        let state = done.get(index).copied().unwrap_or("planned");
        text.push_str(&format!("{state:<8} {kind:<10} {what}\n"));
        let record = [("state", state.into()), ("kind", kind.into()), ("what", what.into())];
        steps.push(Value::Record(record.map(|(key, value): (&str, Value)| (key.to_owned(), value)).into()));
    }
    if plan.old.is_some() || new_unit == NewUnit::Shown {
        text.push_str(&changed_lines(plan));
    }
    let data = [
        ("unit", plan.settings.name.as_str().into()),
        ("env", plan.settings.env.as_str().into()),
        ("file", plan.path.display().to_string().into()),
        ("port", plan.settings.port.into()),
        ("exposure", plan.exposure.as_deref().and_then(|it| it.parse::<f64>().ok()).into()),
        ("steps", Value::List(steps)),
        ("text", plan.text.as_str().into()),
    ];
    let data = Value::Record(data.map(|(key, value): (&str, Value)| (key.to_owned(), value)).into());
    let mut report = Report::of(Block::TextWithData { text, data });
    if let Some(exposure) = &plan.exposure {
        report = report.note(format!("exposure: {exposure} of 10 (systemd-analyze security)"));
    }
    plan.notes.iter().fold(report, |report, note| report.note(note.as_str()))
}

/// The lines of the unit that are new or go, marked as in a diff.
fn changed_lines(plan: &InstallPlan) -> String {
    let line = |line: DiffLine| match line {
        DiffLine::Same(_) => None,
        DiffLine::Removed(line) => Some(format!("-{line}\n")),
        DiffLine::Added(line) => Some(format!("+{line}\n")),
    };
    let lines: String = plan.diff().into_iter().filter_map(line).collect();
    match (lines.is_empty(), plan.old.is_some()) {
        (true, _) => String::new(),
        (false, true) => format!("--- {0}\n+++ {0}\n{lines}", plan.path.display()),
        (false, false) => format!("--- /dev/null\n+++ {}\n{lines}", plan.path.display()),
    }
}
