//! `org apply`

use std::fs::File;

use super::context::{affected_envs, environment, organization, value};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::name::OrgName;
use crate::base::redact;
use crate::base::sort::SortExt;
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops::apply::effects::{self, ExplainedKey, KeyEffect};
use crate::ops::apply::{
    self, Action, ApplyPlan, ApplyRequest, Done, Replace, ServiceChange, Starts, UnitChange, UnitPart,
};
use crate::ops::unit::find_unit;
use crate::org::error::OrgError;
use crate::org::store::OrgStore;
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};

/// Make this machine do what an environment says
///
/// Writes a definition for each `[services.NAME]` of the generated file, with its command, directory, env file, port, log level and
/// log format, and enables it to start at boot. What runs and is concerned by a change is restarted, also by a change of limits, env
/// files and secrets: in the order of dependencies, each service when the one before is healthy (`[deployment] strategy` in
/// manifest.toml). The unit that `daemon install` wrote is written anew. Where a step fails, files and processes are put back as they
/// were. Applying it again changes nothing.
#[derive(Debug, clap::Args)]
pub struct Apply {
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    /// Show what would change, and change nothing
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
    /// Show what each key of the environment brings about on a machine, and which are declared only
    #[arg(long)]
    explain: bool,
    /// Replace services of the same name that were saved by hand or by another environment
    #[arg(long)]
    force: bool,
}

/// A planned apply, with what it was asked for.
struct ApplyStage {
    /// Held until the end: two at a time would restart and put back the processes of each other.
    _lock: Option<File>,
    org: OrgName,
    env: EnvName,
    replace: Replace,
    plan: ApplyPlan,
}

/// An organization that is not there may have been meant to be copied here.
fn where_to_create(error: OrgError) -> Fault {
    let absent = match &error {
        OrgError::NoOrg { org, near: None } => Some(org.clone()),
        _ => None,
    };
    let fault = Fault::from(error);
    match absent {
        Some(org) => fault.with_advice(format!(
            "`tsm org init {org} --server` creates it where environments are copied to, `tsm org init {org}` where they are made"
        )),
        None => fault,
    }
}

impl Command for Apply {
    const NAME: &'static str = "org apply";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org apply", "org apply @dev --dry-run", "org apply @dev --explain"];

    fn effect(&self) -> Effect {
        if self.dry_run || self.explain { Effect::Read } else { Effect::Write }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        // Which environment is only a question where there is an organization.
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org).map_err(where_to_create)?;
        let environments = affected_envs(cx, self.env.as_ref())?;
        let env = environment(cx, self.env.as_ref())?;
        let replace = if self.force { Replace::Any } else { Replace::Own };
        let effect = self.effect();
        let request = ApplyRequest {
            paths: cx.paths,
            host: cx.host,
            org: &org,
            env: &env,
            replace,
            file: None,
            starts: Starts::WhereLive,
            incoming: &[],
            unit: UnitPart::Written,
        };
        if self.explain {
            let state = effects::explain(&request)?;
            let plan = |keys: &Vec<ExplainedKey>, _: &mut Cx| Ok(Some(explained(keys)));
            let run = |keys: Vec<ExplainedKey>, _: &mut Cx| Ok(explained(&keys));
            return Ok(Stage { effect, environments, state, plan, run }.dry_run());
        }
        let lock = (effect == Effect::Write).then(|| store.lock()).transpose()?;
        let plan = apply::plan(&request)?;
        let state = ApplyStage { _lock: lock, org, env, replace, plan };
        let stage = Stage { effect, environments, state, plan: show, run: execute };
        Ok(if self.dry_run { Stage { plan: show_dry, ..stage }.dry_run() } else { stage.ready() })
    }
}

fn show(stage: &ApplyStage, _: &mut Cx) -> Result<Option<Report>, Fault> {
    match &stage.plan.other_user {
        Some(refused) => Err(refused.clone().into()),
        None => Ok(Some(report(stage))),
    }
}

/// The plan also of an environment that runs as another user.
fn show_dry(stage: &ApplyStage, _: &mut Cx) -> Result<Option<Report>, Fault> {
    let refused = stage.plan.other_user.as_ref().map(ToString::to_string);
    Ok(Some(report(stage).note(refused.unwrap_or_else(|| "nothing was changed".to_owned()))))
}

fn execute(stage: ApplyStage, cx: &mut Cx) -> Result<Report, Fault> {
    let ApplyStage { org, env, replace, plan, .. } = &stage;
    let request = ApplyRequest {
        paths: cx.paths,
        host: cx.host,
        org,
        env,
        replace: *replace,
        file: None,
        starts: Starts::WhereLive,
        incoming: &[],
        unit: UnitPart::Written,
    };
    let result = plan.execute(&request, &mut cx.progress())?;
    let report = result.done.iter().fold(report(&stage), |report, done| report.note(done_text(done)));
    let report = match &plan.unit {
        Some(unit) => report.note(format!("{}: `tsm daemon restart @{env}` makes all of it count", unit.name())),
        None => report,
    };
    let waits = !plan.is_live && plan.services.iter().any(|service| service.enabled);
    Ok(match (plan.is_done(), waits) {
        (true, _) => report.note(format!("{} is applied already; nothing was changed", plan.env)),
        (false, true) => {
            let daemon = if find_unit(cx.host, Some(env), None).is_ok() { "`tsm daemon start` or " } else { "" };
            report.note(format!("nothing of {} runs here: {daemon}`tsm startup` starts what is enabled", plan.env))
        }
        (false, false) => report,
    })
}

