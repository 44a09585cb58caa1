//! Looking after processes: health, readiness, files, memory.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tetra::supervise::client;
use tetra::supervise::meta::{self, Meta, ProcessState};
use tetra::tsm::sidecar;
use tetra::tsm::sidecar::health::{self, HealthState, HealthStatus};

use crate::waiting::eventually;
use crate::world::World;

fn dir(world: &World, name: &str) -> PathBuf {
    world.paths().process(&name.parse().expect("a name"))
}

fn record(world: &World, name: &str) -> Meta {
    meta::read(&dir(world, name)).expect("readable").expect("a record")
}

fn health(world: &World, name: &str) -> HealthState {
    health::for_run(&dir(world, name), &record(world, name)).expect("it is looked after")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn end(pid: u32) {
    let _ = kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), Signal::SIGKILL);
}

/// The pid of the attendant.
fn sidecar_pid(world: &World, name: &str) -> u32 {
    let text = fs::read_to_string(dir(world, name).join("attendant")).expect("it has one");
    text.trim().parse().expect("a pid")
}

const CHECKED: &str =
    "--health 'exec:test -e well || { echo no file; false; }' --health-interval 50ms --health-threshold 2";

#[test]
fn health_is_shown_and_an_unhealthy_process_is_restarted_if_that_is_wanted() {
    let mut world = World::new();
    world.file("well", "");
    let said = json(&world.run(&format!("tsm start --json --name a {CHECKED} -- sleep 1000")).done());
    assert_eq!(said["healthy"], true);
    assert!(world.run("tsm list").done().contains("healthy"));
    let before = record(&world, "a").pid;
    fs::remove_file(world.work().join("well")).expect("removed");
    eventually("unhealthy", || health(&world, "a").status == HealthStatus::Unhealthy);
    assert_eq!(health(&world, "a").reason, "exit 1: no file");
    let info = json(&world.run("tsm info a --json").done());
    assert_eq!((&info["health"], &info["looked_after"]["why"]), (&"unhealthy".into(), &"exit 1: no file".into()));
    assert_eq!(record(&world, "a").pid, before, "a restart was not asked for");

    world.file("well", "");
    world.run(&format!("tsm start --name b {CHECKED} --health-restart -- sleep 1000")).done();
    let before = record(&world, "b").pid;
    fs::remove_file(world.work().join("well")).expect("removed");
    eventually("restarted", || record(&world, "b").restarts == 1 && record(&world, "b").pid != before);
    eventually("starting again", || {
        health(&world, "b").restarts == 1 && health(&world, "b").status == HealthStatus::Starting
    });
    assert_eq!(health(&world, "b").last_restart, "unhealthy: exit 1: no file");
}

#[test]
fn an_attendant_ends_with_the_supervision_and_comes_back_with_it() {
    let mut world = World::new();
    world.file("well", "");
    world.run(&format!("tsm start --name a {CHECKED} -- sleep 1000")).done();
    let directory = dir(&world, "a");
    let child = record(&world, "a").pid;
    let first = sidecar_pid(&world, "a");
    end(first);
    eventually("the sidecar ends", || !sidecar::is_running(&directory));
    world.run("tsm list").done();
    assert!(sidecar::is_running(&directory), "a look brings it back");
    let life = record(&world, "a").run_state;
    end(life.guard_pid);
    end(life.worker_pid);
    eventually("the supervisor ends", || !client::is_supervised(&directory));
    eventually("the sidecar ends", || !sidecar::is_running(&directory));
    world.run("tsm list").done();
    assert!(client::is_supervised(&directory) && sidecar::is_running(&directory));
    eventually("healthy", || health(&world, "a").status == HealthStatus::Healthy);
    assert_eq!(record(&world, "a").pid, child, "the process did not notice");
    world.run("tsm stop a").done();
    eventually("no sidecar for what is stopped", || !sidecar::is_running(&directory));
    let said = world.run("tsm start a --json").done();
    assert_eq!(json(&said)["healthy"], true, "a start has a new one");
}

