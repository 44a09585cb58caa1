//! Disks that are full or not writable, and files that were removed, replaced or damaged.

use super::COUNTER;
use crate::sandbox::{CommandOutput, Sandbox, is_running, kill_hard};
use std::fs;
use std::path::Path;
use std::process::Command;

use tetra::supervise::client::is_supervised;
use tetra::supervise::meta::{self, ProcessState, RunSpec};

use super::note;
use crate::waiting::eventually;

/// A small file system of its own; `None`, with a word, where none can be mounted.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    pub(crate) fn of(mebibytes: u32) -> Option<Self> {
        let disk = Self(tempfile::Builder::new().prefix("tetra-disk-").tempdir().expect("a directory"));
        let size = format!("size={mebibytes}m");
        if !mount(&["-t", "tmpfs", "-o", &size, "none"], disk.0.path()) {
            note("no file system can be mounted here");
            return None;
        }
        Some(disk)
    }

    fn remount(&self, how: &str) {
        assert!(mount(&["-o", &format!("remount,{how}")], self.0.path()), "remounted {how}");
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

fn mount(options: &[&str], path: &Path) -> bool {
    Command::new("mount")
        .args(options)
        .arg(path)
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|it| it.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_everything_goes_on_when_there_is_room() {
    let Some(disk) = Disk::of(8) else { return };
    let sandbox = Sandbox::of_tsm_at(disk.path());
    fs::write(sandbox.path("ballast"), vec![0; 6 << 20]).expect("a ballast");
    let pid = sandbox.shell("p", &[], "seq 0 500000; echo done; exec sleep 1000");
    eventually("the disk is full", || {
        let full = fs::write(sandbox.path("probe"), vec![1; 8192]).is_err();
        fs::remove_file(sandbox.path("probe")).expect("the probe is there");
        full
    });
    assert!(is_running(pid) && sandbox.list()[0]["status"] == "online", "listing needs no room");

    let answer = sandbox.run(&["start", "--name", "q", "--", "sleep", "1000"]);
    assert!(answer.code == 1 && answer.err.contains("No space left"), "{answer:?}");
    assert!(!sandbox.dir("q").exists(), "nothing of it is left");

    fs::remove_file(sandbox.path("ballast")).expect("room");
    eventually("all is written", || sandbox.written("p").ends_with(b"done\n"));
    let expected: String = (0..=500_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(String::from_utf8(sandbox.written("p")).expect("numbers"), expected + "done\n");
    assert_eq!(sandbox.read("p").run_state.discarded_bytes, 0);
    sandbox.start("q", &[], &["sleep", "1000"]);
    sandbox.ok(&["stop", "p", "q"]);
}

#[test]
fn on_a_full_disk_a_stop_still_stops() {
    let Some(disk) = Disk::of(4) else { return };
    let sandbox = Sandbox::of_tsm_at(disk.path());
    let pid = sandbox.start("p", &[], &["sleep", "1000"]);
    let _ = fs::write(sandbox.path("ballast"), vec![0; 5 << 20]);
    let answer = sandbox.run(&["stop", "p"]);
    assert!(answer.code == 0 && !is_running(pid), "{answer:?}");
    assert_ne!(sandbox.list()[0]["status"], "online");
}

/// Leaves no room for another block.
fn fill(sandbox: &Sandbox) {
    fill_with(&sandbox.path("ballast"));
}

fn fill_with(ballast: &Path) {
    use std::io::Write;
    let mut ballast = fs::File::create(ballast).expect("a ballast");
    while ballast.write_all(&[0; 4096]).is_ok() {}
}

/// The room of the record before is that of the next one, also after a reader had it open when it was to be written over.
#[test]
fn on_a_full_disk_a_reader_of_a_record_takes_no_room_from_the_next_one() {
    let Some(disk) = Disk::of(1) else { return };
    let dir = disk.path();
    let meta = crate::sandbox::record("p", &["true"], dir);
    meta::write(dir, &meta).expect("there is room");
    meta::write(dir, &meta).expect("there is room for both");
    fill_with(&dir.join("ballast"));
    let reader = fs::File::open(dir.join(".meta.json.new")).expect("the record before");
    let error = meta::write(dir, &meta).expect_err("it is being read");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    drop(reader);
    // What the reader kept does not go to others.
    fill_with(&dir.join("more"));
    eventually("it is written", || meta::write(dir, &meta).is_ok());
    assert!(meta::read(dir).is_ok_and(|it| it.is_some()) && !dir.join(".meta.json.next").exists());
}

/// Says more than fits into what the log has of its last block, and stays.
const TALK: &str = "head -c 9000 /dev/zero | tr '\\0' x; echo; exec sleep 1000";

#[test]
fn on_a_full_disk_a_restart_is_recorded_and_what_is_not_written_is_said() {
    let Some(disk) = Disk::of(4) else { return };
    let sandbox = Sandbox::of_tsm_at(disk.path());
    let mut pids = vec![sandbox.shell("p", &[], TALK)];
    eventually("its line", || sandbox.size("p") == 9001);
    fill(&sandbox);
    for round in 0..3 {
        let answer = sandbox.run(&["restart", "--no-wait", "p"]);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert!(round == 0 || answer.err.contains("No space left on device"), "{answer:?}");
        let shown = sandbox.list();
        let pid = sandbox.until("p", |meta| !meta.run_state.log_error.is_empty()).pid;
        assert!(is_running(pid) && !pids.contains(&pid), "{answer:?}");
        let stays = || fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "sleep");
        eventually("it has said all before the next restart", stays);
        assert_eq!((&shown[0]["status"], &shown[0]["pid"]), (&"online".into(), &pid.into()));
        let file = fs::read_to_string(sandbox.dir("p").join("p.pid")).ok();
        assert!(file.is_none_or(|text| text.trim() == pid.to_string()), "no other pid is named");
        pids.push(pid);
    }
    fs::remove_file(sandbox.path("ballast")).expect("room");
    sandbox.until("p", |meta| meta.run_state.log_error.is_empty());
    sandbox.ok(&["stop", "p"]);
    assert!(pids.iter().all(|pid| !is_running(*pid)));
    let (record, text) = (sandbox.read("p"), String::from_utf8(sandbox.written("p")).expect("text"));
    assert_eq!((record.state, record.run_state.discarded_bytes), (ProcessState::Stopped, 0));
    assert_eq!(text, ("x".repeat(9000) + "\n").repeat(4));
}

#[test]
fn on_a_full_disk_a_stop_says_what_was_lost() {
    let Some(disk) = Disk::of(4) else { return };
    let sandbox = Sandbox::of_tsm_at(disk.path());
    let pid = sandbox.start("p", &[], &["sh", "-c", &format!("while [ ! -e go ]; do sleep 0.01; done; {TALK}")]);
    fs::write(sandbox.path("go"), "").expect("a sign");
    fs::remove_file(sandbox.path("go")).expect("taken back");
    fill(&sandbox);
    let _ = fs::write(sandbox.path("go"), "");
    sandbox.until("p", |meta| !meta.run_state.log_error.is_empty());
    let answer = sandbox.run(&["stop", "p"]);
    let life = sandbox.read("p").run_state;
    assert!(answer.code == 0 && !is_running(pid), "{answer:?}");
    assert_eq!(life.discarded_bytes + sandbox.size("p"), 9001);
    let said = format!("{} bytes of the log of 'p' were lost", life.discarded_bytes);
    assert!(answer.err.contains(&said) && answer.err.contains("No space left on device"), "{answer:?}");
}

/// Says a line of a thousand bytes every millisecond, and how many bytes it said when it is asked to end.
const TALKER: &str = "
import os, signal, sys, time
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
said = 0
while not over:
    os.write(1, b'%08d %990d\\n' % (said // 1000, 0))
    said += 1000
    open(sys.argv[1] + '/so-far', 'w').write(str(said))
    time.sleep(0.001)
open(sys.argv[1] + '/said', 'w').write(str(said))";

#[test]
fn a_child_waits_for_room_as_long_as_it_is_to_and_every_byte_it_loses_is_counted() {
    let Some(disk) = Disk::of(8) else { return };
    let (sandbox, elsewhere) = (Sandbox::of_tsm_at(disk.path()), tempfile::tempdir().expect("a directory"));
    let place = elsewhere.path().to_str().expect("a path in UTF-8");
    let number = |file: &str| fs::read_to_string(elsewhere.path().join(file)).ok()?.parse::<u64>().ok();
    sandbox.start("p", &[], &["python3", "-c", TALKER, place]);
    sandbox.ok(&["stop", "p"]);
    let mut record = sandbox.read("p");
    record.run.log_patience_ms = 1500;
    meta::write(&sandbox.dir("p"), &record).expect("a record");
    for file in ["current.out", "current.out.idx"] {
        let _ = fs::remove_file(sandbox.dir("p").join(file));
    }
    fill(&sandbox);
    sandbox.ok(&["start", "--no-wait", "p"]);

    let full = sandbox.until("p", |meta| !meta.run_state.log_error.is_empty());
    assert_eq!((full.run_state.discarded_bytes, full.state), (0, ProcessState::Online));
    sandbox.until("p", |meta| meta.run_state.discarded_bytes > 0);
    let so_far = number("so-far");
    eventually("it goes on", || number("so-far") > so_far.map(|said| said + 200_000));

    fs::remove_file(sandbox.path("ballast")).expect("room");
    sandbox.until("p", |meta| meta.run_state.log_error.is_empty());
    sandbox.ok(&["stop", "p"]);
    let (said, life) = (number("said").expect("its last word"), sandbox.read("p").run_state);
    assert_eq!(life.discarded_bytes + sandbox.size("p"), said, "{life:?}");
}

#[test]
fn on_a_disk_that_is_not_writable_processes_are_seen_and_nothing_is_lost() {
    let Some(disk) = Disk::of(8) else { return };
    let sandbox = Sandbox::of_tsm_at(disk.path());
    let pid = sandbox.start("p", &[], &["python3", "-c", COUNTER]);
    eventually("lines", || sandbox.size("p") > 100);
    // The kernel does not grant the lease while a process writes.
    sandbox.kill_supervisors("p");
    disk.remount("ro");
    assert_eq!(sandbox.list()[0]["status"], "online");
    for words in
        [&["start", "--name", "q", "--", "sleep", "1000"][..], &["stop", "p"], &["restart", "p"], &["delete", "p"]]
    {
        let answer = sandbox.run(words);
        assert!(answer.code != 0 && !answer.err.is_empty() && !answer.err.contains("panic"), "{words:?}: {answer:?}");
    }
    assert!(is_running(pid), "what cannot be recorded is not done");
    disk.remount("rw");
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    let text = String::from_utf8(sandbox.written("p")).expect("numbers");
    assert_eq!(text, (0..text.lines().count()).map(|n| format!("{n}\n")).collect::<String>());
}

#[test]
fn logs_that_are_removed_or_cut_go_on() {
    let sandbox = Sandbox::of_tsm();
    sandbox.start("p", &[], &["python3", "-c", COUNTER]);
    let size = || fs::metadata(sandbox.dir("p").join("current.out")).map_or(0, |file| file.len());
    eventually("lines", || size() > 200);
    fs::remove_file(sandbox.dir("p").join("current.out")).expect("removed");
    eventually("a new log", || size() > 200);
    fs::write(sandbox.dir("p").join("current.out"), "").expect("cut");
    eventually("it grows again", || size() > 200);
    sandbox.ok(&["stop", "p"]);
}

#[test]
fn the_process_of_a_removed_directory_is_reported_and_can_still_be_ended() {
    // By name or by pid, with its supervisors or without them; one that would always be started again is not.
    for (by_name, supervised) in [(true, true), (false, true), (true, false)] {
        let sandbox = Sandbox::of_tsm();
        let line = "setsid sleep 1019 & echo $! > stray; while :; do sleep 0.05; done";
        let pid = sandbox.shell("p", &["--restart", "always", "--max-restarts", "0"], line);
        let stray = sandbox.number("stray");
        let life = sandbox.read("p").run_state;
        if !supervised {
            sandbox.kill_supervisors("p");
        }
        fs::remove_dir_all(sandbox.dir("p")).expect("removed");
        assert!(sandbox.list().is_empty());
        let rows = sandbox.json(&["doctor", "orphans"]);
        let row = rows.as_array().expect("rows").iter().find(|row| row["pid"] == pid).expect("it is seen").clone();
        assert_eq!(row["kind"], "lost");
        let refused = sandbox.run(&["stop", "p"]);
        let advice = format!("pid {pid} still runs: `tsm kill p` ends it");
        assert!(refused.code == 5 && refused.err.contains(&advice), "{refused:?}");

        let word = if by_name { "p".to_owned() } else { pid.to_string() };
        sandbox.ok(&["kill", &word, "--yes"]);
        let all = [pid, stray, life.guard_pid, life.worker_pid];
        // The shell may have started its next `sleep 0.05` while it was being ended.
        eventually("no process is left", || {
            all.iter().all(|pid| !is_running(*pid)) && sandbox.children("p").is_empty()
        });
        assert_eq!(sandbox.run(&["kill", "p", "--yes"]).code, 5, "no process is left to be found");
        sandbox.start("p", &[], &["sleep", "1000"]);
        sandbox.ok(&["delete", "p"]);
        sandbox.assert_empty();
    }
}

#[test]
fn a_name_whose_directory_was_removed_is_not_started_twice() {
    for (supervised, all) in [(true, false), (false, false), (true, true)] {
        let sandbox = Sandbox::of_tsm();
        let pid = sandbox.start("p", &["--restart", "always"], &["sleep", "1000"]);
        if !supervised {
            sandbox.kill_supervisors("p");
        }
        let removed = if all { sandbox.home() } else { sandbox.dir("p") };
        fs::remove_dir_all(removed).expect("removed");
        let refused = sandbox.run(&["start", "--name", "p", "--", "sleep", "1000"]);
        assert!(refused.code != 0 && refused.err.contains(&format!("still running (pid {pid})")), "{refused:?}");
        assert!(refused.err.contains("`tsm kill p`"), "{refused:?}");
        assert!(!sandbox.dir("p").exists() && is_running(pid));
        sandbox.start("q", &[], &["sleep", "1000"]);
        sandbox.ok(&["kill", "p", "--yes"]);
        eventually("it is gone", || !is_running(pid));
        sandbox.start("p", &[], &["sleep", "1000"]);
        sandbox.ok(&["delete", "*", "--yes"]);
    }
}

#[test]
fn a_file_size_limit_ends_neither_supervisor_nor_command() {
    let sandbox = Sandbox::of_tsm();
    let line = "cat /proc/self/status > signals; \
                while :; do echo 'a line that fills the log sooner or later'; done";
    let words = ["start", "--no-wait", "--kill-timeout", "2s", "--name", "p", "--", "sh", "-c", line];
    let limited = sandbox.command_under(&["bash", "-c", "ulimit -f 16; exec \"$0\" \"$@\""], &words).output();
    let started = CommandOutput::from(limited.expect("bash runs"));
    assert_eq!(started.code, 0, "{started:?}");
    let life = sandbox.until("p", |meta| !meta.run_state.log_error.is_empty()).run_state;
    assert!(is_running(life.guard_pid) && is_running(life.worker_pid));
    let signals = fs::read_to_string(sandbox.path("signals")).expect("it reported");
    // Nothing is ignored or caught in what the child runs: neither that signal nor those that the C library keeps for itself.
    let masks: Vec<&str> =
        signals.lines().filter(|line| line.starts_with("SigIgn") || line.starts_with("SigBlk")).collect();
    assert!(masks.len() == 2 && masks.iter().all(|line| line.ends_with("0000000000000000")), "{masks:?}");
    sandbox.ok(&["stop", "p"]);
    assert_eq!(sandbox.read("p").run_state.worker_pid, life.worker_pid, "none was replaced");
    let shown =
        sandbox.command_under(&["bash", "-c", "ulimit -f 0; exec \"$0\" \"$@\" > out"], &["list", "all"]).status();
    assert!(shown.expect("bash runs").code().is_some(), "an error, no signal");
}

#[test]
fn fifos_that_were_replaced_by_files_are_no_obstacle() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &[], &["python3", "-c", COUNTER]);
    for name in ["out", "err", "orders"] {
        fs::remove_file(sandbox.dir("p").join(name)).expect("removed");
        fs::write(sandbox.dir("p").join(name), "a file").expect("a file in its place");
    }
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    let text = String::from_utf8(sandbox.written("p")).expect("numbers");
    let lines = text.lines().count();
    assert_eq!(text, (0..lines).map(|n| format!("{n}\n")).collect::<String>());
    sandbox.ok(&["start", "--no-wait", "p"]);
    let before = sandbox.written("p").len();
    eventually("it writes again", || sandbox.written("p").len() > before);
    sandbox.ok(&["stop", "p"]);
}

/// What may become of `meta.json`; `None` removes it.
const DAMAGES: [Option<&str>; 5] = [Some(""), Some("{\"tsm_id\":"), Some("\0\0\0"), Some("[1,2]"), None];

fn damage(sandbox: &Sandbox, damage: Option<&str>) {
    let path = meta::path(&sandbox.dir("p"));
    match damage {
        Some(garbage) => fs::write(path, garbage).expect("garbage"),
        None => fs::remove_file(path).expect("removed"),
    }
}

#[test]
fn a_record_that_is_empty_or_garbage_never_loses_the_process() {
    let sandbox = Sandbox::of_tsm();
    let options = ["--restart", "on-failure", "--kill-timeout", "7s"];
    let pid = sandbox.start("p", &options, &["python3", "-c", COUNTER]);
    let run = sandbox.read("p").run;
    for (round, garbage) in DAMAGES.into_iter().chain(DAMAGES).enumerate() {
        eventually("more lines", || sandbox.size("p") > 100);
        damage(&sandbox, garbage);
        assert_eq!(sandbox.list()[0]["name"], "p", "{garbage:?}");
        // The supervisor does not need it. The next one does: that which the guard makes, or which the next command starts.
        if round < DAMAGES.len() {
            let worker = sandbox.supervisors("p")[1];
            kill_hard(worker);
        } else {
            sandbox.kill_supervisors("p");
        }
        let shown = sandbox.list();
        assert_eq!((&shown[0]["status"], &shown[0]["pid"]), (&"online".into(), &pid.into()), "{garbage:?}: {shown:?}");
        let read = || meta::read(&sandbox.dir("p")).ok().flatten();
        eventually("the record is whole", || {
            read().is_some_and(|meta| meta.pid == pid && meta.state == ProcessState::Online)
        });
        // The record names them once the new ones have written it.
        eventually("it is supervised", || is_supervised(&sandbox.dir("p")) && sandbox.supervisors("p").len() == 2);
        assert_eq!(read().expect("a record").run, run, "{garbage:?}");
    }
    let before = sandbox.size("p");
    eventually("it goes on writing", || sandbox.size("p") > before);
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    assert_eq!(sandbox.read("p").state, ProcessState::Stopped);
    let text = String::from_utf8(sandbox.written("p")).expect("numbers");
    assert_eq!(text, (0..text.lines().count()).map(|n| format!("{n}\n")).collect::<String>());

    // Also when nothing runs, what it ran is still known.
    damage(&sandbox, Some(""));
    assert_eq!(sandbox.list()[0]["status"], "stopped");
    sandbox.ok(&["start", "--no-wait", "p"]);
    let now = sandbox.read("p").run;
    assert_ne!(now.started_by, run.started_by);
    assert_eq!(now, RunSpec { started_by: now.started_by, ..run });
}

#[test]
fn without_any_record_the_process_is_made_out_from_what_runs() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &[], &["sleep", "1000"]);
    for worker_alone in [true, false] {
        meta::remove(&sandbox.dir("p")).expect("removed");
        if worker_alone {
            let worker = sandbox.supervisors("p")[1];
            kill_hard(worker);
            // Without anything to go by the next worker ends, and its guard with it.
            eventually("no supervisor is left", || sandbox.supervisors("p").is_empty());
        } else {
            sandbox.kill_supervisors("p");
        }
        let shown = sandbox.list();
        assert_eq!((&shown[0]["status"], &shown[0]["pid"]), (&"online".into(), &pid.into()), "{shown:?}");
        let is_recorded = || meta::read(&sandbox.dir("p")).is_ok_and(|it| it.is_some());
        eventually("it is supervised again", || is_supervised(&sandbox.dir("p")) && is_recorded());
        assert_eq!(
            (sandbox.read("p").pid, sandbox.read("p").run.argv),
            (pid, vec!["sleep".to_owned(), "1000".to_owned()])
        );
    }
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
}
