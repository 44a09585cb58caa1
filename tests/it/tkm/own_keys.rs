//! The operator's own keys without `--identity`: which are offered to a host, each in a connection of its own.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::agents::Agent;
use super::held::{agent_of, attempts, lines_of_log};
use super::ways::world_with;
use super::{contents, has_servers, tkm_dir};
use crate::sshd::Server;
use crate::world::World;

/// A server that takes one attempt in a connection, and says what it was offered.
fn strict() -> Server {
    Server::start_with("dev", "MaxAuthTries 1\nLogLevel VERBOSE")
}

/// A world that knows the server as `dev`, with lines of `~/.ssh/config` for every host.
fn world_of(dir: &Path, server: &Server, agent: &Agent, lines: &str) -> World {
    let mut world = world_with(dir, &config(agent, lines));
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world
}

fn config(agent: &Agent, lines: &str) -> String {
    format!("Host *\n  IdentityAgent {}\n  {}\n", agent.socket.display(), lines.replace('\n', "\n  "))
}

/// Lets a key in, and no other.
fn admit(server: &Server, dir: &Path, name: &str) {
    fs::copy(dir.join(name).with_extension("pub"), server.authorized_keys()).expect("ours");
}

fn keygen(words: &[&str], path: &Path) {
    let done = Command::new("ssh-keygen").arg("-q").args(words).arg("-f").arg(path).output();
    assert!(done.expect("ssh-keygen is there").status.success());
}

#[test]
fn a_few_keys_are_tried_each_in_a_connection() {
    if !has_servers("a_few_keys_are_tried_each_in_a_connection") {
        return;
    }
    let server = strict();
    let dir = tempfile::tempdir().expect("a directory");
    let agent = agent_of(dir.path(), &["one", "two", "mine"]);
    admit(&server, dir.path(), "mine");
    let mut world = world_of(dir.path(), &server, &agent, "IdentityFile none");
    let since = lines_of_log(&server);
    world.run("tkm bootstrap dev").done();
    assert_eq!(attempts(&server, since).1, 2, "two were refused, in connections of their own");
    let shown = world.run("tkm host show dev --json").done();
    assert!(shown.contains("root with SHA256:") && shown.contains("(mine)"), "{shown}");
    world.run("tkm test dev").done();
    // The other commands that take the operator's own keys.
    world.run("tkm ca init dev").done();
    world.run("tkm ca sign dev").done();
    let serial = world.run("tkm ca list --json").done();
    let serial =
        serial.split("\"serial\":").nth(1).expect("a number").split(',').next().expect("a number").trim().to_owned();
    let found = world.run(&format!("tkm ca revoke {serial} --yes"));
    assert!(found.output.contains("not used"), "{found:?}");
    world.run("tkm revoke @dev --yes").done();
    let left: Vec<_> = contents(&tkm_dir(&world)).into_iter().map(|(path, _)| path).collect();
    assert!(!left.iter().any(|path| path.to_string_lossy().contains("/.tetra-")), "{left:?}");
}

#[test]
fn more_keys_than_are_tried_are_named_and_none_is_offered() {
    if !has_servers("more_keys_than_are_tried_are_named_and_none_is_offered") {
        return;
    }
    let server = strict();
    let dir = tempfile::tempdir().expect("a directory");
    let agent = agent_of(dir.path(), &["one", "two", "three", "mine"]);
    admit(&server, dir.path(), "mine");
    let mut world = world_of(dir.path(), &server, &agent, "IdentityFile none");
    let since = lines_of_log(&server);
    let before = contents(&tkm_dir(&world));
    for line in ["tkm bootstrap dev", "tkm remote list dev"] {
        let said = world.run(line).failed(18);
        for word in ["4 keys", "--identity FILE", "(one)", "(mine)", "IdentityFile"] {
            assert!(said.contains(word), "{line}: {word}: {said}");
        }
    }
    assert_eq!(attempts(&server, since), (0, 0));
    assert!(contents(&tkm_dir(&world)) == before, "nothing is changed");
    // The configuration says which: it is the only one that is offered, and those of the agent beside it are not.
    let mine = dir.path().join("mine.pub");
    fs::write(dir.path().join("config"), config(&agent, &format!("IdentityFile {}", mine.display()))).expect("ours");
    world.run("tkm bootstrap dev").done();
    assert_eq!(attempts(&server, since).1, 0);
    // A key is not revoked here either before it is known how its hosts are entered.
    fs::write(dir.path().join("config"), config(&agent, "IdentityFile none")).expect("ours");
    let (keys, before) = (fs::read(server.authorized_keys()).expect("there"), contents(&tkm_dir(&world)));
    let said = world.run("tkm revoke @dev --yes").failed(18);
    assert!(said.contains("--identity FILE"), "{said}");
    assert!(contents(&tkm_dir(&world)) == before, "nothing is changed here");
    assert_eq!(fs::read(server.authorized_keys()).expect("there"), keys, "nor there");
}

