//! `tkm remote list`

use super::context::not_initialized;
use super::remote::RemoteHosts;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::Report;

/// List the keys in authorized_keys of hosts, and whose each is
#[derive(Debug, clap::Args)]
pub struct RemoteList {
    #[command(flatten)]
    at: RemoteHosts,
}

impl Command for RemoteList {
    const NAME: &'static str = "tkm remote list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm remote list", "tkm remote list dev --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(survey) = self.at.survey(cx)? else { return Ok(not_initialized()) };
        Ok(survey.table(|_| true, "no keys"))
    }
}
