//! Certificates: what a key of an environment signs is let in for a while, and does what keys of the environment do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{bootstrap, has_servers, tkm_dir, world_of};
use crate::sshd::Server;
use crate::world::World;

/// A key pair that no one knows yet.
fn key(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
    assert!(keygen.status().expect("ssh-keygen is there").success());
    path
}

/// What a plain ssh with this key, and the certificate beside it, gets from a server; none if it is not let in.
fn login(server: &Server, key: &Path, command: &str) -> Option<String> {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
    ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]);
    ssh.arg("-i").arg(key).args(["-p", &server.port().to_string(), "root@127.0.0.1", command]);
    let done = ssh.stdin(std::process::Stdio::null()).output().expect("ssh is there");
    let refused = String::from_utf8_lossy(&done.stderr).contains("Permission denied");
    (!refused).then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The number of the certificate that was made last.
fn last_serial(world: &mut World) -> u64 {
    let listed = world.run("tkm ca list --json").done();
    let rows: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let rows = rows["data"].as_array().or(rows.as_array()).unwrap_or_else(|| panic!("{listed}"));
    rows.last().and_then(|row| row["serial"].as_u64()).unwrap_or_else(|| panic!("{listed}"))
}

fn lines(server: &Server) -> Vec<String> {
    let text = fs::read_to_string(server.authorized_keys()).expect("there");
    text.lines().filter(|line| line.starts_with("restrict")).map(str::to_owned).collect()
}

#[test]
fn a_certificate_is_let_in_and_does_what_it_allows() {
    if !has_servers("a_certificate_is_let_in_and_does_what_it_allows") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    assert_eq!(world.run("tkm ca sign dev").code, 22, "nothing signs yet");
    world.run(&bootstrap(&server)).done();
    let found = world.run("tkm ca init dev");
    assert!(found.output.contains("trusted") && found.stderr.contains("next: `tkm ca sign dev`"), "{found:?}");
    let now = lines(&server);
    assert!(
        now.len() == 2 && now[1].starts_with("restrict,pty,cert-authority,principals=\"tetra:dev\" ssh-"),
        "{now:?}"
    );
    assert!(world.run("tkm ca init dev").done().contains("unchanged"));
    assert_eq!(lines(&server), now);
    // Without the line of the key, the certificate alone is the way in.
    world.run(&format!("tkm revoke dev --identity {}", server.identity().display())).done();
    assert_eq!(lines(&server), now[1..]);
    let found = world.run("tkm test dev");
    assert!(found.code == 22 && found.stderr.contains("tkm ca sign dev"), "{found:?}");
    assert!(world.run("tkm status dev").done().contains("tkm ca sign dev"));
    assert!(world.run("tkm audit").output.contains("none is valid, and dev accepts nothing else"));
    world.run("tkm ca sign dev").done();
    world.run("tkm test dev").done();
    assert_eq!(world.run("tkm ssh dev -- exit 7").code, 7);
    world.run("tkm remote list dev").done();
    assert!(world.run("tkm ca list").done().contains("valid"));
    assert!(world.run("tkm list").done().contains(" ca "));

    let ann = key(world.home(), "ann");
    assert_eq!(login(&server, &ann, "echo in"), None);
    for (networks, expected) in [("10.0.0.0/8", None), ("127.0.0.0/8,10.0.0.0/8", Some("in\n".to_owned()))] {
        world.run(&format!("tkm ca sign dev {}.pub --from {networks} --for 5m", ann.display())).done();
        assert_eq!(login(&server, &ann, "echo in"), expected, "{networks}");
    }
    // One for another principal is refused, whichever key signed it.
    let ca = tkm_dir(&world).join("keys/_/dev/id_ed25519_ca");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-I", "x", "-n", "root,tetra:prod", "-s"]).arg(&ca).arg(ann.with_extension("pub"));
    assert!(keygen.status().expect("ssh-keygen is there").success());
    assert_eq!(login(&server, &ann, "echo in"), None);
}

