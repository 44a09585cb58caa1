//! `tsm doctor clean`

use super::{apply_fixes, run_checks};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tsm::doctor::{CheckLevel, Fix};

/// Remove what dead processes left: pid files, empty directories, halves of interrupted deletes
///
/// With -a also gives processes their supervisors back and puts the port registry in step with the records.
#[derive(Debug, clap::Args)]
pub struct Clean {
    /// Also supervisors and ports
    #[arg(short, long)]
    aggressive: bool,
}

impl Command for Clean {
    const NAME: &'static str = "tsm doctor clean";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor clean", "tsm doctor clean -a"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut findings = run_checks(cx, CheckLevel::Quick)?;
        let wanted = |cure: &Fix| match cure {
            Fix::Remove(_) => true,
            Fix::Supervise(_) | Fix::AddPort(_) | Fix::RemovePort(_) => self.aggressive,
            Fix::CreateDirectory(_) | Fix::SetMode(..) => false,
        };
        findings.retain(|finding| finding.with_fix.as_ref().is_some_and(wanted));
        if findings.is_empty() {
            return Ok(
                Report::of(crate::report::Block::from(Vec::<crate::report::Message>::new())).note("Nothing is stale.")
            );
        }
        Ok(apply_fixes(&findings, cx, wanted))
    }
}