fn done_text(done: &Done) -> String {
    match done {
        Done::Restarted(name) => format!("restarted {name}"),
        Done::Started(name) => format!("started {name}"),
        Done::Replaced(name) => format!("removed {name}"),
    }
}

/// The column that shows what becomes of processes.
const RUNNING: &str = "running";

const ALL_COLUMNS: [(&str, &str); 8] = [
    ("service", "SERVICE"),
    ("action", "ACTION"),
    ("enabled", "ENABLED"),
    (RUNNING, "RUNNING"),
    ("restarts", "RESTARTS"),
    ("changes", "CHANGES"),
    ("starts", "STARTS"),
    ("command", "COMMAND"),
];

fn report(stage: &ApplyStage) -> Report {
    let plan = &stage.plan;
    let concerns_none = plan.unit.is_none() && plan.services.iter().all(|service| service.run.is_empty());
    let is_shown = |key: &str| key != RUNNING || !concerns_none;
    let columns: Vec<_> = ALL_COLUMNS.into_iter().filter(|(key, _)| is_shown(key)).collect();
    let mut table = Table::new(&columns)
        .when_empty("the environment has no services")
        .with_visibility(RUNNING, Visibility::TextOnly);
    for key in ["restarts", "changes", "starts"] {
        table = table.with_visibility(key, Visibility::Never);
    }
    let mut notes = Vec::new();
    for service in &plan.services {
        let cells = row(service).into_iter().zip(ALL_COLUMNS);
        table.row(cells.filter(|(_, (key, _))| is_shown(key)).map(|(cell, _)| cell).collect());
        let obstacle = service.run.obstacle.iter();
        notes.extend(obstacle.map(|why| format!("{} cannot be restarted as it is defined now: {why}", service.name)));
        notes.extend(service.notes.iter().map(|note| format!("{}: {note}", service.name)));
    }
    if let Some(unit) = &plan.unit {
        let cells = unit_row(unit).into_iter().zip(ALL_COLUMNS);
        table.row(cells.filter(|(_, (key, _))| is_shown(key)).map(|(cell, _)| cell).collect());
    }
    notes.extend(plan.unit_notes.iter().chain(&plan.warnings).cloned());
    notes.into_iter().fold(Report::of(table), Report::note)
}

fn row(service: &ServiceChange) -> Vec<Cell> {
    let names: Vec<String> = service.run.changed.iter().map(|change| change.process.name.to_string()).collect();
    let mut changes: Vec<String> = service.run.changed.iter().flat_map(|change| change.what.clone()).collect();
    changes.order();
    changes.dedup();
    vec![
        Cell::from(service.name.as_str()).tone(Tone::Strong),
        Cell::from(service.action.word()).tone(tone(&service.action)),
        service.enabled.into(),
        Cell::from(running_text(service, &changes)),
        Value::from(names).into(),
        Value::from(changes).into(),
        service.run.starts.into(),
        Cell::from(service.definition.as_ref().map_or_else(String::new, |it| redact::text(&it.command))),
    ]
}

/// The unit, as a row among the services.
fn unit_row(unit: &UnitChange) -> Vec<Cell> {
    let directives = unit.directives();
    vec![
        Cell::from(unit.name()).tone(Tone::Strong),
        Cell::from("changed").tone(Tone::Warn),
        unit.is_enabled().into(),
        Cell::from(format!("reload ({})", directives.join(", "))),
        Value::from(Vec::<String>::new()).into(),
        Value::from(directives).into(),
        false.into(),
        Cell::from("tetra daemon run"),
    ]
}

/// `restart api-3000 (LOG_LEVEL)`
fn running_text(service: &ServiceChange, changes: &[String]) -> String {
    let changed = &service.run.changed;
    let restarted = changed.iter().filter(|change| change.renamed.is_none());
    let mut parts: Vec<String> = restarted.map(|change| format!("restart {}", change.process.name)).collect();
    let renamed =
        changed.iter().filter_map(|it| Some(format!("replace {} by {}", it.process.name, it.renamed.as_ref()?)));
    parts.extend(renamed);
    if service.run.starts {
        parts.push("start".to_owned());
    }
    let what = if changes.is_empty() { String::new() } else { format!(" ({})", changes.join(", ")) };
    parts.join(", ") + &what
}

fn tone(action: &Action) -> Tone {
    match action {
        Action::Add => Tone::Good,
        Action::Change => Tone::Warn,
        Action::Keep => Tone::Dim,
        Action::Remove | Action::SavedByHand | Action::OtherEnvironment(_) => Tone::Bad,
    }
}

fn explained(keys: &[ExplainedKey]) -> Report {
    let mut table =
        Table::new(&[("key", "KEY"), ("value", "VALUE"), ("declared_only", "DECLARED_ONLY"), ("effect", "EFFECT")])
            .with_visibility("declared_only", Visibility::Never);
    for it in keys {
        let (is_declared, effect) = match it.effect {
            KeyEffect::Acts(effect) => (false, Cell::from(effect)),
            KeyEffect::DeclaredOnly(why) => {
                (true, Cell::from(why).text(format!("declared only: {why}")).tone(Tone::Dim))
            }
        };
        table.row(vec![
            Cell::from(it.key.to_string()).tone(Tone::Strong),
            value(&it.key, Some(&it.value)),
            is_declared.into(),
            effect,
        ]);
    }
    Report::of(table)
}