#[test]
fn a_revoked_certificate_is_refused_and_others_are_not() {
    if !has_servers("a_revoked_certificate_is_refused_and_others_are_not") {
        return;
    }
    let server = Server::start_with("dev", "RevokedKeys /etc/ssh/tetra_revoked_keys");
    fs::write(server.etc().join("tetra_revoked_keys"), "").expect("ours");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    world.run("tkm ca init dev").done();
    let (ann, bob) = (key(world.home(), "ann"), key(world.home(), "bob"));
    world.run(&format!("tkm ca sign dev {}.pub", bob.display())).done();
    world.run(&format!("tkm ca sign dev {}.pub", ann.display())).done();
    assert_eq!(login(&server, &ann, "echo in").as_deref(), Some("in\n"));
    let serial = last_serial(&mut world);
    assert_eq!(world.run("tkm ca revoke 7").code, 5);
    let identity = server.identity().display().to_string();
    let refused = world.run(&format!("tkm ca revoke {serial}")).failed(18);
    assert!(refused.contains(&format!("`tkm ca revoke {serial} --identity FILE` brings it")), "{refused}");
    assert_eq!(login(&server, &ann, "echo in").as_deref(), Some("in\n"), "the host does not know yet");
    let said = world.run(&format!("tkm ca revoke {serial} --identity {identity}")).done();
    assert!(said.contains("updated"), "{said}");
    assert_eq!(login(&server, &ann, "echo in"), None);
    assert_eq!(login(&server, &bob, "echo in").as_deref(), Some("in\n"));
    assert!(world.run("tkm ca list").done().contains("revoked"));
    // What signed them all, at once.
    let text = fs::read_to_string(tkm_dir(&world).join("keys/_/dev/id_ed25519_ca.pub")).expect("there");
    let fingerprint = tetra::tkm::key::PublicKey::parse(&text).expect("a key").fingerprint;
    world.run(&format!("tkm revoke --key {fingerprint}")).done();
    assert_eq!(login(&server, &bob, "echo in"), None);
    assert_eq!(lines(&server).len(), 1);
    world.run("tkm test dev").done();
    assert_eq!(world.run("tkm ca sign dev").code, 22);
}

#[test]
fn a_certificate_of_staging_does_what_the_agent_does() {
    if !has_servers("a_certificate_of_staging_does_what_the_agent_does") {
        return;
    }
    let server = Server::start("staging");
    let mut world = World::new();
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add staging root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world.run(&format!("tkm bootstrap staging --identity {}", server.identity().display())).done();
    // By the bound key, so by the agent.
    world.run("tkm ca init staging").done();
    let now = lines(&server);
    assert!(now.len() == 2 && now[1].contains("agent staging\",cert-authority,"), "{now:?}");
    let ann = key(world.home(), "ann");
    world.run(&format!("tkm ca sign staging {}.pub", ann.display())).done();
    let shown = Command::new("ssh-keygen").arg("-Lf").arg(world.home().join("ann-cert.pub")).output().expect("there");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("agent staging") && !shown.contains("permit-"), "{shown}");
    assert_eq!(login(&server, &ann, "ping").map(|said| said.contains("staging")), Some(true));
    assert_eq!(login(&server, &ann, "echo in").map(|said| said.contains("in\n")), Some(false));
}

#[test]
fn a_host_that_refuses_certificates_is_as_it_was_and_a_lost_line_comes_back() {
    if !has_servers("a_host_that_refuses_certificates_is_as_it_was_and_a_lost_line_comes_back") {
        return;
    }
    let mut server = Server::start_with("dev", "CASignatureAlgorithms rsa-sha2-512");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let before = fs::read(server.authorized_keys()).expect("there");
    let found = world.run("tkm ca init dev");
    assert_eq!(found.code, 14, "{found:?}");
    assert_eq!(fs::read(server.authorized_keys()).expect("there"), before);
    server.stop();
    server.restart();
    assert!(world.run("tkm ca init dev").done().contains("trusted"));
    let whole = fs::read(server.authorized_keys()).expect("there");
    fs::write(server.authorized_keys(), &before).expect("ours");
    assert!(world.run("tkm remote audit dev").output.contains("missing"));
    world.run("tkm remote sync dev").done();
    assert_eq!(fs::read(server.authorized_keys()).expect("there"), whole);
}
