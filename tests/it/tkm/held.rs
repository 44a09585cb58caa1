//! Keys that an agent holds, against hosts that refuse: each has its exit code, one attempt, and nothing is changed.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::agents::Agent;
use super::bad_input::OTHER_SHELL;
use super::hindered::configure;
use super::ways::world_with;
use super::{has_servers, tkm_dir};
use crate::program::script;
use crate::sshd::Server;
use crate::world::World;

/// An agent that holds keys of which no file is left, and the directory with the public halves.
pub(super) fn agent_of(dir: &Path, keys: &[&str]) -> Agent {
    let (answers, confirms) = (dir.join("answers"), dir.join("confirms"));
    script(&answers, "#!/bin/sh\necho secret\n");
    script(&confirms, "#!/bin/sh\n[ -e \"${0%/*}/yes\" ]\n");
    let agent = Agent::start(dir, &confirms, &answers);
    for name in keys {
        let path = dir.join(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
        assert!(keygen.status().expect("ssh-keygen is there").success());
        agent.add(&["-q", &path.display().to_string()]);
        fs::remove_file(&path).expect("ours");
    }
    agent
}

/// How often a client came to the server, and how often it offered a key that was not let in, since a number of lines of its log.
pub(super) fn attempts(server: &Server, since: usize) -> (usize, usize) {
    let log = fs::read_to_string(server.root().join(".ssh/log")).expect("there");
    let count = |text: &str| log.lines().skip(since).filter(|line| line.contains(text)).count();
    (count("Connection from "), count("Failed publickey"))
}

pub(super) fn lines_of_log(server: &Server) -> usize {
    fs::read_to_string(server.root().join(".ssh/log")).expect("there").lines().count()
}

#[test]
fn a_key_without_a_file_is_used_through_the_agent_and_one_key_is_offered() {
    if !has_servers("a_key_without_a_file_is_used_through_the_agent_and_one_key_is_offered") {
        return;
    }
    let server = Server::start_with("dev", "MaxAuthTries 1\nLogLevel VERBOSE");
    let dir = tempfile::tempdir().expect("a directory");
    let agent = agent_of(dir.path(), &["one", "two", "three", "mine"]);
    let public = fs::read_to_string(dir.path().join("mine.pub")).expect("there");
    fs::write(server.authorized_keys(), &public).expect("ours");
    let mut world = World::with(&[("SSH_AUTH_SOCK", &agent.socket.display().to_string())]);
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    let named = |name: &str| format!("tkm bootstrap dev --identity {}", dir.path().join(name).display());
    // A key that is not let in.
    for (line, failed) in [(named("two.pub"), 1), (named("two"), 1)] {
        let since = lines_of_log(&server);
        let said = world.run(&line).failed(18);
        assert!(said.contains("two.pub"), "{said}");
        assert_eq!(attempts(&server, since), (1, failed), "{line}");
    }
    let since = lines_of_log(&server);
    let said = world.run("tkm bootstrap dev").failed(18);
    assert!(said.contains("--identity"), "{said}");
    assert_eq!(attempts(&server, since), (0, 0), "which of four is meant is not guessed");
    assert_eq!(fs::read_to_string(server.authorized_keys()).expect("there"), public);
    // One that is let in, and that the agent does not sign with.
    agent.add(&["-x"]);
    let said = world.run(&named("mine.pub")).failed(18);
    assert!(said.contains("or is locked") && said.contains("`ssh-add -l`"), "{said}");
    assert!(!said.contains(&format!("ssh-add {}", dir.path().display())), "there is no such file: {said}");
    agent.add(&["-X"]);
    assert_eq!(fs::read_to_string(server.authorized_keys()).expect("there"), public);
    world.run(&named("mine.pub")).done();
    world.run("tkm test dev").done();
}

/// What a host does to a login, and what undoes it.
const ROWS: [(&str, &str, u8, &str); 6] = [
    ("MaxAuthTries 1", "", 0, "dev"),
    ("AuthorizedKeysFile none", "", 18, "Permission denied"),
    ("ForceCommand /bin/echo hello", "", 13, "runs no command"),
    ("Banner /root/banner", "", 11, "its log says why"),
    ("", "nologin", 13, "currently not available"),
    ("", "pin", 12, "host key"),
];

#[test]
fn a_host_that_refuses_a_key_of_the_agent_has_its_exit_code_and_one_attempt() {
    if !has_servers("a_host_that_refuses_a_key_of_the_agent_has_its_exit_code_and_one_attempt") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let agent = agent_of(dir.path(), &["one", "two", "three"]);
    let mut wrong = Vec::new();
    for (number, (line, other, code, words)) in ROWS.into_iter().enumerate() {
        let mut server = Server::start("dev");
        fs::write(server.root().join("banner"), "b".repeat(1 << 20)).expect("ours");
        let mut world = World::with(&[("SSH_AUTH_SOCK", &agent.socket.display().to_string())]);
        world.run("tkm init").done();
        let (port, fingerprint) = (server.port(), server.fingerprint());
        world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
        world.run(&super::bootstrap(&server)).done();
        let key = tkm_dir(&world).join("keys/_/dev/id_ed25519");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-p", "-P", "", "-N", "secret", "-f"]).arg(&key);
        assert!(keygen.status().expect("ssh-keygen is there").success());
        agent.add(&["-q", &key.display().to_string()]);
        match other {
            "pin" => server.rekey(),
            "nologin" => {
                let shell = "printf '#!/bin/sh\\nexec /usr/sbin/nologin\\n' > /root/shell && chmod 755 /root/shell";
                server.inside(&format!("{shell} && {OTHER_SHELL}"));
            }
            _ => {}
        }
        if other != "pin" {
            configure(&server, &format!("LogLevel VERBOSE\n{line}"), &format!("row-{number}"));
        }
        let before = fs::read(server.authorized_keys()).expect("there");
        for verb in ["tkm test dev", "tkm remote audit dev", "tkm remote sync dev", "tkm rotate dev --now"] {
            let since = lines_of_log(&server);
            let found = world.run(verb);
            let said = format!("{}{}", found.output, found.stderr);
            let (came, failed) = attempts(&server, since);
            let is_as_expected = if code == 0 { found.code == 0 } else { found.code == code && said.contains(words) };
            let is_rotated = code == 0 && verb.contains("rotate");
            if !is_as_expected {
                wrong.push(format!("{line}{other}, {verb}: {} instead of {code}: {said}", found.code));
            }
            if failed > 1 || (code == 12 && came > 1) {
                wrong.push(format!("{line}{other}, {verb}: {failed} keys were offered in {came} connections"));
            }
            if fs::read(server.authorized_keys()).expect("there") != before && !is_rotated {
                wrong.push(format!("{line}{other}, {verb}: something was changed"));
            }
            if is_rotated {
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As programs that keep passwords do it: `SSH_AUTH_SOCK` leads nowhere.
#[test]
fn the_agent_that_the_configuration_of_ssh_names_is_used() {
    if !has_servers("the_agent_that_the_configuration_of_ssh_names_is_used") {
        return;
    }
    let server = Server::start("dev");
    let dir = tempfile::tempdir().expect("a directory");
    let agent = agent_of(dir.path(), &["mine"]);
    let public = dir.path().join("mine.pub");
    fs::copy(&public, server.authorized_keys()).expect("ours");
    let mut world = world_with(dir.path(), &format!("Host *\n  IdentityAgent {}\n", agent.socket.display()));
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world.run(&format!("tkm bootstrap dev --identity {}", public.display())).done();
    world.run("tkm test dev").done();
}
