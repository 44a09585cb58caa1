//! Whose a process is: nothing takes the place of a service, and nothing of it is missed.

use crate::sandbox::{Sandbox, is_running, kill_hard, signal};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use tetra::supervise::meta::{ProcessState, ProcessStatus};
use tetra::supervise::ownership;

use super::note;
use crate::waiting::eventually;

/// An ordinary user who has no part in anything.
const STRANGER: u32 = 65534;

/// Ends with its owner.
struct Bystander(Child);

impl Bystander {
    /// Sleeps as another user, where this one may make it, and says that it was started in the directory of `name`.
    fn naming(sandbox: &Sandbox, name: &str, seconds: &str) -> Option<Self> {
        if ownership::user_of(std::process::id()) != Some(0) {
            note("only root can make a process of another user");
            return None;
        }
        let mut command = Command::new("setsid");
        command.args(["sleep", seconds]).uid(STRANGER).gid(STRANGER).current_dir("/");
        command.env("TSM_PROCESS_DIR", sandbox.dir(name)).env("TSM_RUN", "0.0123456789abcdef");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let bystander = Self(child.expect("setsid runs"));
        let is_marked = || {
            let environ = std::fs::read(format!("/proc/{}/environ", bystander.0.id())).unwrap_or_default();
            String::from_utf8_lossy(&environ).contains("TSM_PROCESS_DIR=")
        };
        eventually("it sleeps", || is_marked() && sandbox.processes_with_argument(seconds).contains(&bystander.0.id()));
        Some(bystander)
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn a_stranger_who_names_our_directory_is_neither_taken_nor_touched() {
    let sandbox = Sandbox::of_tsm();
    sandbox.start("web", &[], &["sleep", "7701"]);
    sandbox.ok(&["stop", "web"]);
    let Some(stranger) = Bystander::naming(&sandbox, "web", "7700") else { return };
    let pid = stranger.0.id();
    for words in [&["start", "--no-wait", "web"][..], &["restart", "--no-wait", "web"]] {
        sandbox.ok(words);
        let meta = sandbox.read("web");
        assert!(meta.pid != pid && is_running(meta.pid), "{words:?}");
        eventually("the service runs", || sandbox.processes_with_argument("7701") == [meta.pid]);
    }
    sandbox.ok(&["delete", "web"]);
    assert!(is_running(pid) && sandbox.processes_with_argument("7701").is_empty());
    // Without any directory the name is not his either.
    assert_eq!(sandbox.run(&["kill", "web", "--yes"]).code, 5);
    assert!(is_running(pid));
    sandbox.start("web", &[], &["sleep", "7701"]);
    sandbox.ok(&["delete", "web"]);
    sandbox.assert_empty();
}

/// Starts a service with a daemon beside it, and kills all but the daemon; its pid.
fn only_a_daemon_lives(sandbox: &Sandbox, policy: &str) -> u32 {
    let line = "setsid -f sh -c 'echo $$ > daemon; exec sleep 6002'; exec sleep 6003";
    let pid = sandbox.shell("s", &["--restart", policy], line);
    let daemon = sandbox.number("daemon");
    eventually("both sleep", || {
        sandbox.processes_with_argument("6002").contains(&daemon)
            && sandbox.processes_with_argument("6003").contains(&pid)
    });
    sandbox.kill_all_but_strays("s");
    assert!(is_running(daemon));
    daemon
}

#[test]
fn a_daemon_of_a_dead_life_is_not_taken_for_the_service() {
    for policy in ["never", "always"] {
        for verb in ["start", "restart"] {
            let sandbox = Sandbox::of_tsm();
            let daemon = only_a_daemon_lives(&sandbox, policy);
            let said = sandbox.run(&[verb, "--no-wait", "s"]);
            // A look may have taken up the restart before.
            assert!(said.code == 0 || policy == "always" && verb == "start", "{policy} {verb}: {said:?}");
            let meta = sandbox.until_state("s", ProcessState::Online);
            eventually("the service runs", || sandbox.processes_with_argument("6003").contains(&meta.pid));
            assert!(!is_running(daemon), "{policy} {verb}: what the life before left is ended");
            sandbox.ok(&["stop", "s"]);
            assert_eq!(sandbox.children("s"), Vec::<u32>::new());
        }
    }
}

#[test]
fn stop_kill_and_delete_leave_nothing_of_what_has_no_supervisor() {
    for words in [&["stop", "s"][..], &["kill", "s", "--yes"], &["delete", "s"], &["stop", "*"]] {
        let sandbox = Sandbox::of_tsm();
        let daemon = only_a_daemon_lives(&sandbox, "never");
        let said = sandbox.run(words);
        assert_eq!(said.code, 0, "{words:?}: {said:?}");
        assert!(!is_running(daemon), "{words:?}: {said:?}");
        assert!(!said.out.contains("kill timeout"), "{words:?}: {said:?}");
        if words[0] == "stop" {
            assert_eq!(sandbox.list()[0]["status"], "stopped");
        } else {
            sandbox.assert_empty();
        }
    }
}

#[test]
fn a_look_takes_up_the_restart_of_what_died_unseen() {
    for (policy, status) in [("always", "online"), ("on-failure", "online"), ("never", "crashed")] {
        let sandbox = Sandbox::of_tsm();
        sandbox.shell("s", &["--restart", policy], "exec sleep 6004");
        sandbox.kill_all_but_strays("s");
        let shown = sandbox.list();
        assert_eq!(shown[0]["status"], status, "{policy}: {shown:?}");
        let runs = usize::from(status == "online");
        eventually("it runs, or not", || sandbox.children("s").len() == runs);
    }
}

/// Daemons: one has the words of a supervisor and holds a lock in the directory that it names, the other the mark of another
/// directory.
const ALIKE: &str = "
import ctypes, fcntl, os, time
def daemon(work):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        work()
    os.wait()
def pose():
    os.mkdir('posing.d')
    os.chdir('posing.d')
    global held
    held = open('lock', 'w')
    fcntl.lockf(held, fcntl.LOCK_EX)
    fields = open('/proc/self/stat').read().rsplit(')', 1)[1].split()
    begin, end = int(fields[45]), int(fields[46])
    words = b'python3\\0--supervise\\0' + os.getcwd().encode() + b'\\0'
    ctypes.memmove(begin, words.ljust(end - begin, b'\\0'), end - begin)
    open('../posing', 'w').write(str(os.getpid()))
    while True: time.sleep(1)
def say_elsewhere():
    here = os.environ['TSM_PROCESS_DIR']
    other = dict(os.environ, TSM_PROCESS_DIR=os.path.dirname(here) + '/other', TSM_RUN='9.feed')
    os.execve('/bin/sh', ['sh', '-c', 'echo $$ > elsewhere; while :; do sleep 0.05; done'], other)
daemon(pose)
daemon(say_elsewhere)
print('ready', flush=True)
while True: time.sleep(1)";

#[test]
fn a_child_that_looks_like_a_supervisor_ends_with_the_others() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &[], &["python3", "-c", ALIKE]);
    let pids = ["posing", "elsewhere"].map(|name| sandbox.number(name));
    eventually("all run", || sandbox.written("p") == b"ready\n" && pids.iter().all(|pid| is_running(*pid)));
    let words = std::fs::read(format!("/proc/{}/cmdline", pids[0])).expect("words");
    assert!(words.starts_with(b"python3\0--supervise\0"), "{words:?}");
    sandbox.ok(&["stop", "p"]);
    assert_eq!((pids.map(is_running), is_running(pid)), ([false; 2], false));
}

