//! `tsm doctor healthcheck`

use super::run_checks;
use crate::base::fault::Fault;
use crate::command::findings::{self, FindingFilter};
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tsm::doctor::CheckLevel;

/// Check quickly whether processes can be managed
///
/// Says only what is wrong. Exit code 3 if there is an error, so that a script or a monitor can ask.
#[derive(Debug, clap::Args)]
pub struct HealthCheck {}

impl Command for HealthCheck {
    const NAME: &'static str = "tsm doctor healthcheck";
    const ALIASES: &'static [&'static str] = &["tsm doctor health"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor healthcheck"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        Ok(findings::report(&run_checks(cx, CheckLevel::Quick)?, FindingFilter::Problems))
    }
}
