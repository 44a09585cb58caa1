//! `org env list`

use super::status;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::org::env_status::{self, EnvStatus};
use crate::org::store::{self, OrgStore};
use crate::report::Report;

use super::context::home;

/// List organizations with their environments
///
/// Shows whether each environment is up to date with local.toml.
#[derive(Debug, clap::Args)]
pub struct EnvList {}

impl Command for EnvList {
    const NAME: &'static str = "org env list";
    const ALIASES: &'static [&'static str] = &["org env ls"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org env list", "org env list --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut table = status::table(&[("org", "ORG")])
            .when_empty("No organizations found.\nCreate one with: tsm org init <orgname>");
        for org in store::organizations(cx.paths) {
            let store = OrgStore::open(cx.paths, &org)?;
            let stood = env_status::statuses(&store, home(cx));
            for one in stood.iter().filter(|it| it.status != EnvStatus::NotGenerated) {
                let mut row = vec![org.as_str().into()];
                row.extend(status::row(one));
                table.row(row);
            }
        }
        Ok(Report::of(table))
    }
}
