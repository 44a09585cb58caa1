//! A start within a systemd unit that is over when the command returns.

use super::targets::control;
use crate::base::fault::{Fault, Kind};
use crate::base::name::ProcessName;
use crate::command::Cx;
use crate::report::Report;
use crate::sys::signal;
use crate::sys::systemd::Unit;
use crate::tsm::ends;
use crate::tsm::foreground::Left;
use crate::tsm::store::Store;

/// Stays until a process that was started has ended, when a unit lives only as long as this command. What is started by a
/// `Type=oneshot` unit cannot be stayed with, for the unit is not up before the command returns.
pub(super) fn stay(report: Report, name: &ProcessName, cx: &mut Cx) -> Result<Report, Fault> {
    let Some(unit) = Unit::ending_with_this_command(cx.host) else { return Ok(report) };
    if unit.kind == "oneshot" {
        return Ok(report.note(ends_now(&unit)));
    }
    let Some(process) = Store::open(cx.paths).get(name) else { return Ok(report) };
    cx.console.note(&format!(
        "started `{name}` (PID {}); this command stays until it ends, for `{}` ends with its main process",
        process.meta.pid, unit.name
    ));
    let left = control(cx, &|| cx.host.interrupted()).stay(&process)?;
    match left {
        Left::Stopped => {
            // To a service manager the end of the process that it stopped is no failure.
            signal::end_in_order();
            Ok(report)
        }
        Left::Failed(exit) => {
            let how = exit.map_or_else(String::new, |exit| format!(": {}", ends::told(&exit)));
            Err(Fault::new(Kind::Failed, format!("`{name}` ended{how}"))
                .advise(format!("`tsm why {name}` and `tsm logs {name}` show more")))
        }
    }
}

/// Says that what was started ends with this command, if it does.
pub(super) fn warn(report: Report, cx: &Cx) -> Report {
    match Unit::ending_with_this_command(cx.host) {
        Some(unit) => report.note(ends_now(&unit)),
        None => report,
    }
}

fn ends_now(unit: &Unit) -> String {
    format!(
        "warning: systemd ends what was started as soon as this command returns, for it is the main process of `{}`\n\
         use `RemainAfterExit=yes` with `Type=oneshot`, or `tetra daemon install`",
        unit.name
    )
}
