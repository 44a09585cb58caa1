//! `org history prune`

use std::path::PathBuf;

use super::context::organization;
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::name::OrgName;
use crate::base::plural::pluralize;
use crate::command::prepared::{Prepared, Stage};
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::org::store::{self, OrgStore};
use crate::report::{Cell, Report, Table};

/// Remove old versions beyond the retention
///
/// history_retention in manifest.toml sets how many versions of an environment are kept, `[compliance] retention_days` in the
/// environment for how many days at least. Promotions remove older versions too; use this after a change of these settings. The
/// record keeps its lines.
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// The environments
    #[arg(if_not_given = "all")]
    envs: Vec<EnvName>,
    /// Show what would be removed, and remove nothing
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
}

impl Prune {
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

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let mut copies = Vec::new();
        for env in self.target_envs(&store) {
            copies.push(OldCopies { paths: store.prunable(&env, cx.host.now())?, env });
        }
        let environments = copies.iter().map(|it| cx.selection.qualify(it.env.clone())).collect();
        let state = PlannedPrune { org: org.clone(), copies };
        let stage = Stage { effect: Self::EFFECT, environments, state, plan: show, run };
        Ok(if self.dry_run { stage.dry_run() } else { stage.ready() })
    }
}

/// The copies of an environment that need not be kept.
struct OldCopies {
    env: EnvName,
    paths: Vec<PathBuf>,
}

/// What will be removed.
struct PlannedPrune {
    org: OrgName,
    copies: Vec<OldCopies>,
}

fn show(plan: &PlannedPrune, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
    Ok(Some(report(&plan.copies, |files| format!("{files} would be removed"))))
}

fn run(plan: PlannedPrune, cx: &mut Cx) -> Result<Report, Fault> {
    let store = OrgStore::open(cx.paths, &plan.org)?;
    let mut removed = Vec::new();
    for OldCopies { env, paths } in plan.copies {
        removed.push(OldCopies { paths: store.prune(&env, &paths, cx.host.now())?, env });
    }
    Ok(report(&removed, |files| format!("removed {files}")))
}

fn report(copies: &[OldCopies], result: impl FnOnce(String) -> String) -> Report {
    let mut table = Table::new(&[("env", "ENV"), ("file", "FILE")]).when_empty("there is nothing to remove");
    for OldCopies { env, paths } in copies {
        for path in paths {
            table.row(vec![Cell::from(env.as_str()), path.display().to_string().into()]);
        }
    }
    let report = Report::of(table);
    match copies.iter().map(|it| it.paths.len()).sum() {
        0 => report,
        count => report.note(result(pluralize(count, "file"))),
    }
}
