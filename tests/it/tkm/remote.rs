//! What hosts hold beside what the store says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{Killer, bootstrap, has_servers, mode, own_lines, tkm_dir, world_of};
use crate::sshd::Server;
use crate::world::World;

#[test]
fn lines_of_ours_are_mended_and_those_of_others_stay() {
    if !has_servers("lines_of_ours_are_mended_and_those_of_others_stay") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let whole = fs::read_to_string(server.authorized_keys()).expect("there");
    let right = own_lines(&server).remove(0);
    assert!(world.run("tkm remote list dev").done().contains("right"));
    assert!(!world.run("tkm remote diff dev").done().contains("restrict"));
    // Keys of others are no concern.
    world.run("tkm remote audit dev").done();
    let bare = right.trim_start_matches("restrict,pty ");
    let identity = format!("--identity {}", server.identity().display());
    for (text, word) in [
        (whole.replace(&right, bare), "wrong options"),
        (whole.replace(&right, &format!("{right}\n{right}")), "stray"),
        (whole.replace(&format!("{right}\n"), ""), "missing"),
        (format!("{whole}# last\r\n\u{e4}"), ""),
    ] {
        fs::write(server.authorized_keys(), &text).expect("ours");
        fs::set_permissions(server.authorized_keys(), fs::Permissions::from_mode(0o640)).expect("ours");
        let found = world.run(&format!("tkm remote audit dev {identity}"));
        assert_eq!(found.code, 3, "{word}: {}{}", found.output, found.stderr);
        assert!(found.output.contains(word), "{word}: {}", found.output);
        world.run(&format!("tkm remote sync dev {identity} --dry-run")).done();
        assert_eq!(fs::read_to_string(server.authorized_keys()).expect("there"), text, "a dry run changes nothing");
        world.run(&format!("tkm remote sync dev {identity}")).done();
        let now = fs::read_to_string(server.authorized_keys()).expect("there");
        assert_eq!(now, if word.is_empty() { text } else { whole.clone() }, "{word}");
        assert_eq!(mode(&server.authorized_keys()), 0o640);
        world.run("tkm test dev").done();
    }
    let left: Vec<_> = fs::read_dir(server.root().join(".ssh")).expect("there").flatten().collect();
    assert!(!left.iter().any(|it| it.file_name().to_string_lossy().starts_with(".tetra-")), "{left:?}");
    world.run("tkm log").done();
}

#[test]
fn a_key_that_is_let_in_and_not_noted_is_noted() {
    if !has_servers("a_key_that_is_let_in_and_not_noted_is_noted") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    // As after a bootstrap that was killed before it wrote down what it did.
    let state = tkm_dir(&world).join("state.json");
    let text = fs::read_to_string(&state).expect("there");
    let (before, after) = text.split_once("\"hosts\": [\n        \"dev\"").expect("the host is noted");
    fs::write(&state, format!("{before}\"hosts\": [{after}")).expect("ours");
    let identity = format!("--identity {}", server.identity().display());
    let found = world.run(&format!("tkm remote audit {identity}"));
    assert!(found.code == 3 && found.output.contains("unrecorded"), "{found:?}");
    assert!(world.run(&format!("tkm deploy keys {identity}")).done().contains("mended"));
    assert!(world.run("tkm host show dev").done().contains("SHA256:"));
    world.run("tkm remote audit").done();
}

