//! Keys with a passphrase: an agent holds them, and nothing waits for an answer that cannot come.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{bootstrap, has_servers, tkm_dir};
use crate::program::script;
use crate::sandbox::Sandbox;
use crate::sshd::Server;
use crate::waiting::eventually;
use crate::world::World;

/// A running ssh-agent with a program that confirms for it.
pub(super) struct Agent {
    pub(super) child: Child,
    pub(super) socket: PathBuf,
    answers: PathBuf,
}

impl Agent {
    /// `confirms` is what it asks by.
    pub(super) fn start(dir: &Path, confirms: &Path, answers: &Path) -> Self {
        let socket = dir.join("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).env("SSH_ASKPASS", confirms).env("SSH_ASKPASS_REQUIRE", "force");
        let child = command.stdout(Stdio::null()).spawn().expect("ssh-agent is there");
        eventually("the agent listens", || socket.exists());
        Self { child, socket, answers: answers.to_owned() }
    }

    /// Runs ssh-add, which asks by the program that knows the passphrase.
    #[track_caller]
    pub(super) fn add(&self, words: &[&str]) {
        let mut add = Command::new("ssh-add");
        add.args(words).env("SSH_AUTH_SOCK", &self.socket).env("SSH_ASKPASS", &self.answers);
        let done = add.env("SSH_ASKPASS_REQUIRE", "force").stdin(Stdio::null()).output().expect("ssh-add is there");
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_key_with_a_passphrase_is_used_through_the_agent_and_nothing_is_asked() {
    if !has_servers("a_key_with_a_passphrase_is_used_through_the_agent_and_nothing_is_asked") {
        return;
    }
    let server = Server::start("dev");
    let dir = tempfile::tempdir().expect("a directory");
    let (asked, answers, confirms) =
        (dir.path().join("asked"), dir.path().join("answers"), dir.path().join("confirms"));
    script(&answers, "#!/bin/sh\necho secret\n");
    script(&confirms, "#!/bin/sh\n[ -e \"${0%/*}/yes\" ]\n");
    // What tetra would ask by: it never answers, as where no person sees it.
    let forever = dir.path().join("forever");
    script(&forever, &format!("#!/bin/sh\necho \"$1\" >> '{}'\nexec sleep 1000\n", asked.display()));
    let agent = Agent::start(dir.path(), &confirms, &answers);
    let mut world = World::with(&[
        ("SSH_AUTH_SOCK", &agent.socket.display().to_string()),
        ("SSH_ASKPASS", &forever.display().to_string()),
        ("SSH_ASKPASS_REQUIRE", "force"),
        ("DISPLAY", ":0"),
    ]);
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world.run(&bootstrap(&server)).done();
    let key = tkm_dir(&world).join("keys/_/dev/id_ed25519");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-p", "-P", "", "-N", "secret", "-f"]).arg(&key).stdout(Stdio::null());
    assert!(keygen.status().expect("ssh-keygen is there").success());
    let path = key.display().to_string();
    let refused = |world: &mut World, why: &str| {
        let before = fs::read(server.authorized_keys()).expect("there");
        for line in ["tkm test dev", "tkm ssh dev -- true", "tkm rotate dev --now"] {
            let said = world.run(line).failed(18);
            assert!(said.contains(why) && said.contains(&format!("ssh-add {path}")), "{line}: {said}");
        }
        assert_eq!(fs::read(server.authorized_keys()).expect("there"), before);
    };
    refused(&mut world, "does not hold the key");
    agent.add(&[&path]);
    world.run("tkm test dev").done();
    agent.add(&["-x"]);
    refused(&mut world, "or is locked");
    agent.add(&["-X"]);
    world.run("tkm test dev").done();
    agent.add(&["-D"]);
    agent.add(&["-c", &path]);
    refused(&mut world, "refused to sign");
    fs::write(dir.path().join("yes"), "").expect("ours");
    world.run("tkm test dev").done();
    // It replaces the key, with the old one held by the agent.
    world.run("tkm rotate dev --resume --now").done();
    world.run("tkm test dev").done();
    assert!(!asked.exists(), "nothing was asked: {}", fs::read_to_string(&asked).unwrap_or_default());
}

#[test]
fn a_key_of_a_token_is_not_made_without_one() {
    let mut world = World::new();
    world.run("tkm init").done();
    let said = world.run("tkm generate dev admin --fido").failed(1);
    assert!(said.contains("no FIDO token made the key") && said.contains("without `--fido`"), "{said}");
    assert!(!world.run("tkm list").done().contains("admin"));
}

#[test]
fn a_missing_helper_of_tokens_is_named() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["tkm", "init"]);
    let mut call = sandbox.command(&["tkm", "generate", "dev", "admin", "--fido"]);
    let said = call.env("SSH_SK_HELPER", "/does/not/exist").output().expect("it runs");
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(text.contains("/does/not/exist") && text.contains("install `ssh-sk-helper`"), "{text}");
    assert_eq!(said.status.code(), Some(1), "{text}");
}

#[test]
fn certificates_are_signed_and_used_by_keys_that_an_agent_holds() {
    if !has_servers("certificates_are_signed_and_used_by_keys_that_an_agent_holds") {
        return;
    }
    let server = Server::start("dev");
    let dir = tempfile::tempdir().expect("a directory");
    let (answers, confirms) = (dir.path().join("answers"), dir.path().join("confirms"));
    script(&answers, "#!/bin/sh\necho secret\n");
    script(&confirms, "#!/bin/sh\n[ -e \"${0%/*}/yes\" ]\n");
    let mut agent = Agent::start(dir.path(), &confirms, &answers);
    let mut world = World::with(&[("SSH_AUTH_SOCK", &agent.socket.display().to_string())]);
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world.run(&bootstrap(&server)).done();
    world.run("tkm ca init dev").done();
    // From here on a certificate alone is the way in.
    world.run(&format!("tkm revoke dev --identity {}", server.identity().display())).done();
    let (key, authority) =
        (tkm_dir(&world).join("keys/_/dev/id_ed25519"), tkm_dir(&world).join("keys/_/dev/id_ed25519_ca"));
    for path in [&key, &authority] {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-p", "-P", "", "-N", "secret", "-f"]).arg(path).stdout(Stdio::null());
        assert!(keygen.status().expect("ssh-keygen is there").success());
    }
    let path = authority.display().to_string();
    let refused = |world: &mut World, why: &str| {
        let said = world.run("tkm ca sign dev").failed(18);
        assert!(said.contains(why) && said.contains(&format!("ssh-add {path}")), "{said}");
        assert!(!world.run("tkm ca list").done().contains("valid"), "nothing was signed");
    };
    refused(&mut world, "does not hold the key");
    // Another key than the one that signs.
    agent.add(&[&key.display().to_string()]);
    refused(&mut world, "does not hold the key");
    agent.add(&["-c", &path]);
    refused(&mut world, "refused to sign");
    fs::write(dir.path().join("yes"), "").expect("ours");
    agent.add(&["-x"]);
    refused(&mut world, "does not hold the key, or is locked");
    agent.add(&["-X"]);
    world.run("tkm ca sign dev").done();
    // The key that signs is not needed for a login; the one that it signed is.
    agent.add(&["-d", &path]);
    world.run("tkm test dev").done();
    assert_eq!(world.run("tkm ssh dev -- exit 7").code, 7);
    agent.add(&["-D"]);
    let said = world.run("tkm test dev").failed(18);
    assert!(said.contains(&format!("ssh-add {}", key.display())), "{said}");
    agent.child.kill().expect("it runs");
    agent.child.wait().expect("ours");
    let said = world.run("tkm ca sign dev").failed(18);
    assert!(said.contains("`SSH_AUTH_SOCK` leads to none") && said.contains(&format!("ssh-add {path}")), "{said}");
}
