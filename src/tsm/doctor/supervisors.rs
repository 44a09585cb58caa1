//! Processes: who watches them, how orders and output reach their supervisors, and what is left of the dead.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::dirs::entries;
use super::{DoctorContext, Finding, Fix, or_ok};
use crate::supervise::meta::ProcessState;
use crate::sys::{net, process};
use crate::tsm::store::Process;

/// Every process that runs, or waits for its next start, has a supervisor.
#[must_use]
pub fn supervisors(processes: &[Process]) -> Vec<Finding> {
    const CHECK: &str = "supervisors";
    let mut findings = Vec::new();
    for process in processes {
        let name = &process.name;
        let stopped = [process.meta.run_state.guard_pid, process.meta.run_state.worker_pid];
        let stopped = stopped.into_iter().find(|pid| process::stat(*pid).is_some_and(|stat| stat.is_stopped()));
        if let Some(pid) = stopped.filter(|_| process.live.supervised) {
            let message = format!("the supervisor of `{name}` is suspended (SIGSTOP)");
            findings.push(Finding::error(CHECK, message).with_advice(format!("kill -CONT {pid}")));
        }
        if process.live.needs_supervisor() {
            let finding = Finding::error(CHECK, format!("`{name}` has lost its supervisor"));
            findings.push(finding.with_advice("tsm doctor --fix").fix(Fix::Supervise(name.clone())));
        } else if process.live.supervised && !is_alive(process.meta.run_state.guard_pid) {
            findings.push(Finding::warning(CHECK, format!("the supervisor of `{name}` has a worker and no guard")));
        }
        if !process.meta.run_state.start_error.is_empty() {
            let message = format!("`{name}` failed to start: {}", process.meta.run_state.start_error);
            findings.push(Finding::warning(CHECK, message).with_advice(format!("tsm why {name}")));
        }
    }
    let count = processes.iter().filter(|process| process.live.supervised).count();
    or_ok(findings, CHECK, format!("{count} of {} processes are running and supervised", processes.len()))
}

fn is_alive(pid: u32) -> bool {
    process::stat(pid).is_some_and(|stat| stat.is_alive())
}

/// The pipes for orders and output, of those that are supervised.
#[must_use]
pub fn pipes(processes: &[Process]) -> Vec<Finding> {
    const CHECK: &str = "fifos";
    let mut findings = Vec::new();
    let supervised = processes.iter().filter(|process| process.live.supervised);
    let mut count = 0;
    for process in supervised.filter(|process| process.live.state == ProcessState::Online) {
        for name in ["orders", "out", "err"] {
            let path = process.dir.join(name);
            let message = match fs::symlink_metadata(&path) {
                Ok(found) if found.file_type().is_fifo() => {
                    count += 1;
                    continue;
                }
                Ok(_) => format!("`{}` is not a pipe", path.display()),
                Err(_) => format!("the pipe `{}` does not exist", path.display()),
            };
            let what = if name == "orders" {
                "commands cannot reach its supervisor"
            } else {
                "after a restart it cannot write its log"
            };
            let advice = format!("run `tsm kill {}`, then start it again", process.name);
            findings.push(Finding::error(CHECK, format!("{message}: {what}")).with_advice(advice));
        }
    }
    or_ok(findings, CHECK, format!("{count} pipes are in place"))
}

/// Records, pid files and directories of what is dead.
#[must_use]
pub fn stale(context: &DoctorContext) -> Vec<Finding> {
    const CHECK: &str = "state";
    let mut findings = leftover_directories(&context.paths.processes());
    for process in context.processes {
        let name = &process.name;
        if let Some(why) = &process.unknown {
            findings.push(Finding::error(CHECK, format!("`{name}`: {why}")).with_advice(reader_of(&process.dir)));
            continue;
        }
        if let Some(damage) = &process.record_error {
            // An empty directory is not a process, and was reported already.
            if !entries(&process.dir).is_empty() {
                let finding = Finding::error(CHECK, format!("`{name}`: {damage}"));
                findings.push(finding.with_advice(format!("run `tsm delete {name}`, then start it again")));
            }
            continue;
        }
        let recorded = process.meta.state;
        if recorded != process.live.state && process.live.state == ProcessState::Crashed {
            let message = format!("`{name}` is recorded as {} and is not running", recorded.as_str());
            findings.push(
                Finding::warning(CHECK, message)
                    .with_advice(format!("run `tsm restart {name}` or `tsm delete {name}`")),
            );
        }
        if !process.is_running() && !process.live.supervised && process.pid_file().exists() {
            let message = format!("`{}` names a process that has ended", process.pid_file().display());
            let finding = Finding::warning(CHECK, message).with_advice("tsm doctor clean");
            findings.push(finding.fix(Fix::Remove(process.pid_file())));
        }
        let survivors = process.meta.run_state.survivors.iter().filter(|pid| is_alive(**pid));
        for pid in survivors {
            let message = format!("pid {pid} is left over from `{name}`");
            findings.push(Finding::warning(CHECK, message).with_advice(format!("tsm kill --pid {pid}")));
        }
        if process.live.supervised && !process.meta.run_state.log_error.is_empty() {
            let message = format!("failed to write the log of `{name}`: {}", process.meta.run_state.log_error);
            findings.push(
                Finding::warning(CHECK, message).with_advice("free disk space; until then its output is buffered"),
            );
        }
        if process.meta.run_state.discarded_bytes > 0 {
            let bytes = process.meta.run_state.discarded_bytes;
            findings.push(Finding::warning(
                CHECK,
                format!("{bytes} bytes of the log of `{name}` were lost: the disk was full"),
            ));
        }
    }
    or_ok(findings, CHECK, "no stale records, pid files or directories")
}

/// Who could read it.
fn reader_of(dir: &Path) -> String {
    match fs::metadata(dir) {
        Ok(found) if found.uid() != process::own_uid() => {
            format!("run the command as its owner {}", net::user_name(found.uid()))
        }
        _ => "try again; the limit on open files may be reached (ulimit -n)".to_owned(),
    }
}

/// What is in the directory of processes and is none.
fn leftover_directories(dir: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in entries(dir) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with('.') && name.ends_with(".deleted") {
            // Another command may be removing it now; then its pid is alive.
            let remover = name.trim_end_matches(".deleted").rsplit('.').next().and_then(|pid| pid.parse().ok());
            if !remover.is_some_and(is_alive) {
                let finding =
                    Finding::warning("state", format!("`{}` was left by an interrupted delete", path.display()));
                findings.push(finding.with_advice("tsm doctor clean").fix(Fix::Remove(path)));
            }
        } else if fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none()) {
            let finding = Finding::warning("state", format!("`{}` is empty", path.display()));
            findings.push(finding.with_advice("tsm doctor clean").fix(Fix::Remove(path)));
        }
    }
    findings
}
