//! Clocks that jump, processes that stand still, limits, pids that are used again, and output of every kind.

use crate::sandbox::{CommandOutput, Sandbox, is_running, kill_hard, signal};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use tetra::supervise::client::{self, LaunchResult};
use tetra::supervise::meta::{self, ExitStatus, ProcessState};

use super::note;
use super::scale;
use crate::waiting::eventually;

/// A memory control group of a test.
pub(super) struct Group {
    pub(super) path: PathBuf,
}

impl Drop for Group {
    fn drop(&mut self) {
        let path = self.path.clone();
        eventually("the group is empty", || fs::remove_dir(&path).is_ok() || !path.exists());
    }
}

/// A memory control group with a limit; none where it cannot be made.
pub(super) fn memory_group(name: &str, mebibytes: u64) -> Option<Group> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let (base, limit) = own.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        if let Some(path) = rest.strip_prefix("memory:/") {
            return Some((PathBuf::from("/sys/fs/cgroup/memory").join(path), "memory.limit_in_bytes"));
        }
        let path = PathBuf::from("/sys/fs/cgroup").join(rest.strip_prefix(":/")?);
        path.join("memory.max").exists().then_some((path, "memory.max"))
    })?;
    let path = base.join(format!("{name}-{}", std::process::id()));
    fs::create_dir(&path).ok()?;
    let group = Group { path };
    fs::write(group.path.join(limit), (mebibytes << 20).to_string()).ok()?;
    Some(group)
}

#[test]
fn a_clock_that_jumped_decides_nothing() {
    const DAY_MS: u64 = 86_400_000;
    let field = Sandbox::of_tsm();
    let pid = field.start("p", &[], &["sleep", "1000"]);
    for jump in [-1i64, 1] {
        field.kill_supervisors("p");
        let mut meta = field.read("p");
        meta.run_state.started_ms =
            meta.run_state.started_ms.saturating_add_signed(jump * i64::try_from(DAY_MS).expect("small"));
        meta.start_time = meta.run_state.started_ms / 1000;
        meta::write(&field.dir("p"), &meta).expect("a record of another time");
        let shown = field.list();
        assert_eq!((&shown[0]["status"], &shown[0]["pid"]), (&"online".into(), &pid.into()), "{jump}");
        field.ok(&["info", "p"]);
    }
    // A back-off that should have ended long ago is over at once.
    field.kill_supervisors("p");
    kill_hard(pid);
    eventually("the end", || !is_running(pid));
    let mut meta = field.read("p");
    meta.set_state(ProcessState::Waiting);
    meta.run.restart = meta::RestartPolicy::Always;
    (meta.pid, meta.run_state.next_start_ms) = (0, 1);
    meta::write(&field.dir("p"), &meta).expect("a record of another time");
    field.ok(&["list"]);
    field.until_state("p", ProcessState::Online);
    field.ok(&["stop", "p"]);
}

#[test]
fn in_a_world_with_another_uptime_everything_works() {
    let field = Sandbox::of_tsm();
    let before = ["unshare", "--fork", "--time", "--boottime", "1000000", "--monotonic", "500000"];
    let again =
        |words: &[&str]| CommandOutput::from(field.command_under(&before, words).output().expect("unshare runs"));
    let start = again(&["start", "--no-wait", "--restart", "always", "--name", "p", "--", "sleep", "1000"]);
    if start.err.contains("unshare") {
        note("no time namespace can be made here");
        return;
    }
    assert_eq!(start.code, 0, "{start:?}");
    let pid = field.read("p").pid;
    kill_hard(pid);
    field.until("p", |meta| meta.pid != 0 && meta.pid != pid && meta.state == ProcessState::Online);
    let stop = again(&["stop", "p"]);
    assert_eq!((stop.code, field.read("p").state), (0, ProcessState::Stopped), "{stop:?}");
}

#[test]
fn a_child_that_stands_still_is_stopped() {
    let field = Sandbox::of_tsm();
    let pid = field.shell("p", &[], "exec sleep 1000");
    signal(pid, Signal::SIGSTOP);
    assert_eq!(field.list()[0]["status"], "online");
    field.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    let exit = field.read("p").last_exit.expect("an end");
    assert_eq!(exit.status, ExitStatus::Signal(15), "it was continued and ended by itself, not killed after the grace");
}

#[test]
fn a_supervisor_that_stands_still_is_continued() {
    let field = Sandbox::of_tsm();
    let pid = field.shell("p", &[], "exec sleep 1000");
    let life = field.read("p").run_state;
    for supervisor in [life.guard_pid, life.worker_pid] {
        signal(supervisor, Signal::SIGSTOP);
    }
    assert_eq!(field.list()[0]["status"], "online", "looking waits for nobody");
    field.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    let exit = field.read("p").last_exit.expect("an end");
    assert_eq!(exit.status, ExitStatus::Signal(15), "it was continued and ended by itself, not killed after the grace");
}

