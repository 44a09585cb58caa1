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
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &[], &["sleep", "1000"]);
    for jump in [-1i64, 1] {
        sandbox.kill_supervisors("p");
        let mut meta = sandbox.read("p");
        meta.run_state.started_ms =
            meta.run_state.started_ms.saturating_add_signed(jump * i64::try_from(DAY_MS).expect("small"));
        meta.start_time = meta.run_state.started_ms / 1000;
        meta::write(&sandbox.dir("p"), &meta).expect("a record of another time");
        let shown = sandbox.list();
        assert_eq!((&shown[0]["status"], &shown[0]["pid"]), (&"online".into(), &pid.into()), "{jump}");
        sandbox.ok(&["info", "p"]);
    }
    // A back-off that should have ended long ago is over at once.
    sandbox.kill_supervisors("p");
    kill_hard(pid);
    eventually("the end", || !is_running(pid));
    let mut meta = sandbox.read("p");
    meta.set_state(ProcessState::Waiting);
    meta.run.restart = meta::RestartPolicy::Always;
    (meta.pid, meta.run_state.next_start_ms) = (0, 1);
    meta::write(&sandbox.dir("p"), &meta).expect("a record of another time");
    sandbox.ok(&["list"]);
    sandbox.until_state("p", ProcessState::Online);
    sandbox.ok(&["stop", "p"]);
}

#[test]
fn in_a_world_with_another_uptime_everything_works() {
    let sandbox = Sandbox::of_tsm();
    let before = ["unshare", "--fork", "--time", "--boottime", "1000000", "--monotonic", "500000"];
    let again =
        |words: &[&str]| CommandOutput::from(sandbox.command_under(&before, words).output().expect("unshare runs"));
    let start = again(&["start", "--no-wait", "--restart", "always", "--name", "p", "--", "sleep", "1000"]);
    if start.err.contains("unshare") {
        note("no time namespace can be made here");
        return;
    }
    assert_eq!(start.code, 0, "{start:?}");
    let pid = sandbox.read("p").pid;
    kill_hard(pid);
    sandbox.until("p", |meta| meta.pid != 0 && meta.pid != pid && meta.state == ProcessState::Online);
    let stop = again(&["stop", "p"]);
    assert_eq!((stop.code, sandbox.read("p").state), (0, ProcessState::Stopped), "{stop:?}");
}

#[test]
fn a_child_that_is_suspended_is_stopped() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.shell("p", &[], "exec sleep 1000");
    signal(pid, Signal::SIGSTOP);
    assert_eq!(sandbox.list()[0]["status"], "online");
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    let exit = sandbox.read("p").last_exit.expect("an end");
    assert_eq!(exit.status, ExitStatus::Signal(15), "it was continued and ended by itself, not killed after the grace");
}

#[test]
fn a_supervisor_that_is_suspended_is_continued() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.shell("p", &[], "exec sleep 1000");
    let life = sandbox.read("p").run_state;
    for supervisor in [life.guard_pid, life.worker_pid] {
        signal(supervisor, Signal::SIGSTOP);
    }
    assert_eq!(sandbox.list()[0]["status"], "online", "a look waits for nothing");
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
    let exit = sandbox.read("p").last_exit.expect("an end");
    assert_eq!(exit.status, ExitStatus::Signal(15), "it was continued and ended by itself, not killed after the grace");
}

#[test]
fn sixty_four_descriptors_are_enough() {
    let sandbox = Sandbox::of_tsm();
    let narrow = ["prlimit", "--nofile=64"];
    let run = |words: &[&str]| {
        let said = CommandOutput::from(sandbox.command_under(&narrow, words).output().expect("prlimit runs"));
        assert_eq!(said.code, 0, "{words:?}: {said:?}");
    };
    let line = "for i in $(seq 80); do setsid sleep 1007 & done; echo up; wait";
    run(&["start", "--no-wait", "--name", "p", "--", "sh", "-c", line]);
    for n in 0..80 {
        run(&["start", "--no-wait", "--name", &format!("q{n}"), "--", "sleep", "1000"]);
    }
    run(&["list"]);
    eventually("up", || sandbox.written("p") == b"up\n");
    run(&["restart", "--no-wait", "q1"]);
    run(&["stop", "*"]);
    assert!(sandbox.read("p").run_state.survivors.is_empty());
    run(&["delete", "*", "--yes"]);
    sandbox.assert_empty();
}

