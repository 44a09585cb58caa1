//! Keys that are bound to `tetra agent` on their hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{has_servers, mode, own_lines, tkm_dir};
use crate::sshd::Server;
use crate::world::World;

/// A world that knows the server as `prod`, with a key that is bound there.
pub(super) fn bound_world(server: &Server) -> World {
    let mut world = World::new();
    world.run("tkm init").done();
    world.run("tkm generate prod --no-passphrase --yes").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add prod root@127.0.0.1:{port} --fingerprint {fingerprint} --yes")).done();
    let found = world.run(&bootstrap(server));
    assert!(found.code == 0 && !found.stderr.contains("not bound"), "{found:?}");
    world
}

fn bootstrap(server: &Server) -> String {
    format!("tkm bootstrap prod --yes --identity {}", server.identity().display())
}

/// The active private key of prod.
fn key(world: &World) -> PathBuf {
    let dir = tkm_dir(world).join("keys/_/prod");
    let all = fs::read_dir(&dir).expect("there").flatten().map(|entry| entry.path());
    all.filter(|path| path.extension().is_none()).max_by_key(|path| path.as_os_str().len()).expect("a key")
}

/// What the server answers to a command with this key.
fn ssh(server: &Server, key: &Path, command: &[&str]) -> Output {
    let mut ssh = Command::new("ssh");
    ssh.args([
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "BatchMode=yes",
    ]);
    ssh.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i"]).arg(key);
    ssh.args(["-p", &server.port().to_string(), "root@127.0.0.1"]).args(command);
    ssh.stdin(std::process::Stdio::null()).output().expect("ssh is there")
}

fn log(server: &Server) -> String {
    fs::read_to_string(server.root().join("tetra/logs/agent.log")).unwrap_or_default()
}

#[test]
fn a_key_of_prod_does_what_the_agent_does_and_nothing_else() {
    if !has_servers("a_key_of_prod_does_what_the_agent_does_and_nothing_else") {
        return;
    }
    let server = Server::start("prod");
    let mut world = bound_world(&server);
    let line = own_lines(&server).concat();
    let program = line.strip_prefix("restrict,command=\"").and_then(|rest| rest.split(' ').next()).expect("a path");
    assert!(line.starts_with(&format!("restrict,command=\"{program} agent prod\" ssh-ed25519 ")), "{line}");
    let installed = server.root().join(program.strip_prefix("/root/").expect("below its home"));
    assert_eq!((mode(&installed), mode(installed.parent().expect("a directory"))), (0o700, 0o700));
    assert!(world.run(&bootstrap(&server)).done().contains("already"));
    assert!(world.run("tkm test prod").done().contains("ok"));
    assert!(world.run("tkm ssh prod -- ping --yes").code != 0, "`ping --yes` is not a word");
    let pinged = ssh(&server, &key(&world), &["ping"]);
    let said = String::from_utf8_lossy(&pinged.stdout).into_owned();
    assert!(said.starts_with("tetra-agent 1 - ") && said.contains("\"env\":\"prod\""), "{said}");
    for word in ["list", "status", "health"] {
        let answered = ssh(&server, &key(&world), &[word]);
        assert!(String::from_utf8_lossy(&answered.stdout).contains("\"data\""), "{word}: {answered:?}");
    }
    for refused in ["id", "sh -c 'touch /root/broken'", "internal-sftp", "ping; touch /root/broken", "write-keys"] {
        let answered = ssh(&server, &key(&world), &[refused]);
        assert_eq!(answered.status.code(), Some(1), "{refused}: {answered:?}");
        assert!(String::from_utf8_lossy(&answered.stdout).contains("\"refused\""), "{refused}: {answered:?}");
        assert!(
            log(&server).contains(&format!("prod from 127.0.0.1: `{}` refused: ", refused.escape_debug())),
            "{}",
            log(&server)
        );
    }
    assert!(!server.root().join("broken").exists());
    // Without a command it waits for a frame, of which nothing comes.
    let answered = ssh(&server, &key(&world), &[]);
    assert!(String::from_utf8_lossy(&answered.stdout).contains("\"malformed\""), "{answered:?}");
    world.run("tkm ssh prod --yes").failed(4);
}

