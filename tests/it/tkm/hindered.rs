//! Hosts that turn bad after a key was installed: a rotation says why and changes nothing, at each of its two steps, and ends once
//! they are well again.

use std::fs;

use nix::sys::signal::Signal;

use super::bad_input::OTHER_SHELL;
use super::has_servers;
use crate::sandbox;
use crate::sshd::{self, Server};
use crate::waiting::eventually;
use crate::world::World;

/// What becomes of a host, and how it is undone.
enum Hindrance {
    /// Lines of `sh` where its mounts are.
    Lines { set: &'static str, undo: &'static str },
    /// A line of `sshd_config`.
    Config(&'static str),
}

use Hindrance::{Config, Lines};

impl Hindrance {
    fn set(&self, server: &Server, mark: &str) {
        match self {
            Lines { set, .. } => drop(server.inside(&set.replace("OTHER_SHELL", OTHER_SHELL))),
            Config(line) => configure(server, line, mark),
        }
    }

    fn undo(&self, server: &Server, mark: &str) {
        match self {
            Lines { undo, .. } => drop(server.inside(undo)),
            Config(_) => configure(server, "", mark),
        }
    }
}

/// Has a running server read lines before its configuration. What it says first to clients shows that it did.
pub(crate) fn configure(server: &Server, line: &str, mark: &str) {
    let path = server.etc().join("sshd_config");
    let whole = fs::read_to_string(&path).expect("there");
    let own = whole.find("ListenAddress").expect("its own lines");
    fs::write(&path, format!("{line}\nVersionAddendum {mark}\n{}", &whole[own..])).expect("ours");
    sandbox::signal(server.pid(), Signal::SIGHUP);
    eventually("it read them", || sshd::greeting(server.port()).contains(mark));
}

const ROWS: [(Hindrance, u8, &str); 9] = [
    (
        Lines {
            set: "cd /root/.ssh && cp -p authorized_keys k && yes '# a comment' | head -c 10485760 >> authorized_keys",
            undo: "cd /root/.ssh && mv k authorized_keys",
        },
        13,
        "is larger than",
    ),
    (
        Lines {
            set: "cd /root/.ssh && mv authorized_keys k && ln -s k authorized_keys",
            undo: "cd /root/.ssh && mv k authorized_keys",
        },
        13,
        "is a symbolic link",
    ),
    (
        Lines {
            set: "touch /root/log && mount --bind /root/.ssh /root/.ssh && mount --bind /root/log /root/.ssh/log && \
                  mount -o remount,bind,ro /root/.ssh",
            undo: "umount /root/.ssh/log && umount /root/.ssh",
        },
        13,
        "cannot be written",
    ),
    (
        Lines {
            set: "rm -rf /root/copy && cp -a /root/.ssh /root/copy && mount -t tmpfs -o size=64k,mode=700 tmpfs /root/.ssh && \
                  cp -a /root/copy/. /root/.ssh && { cat /dev/zero > /root/.ssh/fill; true; }",
            undo: "umount -l /root/.ssh",
        },
        13,
        "no space is left",
    ),
    (Config("AuthorizedKeysFile none"), 18, "Permission denied"),
    (Config("ForceCommand /bin/echo hello"), 13, "runs no command: hello"),
    (Config("ForceCommand /bin/false"), 13, "runs no command"),
    (Config("Banner /root/banner"), 11, "its log says why"),
    (
        Lines {
            set: "printf '#!/bin/sh\\nexec /usr/sbin/nologin\\n' > /root/shell && chmod 755 /root/shell && OTHER_SHELL",
            undo: "umount /etc/passwd",
        },
        13,
        "currently not available",
    ),
];

#[test]
fn a_rotation_changes_nothing_on_a_host_that_turned_bad_and_ends_when_it_is_well() {
    if !has_servers("a_rotation_changes_nothing_on_a_host_that_turned_bad_and_ends_when_it_is_well") {
        return;
    }
    walk("dev", "");
}

#[test]
fn the_same_holds_where_the_key_is_bound_to_the_agent() {
    if !has_servers("the_same_holds_where_the_key_is_bound_to_the_agent") {
        return;
    }
    walk("staging", " --yes");
}

/// `yes` is what the environment is asked with.
#[track_caller]
fn walk(env: &str, yes: &str) {
    let mut wrong = Vec::new();
    for (hindrance, code, words) in ROWS {
        let server = Server::start("dev");
        // No packet of ssh may be that long.
        fs::write(server.root().join("banner"), "b".repeat(1 << 20)).expect("ours");
        let mut world = World::new();
        world.run("tkm init").done();
        let (port, fingerprint) = (server.port(), server.fingerprint());
        world.run(&format!("tkm host add {env} root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
        let identity = server.identity().display().to_string();
        world.run(&format!("tkm bootstrap {env} --identity {identity}{yes}")).done();
        let steps = [("add", "--grace 1h --no-passphrase"), ("remove", "--resume --now")];
        for (step, begin) in steps.map(|(step, words)| (step, format!("tkm rotate {env} {words}{yes}"))) {
            let begin = begin.as_str();
            hindrance.set(&server, &format!("bad-{step}"));
            let look = "cksum < /root/.ssh/authorized_keys; ls -A /root/.ssh | grep tetra; true";
            let before = server.inside(look);
            let found = world.run(begin);
            let said = format!("{}{}", found.output, found.stderr);
            let after = server.inside(look);
            hindrance.undo(&server, &format!("well-{step}"));
            if found.code != code
                || !said.contains(words)
                || !said.contains("when what failed is solved")
                || before != after
            {
                wrong.push(format!("{words}, {step}: {} instead of {code}: {said}{before}{after}", found.code));
            }
            world.run(&format!("tkm test {env}")).done();
            if found.code != 0 {
                world.run(begin).done();
            }
        }
        world.run(&format!("tkm test {env}")).done();
        let stray = server.inside("ls -A /root/.ssh | grep tetra; grep -c ssh-ed25519 /root/.ssh/authorized_keys");
        if stray.trim() != "2" {
            wrong.push(format!("{words}: the operator's line and that of the new key were expected: {stray}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
