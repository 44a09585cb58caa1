//! A start within a systemd unit that is over when the command returns.

use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ProcessName;
use crate::command::Cx;
use crate::report::Report;
use crate::sys::notify::ServiceManager;
use crate::sys::signal;
use crate::sys::systemd::Unit;
use crate::tsm::exit_text;
use crate::tsm::foreground::ForegroundEnd;
use crate::tsm::launch;
use crate::tsm::store::ProcessStore;

/// Stays until a process that was started has ended, when a unit lives only as long as this command. What is started by a
/// `Type=oneshot` unit cannot be stayed with, for the unit is not up before the command returns.
pub(super) fn wait_in_foreground(report: Report, name: &ProcessName, cx: &mut Cx) -> Result<Report, Fault> {
    let Some(unit) = Unit::ending_with_this_command(cx.host) else { return Ok(note_login(report, cx)) };
    if unit.service_type == "oneshot" {
        return Ok(report.note(ends_now(&unit)));
    }
    let Some(process) = ProcessStore::open(cx.paths).get(name) else { return Ok(report) };
    cx.console.note(&format!(
        "started `{name}` (PID {}); waiting until it ends, because `{}` ends with its main process\n\
         commands of that unit after this one do not run before then: a unit that starts several needs `Type=oneshot` with \
         `RemainAfterExit=yes`, or `tetra daemon run`, which looks after all enabled services",
        process.meta.pid, unit.name
    ));
    // A unit of `Type=notify` is up once it says so, and is given up otherwise.
    ServiceManager::find(cx.host).notify(&["READY=1"]);
    let left = cx.operation().with_control(|control| control.wait_foreground(&process))?;
    match left {
        ForegroundEnd::Stopped => {
            // To a service manager the end of a process that it stopped is not a failure.
            signal::set_graceful_exit();
            Ok(report)
        }
        ForegroundEnd::Failed(exit) => {
            let how = exit.map_or_else(String::new, |exit| format!(": {}", exit_text::describe_exit(&exit)));
            Err(Fault::new(FaultKind::Failed, format!("`{name}` ended{how}"))
                .with_advice(format!("`tsm why {name}` and `tsm logs {name}` show more")))
        }
    }
}

/// Says that what was started ends with this command, or with this login, if it does.
pub(super) fn note_lifetime(report: Report, cx: &Cx) -> Report {
    let report = note_login(report, cx);
    match Unit::ending_with_this_command(cx.host) {
        Some(unit) => report.note(ends_now(&unit)),
        None => report,
    }
}

/// Says that what was started ends with this login, if it does.
fn note_login(report: Report, cx: &Cx) -> Report {
    if !launch::ends_with_login(cx.paths) {
        return report;
    }
    report.note(format!(
        "warning: it ends with this login, for logind ends all processes of a login (KillUserProcesses=yes)\n\
         `loginctl enable-linger {}` keeps what is started after it; what `tetra daemon run` looks after stays, too",
        cx.host.user()
    ))
}

fn ends_now(unit: &Unit) -> String {
    format!(
        "warning: systemd ends what was started as soon as this command returns, for it is the main process of `{}`\n\
         use `RemainAfterExit=yes` with `Type=oneshot`, or `tetra daemon install`",
        unit.name
    )
}
