//! A newer program in the place of an older one.

use super::COUNTER;
use crate::sandbox::{Sandbox, is_running};
use std::fs;

use tetra::supervise::meta::{self, ExitStatus, ProcessState};

use crate::program;
use crate::waiting::eventually;
use crate::world::PROGRAM;

fn assert_counts(sandbox: &Sandbox, name: &str) {
    let text = String::from_utf8(sandbox.written(name)).expect("numbers");
    let lines = text.lines().count();
    assert!(lines > 20);
    assert_eq!(text, (0..lines).map(|n| format!("{n}\n")).collect::<String>());
}

/// The file that a process runs.
fn file_of(pid: u32) -> std::path::PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).expect("it runs")
}

#[test]
fn every_supervisor_is_replaced_in_place() {
    let sandbox = Sandbox::of_tsm().with_program("program");
    let names = ["a", "b", "c"];
    let pids = names.map(|name| sandbox.start(name, &["--restart", "always"], &["python3", "-c", COUNTER]));
    eventually("lines", || names.iter().all(|name| sandbox.size(name) > 100));
    let guards = names.map(|name| sandbox.read(name).run_state.guard_pid);

    // As a package manager does: the new file gets the name of the old one.
    program::copy(PROGRAM.as_ref(), &sandbox.path("newer"));
    fs::rename(sandbox.path("newer"), sandbox.path("program")).expect("installed");
    assert!(guards.iter().all(|pid| file_of(*pid).to_string_lossy().ends_with(" (deleted)")));
    let text = sandbox.ok(&["upgrade", "--dry-run"]);
    assert!(text.matches("would replace").count() == 3, "{text}");
    assert_eq!(names.map(|name| sandbox.read(name).run_state.guard_pid), guards, "nothing was done");

    let text = sandbox.ok(&["upgrade"]);
    assert_eq!(text.matches("replaced the supervisor of").count(), 3, "{text}");
    for (name, pid) in names.iter().zip(pids) {
        let meta = sandbox.read(name);
        assert_eq!((meta.pid, meta.state, meta.restarts), (pid, ProcessState::Online, 0));
        for supervisor in [meta.run_state.guard_pid, meta.run_state.worker_pid] {
            assert_eq!(file_of(supervisor), sandbox.path("program"));
        }
        let before = sandbox.size(name);
        eventually("it goes on", || sandbox.size(name) > before);
    }
    assert_eq!(sandbox.ok(&["upgrade"]).matches("this version already").count(), 3);
    sandbox.ok(&["stop", "*"]);
    for name in names {
        assert_eq!(sandbox.read(name).last_exit.expect("an exit").status, ExitStatus::Signal(15), "the end is seen");
        assert_counts(&sandbox, name);
    }
}

#[test]
fn a_program_at_another_place_takes_over_too() {
    let old = Sandbox::of_tsm().with_program("old");
    let pid = old.start("p", &[], &["python3", "-c", COUNTER]);
    eventually("lines", || old.size("p") > 100);
    assert_eq!(file_of(old.read("p").run_state.guard_pid), old.path("old"));
    let new = Sandbox::of_tsm_at(old.root());
    fs::remove_file(old.path("old")).expect("removed");
    new.ok(&["upgrade"]);
    let meta = new.read("p");
    assert_eq!((file_of(meta.run_state.guard_pid), meta.pid), (fs::canonicalize(PROGRAM).expect("a path"), pid));
    assert!(!new.dir("p").join("program").exists(), "the link is gone");
    new.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    assert_counts(&new, "p");
}

#[test]
fn a_record_of_a_later_version_is_read_and_what_is_unknown_is_kept() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &[], &["sleep", "1000"]);
    sandbox.kill_supervisors("p");
    let path = meta::path(&sandbox.dir("p"));
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a record")).expect("JSON");
    record["version"] = 9.into();
    record["weather"] = "fair".into();
    record["run"]["mood"] = 1.into();
    record["life"]["phase_of_moon"] = "full".into();
    fs::write(&path, record.to_string()).expect("a record");
    assert_eq!(sandbox.list()[0]["pid"], pid);
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a record")).expect("JSON");
    assert_eq!(kept["weather"], "fair");
}

#[test]
fn orders_of_a_later_version_are_skipped_one_by_one() {
    use std::io::Write;
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &[], &["sleep", "1000"]);
    let mut orders = fs::OpenOptions::new().write(true).open(sandbox.dir("p").join("orders")).expect("a FIFO");
    // A later version, an unknown code, and no order at all: each is one record of sixteen bytes.
    for record in [*b"TO\x09\x01\0\0\0\0\0\0\0\0\0\0\0\0", *b"TO\x01\x63\0\0\0\0\0\0\0\0\0\0\0\0", [7; 16]] {
        orders.write_all(&record).expect("written");
    }
    assert!(is_running(pid));
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
}
