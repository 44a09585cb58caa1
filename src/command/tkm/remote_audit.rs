//! `tkm remote audit`

use super::context::not_initialized;
use super::remote::RemoteHosts;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tkm::examine::{FoundLine, LineState};

/// Show what authorized_keys of hosts hold beside what the store says
///
/// Lines of tetra that are missing, stray, or allow something else than they should; keys of the store outside of the marks of
/// tetra; keys of others, and those that are too weak. Exit code 3 if there is anything but keys of others.
#[derive(Debug, clap::Args)]
pub struct RemoteAudit {
    #[command(flatten)]
    at: RemoteHosts,
}

impl Command for RemoteAudit {
    const NAME: &'static str = "tkm remote audit";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm remote audit", "tkm remote audit dev --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(survey) = self.at.survey(cx)? else { return Ok(not_initialized()) };
        let mut lines = survey.looks.iter().flatten().flat_map(|look| &look.found.lines);
        let has_concern = lines.any(is_concern);
        let weak: Vec<String> =
            survey.looks.iter().flatten().flat_map(|look| &look.found.lines).filter_map(weakness).collect();
        let report = survey.table(|line| line.state != LineState::Right, "nothing to report");
        let report = weak.into_iter().fold(report, Report::note);
        Ok(Report { check_failed: has_concern, ..report })
    }
}

fn is_concern(line: &FoundLine) -> bool {
    !matches!(line.state, LineState::Right | LineState::Foreign) || weakness(line).is_some()
}

fn weakness(line: &FoundLine) -> Option<String> {
    let key = line.key.as_ref()?;
    key.check_strength().err().map(|error| format!("{}: {}", key.fingerprint, error.0))
}
