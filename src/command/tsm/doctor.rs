//! `tsm doctor` and its verbs.

pub mod clean;
pub mod env;
pub mod full;
pub mod healthcheck;
pub mod kill;
pub mod orphans;
pub mod port;
pub mod reconcile;
pub mod validate;

use std::path::Path;

use crate::base::fault::Fault;
use crate::command::Cx;
use crate::command::findings::{FindingFilter, FindingResult, report_results};
use crate::report::Report;
use crate::sys::systemctl::Manager;
use crate::sys::systemd::Unit;
use crate::tsm::doctor::fix::apply_fix;
use crate::tsm::doctor::{self as checks, CheckLevel, DoctorContext, Finding, Fix};
use crate::tsm::store::ProcessStore;

/// Where systemd looks for units of the administrator and of packages.
const UNIT_DIRS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Looks at everything that this command may look at.
fn run_checks(cx: &Cx, depth: CheckLevel) -> Result<Vec<Finding>, Fault> {
    let processes = ProcessStore::open(cx.paths).all()?;
    let units = UNIT_DIRS.map(Path::new);
    let ask = |unit: &str| Unit::show(cx.host, unit, Manager::System);
    let patient =
        DoctorContext { paths: cx.paths, processes: &processes, now: cx.host.now(), units: &units, ask: &ask };
    Ok(checks::run_checks(&patient, depth)?)
}

/// Mends what has a cure that `may` be used, and reports all of it. What cannot be mended is a fault of the report.
fn apply_fixes(findings: &[Finding], cx: &Cx, may: impl Fn(&Fix) -> bool) -> Report {
    let context = cx.operation();
    let apply = |fix: &Fix| context.with_control(|control| apply_fix(fix, control));
    let mut faults = Vec::new();
    let mut seen = Vec::new();
    for finding in findings {
        let mended = match finding.with_fix.as_ref().filter(|cure| may(cure)).map(apply) {
            Some(Ok(done)) => Some(done),
            Some(Err(error)) => {
                faults.push(error.into());
                None
            }
            None => None,
        };
        seen.push(FindingResult { finding, fixed: mended });
    }
    Report { faults, ..report_results(&seen, FindingFilter::All) }
}
