//! Disks that are full or not writable, and files that were removed, replaced or damaged.

use std::fs;
use std::path::Path;
use std::process::Command;

use tetra::supervise::client::supervised;
use tetra::supervise::meta::{self, State};

use super::field::{COUNTER, Field};
use super::note;
use crate::supervise::nest::{eventually, kill_hard, lives};

/// A small file system of its own; `None`, with a word, where none can be mounted.
struct Disk(tempfile::TempDir);

impl Disk {
    fn of(mebibytes: u32) -> Option<Self> {
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

    fn path(&self) -> &Path {
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
    let field = Field::at(disk.path());
    fs::write(field.path("ballast"), vec![0; 6 << 20]).expect("a ballast");
    let pid = field.shell("p", &[], "seq 0 500000; echo done; exec sleep 1000");
    eventually("the disk is full", || {
        let full = fs::write(field.path("probe"), vec![1; 8192]).is_err();
        fs::remove_file(field.path("probe")).expect("the probe is there");
        full
    });
    assert!(lives(pid) && field.list()[0]["status"] == "online", "listing needs no room");

    let answer = field.tsm(&["start", "--name", "q", "--", "sleep", "1000"]);
    assert!(answer.code == 1 && answer.err.contains("No space left"), "{answer:?}");
    assert!(!field.dir("q").exists(), "nothing of it is left");

    fs::remove_file(field.path("ballast")).expect("room");
    eventually("all is written", || field.written("p").ends_with(b"done\n"));
    let expected: String = (0..=500_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(String::from_utf8(field.written("p")).expect("numbers"), expected + "done\n");
    assert_eq!(field.read("p").life.discarded_bytes, 0);
    field.start("q", &[], &["sleep", "1000"]);
    field.ok(&["stop", "p", "q"]);
}

#[test]
fn on_a_full_disk_a_stop_still_stops() {
    let Some(disk) = Disk::of(4) else { return };
    let field = Field::at(disk.path());
    let pid = field.start("p", &[], &["sleep", "1000"]);
    let _ = fs::write(field.path("ballast"), vec![0; 5 << 20]);
    let answer = field.tsm(&["stop", "p"]);
    assert!(answer.code == 0 && !lives(pid), "{answer:?}");
    assert_ne!(field.list()[0]["status"], "online");
}

#[test]
fn on_a_disk_that_is_not_writable_processes_are_seen_and_nothing_is_lost() {
    let Some(disk) = Disk::of(8) else { return };
    let field = Field::at(disk.path());
    let pid = field.start("p", &[], &["python3", "-c", COUNTER]);
    eventually("lines", || field.size("p") > 100);
    // The kernel does not let go of the right to write while somebody writes.
    field.kill_supervisors("p");
    disk.remount("ro");
    assert_eq!(field.list()[0]["status"], "online");
    for words in
        [&["start", "--name", "q", "--", "sleep", "1000"][..], &["stop", "p"], &["restart", "p"], &["delete", "p"]]
    {
        let answer = field.tsm(words);
        assert!(answer.code != 0 && !answer.err.is_empty() && !answer.err.contains("panic"), "{words:?}: {answer:?}");
    }
    assert!(lives(pid), "what cannot be recorded is not done");
    disk.remount("rw");
    field.ok(&["stop", "p"]);
    assert!(!lives(pid));
    let text = String::from_utf8(field.written("p")).expect("numbers");
    assert_eq!(text, (0..text.lines().count()).map(|n| format!("{n}\n")).collect::<String>());
}

#[test]
fn logs_that_are_removed_or_cut_go_on() {
    let field = Field::new();
    field.start("p", &[], &["python3", "-c", COUNTER]);
    let size = || fs::metadata(field.dir("p").join("current.out")).map_or(0, |file| file.len());
    eventually("lines", || size() > 200);
    fs::remove_file(field.dir("p").join("current.out")).expect("removed");
    eventually("a new log", || size() > 200);
    fs::write(field.dir("p").join("current.out"), "").expect("cut");
    eventually("it grows again", || size() > 200);
    field.ok(&["stop", "p"]);
}

#[test]
fn the_process_of_a_removed_folder_is_told_and_can_still_be_ended() {
    // By name or by pid, with its supervisors or without them; one that would always be started again is not.
    for (by_name, supervised) in [(true, true), (false, true), (true, false)] {
        let field = Field::new();
        let line = "setsid sleep 1019 & echo $! > stray; while :; do sleep 0.05; done";
        let pid = field.shell("p", &["--restart", "always", "--max-restarts", "0"], line);
        let stray = field.number("stray");
        let life = field.read("p").life;
        if !supervised {
            field.kill_supervisors("p");
        }
        fs::remove_dir_all(field.dir("p")).expect("removed");
        assert!(field.list().is_empty());
        let rows = field.json(&["doctor", "orphans"]);
        let row = rows.as_array().expect("rows").iter().find(|row| row["pid"] == pid).expect("it is seen").clone();
        assert_eq!(row["kind"], "lost");
        let refused = field.tsm(&["stop", "p"]);
        let advice = format!("pid {pid} still runs: `tsm kill p` ends it");
        assert!(refused.code == 5 && refused.err.contains(&advice), "{refused:?}");

        let word = if by_name { "p".to_owned() } else { pid.to_string() };
        field.ok(&["kill", &word, "--yes"]);
        let all = [pid, stray, life.guard_pid, life.worker_pid];
        eventually("nobody is left", || all.iter().all(|pid| !lives(*pid)));
        assert_eq!(field.tsm(&["kill", "p", "--yes"]).code, 5, "nobody is left to be found");
        field.start("p", &[], &["sleep", "1000"]);
        field.ok(&["delete", "p"]);
        field.assert_empty();
    }
}

#[test]
fn fifos_that_were_replaced_by_files_are_no_obstacle() {
    let field = Field::new();
    let pid = field.start("p", &[], &["python3", "-c", COUNTER]);
    for name in ["out", "err", "orders"] {
        fs::remove_file(field.dir("p").join(name)).expect("removed");
        fs::write(field.dir("p").join(name), "a file").expect("a file in its place");
    }
    field.ok(&["stop", "p"]);
    assert!(!lives(pid));
    let text = String::from_utf8(field.written("p")).expect("numbers");
    let lines = text.lines().count();
    assert_eq!(text, (0..lines).map(|n| format!("{n}\n")).collect::<String>());
    field.ok(&["start", "--no-wait", "p"]);
    let before = field.written("p").len();
    eventually("it writes again", || field.written("p").len() > before);
    field.ok(&["stop", "p"]);
}

/// What may become of `meta.json`; `None` removes it.
const DAMAGES: [Option<&str>; 5] = [Some(""), Some("{\"tsm_id\":"), Some("\0\0\0"), Some("[1,2]"), None];

fn damage(field: &Field, damage: Option<&str>) {
    let path = meta::path(&field.dir("p"));
    match damage {
        Some(garbage) => fs::write(path, garbage).expect("garbage"),
        None => fs::remove_file(path).expect("removed"),
    }
}

#[test]
fn a_record_that_is_empty_or_garbage_never_loses_the_process() {
    let field = Field::new();
    let options = ["--restart", "on-failure", "--kill-timeout", "7s"];
    let pid = field.start("p", &options, &["python3", "-c", COUNTER]);
    let run = field.read("p").run;
    for (round, garbage) in DAMAGES.into_iter().chain(DAMAGES).enumerate() {
        eventually("more lines", || field.size("p") > 100);
        damage(&field, garbage);
        assert_eq!(field.list()[0]["name"], "p", "{garbage:?}");
        // The supervisor does not need it. The next one does: that which the guard makes, or which the next command starts.
        if round < DAMAGES.len() {
            let worker = field.supervisors("p")[1];
            kill_hard(worker);
        } else {
            field.kill_supervisors("p");
        }
        let shown = field.list();
        assert_eq!((&shown[0]["status"], &shown[0]["pid"]), (&"online".into(), &pid.into()), "{garbage:?}: {shown:?}");
        let read = || meta::read(&field.dir("p")).ok().flatten();
        eventually("the record is whole", || read().is_some_and(|meta| meta.pid == pid && meta.state == State::Online));
        eventually("it is supervised", || supervised(&field.dir("p")));
        assert_eq!((read().expect("a record").run, field.supervisors("p").len()), (run.clone(), 2), "{garbage:?}");
    }
    let before = field.size("p");
    eventually("it goes on writing", || field.size("p") > before);
    field.ok(&["stop", "p"]);
    assert!(!lives(pid));
    assert_eq!(field.read("p").state, State::Stopped);
    let text = String::from_utf8(field.written("p")).expect("numbers");
    assert_eq!(text, (0..text.lines().count()).map(|n| format!("{n}\n")).collect::<String>());

    // Also when nothing runs, what it ran is still known.
    damage(&field, Some(""));
    assert_eq!(field.list()[0]["status"], "stopped");
    field.ok(&["start", "--no-wait", "p"]);
    assert_eq!(field.read("p").run, run);
}

#[test]
fn without_any_record_the_process_is_made_out_from_what_runs() {
    let field = Field::new();
    let pid = field.start("p", &[], &["sleep", "1000"]);
    for worker_alone in [true, false] {
        meta::remove(&field.dir("p")).expect("removed");
        if worker_alone {
            let worker = field.supervisors("p")[1];
            kill_hard(worker);
            // Without anything to go by the next worker ends, and its guard with it.
            eventually("nobody supervises", || field.supervisors("p").is_empty());
        } else {
            field.kill_supervisors("p");
        }
        let shown = field.list();
        assert_eq!((&shown[0]["status"], &shown[0]["pid"]), (&"online".into(), &pid.into()), "{shown:?}");
        eventually("it is supervised again", || supervised(&field.dir("p")));
        assert_eq!((field.read("p").pid, field.read("p").run.argv), (pid, vec!["sleep".to_owned(), "1000".to_owned()]));
    }
    field.ok(&["stop", "p"]);
    assert!(!lives(pid));
}
