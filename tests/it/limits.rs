//! What a process may have, and as whom it runs: read back from the kernel, kept, saved, shown.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tetra::supervise::limits::MemoryMethod;
use tetra::supervise::meta::{self, Meta, OomVerdict, ProcessState};
use tetra::sys::process;

use crate::schema::{misfits, schema};
use crate::waiting::eventually;
use crate::world::{PROGRAM, World};

/// An ordinary user that every machine has.
const OTHER: &str = "nobody";

fn record(world: &World, name: &str) -> Meta {
    let dir = world.paths().process(&name.parse().expect("a name"));
    meta::read(&dir).expect("readable").expect("a record")
}

/// Soft and hard limit of a living process, as the kernel tells.
fn limit(pid: u32, name: &str) -> (String, String) {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).expect("limits");
    let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
    let mut words = line[name.len()..].split_whitespace().map(str::to_owned);
    (words.next().expect("soft"), words.next().expect("hard"))
}

/// The numbers behind a word in `/proc/PID/status`.
fn status(pid: u32, word: &str) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = text.lines().find_map(|line| line.strip_prefix(word)).expect("a line");
    line.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// What `id` says about a user.
fn id(words: &[&str]) -> Vec<u32> {
    let said = Command::new("id").args(words).output().expect("id runs");
    let said = String::from_utf8(said.stdout).expect("text");
    said.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

/// A directory that everybody may enter, below directories that everybody may pass.
fn open_dir(world: &World) -> PathBuf {
    for directory in [world.home().to_owned(), world.work()] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    world.work()
}

/// The memory limit that the kernel holds a process to, in bytes.
fn memory_limit(meta: &Meta) -> u64 {
    if meta.run_state.memory_method == MemoryMethod::Data {
        return limit(meta.pid, "Max data size").0.parse().expect("a number");
    }
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", meta.pid)).expect("groups");
    let old = groups.lines().find_map(|line| line.split_once(":memory:/")).map(|(_, path)| path);
    let new = || groups.lines().find_map(|line| line.strip_prefix("0::/")).expect("a group");
    let file = match old {
        Some(path) => format!("/sys/fs/cgroup/memory/{path}/memory.limit_in_bytes"),
        None => format!("/sys/fs/cgroup/{}/memory.max", new()),
    };
    fs::read_to_string(file).expect("a limit").trim().parse().expect("a number")
}

#[test]
fn the_kernel_holds_a_process_to_what_was_said_through_every_kind_of_start() {
    let mut world = World::new();
    let line = "tsm start --name a --limit-nofile 321 --limit-nproc 4321 --memory-max 300M -- sleep 1000";
    world.run(line).done();
    let check = |world: &World, name: &str, nofile: &str| {
        let meta = record(world, name);
        assert_eq!(limit(meta.pid, "Max open files"), (nofile.to_owned(), nofile.to_owned()), "{name}");
        assert_eq!(limit(meta.pid, "Max processes"), ("4321".to_owned(), "4321".to_owned()), "{name}");
        assert_ne!(meta.run_state.memory_method, MemoryMethod::Nothing);
        assert_eq!(memory_limit(&meta), 300 << 20, "{name}");
    };
    check(&world, "a", "321");
    world.run("tsm restart a").done();
    check(&world, "a", "321");
    world.run("tsm stop a").done();
    world.run("tsm start a --limit-nofile 322").done();
    check(&world, "a", "322");

    let info: Value = serde_json::from_str(&world.run("tsm info a --json").done()).expect("JSON");
    assert_eq!(misfits(&info, &schema("tsm-info")), Vec::<String>::new());
    let shown = &info["limits"];
    assert_eq!((&shown["memory_max"], &shown["limit_nofile"]), (&(300 << 20).into(), &322.into()));
    assert_eq!((&shown["limit_nproc"], &info["user"]), (&4321.into(), &Value::Null));
    let words = world.run("tsm info a").done();
    assert!(words.contains("memory 300M (") && words.contains("322 open files"), "{words}");

    world.run("tsm save a b").done();
    let saved = fs::read_to_string(world.paths().service(&"b".parse().expect("a name"))).expect("a definition");
    for line in ["TSM_MEMORY_MAX=\"300M\"", "TSM_LIMIT_NOFILE=\"322\"", "TSM_LIMIT_NPROC=\"4321\""] {
        assert!(saved.contains(line), "{line}: {saved}");
    }
    world.run("tsm start b").done();
    check(&world, "b", "322");
    let own = limit(process::own_pid(), "Max open files");
    world.run("tsm stop b").done();
    world.run("tsm start b --limit-nofile 0 --memory-max none").done();
    let meta = record(&world, "b");
    assert_eq!((limit(meta.pid, "Max open files"), meta.run_state.memory_method), (own, MemoryMethod::Nothing));
}

#[test]
fn what_needs_too_much_memory_ends_and_the_reason_is_known() {
    let mut world = World::new();
    // Forty mebibytes at a time, in a child of its own: the limit is that of all together.
    let grow = "import subprocess, sys, time\nkept = []\n\
                if sys.argv[1:]:\n while True: kept.append(bytearray(40 << 20)); time.sleep(0.01)\n\
                sys.exit(subprocess.run([sys.executable, __file__, 'grow']).returncode % 256)\n";
    world.file("grow.py", grow);
    world.run("tsm start --no-wait --name a --memory-max 100M -- python3 grow.py").done();
    eventually("it ended", || record(&world, "a").state == ProcessState::Crashed);
    let meta = record(&world, "a");
    let said = world.run("tsm why a").done();
    match meta.run_state.memory_method {
        MemoryMethod::Group => {
            let exit = meta.last_exit.expect("an end");
            if exit.oom.is_some() {
                assert_eq!(exit.oom, Some(OomVerdict::Certain));
                assert!(said.contains("the memory limit of 100M"), "{said}");
            } else {
                // The grown child alone was killed, and its parent passed that on as a code of its own.
                assert!(said.contains("exit 247"), "{said}");
            }
        }
        MemoryMethod::Data => assert!(said.contains("memory"), "{said}"),
        MemoryMethod::Nothing => panic!("there is a limit"),
    }
    world.run("tsm start --no-wait --name b --memory-max 60M -- python3 -c 'x = bytearray(200 << 20)'").done();
    eventually("it ended", || record(&world, "b").state == ProcessState::Crashed);
    let meta = record(&world, "b");
    if meta.run_state.memory_method == MemoryMethod::Group {
        assert_eq!(meta.last_exit.expect("an end").oom, Some(OomVerdict::Certain));
        assert!(world.run("tsm why b").done().contains("exceeded the memory limit of 60M"));
    } else {
        assert!(world.run("tsm why b").done().contains("out of memory"));
    }
}

#[test]
fn the_resources_of_the_environment_are_the_usual_limits() {
    let mut world = World::with(&[("TETRA_ORG", "acme"), ("TETRA_ENV", "local")]);
    world.org("acme", &[("local", "[resources]\nmemory_max = 256\nnofile = 400\n")]);
    world.file("tetra.toml", "[resources]\nlimit_nofile = 500\nlimit_nproc = 4444\n");
    world.run("tsm start --name a -- sleep 1000").done();
    let meta = record(&world, "a");
    let limits = meta.run.limits;
    assert_eq!((limits.memory_max, limits.nofile, limits.nproc), (256 << 20, 400, 4444), "the org comes first");
    assert_eq!(limit(meta.pid, "Max open files").0, "400");
    assert_eq!(memory_limit(&meta), 256 << 20);
    world.run("tsm start --name b --memory-max none --limit-nofile 401 -- sleep 1000").done();
    let limits = record(&world, "b").run.limits;
    assert_eq!((limits.memory_max, limits.nofile, limits.nproc), (0, 401, 4444), "what is asked for wins");
    world.org("acme", &[("local", "[resources]\nmemory_max = \n")]);
    assert!(
        world.run("tsm start --name c -- sleep 1000").failed(1).contains("local.toml"),
        "no limit is dropped silently"
    );
}

#[test]
fn a_limit_above_what_is_allowed_is_reported_and_leaves_nothing() {
    let mut world = World::new();
    let beyond = process::fd_limit() + 1;
    let said = world.run(&format!("tsm start --name a --limit-nofile {beyond} -- sleep 1000")).failed(1);
    assert!(said.contains(&format!("failed to limit open files to {beyond}")) && said.contains("ulimit -Hn"), "{said}");
    assert!(!world.paths().process(&"a".parse().expect("a name")).exists());
    world.file("tetra.toml", &format!("[resources]\nlimit_nofile = {beyond}\n"));
    let ran = world.run("tsm start --name a -- sleep 1000");
    assert!(ran.stderr.contains("above the limit of this user"), "{}", ran.stderr);
    ran.done();
    assert_eq!(record(&world, "a").run.limits.nofile, beyond - 1);
    for line in ["--memory-max 300", "--limit-nofile many"] {
        world.run(&format!("tsm start --name b {line} -- sleep 1000")).failed(2);
    }
}

/// The user who runs the tests may not become another one: then exactly that is reported.
fn may_become_others(world: &mut World) -> bool {
    if process::own_uid() == 0 {
        return true;
    }
    // Root is another user unless root runs the tests; they may be run by the user `nobody`.
    let said = world.run("tsm start --user root -- sleep 1000").failed(4);
    assert!(said.contains("permission denied to run a process as `root`: only root can"), "{said}");
    false
}

#[test]
fn a_process_runs_as_another_user_in_all_respects_and_its_log_stays_ours() {
    let mut world = World::new();
    if !may_become_others(&mut world) {
        return;
    }
    let directory = open_dir(&world);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("a mode");
    world.file(
        "who.sh",
        "env -0 > seen.new && mv seen.new seen\necho out > /dev/stdout\necho err > /dev/stderr\nexec sleep 1000\n",
    );
    world.file("a.env", "FROM=file\n");
    let line = format!("tsm start --name a --user {OTHER} --env a.env --pre-hook 'id -u > hook' -- bash who.sh");
    world.run(&line).done();
    let meta = record(&world, "a");
    eventually("it wrote its variables", || directory.join("seen").exists());
    let [uid, gid, groups] = [id(&["-u", OTHER]), id(&["-g", OTHER]), id(&["-G", OTHER])];
    assert_eq!(status(meta.pid, "Uid:"), [uid[0]; 4]);
    assert_eq!(status(meta.pid, "Gid:"), [gid[0]; 4]);
    assert_eq!(status(meta.pid, "Groups:"), groups);
    let hook = fs::read_to_string(directory.join("hook")).expect("the pre-start command ran");
    assert_eq!(hook.trim(), uid[0].to_string());
    let seen = fs::read_to_string(directory.join("seen")).expect("variables");
    let seen: Vec<&str> = seen.split('\0').collect();
    for pair in ["USER=nobody", "LOGNAME=nobody", "FROM=file"] {
        assert!(seen.contains(&pair), "{pair}: {seen:?}");
    }
    let home = Command::new("sh").args(["-c", "echo ~nobody"]).output().expect("sh runs");
    let home = String::from_utf8(home.stdout).expect("text");
    assert!(seen.contains(&format!("HOME={}", home.trim()).as_str()), "{seen:?}");
    let dir = world.paths().process(&"a".parse().expect("a name"));
    for file in ["current.out", "out", "meta.json"] {
        assert_eq!(fs::metadata(dir.join(file)).expect("there").uid(), 0, "{file}");
    }
    eventually("both streams were opened anew", || world.run("tsm logs a").done().lines().count() == 2);
    let info: Value = serde_json::from_str(&world.run("tsm info a --json").done()).expect("JSON");
    assert_eq!(info["user"], OTHER);
    world.run("tsm save a b").done();
    world.run("tsm stop a").done();
    let saved = fs::read_to_string(world.paths().service(&"b".parse().expect("a name"))).expect("a definition");
    assert!(saved.contains("TSM_USER=\"nobody\""), "{saved}");
    world.run("tsm start b").done();
    assert_eq!(status(record(&world, "b").pid, "Uid:"), [uid[0]; 4]);
}

#[test]
fn an_ordinary_user_is_limited_too_and_sees_by_what() {
    let world = World::with(&[("PATH", "/usr/local/bin:/usr/bin:/bin")]);
    // Where root runs the tests it becomes a user who may make no control group.
    let own = process::own_uid();
    let uid = if own == 0 { id(&["-u", OTHER])[0] } else { own };
    open_dir(&world);
    fs::set_permissions(world.home(), fs::Permissions::from_mode(0o777)).expect("a mode");
    let program = world.home().join("tetra-of-all");
    crate::program::copy(Path::new(PROGRAM), &program);
    let run = |words: &[&str]| {
        let mut command = world.program(&program);
        let said = command.uid(uid).args(words).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (said.status.code(), text(said.stdout), text(said.stderr))
    };
    let (code, _, talk) = run(&["tsm", "start", "--name", "a", "--memory-max", "300M", "sleep", "1000"]);
    assert_eq!(code, Some(0), "{talk}");
    let meta = record(&world, "a");
    assert_eq!((memory_limit(&meta), status(meta.pid, "Uid:")), (300 << 20, vec![uid; 4]));
    let (_, words, _) = run(&["tsm", "info", "a"]);
    let greedy = ["tsm", "start", "--name", "b", "--oneshot", "--wait", "--memory-max", "100M", "python3", "-c"];
    let (code, _, talk) = run(&[&greedy[..], &["x = bytearray(300 << 20)"]].concat());
    let (_, log, _) = run(&["tsm", "logs", "b"]);
    match meta.run_state.memory_method {
        MemoryMethod::Data => {
            assert!(words.contains("memory 300M (private memory of each process, RLIMIT_DATA"), "{words}");
            assert!(code == Some(1) && log.contains("MemoryError"), "{code:?}: {talk}{log}");
        }
        MemoryMethod::Group => {
            assert!(words.contains("memory 300M (all processes together"), "{words}");
            assert_eq!(code, Some(128 + 9), "{talk}{log}");
        }
        MemoryMethod::Nothing => panic!("there is a limit"),
    }
    for line in [&["tsm", "save", "--memory-max", "300M", "c", "sleep", "1000"][..], &["tsm", "enable", "c"]] {
        assert_eq!(run(line).0, Some(0), "{line:?}");
    }
    // However it is started, a limit that is weaker than it sounds is said.
    for words in ["start", "restart", "up", "stop", "restart", "stop", "up", "stop", "startup"] {
        let name = (words != "startup").then_some("c");
        let line: Vec<&str> = ["tsm", words].into_iter().chain(name).collect();
        let (code, _, talk) = run(&line);
        assert_eq!(code, Some(0), "{line:?}: {talk}");
        let is_weaker = words != "stop" && record(&world, "c").run_state.memory_method == MemoryMethod::Data;
        let said = talk.matches("the memory limit of 300M holds for each process of `c` by itself").count();
        assert_eq!(said, usize::from(is_weaker), "{line:?}: {talk}");
    }
    assert_eq!(run(&["tsm", "delete", "all", "--yes"]).0, Some(0));
}

#[test]
fn whom_a_directory_is_closed_to_cannot_run_there() {
    let mut world = World::new();
    let said = world.run("tsm start --user nobdy -- sleep 1000").failed(5);
    assert!(said.contains("user `nobdy` does not exist") && said.contains("did you mean `nobody`?"), "{said}");
    if !may_become_others(&mut world) {
        return;
    }
    let closed = open_dir(&world).join("closed");
    fs::create_dir(&closed).expect("a directory");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("a mode");
    let said = world.run(&format!("tsm start --name a --user {OTHER} --cwd closed -- sleep 1000")).failed(1);
    assert!(said.contains("failed to enter `") && said.contains("Permission denied"), "{said}");
    // Its own name is always allowed.
    world.run("tsm start --name b --user root -- sleep 1000").done();
}

#[test]
fn another_user_says_that_it_is_ready_and_is_looked_at_as_itself() {
    // A python that everybody may execute.
    let mut world = World::with(&[("PATH", "/usr/local/bin:/usr/bin:/bin")]);
    if !may_become_others(&mut world) {
        return;
    }
    open_dir(&world);
    let program = "import os, socket, time\nname = os.environ['NOTIFY_SOCKET']\n\
                   s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                   s.connect('\\0' + name[1:] if name[0] == '@' else name)\ns.send(b'READY=1')\ntime.sleep(1000)\n";
    world.file("ready.py", program);
    let said = world.run(&format!("tsm start --json --name a --user {OTHER} --notify -- python3 ready.py")).done();
    assert_eq!(serde_json::from_str::<Value>(&said).expect("JSON")["healthy"], true);
    let line = format!(
        "tsm start --json --name b --user {OTHER} --health 'exec:test $(id -u) = {}' -- sleep 1000",
        id(&["-u", OTHER])[0]
    );
    let said = world.run(&line).done();
    assert_eq!(serde_json::from_str::<Value>(&said).expect("JSON")["healthy"], true);
}
