//! The record of a process whose own is lost, made of what runs.

use std::path::{Path, PathBuf};

use super::{NO_ID, pid_file};
use crate::base::name::ProcessName;
use crate::disk;
use crate::supervise::meta::{self, Meta, ProcessState, RunSpec, RunState};
use crate::supervise::ownership;
use crate::sys::process;
use crate::tsm::command_line::join;

/// What can be known: its pid file, and the mark in the environment of what has that pid. The process
/// that has that number now may have any environment, so it has to be certain that it belongs here.
pub(super) fn rebuild(name: &ProcessName, dir: &Path) -> Meta {
    let pid = disk::read_own(pid_file(dir, name))
        .ok()
        .and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok())
        .unwrap_or(0);
    let marked = process::variable(pid, "TSM_RUN").filter(|_| pid != 0 && ownership::belongs_to(pid, dir));
    let mark = marked.as_deref().and_then(|mark| mark.split_once('.'));
    let alive = mark.and_then(|_| process::stat(pid)).filter(process::ProcessStat::is_alive);
    let start_ticks = alive.as_ref().map_or(0, |stat| stat.start_ticks);
    let life = RunState {
        boot_id: process::boot_id().to_owned(),
        start_ticks,
        nonce: mark.map_or(String::new(), |(_, nonce)| nonce.to_owned()),
        started_ms: alive.as_ref().and_then(|_| process::start_time_ms(start_ticks)).unwrap_or(0),
        ..RunState::default()
    };
    let argv = if alive.is_some() { process::argv(pid) } else { Vec::new() };
    let state = if alive.is_some() { ProcessState::Online } else { ProcessState::Crashed };
    Meta {
        tsm_id: mark.and_then(|(id, _)| id.parse().ok()).unwrap_or(NO_ID),
        pid: if alive.is_some() { pid } else { 0 },
        command: join(&argv),
        cwd: process::cwd(pid).unwrap_or_default(),
        start_time: life.started_ms / 1000,
        run: RunSpec { argv, ..RunSpec::default() },
        run_state: life,
        ..stub(name, state)
    }
}

/// A record that says no more than a state.
pub(super) fn stub(name: &ProcessName, state: ProcessState) -> Meta {
    Meta {
        tsm_id: NO_ID,
        name: name.as_str().to_owned(),
        pid: 0,
        command: String::new(),
        port: None,
        cwd: PathBuf::new(),
        interpreter: String::new(),
        process_type: String::new(),
        env_file: String::new(),
        prehook: String::new(),
        start_time: 0,
        status: state.status(),
        restarts: 0,
        unstable_restarts: 0,
        version: meta::VERSION,
        state,
        run: RunSpec::default(),
        run_state: RunState::default(),
        last_exit: None,
        unknown: serde_json::Map::new(),
    }
}