#[test]
fn sixty_four_descriptors_are_enough() {
    let field = Sandbox::of_tsm();
    let narrow = ["prlimit", "--nofile=64"];
    let run = |words: &[&str]| {
        let said = CommandOutput::from(field.command_under(&narrow, words).output().expect("prlimit runs"));
        assert_eq!(said.code, 0, "{words:?}: {said:?}");
    };
    let line = "for i in $(seq 80); do setsid sleep 1007 & done; echo up; wait";
    run(&["start", "--no-wait", "--name", "p", "--", "sh", "-c", line]);
    for n in 0..80 {
        run(&["start", "--no-wait", "--name", &format!("q{n}"), "--", "sleep", "1000"]);
    }
    run(&["list"]);
    eventually("up", || field.written("p") == b"up\n");
    run(&["restart", "--no-wait", "q1"]);
    run(&["stop", "*"]);
    assert!(field.read("p").run_state.survivors.is_empty());
    run(&["delete", "*", "--yes"]);
    field.assert_empty();
}

/// A field that belongs to an ordinary user, and the words to become that user.
fn ordinary(uid: &'static str) -> Option<(Sandbox, Vec<&'static str>)> {
    if !nix::unistd::geteuid().is_root() {
        note("only root can become another user");
        return None;
    }
    let field = Sandbox::of_tsm().with_program("program");
    fs::set_permissions(field.root(), fs::Permissions::from_mode(0o755)).expect("open to others");
    let owner = format!("{uid}:{uid}");
    let given = Command::new("chown").args(["-R", &owner]).arg(field.root()).status().expect("chown runs");
    assert!(given.success());
    Some((field, vec!["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]))
}

#[test]
fn a_user_who_may_not_fork_is_told_and_nothing_is_left() {
    // A user other than root has processes already, so that the first fork is refused.
    let (field, user) = ordinary("64001").unwrap_or_else(|| (Sandbox::of_tsm(), Vec::new()));
    let mut failed = 0;
    for most in 1..9 {
        let limit = format!("--nproc={most}");
        let before = [&user[..], &["prlimit", &limit]].concat();
        let words = ["start", "--no-wait", "--name", "p", "--", "sleep", "1000"];
        let said: CommandOutput =
            CommandOutput::from(field.command_under(&before, &words).output().expect("setpriv runs"));
        if said.code == 0 {
            field.ok(&["delete", "p"]);
        } else {
            failed += 1;
            assert!(!said.err.contains("panic") && !said.err.is_empty(), "{most}: {said:?}");
            eventually("the supervisor has let go", || field.supervisors("p").is_empty());
        }
        let left = fs::read_dir(field.processes()).map_or(0, |dir| dir.count());
        assert_eq!(left, 0, "{most}: {said:?}");
    }
    assert!(failed > 0, "a limit was felt");
}

#[test]
fn an_ordinary_user_has_many_processes_and_every_word_of_them() {
    let Some((field, user)) = ordinary("64002") else { return };
    // A few more than have pipes of the usual size.
    let many = scale(134, 520);
    let script: String = (0..many)
        .map(|n| format!("tsm start --no-wait --name p{n} -- sh -c 'seq 0 2000; exec sleep 1000'\n"))
        .collect();
    fs::write(field.path("all.tetra"), script).expect("a script");
    let mut command = field.command_under(&user, &[]);
    let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = Command::new("setpriv");
    command.args(&words[..words.len() - 1]).arg(field.path("all.tetra")).env_clear();
    command.env("PATH", std::env::var("PATH").expect("a PATH"));
    let said = CommandOutput::from(
        command.env("HOME", field.root()).env("TETRA_DIR", field.home()).output().expect("tetra runs"),
    );
    assert_eq!(said.code, 0, "{said:?}");
    let expected: String = (0..=2000).map(|n| format!("{n}\n")).collect();
    for n in 0..many {
        let name = format!("p{n}");
        eventually(&format!("all words of {name}"), || field.written(&name) == expected.as_bytes());
    }
    // The kernel allows a user 64 MiB of pipes; what floods may have a quarter of it, so 48 are for all the others.
    let usual = pipes_of(&field, "p0");
    let last = format!("p{}", many - 1);
    let mut few = usize::MAX;
    eventually("500 processes fit, once the pipes of one of many are small again", || {
        few = pipes_of(&field, &last);
        128 * usual + (500 - 128) * few < 48 << 20
    });
    note(&format!("pipes of a process: {usual} bytes, of one of many {few} bytes"));
    // Every other pipe of that user holds as much as usual, once all have said their words: so much is written without a reader.
    let line =
        "rm -f pipe && mkfifo pipe && exec 9<>pipe && timeout 1 dd if=/dev/zero bs=4096 count=16 status=none >&9";
    eventually("another pipe of that user holds as much as usual", || {
        let mut pipe = Command::new(user[0]);
        let pipe = pipe.args(&user[1..]).args(["sh", "-c", line]).current_dir(field.root()).status();
        pipe.expect("sh runs").success()
    });
    field.ok(&["delete", "*", "--yes"]);
}

/// How much the pipes of a process and its supervisor may hold together.
fn pipes_of(field: &Sandbox, name: &str) -> usize {
    let guard = field.read(name).run_state.guard_pid;
    let entries = fs::read_dir(format!("/proc/{guard}/fd")).expect("its descriptors").flatten();
    let mut seen = std::collections::BTreeSet::new();
    let sizes = entries.filter_map(|entry| {
        let found = fs::metadata(entry.path()).ok().filter(|found| found.file_type().is_fifo())?;
        seen.insert((found.dev(), found.ino())).then_some(())?;
        let pipe = fs::OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(entry.path());
        rustix::pipe::fcntl_getpipe_size(pipe.ok()?).ok()
    });
    sizes.sum()
}

#[test]
fn a_pid_that_a_stranger_has_now_is_not_touched() {
    let field = Sandbox::of_tsm();
    let pid = field.start("p", &[], &["sleep", "1000"]);
    field.kill_supervisors("p");
    kill_hard(pid);
    eventually("the end", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    let mut stranger = None;
    let last = (pid - 1).to_string();
    eventually("a stranger gets the pid", || {
        if fs::write("/proc/sys/kernel/ns_last_pid", &last).is_err() {
            return true;
        }
        let mut child = Command::new("setsid").args(["sleep", "1009"]).spawn().expect("sleep runs");
        if child.id() == pid {
            stranger = Some(child);
            return true;
        }
        child.kill().and_then(|()| child.wait()).expect("ended");
        false
    });
    let Some(mut stranger) = stranger else {
        note("pids cannot be chosen here");
        return;
    };
    assert_eq!(field.list()[0]["status"], "crashed");
    field.run(&["stop", "p"]);
    field.ok(&["delete", "p"]);
    assert!(is_running(pid), "the stranger was not touched");
    stranger.kill().and_then(|()| stranger.wait()).expect("ended");
}

#[test]
fn a_child_whose_pipe_is_full_goes_on_when_somebody_reads() {
    let field = Sandbox::of_tsm();
    let pid = field.shell("p", &[], "while [ ! -e go ]; do sleep 0.01; done; seq 0 60000; exec sleep 1000");
    field.kill_supervisors("p");
    fs::write(field.path("go"), "").expect("a sign");
    eventually("the child waits for a reader", || {
        field
            .processes_with_argument("60000")
            .iter()
            .any(|pid| fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|at| at.contains("pipe_write")))
    });
    assert_eq!(
        client::launch(std::path::Path::new(crate::world::PROGRAM), &field.dir("p")).expect("a word"),
        LaunchResult::Adopted { pid }
    );
    let expected: String = (0..=60_000).map(|n| format!("{n}\n")).collect();
    eventually("every line", || field.written("p") == expected.as_bytes());
    field.ok(&["stop", "p"]);
}

#[test]
fn a_line_of_ten_megabytes_arrives_whole() {
    let field = Sandbox::of_tsm();
    field.shell("p", &["--log-size", "1G"], "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end");
    eventually("the end", || field.written("p").ends_with(b"\nend\n"));
    let written = field.written("p");
    assert!(written.len() == 10_000_005 && written[..10_000_000].iter().all(|byte| *byte == b'x'));
    let shown = field.ok(&["logs", "p", "--out"]);
    assert!(shown.ends_with("end\n"), "{} bytes shown", shown.len());
}

#[test]
fn binary_output_is_kept_byte_for_byte_and_shown_harmless() {
    let field = Sandbox::of_tsm();
    // Without ESC: colours are shown, and random bytes spell one now and then.
    field.shell("p", &[], "head -c 400000 /dev/urandom | tr -d '\\033' | head -c 300000 | tee raw; printf '\\033[2J\\033]0;title\\007\\nend\\n'");
    eventually("the end", || field.written("p").ends_with(b"\nend\n"));
    let raw = fs::read(field.path("raw")).expect("what was written");
    assert_eq!(field.written("p")[..300_000], raw);
    // Into a pipe as it is, onto a terminal so that nothing of it is obeyed.
    let piped = field.command(&["logs", "p", "-n", "1000000", "--out"]).output().expect("tetra runs").stdout;
    assert!(piped == field.written("p"), "a pipe gets every byte as it was written");
    let line = format!("{} tsm logs p -n 1000000 --out", crate::world::PROGRAM);
    let mut terminal = Command::new("script");
    terminal.args(["-qc", &line, "/dev/null"]).env("HOME", field.root()).env("TETRA_DIR", field.home());
    let shown = terminal.stdin(std::process::Stdio::null()).output().expect("script runs").stdout;
    assert!(shown.len() > 100_000, "{} bytes", shown.len());
    let harmful = shown.iter().find(|byte| matches!(**byte, 0x00..=0x08 | 0x0b | 0x0c | 0x0e..=0x1f | 0x7f));
    assert_eq!(harmful, None, "a control character reached the terminal");
}

#[test]
fn a_chatty_child_without_newlines_does_not_hold_up_a_stop() {
    let field = Sandbox::of_tsm();
    let pid = field.start("p", &["--log-size", "1M", "--log-keep", "1"], &["cat", "/dev/zero"]);
    eventually("it floods", || fs::metadata(field.dir("p").join("current.out")).is_ok_and(|it| it.len() > 500_000));
    field.ok(&["stop", "p"]);
    assert!(!is_running(pid));
}
