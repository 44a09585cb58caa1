//! `org rollback`

use super::context::{affected_envs, environment, organization, value};
use super::promote::values;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::argument::VersionId;
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
    /// The environment; default: the chosen one
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

    fn plan_report(&self, cx: &Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let env = environment(cx, self.env.as_ref())?;
        let store = OrgStore::open(cx.paths, &org)?;
        let back = rollback::plan_rollback(&store, &env, self.rollback_target())?;
        let mut table = Table::new(&[("key", "KEY"), ("now", "NOW"), ("then", "THEN")]);
        for ValueChange { path, before: now, after: then } in &back.changes {
            table.row(vec![path.to_string().into(), value(path, now.as_ref()), value(path, then.as_ref())]);
        }
        Ok(Report::default().note(format!("{env} would be rolled back to {}:", back.to.id)).and(table))
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

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        affected_envs(cx, self.env.as_ref())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        self.plan_report(cx).map(Some)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if self.dry_run {
            return self.plan_report(cx);
        }
        let org = organization(cx)?;
        let env = environment(cx, self.env.as_ref())?;
        let store = OrgStore::open(cx.paths, &org)?;
        let author = Author { by: cx.host.user(), now: cx.host.now() };
        let (back, entry) = rollback::rollback(&store, &env, self.rollback_target(), author)?;
        let RollbackPlan { to, changes, .. } = back;
        let path = store.environment_path(&env).display().to_string();
        let text = format!("{env}: rolled back to {}, {} changed\n  {path}", to.id, values(changes.len()));
        let said = Message::new(text)
            .with("env", env.as_str())
            .with("to", to.id.as_str())
            .with("id", entry.id.as_str())
            .with("changes", changes.len())
            .with("path", path);
        Ok(Report::of(said).note(format!("local.toml was not changed: change it before `tsm org promote @{env}`")))
    }
}
