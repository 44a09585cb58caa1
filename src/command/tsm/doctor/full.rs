//! `tsm doctor`

use super::{apply_fixes, run_checks};
use crate::base::fault::Fault;
use crate::command::findings::{self, FindingFilter};
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tsm::doctor::CheckLevel;

/// Examine everything: directories, permissions, supervisors, pipes, stale state, ports, disk, limits, unit, clock
///
/// Changes nothing unless --fix is given, which does what is safe: makes directories, closes private ones, gives processes their supervisors
/// back, removes files of processes that are gone, corrects the port registry. Exit code 3 if an error is left.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Fix what can be fixed safely
    #[arg(long)]
    fix: bool,
}

impl Command for Doctor {
    const NAME: &'static str = "tsm doctor";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor", "tsm doctor --fix", "tsm doctor --json"];

    fn effect(&self) -> Effect {
        if self.fix { Effect::Write } else { Effect::Read }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let findings = run_checks(cx, CheckLevel::Full)?;
        Ok(if self.fix {
            apply_fixes(&findings, cx, |_| true)
        } else {
            findings::report(&findings, FindingFilter::All)
        })
    }
}