#[test]
fn a_key_that_is_bound_is_replaced_by_one_that_is_bound() {
    if !has_servers("a_key_that_is_bound_is_replaced_by_one_that_is_bound") {
        return;
    }
    let server = Server::start("prod");
    let foreign = fs::read(server.authorized_keys()).expect("there");
    let mut world = bound_world(&server);
    let first = own_lines(&server);
    let said = world.run("tkm rotate @prod --now --no-passphrase --yes --expires 30").done();
    assert!(said.contains("replaced"), "{said}");
    let last = own_lines(&server);
    assert!(last.len() == 1 && last != first, "{last:?}");
    assert!(last[0].starts_with("restrict,command=\"") && last[0].contains(",expiry-time=\"20261220"), "{last:?}");
    assert!(fs::read(server.authorized_keys()).expect("there").starts_with(&foreign));
    assert!(log(&server).contains("`write-keys` done") && log(&server).contains("`arm` done"), "{}", log(&server));
    world.run("tkm test prod").done();
}

#[test]
fn addresses_that_may_use_a_key_are_kept() {
    if !has_servers("addresses_that_may_use_a_key_are_kept") {
        return;
    }
    let server = Server::start("prod");
    let mut world = bound_world(&server);
    let before = fs::read(server.authorized_keys()).expect("there");
    world.run(&format!("{} --from 10.0.0.1", bootstrap(&server))).failed(14);
    assert_eq!(fs::read(server.authorized_keys()).expect("there"), before, "a key that is not let in is not left");
    world.run("tkm test prod").done();
    world.run(&format!("{} --from '127.0.0.0/8,!127.0.0.2'", bootstrap(&server))).done();
    assert!(own_lines(&server)[0].contains(",from=\"127.0.0.0/8,!127.0.0.2\""), "{:?}", own_lines(&server));
    world.run("tkm rotate @prod --now --no-passphrase --yes").done();
    assert!(own_lines(&server)[0].contains(",from=\"127.0.0.0/8,!127.0.0.2\""), "{:?}", own_lines(&server));
    world.run(&format!("{} --from 'a b'", bootstrap(&server))).failed(2);
}

#[test]
fn a_host_that_cannot_have_the_program_has_a_key_with_restrict_alone() {
    if !has_servers("a_host_that_cannot_have_the_program_has_a_key_with_restrict_alone") {
        return;
    }
    let server = Server::start("prod");
    let lib = server.root().join(".local/lib");
    fs::create_dir_all(&lib).expect("ours");
    fs::set_permissions(&lib, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("ours");
    let mut world = World::new();
    world.run("tkm init").done();
    world.run("tkm generate prod --no-passphrase --yes").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add prod root@127.0.0.1:{port} --fingerprint {fingerprint} --yes")).done();
    let found = world.run(&bootstrap(&server));
    let why = "not bound to `tetra agent`: `/root/.local/lib` can be written by other users";
    assert!(found.code == 0 && found.stderr.contains(why), "{found:?}");
    assert!(own_lines(&server)[0].starts_with("restrict ssh-ed25519 "), "{:?}", own_lines(&server));
    // Once it can, the next bootstrap binds the key.
    fs::set_permissions(&lib, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    world.run(&bootstrap(&server)).done();
    assert!(own_lines(&server)[0].starts_with("restrict,command="), "{:?}", own_lines(&server));
    world.run("tkm test prod").done();
}

#[test]
fn programs_of_earlier_versions_go_but_one_and_those_that_a_line_names() {
    if !has_servers("programs_of_earlier_versions_go_but_one_and_those_that_a_line_names") {
        return;
    }
    let server = Server::start("prod");
    let mut world = bound_world(&server);
    let dir = server.root().join(".local/lib/tetra");
    let program = fs::read_dir(&dir).expect("there").flatten().next().expect("a program").file_name();
    let names =
        ["tetra-00000000000000a1", "tetra-00000000000000a2", "tetra-00000000000000a3", "tetra-of-others", "tetra-0"];
    for (age, name) in (1..).zip(names) {
        let file = fs::File::create(dir.join(name)).expect("ours");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 - age);
        file.set_modified(time).expect("ours");
    }
    let text = fs::read_to_string(server.authorized_keys()).expect("there");
    let named = "command=\"/root/.local/lib/tetra/tetra-00000000000000a3 agent staging\" ssh-ed25519 AAAA other\n";
    fs::write(server.authorized_keys(), format!("{named}{text}")).expect("ours");
    world.run(&bootstrap(&server)).done();
    let mut left: Vec<String> = fs::read_dir(&dir)
        .expect("there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    let mut expected: Vec<String> = [names[0], names[2], names[3], names[4]].map(str::to_owned).to_vec();
    expected.push(program.to_string_lossy().into_owned());
    expected.sort();
    assert_eq!(left, expected);
}
