//! `org history prune`

use super::context::{organization, pluralize};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::org::store::{self, OrgStore};
use crate::org::versions::PruneMode;
use crate::report::{Cell, Report, Table};

/// Remove old versions beyond the retention
///
/// history_retention in manifest.toml sets how many versions of an environment are kept, `[compliance] retention_days` in the
/// environment for how many days at least. Promotions remove older versions too; use this after a change of these settings. The
/// record keeps its lines.
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// The environments; default: all
    envs: Vec<EnvName>,
    /// Show what would be removed, and remove nothing
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
}

impl Prune {
    fn prune(&self, cx: &Cx, deed: PruneMode) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let mut table = Table::new(&[("env", "ENV"), ("file", "FILE")]).when_empty("there is nothing to remove");
        let mut count = 0;
        for env in self.target_envs(&store) {
            for path in store.prune(&env, deed, cx.host.now())? {
                count += 1;
                table.row(vec![Cell::from(env.as_str()), path.display().to_string().into()]);
            }
        }
        let report = Report::of(table);
        Ok(match (count, deed) {
            (0, _) => report,
            (_, PruneMode::DryRun) => report.note(format!("{} would be removed", pluralize(count, "file"))),
            (_, PruneMode::Execute) => report.note(format!("removed {}", pluralize(count, "file"))),
        })
    }

    fn target_envs(&self, store: &OrgStore) -> Vec<EnvName> {
        if self.envs.is_empty() {
            return store.environments().into_iter().filter(|env| *env != store::local_env()).collect();
        }
        self.envs.iter().map(|env| store.resolve_alias(env)).collect()
    }
}

impl Command for Prune {
    const NAME: &'static str = "org history prune";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org history prune --dry-run", "org history prune @dev"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let org = organization(cx)?;
        Ok(self
            .target_envs(&OrgStore::open(cx.paths, &org)?)
            .into_iter()
            .map(|env| cx.selection.qualify(env))
            .collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        self.prune(cx, PruneMode::DryRun).map(Some)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        self.prune(cx, if self.dry_run { PruneMode::DryRun } else { PruneMode::Execute })
    }
}