#[test]
fn a_process_that_was_started_from_within_another_one_stays() {
    let sandbox = Sandbox::of_tsm();
    let program = crate::world::PROGRAM;
    let line = format!("{program} tsm start --no-wait --name inner sleep 6005; echo done; exec sleep 6006");
    sandbox.shell("outer", &[], &line);
    eventually("both run", || {
        sandbox.written("outer").ends_with(b"done\n") && sandbox.processes_with_argument("6006").len() == 1
    });
    let inner = sandbox.read("inner").pid;
    sandbox.ok(&["stop", "outer"]);
    assert!(is_running(inner));
    // Also when it has no supervisor just then.
    sandbox.ok(&["start", "--no-wait", "outer"]);
    sandbox.kill_supervisors("inner");
    sandbox.ok(&["stop", "outer"]);
    assert!(is_running(inner));
    kill_hard(inner);
}

#[test]
fn a_child_that_ended_under_stopped_supervisors_is_not_called_online() {
    for (policy, then) in [("never", "crashed"), ("always", "online")] {
        let sandbox = Sandbox::of_tsm();
        let pid = sandbox.shell("p", &["--restart", policy], "exec sleep 6007");
        let life = sandbox.read("p").run_state;
        for supervisor in [life.guard_pid, life.worker_pid] {
            signal(supervisor, Signal::SIGSTOP);
        }
        let stopped = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
        };
        eventually("both are stopped", || stopped(life.guard_pid) && stopped(life.worker_pid));
        let doctor = sandbox.run(&["doctor"]);
        assert!(doctor.out.contains("is suspended (SIGSTOP)"), "{doctor:?}");
        kill_hard(pid);
        eventually("the child is dead", || !is_running(pid));
        let process = tetra::tsm::store::ProcessStore::open(&tetra::sys::paths::Paths::under(sandbox.root()));
        let process = process.get(&"p".parse().expect("a name")).expect("the process");
        assert_eq!((process.status(), process.pid(), process.live.stalled), (ProcessStatus::Crashed, None, true));
        // A command that sees it continues them, and they do what is to be done.
        let shown = sandbox.list();
        assert_eq!(shown[0]["status"], then, "{policy}: {shown:?}");
        assert!(shown[0]["pid"] != pid);
        sandbox.ok(&["delete", "p"]);
    }
}
