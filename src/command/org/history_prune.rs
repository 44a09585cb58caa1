//! `org history prune`

use super::target::{counted, organization};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::org::store::{self, Store};
use crate::org::versions::Deed;
use crate::report::{Cell, Report, Table};

/// Remove copies of old versions that need not be kept
///
/// history_retention in manifest.toml says how many versions of an environment are kept, `[compliance] retention_days` in the
/// environment how many days at least. Promotions remove what is older too; this is for after a change of these numbers. The record
/// keeps its lines, and each still follows the one before.
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// The environments; all if left out
    envs: Vec<EnvName>,
    /// Only show what would be removed
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
}

impl Prune {
    fn found(&self, cx: &Cx, deed: Deed) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = Store::open(cx.paths, &org)?;
        let mut table = Table::new(&[("env", "ENV"), ("file", "FILE")]).when_empty("there is nothing to remove");
        let mut count = 0;
        for env in self.meant(&store) {
            for path in store.prune(&env, deed, cx.host.now())? {
                count += 1;
                table.row(vec![Cell::from(env.as_str()), path.display().to_string().into()]);
            }
        }
        let report = Report::of(table);
        Ok(match (count, deed) {
            (0, _) => report,
            (_, Deed::Plan) => report.note(format!("{} would be removed", counted(count, "file"))),
            (_, Deed::Really) => report.note(format!("removed {}", counted(count, "file"))),
        })
    }

    fn meant(&self, store: &Store) -> Vec<EnvName> {
        if self.envs.is_empty() {
            return store.environments().into_iter().filter(|env| *env != store::local()).collect();
        }
        self.envs.iter().map(|env| store.meant(env)).collect()
    }
}

impl Command for Prune {
    const NAME: &'static str = "org history prune";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org history prune --dry-run", "org history prune @dev"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let org = organization(cx)?;
        Ok(self.meant(&Store::open(cx.paths, &org)?).into_iter().map(|env| cx.selection.within(env)).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        self.found(cx, Deed::Plan).map(Some)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        self.found(cx, if self.dry_run { Deed::Plan } else { Deed::Really })
    }
}
