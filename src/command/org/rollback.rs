//! `org rollback`

use super::context::{affected_envs, environment, organization, value};
use super::promote::values;
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::name::OrgName;
use crate::command::argument::VersionId;
use crate::command::prepared::{Prepared, Stage};
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::org::diff::ValueChange;
use crate::org::rollback::{self, RollbackPlan, RollbackTarget};
use crate::org::store::OrgStore;
use crate::org::versions::Author;
use crate::report::{Message, Report, Table};

/// Roll an environment back to an earlier version
///
/// Without --to: the newest version with other values that was not rolled back from before. A rollback is a new version, and can
/// be rolled back.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    /// The version, as listed by `org history`
    #[arg(long, value_name = "ID")]
    to: Option<VersionId>,
    /// Number of versions to go back
    #[arg(long, value_name = "COUNT", conflicts_with = "to", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
    /// Show what would change, and change nothing
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
}

impl Rollback {
    fn rollback_target(&self) -> RollbackTarget<'_> {
        match (&self.to, self.steps) {
            (Some(VersionId(id)), _) => RollbackTarget::Version(id),
            (None, Some(count)) => RollbackTarget::Steps(usize::from(count)),
            (None, None) => RollbackTarget::LastGood,
        }
    }
}

impl Command for Rollback {
    const NAME: &'static str = "org rollback";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["org rollback @dev", "org rollback @prod --to 20261120_120000", "org rollback @dev --dry-run"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let org = organization(cx)?;
        let env = environment(cx, self.env.as_ref())?;
        let plan = rollback::plan_rollback(&OrgStore::open(cx.paths, &org)?, &env, self.rollback_target())?;
        let (effect, environments) = (Self::EFFECT, affected_envs(cx, self.env.as_ref())?);
        let state = PlannedRollback { org, env, plan };
        let stage = Stage { effect, environments, state, plan: show, run };
        Ok(if self.dry_run { stage.dry_run() } else { stage.ready() })
    }
}

/// A rollback that was asked for, and its plan.
struct PlannedRollback {
    org: OrgName,
    env: EnvName,
    plan: RollbackPlan,
}

fn show(PlannedRollback { env, plan, .. }: &PlannedRollback, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
    let mut table = Table::new(&[("key", "KEY"), ("now", "NOW"), ("then", "THEN")]);
    for ValueChange { path, before: now, after: then } in &plan.changes {
        table.row(vec![path.to_string().into(), value(path, now.as_ref()), value(path, then.as_ref())]);
    }
    Ok(Some(Report::default().note(format!("{env} would be rolled back to {}:", plan.to.id)).and(table)))
}

fn run(PlannedRollback { org, env, plan }: PlannedRollback, cx: &mut Cx) -> Result<Report, Fault> {
    let store = OrgStore::open(cx.paths, &org)?;
    let author = Author { by: cx.host.user(), now: cx.host.now() };
    let (to, changes) = (plan.to.id.clone(), plan.changes.len());
    let entry = rollback::rollback(&store, &env, plan, author)?;
    let path = store.environment_path(&env).display().to_string();
    let text = format!("{env}: rolled back to {to}, {} changed\n  {path}", values(changes));
    let said = Message::new(text)
        .with("env", env.as_str())
        .with("to", to)
        .with("id", entry.id.as_str())
        .with("changes", changes)
        .with("path", path);
    Ok(Report::of(said).note(format!("local.toml was not changed: change it before `tsm org promote @{env}`")))
}
