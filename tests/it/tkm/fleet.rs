//! Commands that run on hosts, with one answer of all of them.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use serde_json::Value;
use tetra::command::Effect;
use tetra::command::fleet::is_possible;
use tetra::command::registry::COMMANDS;

use super::agent::bound_world;
use super::has_servers;
use super::many::{move_host, start, world_of};
use crate::sshd::Server;
use crate::waiting::eventually;
use crate::world::World;

/// A server whose data are in a directory of its own: tetra tells apart by that whose processes it sees, and servers see those of
/// each other.
fn server(test: &str, name: &str) -> Server {
    Server::start_with(name, &format!("SetEnv TETRA_DIR={}", data(test, name)))
}

fn data(test: &str, name: &str) -> String {
    format!("/root/{test}-{name}-{}", std::process::id())
}

/// Processes on a server, which end with it.
struct Processes<'a> {
    server: &'a Server,
    data: String,
}

impl Processes<'_> {
    fn tetra(&self, line: &str) -> String {
        let data = &self.data;
        self.server.inside(&format!("env -i HOME=/root TETRA_DIR={data} PATH=/usr/bin:/bin /root/bin/tetra {line}"))
    }

    /// Starts one that says a word, and goes on.
    fn start(&self, before: &str, name: &str) {
        let script = format!("echo {name} began; exec 3<>/root/{name}; while read line <&3; do echo $line; done");
        self.server.inside(&format!("mkfifo /root/{name}"));
        self.tetra(&format!("{before} --yes tsm start --name {name} -- sh -c '{script}'"));
    }

    /// Has it say something.
    fn say(&self, name: &str, word: &str) {
        self.server.inside(&format!("echo {word} >>/root/{name}"));
    }
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        self.tetra("--yes tsm delete '*' || true");
    }
}

/// The lines of NDJSON.
fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn one_command_asks_all_hosts_and_a_silent_one_is_a_row() {
    if !has_servers("one_command_asks_all_hosts_and_a_silent_one_is_a_row") {
        return;
    }
    let [one, two, three] = ["one", "two", "three"].map(|name| server("all", name));
    let mut world = world_of(&[("one", &one), ("two", &two), ("three", &three)]);
    let on_one = Processes { server: &one, data: data("all", "one") };
    let on_two = Processes { server: &two, data: data("all", "two") };
    on_one.start("", "web");
    on_two.start("", "web");
    on_two.start("", "api");

    let shown = world.run("tsm list --on @dev").done();
    let named = |host: &str| shown.lines().filter(|line| line.split_whitespace().next() == Some(host)).count();
    assert_eq!([named("one"), named("two"), named("three")], [1, 2, 0], "{shown}");
    assert!(shown.lines().next().is_some_and(|line| line.starts_with("HOST  ID  NAME")), "{shown}");

    let found = rows(&world.run("--host two,one tsm ls --json").done());
    let names: Vec<_> = found.iter().map(|row| (row["host"].as_str(), row["name"].as_str())).collect();
    assert_eq!(names, [(Some("two"), Some("web")), (Some("two"), Some("api")), (Some("one"), Some("web"))]);
    assert!(found.iter().all(|row| row["status"] == "online" && row["pid"].is_u64()), "{found:?}");

    let proposed = world.run("complete --shell bash --breaks '' --line 'tsm list --host t'").done();
    assert!(proposed.contains("two") && proposed.contains("three") && !proposed.contains("one"), "{proposed}");
    let proposed = world.run("complete --shell bash --breaks '' --line 'tsm list --host two,t'").done();
    assert!(proposed.starts_with("two,three") && !proposed.contains("two,two"), "{proposed}");

    // Fields, and a process that only one has.
    let info = world.run("tsm info api --on @dev");
    assert_eq!(info.code, 5, "{info:?}");
    let absent =
        |host: &str| info.output.lines().any(|line| line.starts_with(host) && line.contains("'api' not found"));
    assert!(info.output.contains("two\n") && absent("one") && absent("three"), "{info:?}");

    // What only looks runs there, whatever it is: the host answers, and none of these is refused here.
    for line in [
        "tsm ports",
        "tsm services",
        "tsm stats",
        "tsm why web",
        "tsm doctor",
        "tsm audit",
        "env list",
        "env validate",
        "daemon status",
    ] {
        let found = world.run(&format!("{line} --host two --json"));
        assert!(!found.stderr.contains("does not run on other hosts"), "{line}: {found:?}");
        let all = rows(&found.output);
        assert!(all.iter().all(|row| row["host"] == "two" && row["kind"] != "unreachable"), "{line}: {found:?}");
    }

    // What changes something; the hosts do it, and nothing is done here.
    world.run("tsm stop web --host one").done();
    assert_eq!(rows(&world.run("tsm list all --host one,two --json").done())[0]["status"], "stopped");

    // One takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    move_host(&world, three.port(), port);
    let found = world.run("tsm list --on @dev --json");
    assert_eq!(found.code, 11, "{found:?}");
    let all = rows(&found.output);
    let row = all.iter().find(|row| row["host"] == "three").expect("a row");
    assert_eq!((row["kind"].as_str(), all.iter().filter(|row| row["host"] == "two").count()), (Some("unreachable"), 2));
    assert!(world.run("tsm list --on @dev").output.contains("three"), "in the table too");
}

