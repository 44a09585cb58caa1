//! Stopping leaves nothing, whatever the child made of itself.

use crate::ports::free_port;
use crate::sandbox::{CommandOutput, Sandbox, is_running};
use std::process::Stdio;

use tetra::supervise::meta::ProcessState;

use crate::waiting::eventually;

/// In the child's group, in a session of its own, a daemon without any tie to where it came from.
const STRAYS: &str = "
    sleep 1001 & echo $! > group
    setsid sleep 1002 & echo $! > session
    python3 -c 'import os
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open(\"daemon\", \"w\").write(str(os.getpid()))
os.closerange(0, 3)
os.execve(\"/bin/sleep\", [\"sleep\", \"1003\"], {})'
    trap '' TERM
    echo ready; while :; do sleep 0.05; done";

fn strays(sandbox: &Sandbox) -> [u32; 3] {
    let pids = ["group", "session", "daemon"].map(|file| sandbox.number(file));
    eventually("all run", || sandbox.written("p") == b"ready\n" && pids.iter().all(|pid| is_running(*pid)));
    pids
}

#[test]
fn strays_of_a_deaf_child_end_with_it() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.shell("p", &["--kill-timeout", "300ms"], STRAYS);
    let strays = strays(&sandbox);
    let text = sandbox.ok(&["stop", "p"]);
    assert!(text.contains("killed after its kill timeout"), "{text}");
    assert_eq!((strays.map(is_running), is_running(pid)), ([false; 3], false));
}

#[test]
fn strays_of_an_adopted_child_end_with_it() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.shell(
        "p",
        &["--kill-timeout", "300ms"],
        &STRAYS.replace(", {})", ", {\"TSM_RUN\": os.environ[\"TSM_RUN\"]})"),
    );
    let strays = strays(&sandbox);
    sandbox.kill_supervisors("p");
    sandbox.ok(&["stop", "p"]);
    assert_eq!((strays.map(is_running), is_running(pid)), ([false; 3], false));
}

const BOMB: &str = "
import os, time
for n in range(200):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        while True:
            time.sleep(0.2)
            if os.fork() == 0: time.sleep(0.1); os._exit(0)
            os.waitpid(-1, os.WNOHANG)
print('armed', flush=True)
while True: time.sleep(1)";

#[test]
fn a_bomb_of_two_hundred_is_swept() {
    // Below the guard that saw it start, and after guard and worker were killed and the child was adopted.
    for (adopted, word) in [(false, "bomb-4711"), (true, "bomb-4712")] {
        let sandbox = Sandbox::of_tsm();
        sandbox.start("p", &["--kill-timeout", "500ms"], &["python3", "-c", BOMB, word]);
        eventually("armed", || sandbox.written("p") == b"armed\n" && sandbox.processes_with_argument(word).len() > 200);
        if adopted {
            sandbox.kill_supervisors("p");
        }
        sandbox.ok(&["stop", "p"]);
        assert_eq!(sandbox.processes_with_argument(word), Vec::<u32>::new());
        assert!(sandbox.read("p").run_state.survivors.is_empty());
    }
}

#[test]
fn a_stop_while_starting_ends_the_start() {
    let sandbox = Sandbox::of_tsm();
    let words = ["start", "--name", "p", "--pre-hook", "sleep 1011", "--", "sleep", "1011"];
    let start = sandbox.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs");
    eventually("it is starting", || {
        sandbox.dir("p").join("orders").exists() && sandbox.list().iter().any(|it| it["state"] == "starting")
    });
    sandbox.ok(&["stop", "p"]);
    let answer = CommandOutput::from(start.wait_with_output().expect("an end"));
    assert_ne!(answer.code, 0, "{answer:?}");
    assert_eq!(sandbox.processes_with_argument("1011"), Vec::<u32>::new());
}

#[test]
fn a_restart_while_stopping_ends_in_one_child_and_a_stop_while_restarting_in_none() {
    let sandbox = Sandbox::of_tsm();
    let deaf = "trap '' TERM; echo up; while :; do sleep 0.02; done";
    let first = sandbox.shell("p", &["--kill-timeout", "1s"], deaf);
    eventually("a trap", || sandbox.written("p") == b"up\n");
    let stop =
        sandbox.command(&["stop", "p"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs");
    sandbox.until_state("p", ProcessState::Stopping);
    sandbox.ok(&["restart", "--no-wait", "p"]);
    stop.wait_with_output().expect("an end");
    let meta = sandbox.until_state("p", ProcessState::Online);
    assert!(meta.pid != first && !is_running(first));

    eventually("a trap again", || sandbox.written("p") == b"up\nup\n");
    let restart =
        sandbox.command(&["restart", "p"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs");
    sandbox.until_state("p", ProcessState::Stopping);
    sandbox.ok(&["stop", "p"]);
    restart.wait_with_output().expect("an end");
    sandbox.until_unsupervised("p");
    assert!(!is_running(meta.pid));
    assert_eq!(sandbox.read("p").state, ProcessState::Stopped);
}

#[test]
fn after_a_stop_the_port_is_free_or_its_holder_is_named() {
    let sandbox = Sandbox::of_tsm();
    let port = free_port().to_string();
    let server =
        ["start", "--name", "web", "--port", &port, "--", "python3", "-m", "http.server", "--bind", "127.0.0.1", &port];
    sandbox.ok(&server);
    let name = format!("web-{port}");
    let text = sandbox.ok(&["stop", &name]);
    assert!(!text.contains("still held"), "{text}");
    let listener = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port is free");
    drop(listener);

    // Another process takes it in the moment in which the process lets it go.
    let thief = "import os,signal,socket,time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(('127.0.0.1', int(os.environ['PORT']))); s.listen(); print('up', flush=True); time.sleep(1000)";
    sandbox.ok(&["start", "--name", "shared", "--port", &port, "--", "python3", "-c", thief]);
    let mut stranger = std::process::Command::new("python3");
    let mut stranger =
        stranger.args(["-c", thief]).env("PORT", &port).stdout(Stdio::piped()).spawn().expect("python runs");
    let mut word = [0; 2];
    std::io::Read::read_exact(stranger.stdout.as_mut().expect("piped"), &mut word).expect("it listens");
    let said = sandbox.run(&["stop", &format!("shared-{port}")]);
    stranger.kill().and_then(|()| stranger.wait()).expect("ended");
    let text = format!("{}{}", said.out, said.err);
    assert!(said.code == 0 && text.contains(&format!("pid {}", stranger.id())), "{text}");
}