#[test]
fn a_look_over_http_outlives_a_stop_of_the_one_who_looks() {
    let mut world = World::new();
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", server.local_addr().expect("bound"));
    let options = "--health-interval 50ms --health-timeout 60s --health-threshold 1 --health-grace 1ms";
    world.run(&format!("tsm start --no-wait --name a --health {url} {options} -- sleep 1000")).done();
    let (mut asked, _) = server.accept().expect("it looks");
    assert!(asked.read(&mut [0; 1024]).expect("a request") > 0);
    let pid = sidecar_pid(&world, "a");
    let look = Pid::from_raw(i32::try_from(pid).expect("a pid"));
    let is = |state: &str| fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs").contains(state);
    eventually("it waits for an answer", || is(") S "));
    kill(look, Signal::SIGSTOP).expect("ours");
    eventually("it is stopped", || is(") T "));
    kill(look, Signal::SIGCONT).expect("ours");
    eventually("it waits again", || is(") S "));
    let _ = asked.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    // The next look gets no answer, and so does not change what this one found.
    eventually("it has looked", || health(&world, "a").status != HealthStatus::Starting);
    let found = health(&world, "a");
    assert_eq!((found.status, found.reason.as_str()), (HealthStatus::Healthy, ""));
}

#[test]
fn dependants_wait_for_health_and_do_without_what_does_not_become_healthy() {
    let mut world = World::new();
    world.file("slow.sh", "sleep 1\ntouch up\nexec sleep 1000\n");
    world.run("tsm save db --health 'exec:test -e up' --health-interval 50ms -- bash slow.sh").done();
    world.run("tsm save sick --health 'exec:false' --health-interval 20ms --health-grace 1ms -- sleep 1000").done();
    world.run("tsm save web -- bash -c 'test -e up && exec sleep 1000'").done();
    world.run("tsm save late -- sleep 1000").done();
    for (name, need) in [("web", "db"), ("late", "sick")] {
        let path = world.paths().service(&name.parse().expect("a name"));
        let text = fs::read_to_string(&path).expect("a definition");
        fs::write(&path, format!("{text}TSM_DEPS={need}\n")).expect("written");
        world.run(&format!("tsm enable {name}")).done();
    }
    let said = world.run("tsm startup --json");
    let rows = json(&said.output);
    let result = |name: &str| {
        let row = rows.as_array().expect("a list").iter().find(|row| row["service"] == name).expect("a row");
        row["result"].as_str().expect("a word").to_owned()
    };
    assert_eq!(
        ["db", "web", "sick", "late"].map(result),
        ["started", "started", "started", "failed"],
        "{}",
        said.stderr
    );
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("its dependency `sick` is not ready"), "{}", said.stderr);
}

#[test]
fn a_change_of_files_restarts_once_and_logs_and_what_is_ignored_do_not() {
    let mut world = World::new();
    world.file("src/app.js", "1");
    world.file("src/app.log", "1");
    fs::create_dir_all(world.paths().processes()).expect("a directory");
    // The directory of all processes lies below what is watched.
    let line = format!(
        "tsm start --name a --watch src --watch '{}' --ignore '*.log' -- bash -c 'while sleep 0.05; do echo tick; done'",
        world.home().join("tetra").display()
    );
    world.run(&line).done();
    let before = record(&world, "a").pid;
    for n in 0..20 {
        world.file("src/app.log", &n.to_string());
    }
    for n in 0..5 {
        world.file("src/app.js", &n.to_string());
    }
    eventually("restarted", || record(&world, "a").restarts == 1 && record(&world, "a").pid != before);
    let known = health::read(&dir(&world, "a")).expect("known");
    assert!(known.last_restart.ends_with("/src/app.js` changed"), "{}", known.last_restart);
    // A second change is a second restart, and nothing came between the two.
    world.file("src/new/deep.js", "1");
    eventually("restarted again", || record(&world, "a").restarts >= 2);
    assert_eq!(record(&world, "a").restarts, 2);
}