#[test]
fn files_of_keys_that_cannot_be_changed_are_left_as_they_are() {
    if !has_servers("files_of_keys_that_cannot_be_changed_are_left_as_they_are") {
        return;
    }
    let mut server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let file = server.authorized_keys();
    let right = own_lines(&server).remove(0);
    let whole = fs::read_to_string(&file).expect("there");
    let broken = whole.replace(&right, &right.replace("restrict,pty ", ""));
    let elsewhere = server.root().join("keys");
    fs::write(&elsewhere, &broken).expect("ours");
    fs::remove_file(&file).expect("ours");
    symlink("/root/keys", &file).expect("ours");
    let revoke = format!("tkm revoke @dev --yes --identity {}", server.identity().display());
    for line in ["tkm remote sync dev", "tkm remote list dev"] {
        assert!(world.run(line).failed(13).contains("symbolic link"), "{line}");
    }
    let found = world.run(&revoke);
    assert_eq!(found.code, 13, "{found:?}");
    assert!(found.output.contains("pending"), "{found:?}");
    assert_eq!(fs::read_to_string(&elsewhere).expect("there"), broken);
    // Once it is a file again the revocation ends.
    fs::remove_file(&file).expect("ours");
    fs::write(&file, &broken).expect("ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    world.run(&revoke.replace("@dev", "--resume")).done();
    assert!(!fs::read_to_string(&file).expect("there").contains("restrict"));
    assert_eq!(world.run("tkm remote audit dev").code, 18);
    server.stop();
    assert_eq!(world.run("tkm remote list dev").code, 11);
}

/// The files by which a server would put its old keys back.
fn armed(server: &Server) -> Vec<Vec<u8>> {
    let all = fs::read_dir(server.root().join(".ssh")).expect("there").flatten();
    let armed = all.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tetra-restore-"));
    armed.map(|entry| fs::read(entry.path()).expect("readable")).collect()
}

#[test]
fn a_mend_that_is_killed_at_any_step_is_ended_by_another() {
    if !has_servers("a_mend_that_is_killed_at_any_step_is_ended_by_another") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let whole = fs::read_to_string(server.authorized_keys()).expect("there");
    let right = own_lines(&server).remove(0);
    let broken = whole.replace(&right, right.trim_start_matches("restrict,pty "));
    let killer = Killer::new(&world);
    // A look; a connection, arm, write; a fresh connection with its check, for the way in and for the key; disarm.
    let points: Vec<_> = (1..=9).map(|at| (at, "before")).chain([(9, "after")]).collect();
    let mut killed = 0;
    for (at, when) in &points {
        fs::write(server.authorized_keys(), &broken).expect("ours");
        killed += usize::from(!killer.run(&world, "tkm remote sync dev", &format!("{at} {when}")));
        world.run("tkm test dev").done();
        world.run("tkm remote sync dev").done();
        assert_eq!(fs::read_to_string(server.authorized_keys()).expect("there"), whole, "{at} {when}");
        assert!(armed(&server).is_empty(), "nothing puts the old lines back ({at} {when})");
        world.run("tkm test dev").done();
    }
    assert_eq!(killed, points.len());
}

#[test]
fn a_mend_that_would_not_let_in_is_put_back() {
    if !has_servers("a_mend_that_would_not_let_in_is_put_back") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let whole = fs::read_to_string(server.authorized_keys()).expect("there");
    let right = own_lines(&server).remove(0);
    let missing = whole.replace(&format!("{right}\n"), "");
    let identity = format!("--identity {}", server.identity().display());
    // The private key of the store is another one than its line: the host does not let it in.
    let private = tkm_dir(&world).join("keys/_/dev/id_ed25519");
    let good = fs::read(&private).expect("there");
    fs::write(&private, fs::read(server.root().join(".ssh/host_key")).expect("there")).expect("ours");
    fs::write(server.authorized_keys(), &missing).expect("ours");
    let found = world.run(&format!("tkm remote sync dev {identity}"));
    assert_eq!(found.code, 14, "{found:?}");
    assert_eq!(fs::read_to_string(server.authorized_keys()).expect("there"), missing);
    fs::write(&private, good).expect("ours");
    world.run(&format!("tkm remote sync dev {identity}")).done();
    assert_eq!(fs::read_to_string(server.authorized_keys()).expect("there"), whole);
    // The way in goes with the line that is mended: the host puts its file back by itself.
    let old = private.with_file_name("old");
    fs::copy(&private, &old).expect("ours");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).expect("ours");
    world.run("tkm rotate dev --now").done();
    let text = fs::read_to_string(server.authorized_keys()).expect("there");
    let new = own_lines(&server).remove(0);
    let stray = text.replace(&new, &right);
    fs::write(server.authorized_keys(), &stray).expect("ours");
    let found = world.run(&format!("tkm remote sync dev --identity {}", old.display()));
    assert!(found.code == 17 && found.stderr.contains("puts its old keys back"), "{found:?}");
    assert_eq!(armed(&server), [stray.into_bytes()]);
}

#[test]
fn lines_of_bound_keys_are_mended_by_bound_keys() {
    if !has_servers("lines_of_bound_keys_are_mended_by_bound_keys") {
        return;
    }
    let server = Server::start("staging");
    let mut world = World::new();
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add staging root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world.run(&format!("tkm bootstrap staging --identity {}", server.identity().display())).done();
    world.run("tkm rotate staging").done();
    let whole = fs::read_to_string(server.authorized_keys()).expect("there");
    let lines = own_lines(&server);
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("agent staging")), "{lines:?}");
    // No key but those of the store is let in, and only the old one of them.
    let (_, ours) = whole.split_once("# >>>").expect("a block");
    let ours = format!("# >>>{ours}");
    fs::write(server.authorized_keys(), ours.replace(&format!("{}\n", lines[1]), "")).expect("ours");
    let said = world.run("tkm remote sync staging").done();
    assert!(said.contains("mended"), "{said}");
    assert_eq!(fs::read_to_string(server.authorized_keys()).expect("there"), ours);
    assert!(armed(&server).is_empty());
    world.run("tkm rotate staging --resume --now").done();
    assert_eq!(own_lines(&server).len(), 1);
}
