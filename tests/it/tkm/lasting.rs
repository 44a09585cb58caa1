//! Connections that later commands use too, and what must not use them.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::{bootstrap, has_servers, tkm_dir, world_of};
use crate::program::script;
use crate::sandbox;
use crate::sshd::Server;
use crate::waiting::eventually;
use crate::world::{PROGRAM, World};

/// The sockets that later commands would use.
pub(super) fn sockets(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(tkm_dir(world).join(".shared")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_none()).collect()
}

/// How often a server let someone in.
fn logins(server: &Server) -> usize {
    let said = fs::read_to_string(server.root().join(".ssh/log")).expect("there");
    said.lines().filter(|line| line.contains("Accepted publickey")).count()
}

/// The ssh of this world that stays in the background.
fn keepers(world: &World) -> Vec<u32> {
    let dir = tkm_dir(world).join(".shared").display().to_string();
    let entries = fs::read_dir("/proc").expect("processes are seen").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.contains(&dir) && words.contains("ControlMaster=yes")
    })
    .collect()
}

fn ready(server: &Server) -> World {
    let mut world = world_of(server);
    world.run(&bootstrap(server)).done();
    assert!(keepers(&world).is_empty(), "what changes a host keeps no connection");
    world
}

/// Runs a line; how often it logged in.
#[track_caller]
fn logins_of(world: &mut World, server: &Server, line: &str) -> usize {
    let before = logins(server);
    world.run(line).done();
    logins(server) - before
}

#[test]
fn a_second_command_logs_in_no_more() {
    if !has_servers("a_second_command_logs_in_no_more") {
        return;
    }
    let server = Server::start("dev");
    let mut world = ready(&server);
    assert_eq!(logins_of(&mut world, &server, "tkm ssh dev -- true"), 1);
    for line in ["tkm ssh dev -- true", "tsm list --on @dev", "tkm ssh dev -- true"] {
        assert_eq!(logins_of(&mut world, &server, line), 0, "{line}");
    }
    assert_eq!(world.run("tkm ssh dev -- 'echo out; echo err >&2; exit 7'").code, 7);
    assert_eq!(keepers(&world).len(), 1);
    let log = sockets(&world)[0].with_extension("log");
    assert_eq!(super::mode(&log), 0o600);
    assert_eq!(super::mode(log.parent().expect("below the store")), 0o700);
    // Two at the same time make none that stays without its socket.
    world.run("tkm test dev").done();
    let both = ["tkm ssh dev -- true"; 2].map(|line| super::many::start(&world, line));
    for one in both {
        assert!(one.wait_with_output().expect("it ends").status.success());
    }
    world.run("tkm test dev").done();
    assert!(sockets(&world).is_empty());
}

#[test]
fn a_key_that_is_tested_rotated_or_revoked_logs_in_anew() {
    if !has_servers("a_key_that_is_tested_rotated_or_revoked_logs_in_anew") {
        return;
    }
    let server = Server::start("dev");
    let mut world = ready(&server);
    world.run("tkm ssh dev -- true").done();
    assert_eq!(logins_of(&mut world, &server, "tkm test dev"), 1);
    assert!(sockets(&world).is_empty());
    eventually("the connection ends", || keepers(&world).is_empty());
    world.run("tkm ssh dev -- true").done();
    assert!(logins_of(&mut world, &server, "tkm rotate dev --now") >= 3);
    assert!(sockets(&world).is_empty());
    eventually("that of the old key ends", || keepers(&world).is_empty());
    assert_eq!(logins_of(&mut world, &server, "tkm ssh dev -- true"), 1, "by the new key");
    // A line that goes by another hand: a test says so at once, and so does what follows it.
    let keys = fs::read(server.authorized_keys()).expect("there");
    fs::copy(server.identity().with_extension("pub"), server.authorized_keys()).expect("ours");
    assert_eq!(logins_of(&mut world, &server, "tkm ssh dev -- true"), 0, "the session that there is goes on");
    world.run("tkm test dev").failed(18);
    world.run("tkm ssh dev -- true").failed(18);
    fs::write(server.authorized_keys(), keys).expect("ours");
    world.run("tkm ssh dev -- true").done();
    world.run(&format!("tkm revoke dev --identity {}", server.identity().display())).done();
    assert!(sockets(&world).is_empty());
    eventually("that of the revoked key ends", || keepers(&world).is_empty());
    assert!(world.run("tkm ssh dev -- true").code != 0);
}

#[test]
fn a_connection_that_is_gone_or_hangs_is_made_anew() {
    if !has_servers("a_connection_that_is_gone_or_hangs_is_made_anew") {
        return;
    }
    let mut server = Server::start("dev");
    let mut world = ready(&server);
    world.run("tkm ssh dev -- true").done();
    keepers(&world).into_iter().for_each(sandbox::kill_hard);
    assert_eq!(logins_of(&mut world, &server, "tkm ssh dev -- true"), 1, "killed");
    let hung = keepers(&world);
    assert_eq!(hung.len(), 1);
    sandbox::signal(hung[0], Signal::SIGSTOP);
    assert_eq!(logins_of(&mut world, &server, "tkm ssh dev -- true"), 1, "hung");
    sandbox::kill_hard(hung[0]);
    // The host went away: what is said is what is said of any host that is down.
    let sessions: Vec<u32> = server.processes().into_iter().filter(|pid| *pid != server.pid()).collect();
    server.stop();
    sessions.into_iter().for_each(sandbox::kill_hard);
    let said = world.run("tkm ssh dev -- true").failed(11);
    assert!(said.contains("Connection refused"), "{said}");
    server.restart();
    assert_eq!(logins_of(&mut world, &server, "tkm ssh dev -- true"), 1, "back");
    assert_eq!(logins_of(&mut world, &server, "tkm ssh dev -- true"), 0);
    world.run("tkm test dev").done();
}

#[test]
fn an_own_control_socket_of_the_operator_is_left_to_them() {
    if !has_servers("an_own_control_socket_of_the_operator_is_left_to_them") {
        return;
    }
    let server = Server::start("dev");
    let world = ready(&server);
    // What `ssh -G` says where `~/.ssh/config` has the option.
    let bin = tempfile::tempdir().expect("a directory");
    let own = "#!/bin/sh\n[ \"$1\" != -G ] || set -- -o ControlPath=/tmp/%C \"$@\"\nexec /usr/bin/ssh \"$@\"\n";
    script(&bin.path().join("ssh"), own);
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").expect("there"));
    for _ in 0..2 {
        let before = logins(&server);
        let mut program = world.program(PROGRAM);
        let done = program.args(["-c", "tkm ssh dev -- true"]).env("PATH", &path).output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(logins(&server) - before, 1);
    }
    assert!(sockets(&world).is_empty() && keepers(&world).is_empty());
}
