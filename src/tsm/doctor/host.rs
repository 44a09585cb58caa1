//! The machine: room on the disk, limits, the clock.

use super::{DoctorContext, Finding, or_ok};
use crate::base::time::{HumanDuration, Timestamp};
use crate::sys::{disk_space, kernel, process};
use crate::tsm::store::Process;

/// Less free room than this is worth a look.
const LOW_PERCENT: f64 = 10.0;

/// Less than this is an error.
const CRITICAL_PERCENT: f64 = 2.0;

/// With so many bytes free no percentage matters.
const ENOUGH_BYTES: u64 = 10 << 30;

/// Room for logs and records.
#[must_use]
pub fn disk(context: &DoctorContext) -> Vec<Finding> {
    const CHECK: &str = "disk";
    let home = context.paths.home();
    let Ok(room) = disk_space::of_path(home) else {
        return vec![Finding::warning(CHECK, format!("cannot determine the free disk space at `{}`", home.display()))];
    };
    let mut findings = Vec::new();
    let mut look = |percent: f64, what: &str, plenty: bool| {
        let message = format!("only {percent:.0} % of the {what} at `{}` are free", home.display());
        let advice = "free disk space; `tsm list all` shows old processes, `tsm delete` removes them with their logs";
        if percent < CRITICAL_PERCENT && !plenty {
            findings.push(Finding::error(CHECK, message).with_advice(advice));
        } else if percent < LOW_PERCENT && !plenty {
            findings.push(Finding::warning(CHECK, message).with_advice(advice));
        }
    };
    look(room.percent_free(), "bytes", room.free > ENOUGH_BYTES);
    look(room.percent_inodes_free(), "files", room.inodes_free > 1_000_000);
    let free = room.free >> 20;
    or_ok(findings, CHECK, format!("{free} MiB ({:.0} %) free at `{}`", room.percent_free(), home.display()))
}

/// Open files, processes and watches.
#[must_use]
pub fn limits(processes: &[Process]) -> Vec<Finding> {
    const CHECK: &str = "limits";
    let mut findings = Vec::new();
    let (files, most) = kernel::open_files();
    if let Some(files) = files.filter(|files| *files < 1024) {
        let finding = Finding::warning(CHECK, format!("the limit on open files is {files}"));
        findings.push(finding.with_advice("raise it: `ulimit -n`, or LimitNOFILE= of the unit"));
    }
    if let Some(allowed) = kernel::processes() {
        let own = process::own_uid();
        let used = process::all_pids().into_iter().filter(|pid| process::owner(*pid) == Some(own)).count() as u64;
        // Three for each managed process: guard, worker and itself.
        let wanted = used + 3 * processes.len() as u64;
        if wanted * 10 > allowed * 9 {
            let finding = Finding::warning(CHECK, format!("this user runs {used} of {allowed} allowed processes"));
            findings.push(finding.with_advice("raise it: `ulimit -u`, or LimitNPROC= of the unit"));
        }
    }
    if let Some(watches) = kernel::sysctl("fs/inotify/max_user_instances").filter(|watches| *watches < 64) {
        let finding = Finding::warning(CHECK, format!("the limit on inotify instances of a user is {watches}"));
        findings.push(finding.with_advice("sysctl fs.inotify.max_user_instances=1024"));
    }
    let shown = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    or_ok(findings, CHECK, format!("open files: {}, at most {}", shown(files), shown(most)))
}

/// Before this the clock cannot be right: 2024-01-01.
const EARLIEST: Timestamp = Timestamp(1_704_067_200_000);

/// Records may be so far ahead: the clock of files is not that of the program.
const CLOCK_SKEW_MS: u64 = 5000;

/// The clock is kept, and no record is of the future.
#[must_use]
pub fn clock(context: &DoctorContext) -> Vec<Finding> {
    const CHECK: &str = "clock";
    let mut findings = Vec::new();
    if context.now < EARLIEST {
        let finding = Finding::error(CHECK, "the clock is years behind");
        findings.push(finding.with_advice("set it, or enable time synchronization: timedatectl set-ntp true"));
    }
    let ahead = |it: &&Process| it.meta.run_state.started_ms > context.now.0 + CLOCK_SKEW_MS;
    if let Some(process) = context.processes.iter().find(ahead) {
        let by = HumanDuration(Timestamp(process.meta.run_state.started_ms).since(context.now));
        let message = format!("`{}` was started {by} in the future; the clock was set back", process.name);
        findings.push(Finding::warning(CHECK, message));
    }
    or_ok(
        findings,
        CHECK,
        match kernel::clock_is_synchronized() {
            Some(true) => "the clock is synchronized",
            Some(false) => "no record lies in the future; no time synchronization found",
            None => "no record lies in the future",
        },
    )
}
