//! Several hosts at the same time, and several calls over one connection.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use super::lasting::sockets;
use super::{has_servers, own_lines, tkm_dir};
use crate::sshd::Server;
use crate::world::{PROGRAM, World};

/// A world that knows each server as a host of dev, with its key on it.
pub(super) fn world_of(servers: &[(&str, &Server)]) -> World {
    let mut world = World::new();
    world.run("tkm init").done();
    for (name, server) in servers {
        let (port, fingerprint) = (server.port(), server.fingerprint());
        world.run(&format!("tkm host add {name} root@127.0.0.1:{port} --env dev --fingerprint {fingerprint}")).done();
        world.run(&format!("tkm bootstrap {name} --identity {}", server.identity().display())).done();
    }
    world
}

/// Moves a host of the store to another port.
pub(super) fn move_host(world: &World, from: u16, to: u16) {
    let path = tkm_dir(world).join("hosts.toml");
    let text = fs::read_to_string(&path).expect("there");
    fs::write(&path, text.replace(&format!(":{from}\""), &format!(":{to}\""))).expect("ours");
}

pub(super) fn start(world: &World, line: &str) -> Child {
    let mut program = world.program(PROGRAM);
    program.args(["-c", line]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

#[test]
fn a_command_makes_as_few_connections_to_a_host_as_it_can() {
    if !has_servers("a_command_makes_as_few_connections_to_a_host_as_it_can") {
        return;
    }
    let server = Server::start("dev");
    let world = world_of(&[("dev", &server)]);
    let bin = world.home().join("bin");
    fs::create_dir(&bin).expect("ours");
    let script = "#!/bin/sh\n[ \"$1\" = -G ] || echo \"$*\" >> \"${0%/*}/calls\"\nexec /usr/bin/ssh \"$@\"\n";
    crate::program::script(&bin.join("ssh"), script);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("there"));
    let revoke = format!("tkm revoke dev --identity {}", server.identity().display());
    for (line, connections) in [
        ("tkm rotate dev", 2),
        ("tkm rotate dev --resume --grace 0s", 2),
        // By the old key, by the new one, and once more when the old one is gone.
        ("tkm rotate dev --now", 3),
        ("tkm test dev", 1),
        ("tkm ssh dev -- true", 1),
        ("tkm remote sync dev", 2),
        (&revoke, 2),
    ] {
        let _ = fs::remove_file(bin.join("calls"));
        let done = world.program(PROGRAM).args(["-c", line]).env("PATH", &path).output().expect("it runs");
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        let calls = fs::read_to_string(bin.join("calls")).expect("there");
        let is_connection = |line: &&str| line.contains("ControlMaster=yes") || line.contains("ControlPath=none");
        assert_eq!(calls.lines().filter(is_connection).count(), connections, "{line}: {calls}");
        let mut left = fs::read_dir(tkm_dir(&world)).expect("there").flatten();
        assert!(!left.any(|entry| entry.file_name().to_string_lossy().starts_with(".control-")), "no socket is left");
        assert_eq!(sockets(&world).len(), usize::from(line.contains("tkm ssh")), "{line}: for a while");
    }
    assert!(own_lines(&server).is_empty());
}

#[test]
fn a_host_that_does_not_answer_delays_no_other() {
    if !has_servers("a_host_that_does_not_answer_delays_no_other") {
        return;
    }
    let (one, two, three) = (Server::start("one"), Server::start("two"), Server::start("three"));
    let mut world = world_of(&[("one", &one), ("two", &two), ("three", &three)]);
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    move_host(&world, two.port(), port);
    let found = world.run("tkm rotate dev --now");
    assert_eq!(found.code, 11, "{found:?}");
    let at = |text: &str| found.stderr.find(text).unwrap_or_else(|| panic!("{text}: {}", found.stderr));
    assert!(at("three: replaced") < at("two: failed") && at("one: replaced") < at("two: failed"), "{}", found.stderr);
    let accepts = |host: &str| -> Vec<String> {
        let row = found.output.lines().find(|line| line.starts_with(host)).expect("a row");
        row.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(accepts("two")[..3], ["two", "failed", "old"], "{}", found.output);
    assert_eq!(accepts("one")[..3], ["one", "replaced", "new"], "{}", found.output);
    move_host(&world, port, two.port());
    let found = world.run("tkm rotate dev --resume --now --json");
    assert_eq!(found.code, 0, "{found:?}");
    for line in found.stderr.lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(row["host"], "two");
        crate::sandbox::assert_fits(&row, "progress");
    }
    assert!(found.stderr.lines().count() >= 3, "{}", found.stderr);
    for server in [&one, &two, &three] {
        assert_eq!(own_lines(server).len(), 1);
    }
    world.run("tkm test").done();
}

#[test]
fn an_interruption_leaves_every_host_whole_and_says_which_are_which() {
    if !has_servers("an_interruption_leaves_every_host_whole_and_says_which_are_which") {
        return;
    }
    let (one, two) = (Server::start("one"), Server::start("two"));
    let mut world = world_of(&[("one", &one), ("two", &two)]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    move_host(&world, two.port(), port);
    let mut rotate = start(&world, "tkm rotate dev");
    let mut said = BufReader::new(rotate.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("one: both") {
        line.clear();
        assert!(said.read_line(&mut line).expect("readable") > 0, "it ended before");
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(rotate.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("readable");
    let done = rotate.wait_with_output().expect("it ends");
    let shown = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(130), "{shown}{rest}");
    let row = |host: &str| shown.lines().find(|line| line.starts_with(host)).unwrap_or_default().to_owned();
    assert!(row("one").contains("both") && row("two").contains("interrupted  old"), "{shown}{rest}");
    move_host(&world, port, two.port());
    world.run("tkm test").done();
    world.run("tkm rotate dev --resume --now").done();
    assert_eq!((own_lines(&one).len(), own_lines(&two).len()), (1, 1));
}