#[test]
fn a_configuration_that_limits_the_keys_is_kept_to() {
    if !has_servers("a_configuration_that_limits_the_keys_is_kept_to") {
        return;
    }
    let server = strict();
    let dir = tempfile::tempdir().expect("a directory");
    let agent = agent_of(dir.path(), &["one"]);
    let file = dir.path().join("file");
    keygen(&["-t", "ed25519", "-N", "", "-C", "file"], &file);
    admit(&server, dir.path(), "one");
    let named = format!("IdentityFile {}", file.display());
    let mut world = world_of(dir.path(), &server, &agent, &format!("{named}\nIdentitiesOnly yes"));
    let since = lines_of_log(&server);
    let said = world.run("tkm bootstrap dev").failed(18);
    assert!(said.contains(&file.display().to_string()) && !said.contains("(one)"), "{said}");
    assert_eq!(attempts(&server, since), (1, 1));
    // Nor is an agent asked that the configuration forbids.
    fs::write(dir.path().join("config"), "Host *\n  IdentityAgent none\n  IdentityFile none\n").expect("ours");
    let said = world.run("tkm bootstrap dev").failed(18);
    assert!(said.contains("neither your agent nor ~/.ssh has one"), "{said}");
    // Without the limit that of the agent is tried after it.
    fs::write(dir.path().join("config"), config(&agent, &named)).expect("ours");
    let since = lines_of_log(&server);
    world.run("tkm bootstrap dev").done();
    assert_eq!(attempts(&server, since).1, 1);
}

#[test]
fn a_file_with_a_passphrase_is_no_key_without_its_agent() {
    if !has_servers("a_file_with_a_passphrase_is_no_key_without_its_agent") {
        return;
    }
    let server = strict();
    let dir = tempfile::tempdir().expect("a directory");
    let agent = agent_of(dir.path(), &["one"]);
    let file = dir.path().join("file");
    keygen(&["-t", "ed25519", "-N", "secret", "-C", "file"], &file);
    admit(&server, dir.path(), "file");
    let named = format!("IdentityFile {}", file.display());
    let mut world = world_of(dir.path(), &server, &agent, &format!("{named}\nIdentitiesOnly yes"));
    let before = contents(&tkm_dir(&world));
    let said = world.run("tkm bootstrap dev").failed(18);
    assert!(said.contains(&format!("ssh-add {}", file.display())), "{said}");
    // Another key that can be used is; the host is not asked about the one that cannot.
    fs::write(dir.path().join("config"), config(&agent, &named)).expect("ours");
    let since = lines_of_log(&server);
    let said = world.run("tkm bootstrap dev").failed(18);
    assert!(said.contains("(one)"), "{said}");
    assert_eq!(attempts(&server, since), (1, 1));
    assert!(contents(&tkm_dir(&world)) == before, "nothing is changed");
    agent.add(&["-q", &file.display().to_string()]);
    let since = lines_of_log(&server);
    world.run("tkm bootstrap dev").done();
    assert_eq!(attempts(&server, since).1, 0, "what is named comes first");
}

#[test]
fn an_agent_that_does_not_answer_is_named_and_the_host_is_not() {
    if !has_servers("an_agent_that_does_not_answer_is_named_and_the_host_is_not") {
        return;
    }
    let server = strict();
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("agent");
    let _silent = UnixListener::bind(&socket).expect("a socket");
    let mut world = world_with(dir.path(), &format!("Host *\n  IdentityAgent {}\n", socket.display()));
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    let since = lines_of_log(&server);
    let said = world.run("tkm bootstrap dev").failed(1);
    assert!(said.contains("your agent at") && said.contains("gave no answer"), "{said}");
    assert_eq!(attempts(&server, since), (0, 0));
    // A key in a file needs none.
    world.run(&super::bootstrap(&server)).done();
}