/// A sandbox that belongs to an ordinary user, and the words to become that user.
fn ordinary(uid: &'static str) -> Option<(Sandbox, Vec<&'static str>)> {
    if !nix::unistd::geteuid().is_root() {
        note("only root can become another user");
        return None;
    }
    let sandbox = Sandbox::of_tsm().with_program("program");
    fs::set_permissions(sandbox.root(), fs::Permissions::from_mode(0o755)).expect("open to others");
    let owner = format!("{uid}:{uid}");
    let given = Command::new("chown").args(["-R", &owner]).arg(sandbox.root()).status().expect("chown runs");
    assert!(given.success());
    Some((sandbox, vec!["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]))
}

#[test]
fn a_user_who_may_not_fork_is_reported_and_nothing_is_left() {
    // A user other than root has processes already, so that the first fork is refused.
    let (sandbox, user) = ordinary("64001").unwrap_or_else(|| (Sandbox::of_tsm(), Vec::new()));
    let mut failed = 0;
    for most in 1..9 {
        let limit = format!("--nproc={most}");
        let before = [&user[..], &["prlimit", &limit]].concat();
        let words = ["start", "--no-wait", "--name", "p", "--", "sleep", "1000"];
        let said: CommandOutput =
            CommandOutput::from(sandbox.command_under(&before, &words).output().expect("setpriv runs"));
        if said.code == 0 {
            sandbox.ok(&["delete", "p"]);
        } else {
            failed += 1;
            assert!(!said.err.contains("panic") && !said.err.is_empty(), "{most}: {said:?}");
            eventually("the supervisor has let go", || sandbox.supervisors("p").is_empty());
        }
        let left = fs::read_dir(sandbox.processes()).map_or(0, |dir| dir.count());
        assert_eq!(left, 0, "{most}: {said:?}");
    }
    assert!(failed > 0, "a limit was felt");
}

#[test]
fn an_ordinary_user_has_many_processes_and_every_word_of_them() {
    let Some((sandbox, user)) = ordinary("64002") else { return };
    // A few more than have pipes of the usual size.
    let many = scale(134, 520);
    let script: String = (0..many)
        .map(|n| format!("tsm start --no-wait --name p{n} -- sh -c 'seq 0 2000; exec sleep 1000'\n"))
        .collect();
    fs::write(sandbox.path("all.tetra"), script).expect("a script");
    let mut command = sandbox.command_under(&user, &[]);
    let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = Command::new("setpriv");
    command.args(&words[..words.len() - 1]).arg(sandbox.path("all.tetra")).env_clear();
    command.env("PATH", std::env::var("PATH").expect("a PATH"));
    let said = CommandOutput::from(
        command.env("HOME", sandbox.root()).env("TETRA_DIR", sandbox.home()).output().expect("tetra runs"),
    );
    assert_eq!(said.code, 0, "{said:?}");
    let expected: String = (0..=2000).map(|n| format!("{n}\n")).collect();
    for n in 0..many {
        let name = format!("p{n}");
        eventually(&format!("all words of {name}"), || sandbox.written(&name) == expected.as_bytes());
    }
    // The kernel allows a user 64 MiB of pipes; what floods may have a quarter of it, so 48 are for all the others.
    let usual = pipes_of(&sandbox, "p0");
    let last = format!("p{}", many - 1);
    let mut few = usize::MAX;
    eventually("500 processes fit, once the pipes of one of many are small again", || {
        few = pipes_of(&sandbox, &last);
        128 * usual + (500 - 128) * few < 48 << 20
    });
    note(&format!("pipes of a process: {usual} bytes, of one of many {few} bytes"));
    // Every other pipe of that user holds as much as usual, once all have said their words: so much is written without a reader.
    let line =
        "rm -f pipe && mkfifo pipe && exec 9<>pipe && timeout 1 dd if=/dev/zero bs=4096 count=16 status=none >&9";
    eventually("another pipe of that user holds as much as usual", || {
        let mut pipe = Command::new(user[0]);
        let pipe = pipe.args(&user[1..]).args(["sh", "-c", line]).current_dir(sandbox.root()).status();
        pipe.expect("sh runs").success()
    });
    sandbox.ok(&["delete", "*", "--yes"]);
}

/// How much the pipes of a process and its supervisor may hold together.
fn pipes_of(sandbox: &Sandbox, name: &str) -> usize {
    let guard = sandbox.read(name).run_state.guard_pid;
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
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &[], &["sleep", "1000"]);
    sandbox.kill_supervisors("p");
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
    assert_eq!(sandbox.list()[0]["status"], "crashed");
    sandbox.run(&["stop", "p"]);
    sandbox.ok(&["delete", "p"]);
    assert!(is_running(pid), "the stranger was not touched");
    stranger.kill().and_then(|()| stranger.wait()).expect("ended");
}

#[test]
fn a_child_whose_pipe_is_full_goes_on_when_it_is_read() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.shell("p", &[], "while [ ! -e go ]; do sleep 0.01; done; seq 0 60000; exec sleep 1000");
    sandbox.kill_supervisors("p");
    fs::write(sandbox.path("go"), "").expect("a sign");
    eventually("the child waits for a reader", || {
        sandbox
            .processes_with_argument("60000")
            .iter()
            .any(|pid| fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|at| at.contains("pipe_write")))
    });
    assert_eq!(
        client::launch(std::path::Path::new(crate::world::PROGRAM), &sandbox.dir("p")).expect("a word"),
        LaunchResult::Adopted { pid }
    );
    let expected: String = (0..=60_000).map(|n| format!("{n}\n")).collect();
    eventually("every line", || sandbox.written("p") == expected.as_bytes());
    sandbox.ok(&["stop", "p"]);
}

