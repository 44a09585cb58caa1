//! `org apply`

use super::context::{affected_envs, environment, organization};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::redact;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops::apply::{self, Action, ApplyPlan, ApplyRequest, Replace};
use crate::report::{Cell, Report, Table, Tone};

/// Install the services of an environment on this machine
///
/// Writes a definition for each `[services.NAME]` of the generated file, with its command, directory, env file and port, and
/// enables it to start at boot. Applying it again changes nothing. Running processes are not restarted.
#[derive(Debug, clap::Args)]
pub struct Apply {
    /// The environment; default: the chosen one
    env: Option<EnvName>,
    /// Show what would change, and change nothing
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
    /// Replace services of the same name that were saved by hand or by another environment
    #[arg(long)]
    force: bool,
}

impl Command for Apply {
    const NAME: &'static str = "org apply";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org apply", "org apply @dev --dry-run"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let environments = affected_envs(cx, self.env.as_ref())?;
        let (org, env) = (organization(cx)?, environment(cx, self.env.as_ref())?);
        let replace = if self.force { Replace::Any } else { Replace::Own };
        let plan = apply::plan(&ApplyRequest { paths: cx.paths, host: cx.host, org: &org, env: &env, replace })?;
        let stage = Stage { effect: self.effect(), environments, state: plan, plan: show, run: execute };
        Ok(if self.dry_run { Stage { plan: show_dry, ..stage }.dry_run() } else { stage.ready() })
    }
}

fn show(plan: &ApplyPlan, _: &mut Cx) -> Result<Option<Report>, Fault> {
    match &plan.other_user {
        Some(refused) => Err(refused.clone().into()),
        None => Ok(Some(report(plan))),
    }
}

/// The plan also of an environment that runs as another user.
fn show_dry(plan: &ApplyPlan, _: &mut Cx) -> Result<Option<Report>, Fault> {
    let refused = plan.other_user.as_ref().map(ToString::to_string);
    Ok(Some(report(plan).note(refused.unwrap_or_else(|| "nothing was changed".to_owned()))))
}

fn execute(plan: ApplyPlan, cx: &mut Cx) -> Result<Report, Fault> {
    plan.execute(cx.paths)?;
    Ok(report(&plan))
}

fn report(plan: &ApplyPlan) -> Report {
    let columns = [("service", "SERVICE"), ("action", "ACTION"), ("enabled", "ENABLED"), ("command", "COMMAND")];
    let mut table = Table::new(&columns).when_empty("the environment has no services");
    let mut notes = Vec::new();
    for service in &plan.services {
        let (word, tone) = word(&service.action);
        table.row(vec![
            Cell::from(service.name.as_str()).tone(Tone::Strong),
            Cell::from(word).tone(tone),
            service.enabled.into(),
            Cell::from(service.definition.as_ref().map_or_else(String::new, |it| redact::text(&it.command))),
        ]);
        notes.extend(service.notes.iter().map(|note| format!("{}: {note}", service.name)));
    }
    notes.into_iter().fold(Report::of(table), Report::note)
}

fn word(action: &Action) -> (&'static str, Tone) {
    match action {
        Action::Add => ("added", Tone::Good),
        Action::Change => ("changed", Tone::Warn),
        Action::Keep => ("unchanged", Tone::Dim),
        Action::Remove => ("removed", Tone::Bad),
        Action::SavedByHand => ("taken", Tone::Bad),
        Action::OtherEnvironment(_) => ("elsewhere", Tone::Bad),
    }
}
