//! The way to a host as `~/.ssh/config` says it: `Match` blocks, and a jump through another host.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{has_servers, own_lines, tkm_dir};
use crate::program::script;
use crate::sshd::Server;
use crate::world::{PROGRAM, World};

/// An `ssh` that reads the configuration of a test: the real one looks in the home directory that the user has in /etc/passwd.
pub(super) fn world_with(dir: &Path, config: &str) -> World {
    let path = dir.join("config");
    fs::write(&path, config).expect("ours");
    script(&dir.join("ssh"), &format!("#!/bin/sh\nexec /usr/bin/ssh -F '{}' \"$@\"\n", path.display()));
    let mut world = World::with(&[("PATH", &path_with(dir))]);
    world.run("tkm init").done();
    world
}

fn path_with(dir: &Path) -> String {
    format!("{}:{}", dir.display(), std::env::var("PATH").expect("there"))
}

#[test]
fn a_host_behind_another_is_reached_through_it() {
    if !has_servers("a_host_behind_another_is_reached_through_it") {
        return;
    }
    let mut bastion = Server::start("bastion");
    let inner = Server::start("inner");
    let dir = tempfile::tempdir().expect("a directory");
    let known = dir.path().join("known");
    let key = fs::read_to_string(bastion.root().join(".ssh/host_key.pub")).expect("there");
    fs::write(&known, format!("[127.0.0.1]:{} {key}", bastion.port())).expect("ours");
    let config = format!(
        "Host inner\n  HostName 127.0.0.1\n  Port {}\n  User root\n  ProxyJump bastion\n\
         Host bastion\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
         IdentityAgent none\n  UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n",
        inner.port(),
        bastion.port(),
        bastion.identity().display(),
        known.display()
    );
    let mut world = world_with(dir.path(), &config);
    // It is on the loopback too, and reached through the other one all the same: not without it.
    let add = format!("tkm host add inner inner --env dev --fingerprint {}", inner.fingerprint());
    bastion.stop();
    assert_eq!(world.run(&add).code, 11);
    bastion.restart();
    world.run(&add).done();
    world.run(&format!("tkm bootstrap inner --identity {}", inner.identity().display())).done();
    world.run("tkm test inner").done();
    world.run("tkm rotate dev --now").done();
    assert_eq!(own_lines(&inner).len(), 1);
    assert_eq!(own_lines(&bastion).len(), 0, "nothing is installed on the way");
    let mut session = world.program(PROGRAM);
    session.args(["-c", "tkm ssh inner -- exit 7"]).env("PATH", path_with(dir.path()));
    assert_eq!(session.output().expect("it runs").status.code(), Some(7));
    // So do other programs, by the name of `tkm config`. What the configuration says is looked up once, and anew by that command.
    let file = tkm_dir(&world).join("ssh_config");
    let text = fs::read_to_string(&file).expect("there");
    let jump = text.lines().find(|line| line.contains("ProxyCommand")).expect("a jump").to_owned();
    fs::write(&file, text.replace(&jump, "    ProxyCommand false")).expect("ours");
    world.run("tkm generate dev admin").done();
    assert!(!fs::read_to_string(&file).expect("there").contains(&jump));
    world.run("tkm config").done();
    assert!(fs::read_to_string(&file).expect("there").contains(&jump));
    let mut other = Command::new("ssh");
    other.arg("-F").arg(tkm_dir(&world).join("ssh_config")).args(["-o", "BatchMode=yes", "tetra-inner", "exit 7"]);
    let done = other.env("PATH", path_with(dir.path())).output().expect("ssh is there");
    assert_eq!(done.status.code(), Some(7), "{done:?}");
    bastion.stop();
    let found = world.run("tkm test inner");
    assert_eq!(found.code, 11, "{found:?}");
    bastion.restart();
    world.run("tkm test inner").done();
    // Another host in its place is sent nothing, also through the other one.
    let pins = tkm_dir(&world).join("known_hosts");
    let text = fs::read_to_string(&pins).expect("there");
    let pinned = fs::read_to_string(inner.root().join(".ssh/host_key.pub")).expect("there");
    let body = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    fs::write(&pins, text.replace(&body(&pinned), &body(&key))).expect("ours");
    let said = world.run("tkm test inner").failed(12);
    assert!(said.contains(&inner.fingerprint()) && said.contains(&bastion.fingerprint()), "{said}");
}

#[test]
fn blocks_that_match_say_the_way() {
    if !has_servers("blocks_that_match_say_the_way") {
        return;
    }
    let (here, there) = (Server::start("here"), Server::start("there"));
    let dir = tempfile::tempdir().expect("a directory");
    let flag = dir.path().join("moved");
    let config = format!(
        "Match originalhost web exec \"test -e {}\"\n  Port {}\nMatch originalhost web\n  Port {}\nMatch originalhost web user ann\n  \
         HostName 192.0.2.1\nMatch originalhost web\n  HostName 127.0.0.1\n  IdentityFile /none\n  ForwardAgent yes\n  \
         StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n",
        flag.display(),
        there.port(),
        here.port()
    );
    let mut world = world_with(dir.path(), &config);
    world.run(&format!("tkm host add web root@web --env dev --fingerprint {}", here.fingerprint())).done();
    world.run(&format!("tkm bootstrap web --identity {}", here.identity().display())).done();
    world.run("tkm test web").done();
    assert_eq!((own_lines(&here).len(), own_lines(&there).len()), (1, 0));
    // The program of the block says another way now: another host, which is not the pinned one. What the block says of keys of hosts
    // switches nothing off.
    fs::write(&flag, "").expect("ours");
    let said = world.run("tkm test web").failed(12);
    assert!(said.contains(&there.fingerprint()), "{said}");
    fs::remove_file(&flag).expect("ours");
    world.run("tkm test web").done();
    // A configuration that ssh does not read is named with its line, and nothing is made.
    fs::write(dir.path().join("config"), "Host web\n  HostNam 127.0.0.1\n").expect("ours");
    let before = super::contents(&tkm_dir(&world));
    let said = world.run("tkm host add other other --env dev").failed(1);
    assert!(said.contains("config") && said.contains("line 2"), "{said}");
    assert!(super::contents(&tkm_dir(&world)) == before);
}