#[test]
fn a_link_that_is_switched_is_a_change_and_what_it_leads_to_is_watched_from_then_on() {
    let mut world = World::new();
    for release in ["r1", "r2"] {
        world.file(format!("{release}/src/app.js"), "1");
    }
    let at = |world: &World, name: &str| world.work().join(name);
    let switch = |world: &World, to: &str| {
        std::os::unix::fs::symlink(to, at(world, "new")).expect("a link");
        fs::rename(at(world, "new"), at(world, "cur")).expect("renamed");
    };
    switch(&world, "r1");
    world.run("tsm start --name a --cwd cur --watch src -- sleep 1000").done();
    switch(&world, "r2");
    eventually("restarted", || record(&world, "a").restarts == 1);
    assert!(health::read(&dir(&world, "a")).expect("known").last_restart.ends_with("/cur/src` changed"));
    fs::remove_dir_all(at(&world, "r1")).expect("removed");
    world.file("r2/src/app.js", "2");
    eventually("restarted again", || record(&world, "a").restarts == 2);
    assert!(health::read(&dir(&world, "a")).expect("known").last_restart.ends_with("/r2/src/app.js` changed"));
}

/// What ends by itself is not over while its files are watched: the next change may mend it.
#[test]
fn what_ended_by_itself_is_started_again_when_a_watched_file_changes() {
    let mut world = World::new();
    for (name, file, end, code, said) in [
        (
            "a",
            "a/app.sh",
            "exit 3",
            1,
            "the first run of `a` failed: exit 3; it runs again when a watched file changes",
        ),
        ("b", "b/app.sh", "exit 0", 0, "completed b (1); it runs again when a watched file changes"),
    ] {
        world.file(file, end);
        let order = format!("tsm start --name {name} --watch {name} -- sh {file}");
        let start = world.run(&order);
        assert!(start.code == code && format!("{}{}", start.output, start.stderr).contains(said), "{start:?}");
        assert!(world.run("tsm list").output.contains("scheduled, next when a watched file changes"));
        world.file(file, "exec sleep 1000");
        eventually("it runs", || record(&world, name).state == ProcessState::Online);
        world.file(file, "exit 4");
        eventually("it waits again", || record(&world, name).state == ProcessState::Scheduled);
        let why = world.run(&format!("tsm why {name}")).output;
        assert!(why.contains("ended by itself and runs again when a watched file changes"), "{why}");
        world.run(&format!("tsm stop {name}")).done();
        assert_eq!(record(&world, name).state, ProcessState::Stopped);
    }
    let start = world.run("tsm start --wait --name c --watch a -- sh a/app.sh");
    assert!(start.code == 4 && start.output.contains("failed: exit 4; it runs again"), "{start:?}");
    let start = world.run("tsm start --restart never --name d -- sh a/app.sh");
    assert!(start.code == 1 && start.stderr.contains("process died immediately (exit 4)"), "{start:?}");
    let start = world.run("tsm start --name e -- true");
    assert!(start.code == 1 && start.stderr.contains("`--oneshot`"), "{start:?}");
}

#[test]
fn the_clock_restarts_a_process_again_and_again_and_not_while_it_is_stopped() {
    let mut world = World::new();
    let said = json(&world.run("tsm start --no-wait --json --name a --cron '* * * * * *' -- sleep 1000").done());
    let first = said["pid"].as_u64().expect("a pid");
    eventually("restarted twice", || record(&world, "a").restarts >= 2);
    let meta = record(&world, "a");
    assert_ne!(u64::from(meta.pid), first);
    assert_eq!(health::read(&dir(&world, "a")).expect("known").last_restart, "scheduled restart (cron)");
    let info = json(&world.run("tsm info a --json").done());
    assert_eq!(info["looked_after"]["cron"], "* * * * * *");
    world.run("tsm stop a").done();
    let stopped = record(&world, "a").restarts;
    eventually("the sidecar ends", || !sidecar::is_running(&dir(&world, "a")));
    assert_eq!((record(&world, "a").restarts, record(&world, "a").pid), (stopped, 0));
}