/// One says something at every login, one is down, and one has a program that knows none of it.
#[test]
fn every_command_that_only_looks_answers_for_every_host() {
    if !has_servers("every_command_that_only_looks_answers_for_every_host") {
        return;
    }
    let [noisy, mut down, other] = ["noisy", "down", "other"].map(|name| server("every", name));
    let mut world = world_of(&[("noisy", &noisy), ("down", &down), ("other", &other)]);
    let there = Processes { server: &noisy, data: data("every", "noisy") };
    there.start("", "web");
    std::fs::write(noisy.root().join(".bashrc"), "echo '{\"noise\": 1}'; printf welcome; echo oh >&2\n").expect("ours");
    let old = "#!/bin/sh\necho \"error: unexpected argument '$1'\" >&2\necho 'usage: tetra' >&2\nexit 2\n";
    std::fs::remove_file(other.root().join("bin/tetra")).expect("ours");
    crate::program::script(&other.root().join("bin/tetra"), old);
    down.stop();
    let mut tried = 0;
    for spec in COMMANDS.iter().filter(|spec| is_possible(spec, spec.effect) && spec.effect == Effect::Read) {
        // What goes on and on has a test of its own, and a host of an example is another one.
        let Some(line) = spec.examples.iter().find(|line| !line.contains(" -f") && !line.contains("--on")) else {
            continue;
        };
        let found = world.run(&format!("--on @dev --json {line}"));
        if found.stderr.contains("does not run on other hosts") {
            continue;
        }
        tried += 1;
        let all = rows(&found.output);
        let of = |host: &str| -> Vec<&Value> { all.iter().filter(|row| row["host"] == host).collect() };
        assert_eq!(of("noisy").len() + of("down").len() + of("other").len(), all.len(), "{line}: {found:?}");
        let (lost, old) = (of("down"), of("other"));
        assert!(lost.len() == 1 && lost[0]["kind"] == "unreachable", "{line}: {found:?}");
        assert!(old.len() == 1 && old[0]["kind"] == "usage", "{line}: {found:?}");
        assert_eq!(old[0]["error"], "error: unexpected argument '--json'; usage: tetra", "{line}");
        assert!(of("noisy").iter().all(|row| row.get("noise").is_none()), "{line}: {found:?}");
        assert!(of("noisy").iter().all(|row| row["kind"] != "usage"), "{line}: {found:?}");
        assert!(found.code >= 11 && !found.output.contains("welcome"), "{line}: {found:?}");
    }
    assert!(tried > 30, "{tried} commands");

    // Lines that go on begin behind what the login said, and end on the host with those who follow.
    let mut follow = start(&world, "tsm logs web -f --on @dev --json");
    let mut lines = BufReader::new(follow.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    let mut first = rows(&lines.by_ref().take(3).collect::<Vec<_>>().join("\n"));
    first.sort_by_key(|row| row["host"].to_string());
    let hosts: Vec<_> = first.iter().map(|row| row["host"].as_str().unwrap_or_default()).collect();
    assert_eq!(hosts, ["down", "noisy", "other"], "{first:?}");
    assert_eq!(first[1]["line"], "web began", "{first:?}");
    assert!(first[2]["error"].as_str().is_some_and(|why| why.contains("unexpected argument")), "{first:?}");
    let followers = || -> Vec<u32> {
        let is_one = |pid: &u32| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let has = |wanted: &[u8]| words.split(|byte| *byte == 0).any(|word| word == wanted);
            has(b"logs") && has(b"-f")
        };
        noisy.processes().into_iter().filter(is_one).collect()
    };
    eventually("it is followed there", || followers().len() == 1);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(follow.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    assert_eq!(lines.next(), None, "it ends");
    follow.wait().expect("it ends");
    eventually("no one follows there any more", || followers().is_empty());
}

#[test]
fn logs_of_several_hosts_are_one_in_the_order_of_time() {
    if !has_servers("logs_of_several_hosts_are_one_in_the_order_of_time") {
        return;
    }
    let [one, two] = ["one", "two"].map(|name| server("logs", name));
    let mut world = world_of(&[("one", &one), ("two", &two)]);
    let on_one = Processes { server: &one, data: data("logs", "one") };
    let on_two = Processes { server: &two, data: data("logs", "two") };
    on_one.start("", "web");
    on_two.start("", "web");
    let mut follow = start(&world, "tsm logs web -f --on @dev");
    let mut lines = BufReader::new(follow.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    let mut began: Vec<String> = lines.by_ref().take(2).collect();
    began.sort();
    assert_eq!(began, ["one web | web began", "two web | web began"]);
    for (number, on) in [&on_two, &on_one, &on_two].into_iter().enumerate() {
        on.say("web", &format!("word-{number}"));
        let host = if number == 1 { "one" } else { "two" };
        assert_eq!(lines.next().as_deref(), Some(&*format!("{host} web | word-{number}")));
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(follow.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    assert_eq!(lines.next(), None, "it ends");
    follow.wait().expect("it ends");

    // It also ends with its reader, while none of them says anything.
    let mut follow = start(&world, "tsm logs web -f --on @dev");
    let mut lines = BufReader::new(follow.stdout.take().expect("piped")).lines();
    assert!(lines.by_ref().take(2).all(|line| line.is_ok()));
    drop(lines);
    eventually("it ends", || follow.try_wait().expect("ours").is_some());

    on_one.start("", "api");
    let mut follow = start(&world, "tsm logs api -f --on @dev --json");
    let mut lines = BufReader::new(follow.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    let first = rows(&lines.by_ref().take(2).collect::<Vec<_>>().join("\n"));
    assert_eq!((first[0]["host"].as_str(), first[0]["error"].as_str()), (Some("two"), Some("process 'api' not found")));
    assert_eq!((first[1]["host"].as_str(), first[1]["line"].as_str()), (Some("one"), Some("api began")));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(follow.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    follow.wait().expect("it ends");

    let all = rows(&world.run("tsm logs web --on @dev --json").done());
    let said: Vec<_> = all.iter().map(|row| (row["host"].as_str(), row["line"].as_str())).collect();
    let words = [(Some("two"), Some("word-0")), (Some("one"), Some("word-1")), (Some("two"), Some("word-2"))];
    assert_eq!(said[2..], words);
}

#[test]
fn a_bound_key_looks_at_its_environment_and_does_nothing_else() {
    if !has_servers("a_bound_key_looks_at_its_environment_and_does_nothing_else") {
        return;
    }
    let server = server("bound", "prod");
    let mut world = bound_world(&server);
    let there = Processes { server: &server, data: data("bound", "prod") };
    there.start("--env prod", "web");
    there.start("--env dev", "other");

    let names = |world: &mut World, line: &str| -> Vec<String> {
        let found = rows(&world.run(line).done());
        found.iter().map(|row| format!("{} {}", row["host"].as_str().unwrap_or("-"), row["name"])).collect()
    };
    assert_eq!(names(&mut world, "tsm list --on @prod --json"), ["prod \"web\""]);
    assert_eq!(names(&mut world, "tsm list all --host prod --json"), ["prod \"web\""]);
    for line in ["tsm info", "tsm why", "tsm stats"] {
        let said = world.run(&format!("{line} --on @prod --json")).done();
        assert!(said.contains("web") && !said.contains("other"), "{line}: {said}");
    }
    let logs = world.run("tsm logs --on @prod").done();
    assert_eq!(logs, "prod web | web began\n");
    for line in [
        "tsm info other --on @prod",
        "tsm logs * --on @prod",
        "tsm logs 1 --on @prod",
        "tsm list available --on @prod",
        "tsm paths web --on @prod",
        "env list --on @prod",
        "--env dev tsm list --on @prod",
    ] {
        let said = world.run(line);
        assert!(said.code != 0 && said.output.contains("prod") && !said.output.contains("other |"), "{line}: {said:?}");
        let log =
            std::fs::read_to_string(server.root().join(there.data.trim_start_matches("/root/")).join("logs/agent.log"))
                .expect("written");
        assert!(log.lines().last().is_some_and(|line| line.contains("`run` refused: ")), "{line}: {log}");
    }
    for line in ["tsm stop web --on @prod --yes", "tsm logs web -f --on @prod"] {
        assert!(world.run(line).failed(4).contains("bound to `tetra agent`"), "{line}");
    }
    assert_eq!(names(&mut world, "tsm list --on @prod --json"), ["prod \"web\""], "nothing was stopped");
}

#[test]
fn what_changes_hosts_of_prod_is_asked_here_before_one_is_reached() {
    if !has_servers("what_changes_hosts_of_prod_is_asked_here_before_one_is_reached") {
        return;
    }
    let mut world = World::new();
    world.run("tkm init").done();
    let mut server = Server::start("web");
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add web root@127.0.0.1:{port} --env prod --fingerprint {fingerprint} --yes")).done();
    world.run(&format!("tkm host add other root@127.0.0.1:{port} --env dev --fingerprint {fingerprint} --yes")).done();
    // A command that reached for it would say that it is down.
    server.stop();
    let line = "tsm stop web --on @prod";
    // The strictest environment of all hosts counts, and no option makes it laxer.
    for line in [line, "tsm stop web --host other,web", "--env dev tsm stop web --host other,web"] {
        assert!(world.run(line).failed(4).contains("--yes"), "{line}");
    }
    world.answers(&["n"]);
    let said = world.run(line).failed(4);
    assert!(said.contains("`tsm stop` on web") && said.contains("prod: continue? "), "{said}");
    assert!(said.contains("`tsm stop` was not confirmed; nothing was changed"), "{said}");
}

#[test]
fn what_does_not_run_on_hosts_is_refused_before_one_is_asked() {
    let mut world = World::new();
    assert!(world.run("tsm list --on @dev").failed(5).contains("tkm is not initialized"));
    world.run("tkm init").done();
    assert!(world.run("tsm list --on @dev").failed(5).contains("@dev has no hosts"));
    world.run("tsm list --host nope").failed(5);
    for (line, why) in [
        ("tkm list --on @dev", "does not run on other hosts"),
        ("tsm monitor --on @dev", "does not run on other hosts"),
        ("env promote dev prod --on @dev", "does not run on other hosts"),
        ("tsm list --on @dev --host a", "cannot be given together"),
        ("--dir x tsm list --on @dev", "a directory of this machine"),
        ("tsm list --host a/b", "a/b"),
        ("tsm list --on", "requires a value"),
        ("tsm lst --on @dev", "unknown command"),
    ] {
        let said = world.run(line).failed(2);
        assert!(said.contains(why), "{line}: {said}");
    }
}