#[test]
fn a_line_of_ten_megabytes_arrives_whole() {
    let sandbox = Sandbox::of_tsm();
    sandbox.shell("p", &["--log-size", "1G"], "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end");
    eventually("the end", || sandbox.written("p").ends_with(b"\nend\n"));
    let written = sandbox.written("p");
    assert!(written.len() == 10_000_005 && written[..10_000_000].iter().all(|byte| *byte == b'x'));
    let shown = sandbox.ok(&["logs", "p", "--out"]);
    assert!(shown.ends_with("end\n"), "{} bytes shown", shown.len());
}

#[test]
fn binary_output_is_kept_byte_for_byte_and_shown_harmless() {
    let sandbox = Sandbox::of_tsm();
    // Without ESC: colours are shown, and random bytes spell one now and then.
    sandbox.shell("p", &[], "head -c 400000 /dev/urandom | tr -d '\\033' | head -c 300000 | tee raw; printf '\\033[2J\\033]0;title\\007\\nend\\n'");
    eventually("the end", || sandbox.written("p").ends_with(b"\nend\n"));
    let raw = fs::read(sandbox.path("raw")).expect("what was written");
    assert_eq!(sandbox.written("p")[..300_000], raw);
    // Into a pipe as it is, onto a terminal so that nothing of it is obeyed.
    let piped = sandbox.command(&["logs", "p", "-n", "1000000", "--out"]).output().expect("tetra runs").stdout;
    assert!(piped == sandbox.written("p"), "a pipe gets every byte as it was written");
    let line = format!("{} tsm logs p -n 1000000 --out", crate::world::PROGRAM);
    let mut terminal = Command::new("script");
    terminal.args(["-qc", &line, "/dev/null"]).env("HOME", sandbox.root()).env("TETRA_DIR", sandbox.home());
    let shown = terminal.stdin(std::process::Stdio::null()).output().expect("script runs").stdout;
    assert!(shown.len() > 100_000, "{} bytes", shown.len());
    let harmful = shown.iter().find(|byte| matches!(**byte, 0x00..=0x08 | 0x0b | 0x0c | 0x0e..=0x1f | 0x7f));
    assert_eq!(harmful, None, "a control character reached the terminal");
}

#[test]
fn a_chatty_child_without_newlines_does_not_hold_up_a_stop() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &["--log-size", "1M", "--log-keep", "1"], &["cat", "/dev/zero"]);
    eventually("it floods", || fs::metadata(sandbox.dir("p").join("current.out")).is_ok_and(|it| it.len() > 500_000));
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid));
}