#[test]
fn too_much_memory_of_the_whole_tree_restarts() {
    let mut world = World::new();
    let grow = "import sys, time\nif sys.argv[1:]: x = bytearray(120 << 20)\nelse:\n import subprocess\n \
                subprocess.Popen([sys.executable, __file__, 'big'])\ntime.sleep(1000)\n";
    world.file("grow.py", grow);
    world.run("tsm start --name a --max-memory 100M -- python3 grow.py").done();
    eventually("restarted", || record(&world, "a").restarts >= 1);
    let known = health::read(&dir(&world, "a")).expect("known");
    assert!(known.last_restart.starts_with("memory limit exceeded (1"), "{}", known.last_restart);
}

#[test]
fn a_program_says_itself_when_it_is_ready() {
    let mut world = World::new();
    let program = "import os, socket, time\n\
                   time.sleep(0.8)\n\
                   s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                   s.connect(os.environ['NOTIFY_SOCKET'])\n\
                   open('said', 'w').close()\n\
                   s.send(b'STATUS=warm\\nREADY=1\\n')\n\
                   time.sleep(1000)\n";
    world.file("ready.py", program);
    let said = world.run("tsm start --json --name a --notify -- python3 ready.py").done();
    assert_eq!(json(&said)["healthy"], true);
    assert!(world.work().join("said").exists(), "the start waited for it");
    assert!(world.run("tsm info a").done().contains("healthy: warm"));
    // A new life has to say it anew.
    fs::remove_file(world.work().join("said")).expect("removed");
    world.run("tsm restart a").done();
    assert!(world.work().join("said").exists(), "the restart waited for it");
    world.run("tsm save a b").done();
    let saved = fs::read_to_string(world.paths().service(&"b".parse().expect("a name"))).expect("a definition");
    assert!(saved.contains("TSM_NOTIFY=\"true\"") && !saved.contains("NOTIFY_SOCKET"), "{saved}");
}

#[test]
fn why_a_process_cannot_have_a_sidecar_is_reported_and_nothing_is_left() {
    let world = World::new();
    // The directory of the next process is so deep that a socket in it has no name.
    let home = world.home().join("deep".repeat(30)).join("tetra");
    fs::create_dir_all(&home).expect("a directory");
    let mut command = world.program(crate::world::PROGRAM);
    command.env("TETRA_DIR", &home).args(["tsm", "start", "--name", "a", "--notify", "sleep", "1000"]);
    let said = command.output().expect("it runs");
    let talk = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{talk}");
    assert!(talk.contains("cannot be monitored") && talk.contains("failed to create the notify socket"), "{talk}");
    assert!(!home.join("tsm/runtime/processes/a").exists());
}

#[test]
fn what_a_health_command_leaves_behind_ends_with_it() {
    let mut world = World::new();
    let mark = format!("{}", 7_000_000 + std::process::id());
    let count = || {
        let all = std::fs::read_dir("/proc").expect("processes").flatten();
        let words = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        words.filter(|words| words.starts_with(b"sleep\0") && words.ends_with(format!("{mark}\0").as_bytes())).count()
    };
    let check =
        format!("exec:echo x >> looks; setsid -f sleep {mark}; (setsid sleep {mark} &); env -i setsid -f sleep {mark}");
    let line = format!("tsm start --name h --health '{check}' --health-interval 100ms --no-wait -- sleep 1000");
    world.run(&line).done();
    let looks = || std::fs::read_to_string(world.work().join("looks")).map_or(0, |text| text.lines().count());
    eventually("some looks", || looks() > 3);
    eventually("what they left has ended", || count() == 0);
    world.run("tsm delete h").done();
    eventually("nothing is left", || count() == 0);
}
