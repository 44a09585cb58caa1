//! `tkm remote diff`

use super::context::not_initialized;
use super::remote::RemoteHosts;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::Report;

/// Show what `tkm remote sync` would change on hosts
#[derive(Debug, clap::Args)]
pub struct RemoteDiff {
    #[command(flatten)]
    at: RemoteHosts,
}

impl Command for RemoteDiff {
    const NAME: &'static str = "tkm remote diff";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm remote diff", "tkm remote diff dev --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(survey) = self.at.survey(cx)? else { return Ok(not_initialized()) };
        let changes = survey.changes();
        let faults = survey.looks.into_iter().filter_map(Result::err).map(Fault::from).collect();
        Ok(Report { faults, ..Report::of(changes) })
    }
}
