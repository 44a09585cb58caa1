//! `tsm doctor` and its verbs.

pub mod env;
pub mod full;
pub mod orphans;
pub mod port;
pub mod validate;

use std::path::Path;

use super::findings::{Seen, Which, of_seen};
use super::targets::control;
use crate::base::fault::Fault;
use crate::command::Cx;
use crate::report::Report;
use crate::sys::systemd::{Manager, Unit};
use crate::tsm::doctor::mend::mend;
use crate::tsm::doctor::{Depth, Finding, Mend, Patient, examine};
use crate::tsm::store::Store;

/// Where systemd looks for units of the administrator and of packages.
const UNITS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Looks at everything that this command may look at.
fn examined(cx: &Cx, depth: Depth) -> Result<Vec<Finding>, Fault> {
    let processes = Store::open(cx.paths).all()?;
    let units = UNITS.map(Path::new);
    let ask = |unit: &str| Unit::ask(cx.host, unit, Manager::System);
    let patient = Patient { paths: cx.paths, processes: &processes, now: cx.host.now(), units: &units, ask: &ask };
    Ok(examine(&patient, depth)?)
}

/// Mends what has a cure that `may` be used, and reports all of it. What cannot be mended is a fault of the report.
fn mended(findings: &[Finding], cx: &Cx, may: impl Fn(&Mend) -> bool) -> Report {
    let interrupted = || cx.host.interrupted();
    let control = control(cx, &interrupted);
    let mut faults = Vec::new();
    let mut seen = Vec::new();
    for finding in findings {
        let mended = match finding.mend.as_ref().filter(|cure| may(cure)).map(|cure| mend(cure, &control)) {
            Some(Ok(done)) => Some(done),
            Some(Err(error)) => {
                faults.push(error.into());
                None
            }
            None => None,
        };
        seen.push(Seen { finding, mended });
    }
    Report { faults, ..of_seen(&seen, Which::All) }
}
