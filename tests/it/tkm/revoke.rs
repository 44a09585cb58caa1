//! Keys that are taken away from hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::agent::bound_world;
use super::{bootstrap, contents, has_servers, mode, own_lines, tkm_dir, world_of};
use crate::sshd::Server;
use crate::world::World;

/// The line that revokes by a login with the key that is not of the store.
fn revoke(server: &Server, rest: &str) -> String {
    format!("tkm revoke {rest} --identity {}", server.identity().display())
}

/// The fingerprint of the key of dev.
fn fingerprint(world: &mut World) -> String {
    let listed = world.run("tkm list").done();
    let line = listed.lines().find(|line| line.contains("dev")).expect("a key of dev");
    line.split_whitespace().find(|word| word.starts_with("SHA256:")).expect("a fingerprint").to_owned()
}

/// What the list of revoked keys says of the key of dev: 1 if it is revoked, 0 if not.
fn asked(world: &World, list: &std::path::Path) -> Option<i32> {
    let key = tkm_dir(world).join("keys/_/dev/id_ed25519.pub");
    let asked = Command::new("ssh-keygen").arg("-Qf").arg(list).arg(key).output().expect("ssh-keygen is there");
    asked.status.code()
}

#[test]
fn the_question_shows_which_keys_go_and_from_which_hosts() {
    if !has_servers("the_question_shows_which_keys_go_and_from_which_hosts") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let key = fingerprint(&mut world);
    for (line, what) in [
        ("tkm revoke @dev", "1 key on 1 host: revoked for good"),
        ("tkm revoke dev", "1 key on 1 host: taken away from these hosts, and used on elsewhere"),
        ("tkm rotate dev", "root@127.0.0.1"),
        ("tkm host rm dev", "root@127.0.0.1"),
        ("tkm bootstrap dev", "root@127.0.0.1"),
    ] {
        world.answers(&["no"]);
        let said = world.run(&format!("--env prod {line}")).failed(4);
        assert!(
            said.contains(what) && said.contains("in prod: continue?") | said.contains("changes prod: continue?"),
            "{said}"
        );
        assert!(!line.contains("revoke") || said.contains(&key) && said.contains("dev"), "{said}");
    }
}

#[test]
fn a_revoked_key_is_let_in_nowhere_and_other_lines_stay() {
    if !has_servers("a_revoked_key_is_let_in_nowhere_and_other_lines_stay") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    let foreign = fs::read(server.authorized_keys()).expect("there");
    world.run(&bootstrap(&server)).done();
    let public = fs::read_to_string(tkm_dir(&world).join("keys/_/dev/id_ed25519.pub")).expect("there");
    let with_block = fs::read(server.authorized_keys()).expect("there");
    let copied = [&with_block[..], b"# later\r\n\xff\n", public.as_bytes()].concat();
    fs::write(server.authorized_keys(), &copied).expect("ours");
    fs::set_permissions(server.authorized_keys(), fs::Permissions::from_mode(0o640)).expect("ours");
    let before = contents(&tkm_dir(&world));
    // Without another way in nothing is changed, here and there.
    let said = world.run("tkm revoke @dev --yes").failed(4);
    assert!(said.contains("no other way to log in works on `dev`; nothing was changed"), "{said}");
    assert_eq!(fs::read(server.authorized_keys()).expect("there"), copied);
    assert_eq!(contents(&tkm_dir(&world)), before);
    let said = world.run(&revoke(&server, "@dev --yes")).done();
    assert!(said.contains("revoked"), "{said}");
    let now = fs::read(server.authorized_keys()).expect("there");
    assert_eq!(now, [&foreign[..], b"# later\r\n\xff\n"].concat());
    assert_eq!(mode(&server.authorized_keys()), 0o640);
    assert_eq!(asked(&world, &tkm_dir(&world).join("revoked_keys")), Some(1));
    assert_eq!(mode(&tkm_dir(&world).join("revoked_keys")), 0o600);
    assert!(world.run("tkm list").done().contains("revoked"));
    world.run("tkm test dev").failed(22);
    world.run("tkm log").done();
    assert!(world.run("tkm status dev").done().contains("tkm generate dev"));
    world.run("tkm generate dev").done();
    world.run(&bootstrap(&server)).done();
    world.run("tkm test dev").done();
}

#[test]
fn the_key_that_goes_is_not_taken_for_another_way_in() {
    if !has_servers("the_key_that_goes_is_not_taken_for_another_way_in") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let copy = world.home().join("copy");
    fs::copy(tkm_dir(&world).join("keys/_/dev/id_ed25519"), &copy).expect("ours");
    let before = fs::read(server.authorized_keys()).expect("there");
    world.run(&format!("tkm revoke @dev --yes --identity {}", copy.display())).failed(4);
    assert_eq!(fs::read(server.authorized_keys()).expect("there"), before);
    world.run("tkm test dev").done();
}

#[test]
fn a_rotated_key_is_revoked_by_a_login_with_the_new_one() {
    if !has_servers("a_rotated_key_is_revoked_by_a_login_with_the_new_one") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let old = fingerprint(&mut world);
    world.run("tkm rotate dev").done();
    let said = world.run(&format!("tkm revoke --key {old} --yes")).done();
    assert!(said.contains("revoked"), "{said}");
    assert_eq!(own_lines(&server).len(), 1);
    assert!(!world.run("tkm list").done().contains("grace"));
    world.run("tkm test dev").done();
}

#[test]
fn a_key_that_is_bound_revokes_an_older_one() {
    if !has_servers("a_key_that_is_bound_revokes_an_older_one") {
        return;
    }
    let server = Server::start("prod");
    let mut world = bound_world(&server);
    let listed = world.run("tkm list").done();
    let line = listed.lines().find(|line| line.contains("prod")).expect("a key of prod");
    let old = line.split_whitespace().find(|word| word.starts_with("SHA256:")).expect("a fingerprint").to_owned();
    world.run("tkm rotate prod --no-passphrase --yes").done();
    assert_eq!(own_lines(&server).len(), 2);
    let said = world.run(&format!("tkm revoke --key {old} --yes")).done();
    assert!(said.contains("revoked"), "{said}");
    assert_eq!(own_lines(&server).len(), 1);
    world.run("tkm test prod").done();
}

#[test]
fn a_host_that_reads_a_list_of_revoked_keys_has_it_there() {
    if !has_servers("a_host_that_reads_a_list_of_revoked_keys_has_it_there") {
        return;
    }
    for (list, word) in [("tetra_revoked_keys", "updated"), ("others", "not used")] {
        let server = Server::start_with("dev", &format!("RevokedKeys /etc/ssh/{list}\n"));
        let path = server.etc().join(list);
        let mut world = world_of(&server);
        // sshd lets in no one without the file; with an empty one everyone.
        fs::write(&path, "").expect("ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        world.run(&bootstrap(&server)).done();
        let with_key = fs::read(server.authorized_keys()).expect("there");
        let said = world.run(&revoke(&server, "@dev --yes")).done();
        assert!(said.contains(word), "{said}");
        assert_eq!(mode(&path), 0o644);
        assert_eq!(fs::read(&path).expect("there").is_empty(), word == "not used");
        if word == "not used" {
            continue;
        }
        assert_eq!(asked(&world, &path), Some(1));
        // Someone puts the line back: sshd refuses the key all the same.
        fs::write(server.authorized_keys(), with_key).expect("ours");
        let mut login = Command::new("ssh");
        login.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
        login.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"]);
        login.arg(tkm_dir(&world).join("keys/_/dev/id_ed25519"));
        login.args(["-p", &server.port().to_string(), "root@127.0.0.1", "true"]);
        let refused = login.output().expect("ssh is there");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("Permission denied"), "{refused:?}");
    }
}

#[test]
fn a_host_that_is_down_stays_pending_until_it_is_reached() {
    if !has_servers("a_host_that_is_down_stays_pending_until_it_is_reached") {
        return;
    }
    let (server, mut other) = (Server::start("dev"), Server::start("other"));
    let mut world = world_of(&server);
    let (port, host_key) = (other.port(), other.fingerprint());
    world.run(&format!("tkm host add other root@127.0.0.1:{port} --env dev --fingerprint {host_key}")).done();
    // One way in that both know.
    fs::copy(server.identity().with_extension("pub"), other.authorized_keys()).expect("ours");
    world.run(&bootstrap(&server)).done();
    world.run(&format!("tkm bootstrap other --identity {}", server.identity().display())).done();
    other.stop();
    let found = world.run(&revoke(&server, "@dev --yes"));
    assert_eq!(found.code, 11, "{}{}", found.output, found.stderr);
    assert!(found.output.contains("revoked") && found.output.contains("pending"), "{}", found.output);
    assert_eq!((own_lines(&server).len(), own_lines(&other).len()), (0, 1));
    assert!(world.run("tkm status dev").done().contains("tkm revoke --resume"));
    let found = world.run("tkm audit");
    assert_eq!(found.code, 3);
    assert!(found.output.contains("it is revoked, and may still be let in on other"), "{}", found.output);
    assert_eq!(world.run(&revoke(&server, "--resume --yes")).code, 11);
    other.restart();
    world.run(&revoke(&server, "--resume --yes")).done();
    assert_eq!(own_lines(&other).len(), 0);
    world.run(&revoke(&server, "--resume --yes")).failed(5);
    assert!(!world.run("tkm status dev").done().contains("--resume"));
}

#[test]
fn a_host_that_may_let_in_a_revoked_key_is_not_removed() {
    if !has_servers("a_host_that_may_let_in_a_revoked_key_is_not_removed") {
        return;
    }
    let mut server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    server.stop();
    assert_eq!(world.run(&revoke(&server, "@dev --yes")).code, 11);
    let before = fs::read(tkm_dir(&world).join("state.json")).expect("there");
    let said = world.run("tkm host rm dev --yes").failed(4);
    assert!(said.contains("tkm revoke --resume"), "{said}");
    assert_eq!(fs::read(tkm_dir(&world).join("state.json")).expect("there"), before);
    assert!(world.run("tkm host list").done().contains("dev"));
    world.run("tkm host rm dev --gone --yes").done();
    assert!(!world.run("tkm host list").done().contains("127.0.0.1"));
}

#[test]
fn from_a_host_that_is_named_the_key_goes_there_only() {
    if !has_servers("from_a_host_that_is_named_the_key_goes_there_only") {
        return;
    }
    let (server, other) = (Server::start("dev"), Server::start("other"));
    let mut world = world_of(&server);
    let (port, host_key) = (other.port(), other.fingerprint());
    world.run(&format!("tkm host add other root@127.0.0.1:{port} --env dev --fingerprint {host_key}")).done();
    world.run(&bootstrap(&server)).done();
    world.run(&format!("tkm bootstrap other --identity {}", other.identity().display())).done();
    let found = world.run(&revoke(&other, "other --yes"));
    assert!(found.stderr.contains("is used on, on dev"), "{}", found.stderr);
    assert!(found.done().contains("removed"));
    assert_eq!((own_lines(&server).len(), own_lines(&other).len()), (1, 0));
    world.run("tkm test dev").done();
    assert!(!tkm_dir(&world).join("revoked_keys").exists());
    world.run(&revoke(&other, "other --yes")).failed(5);
}

#[test]
fn a_revocation_that_is_killed_at_any_step_is_ended_by_another() {
    if !has_servers("a_revocation_that_is_killed_at_any_step_is_ended_by_another") {
        return;
    }
    let server = Server::start_with("dev", "RevokedKeys /etc/ssh/tetra_revoked_keys\n");
    fs::write(server.etc().join("tetra_revoked_keys"), "").expect("ours");
    let foreign = fs::read(server.authorized_keys()).expect("there");
    let mut world = world_of(&server);
    let killer = super::Killer::new(&world);
    let mut killed = 0;
    // A connection, and the other way in is tried; the file read, the host armed, both files written; a fresh connection, and the way
    // tried again; the host disarmed.
    let points: Vec<_> = (1..=9).map(|at| (at, "before")).chain([(9, "after")]).collect();
    for (at, when) in &points {
        world.run(&bootstrap(&server)).done();
        let ended = killer.run(&world, &revoke(&server, "@dev --yes"), &format!("{at} {when}"));
        killed += usize::from(!ended);
        let resumed = world.run(&revoke(&server, "--resume --yes"));
        if resumed.code == 5 {
            world.run(&revoke(&server, "@dev --yes")).done();
        } else {
            resumed.done();
        }
        assert_eq!(fs::read(server.authorized_keys()).expect("there"), foreign, "{at} {when}");
        let left: Vec<_> = fs::read_dir(server.root().join(".ssh")).expect("there").flatten().collect();
        assert!(
            !left.iter().any(|it| it.file_name().to_string_lossy().starts_with(".tetra-")),
            "{at} {when}: {left:?}"
        );
        world.run("tkm generate dev").done();
    }
    assert_eq!(killed, points.len());
}

#[test]
fn what_cannot_be_revoked_changes_nothing() {
    let mut world = World::new();
    world.run("tkm init").done();
    world.run("tkm host add dev 127.0.0.1:1").failed(11);
    let before = contents(&tkm_dir(&world));
    let unknown = format!("--key SHA256:{}", "A".repeat(43));
    for (rest, code) in [
        ("", 2),
        ("--key deploy", 2),
        ("--key MD5:00", 2),
        ("-- -x", 2),
        ("@no/such", 2),
        ("web9", 5),
        (&unknown, 5),
        ("--resume", 5),
        ("--resume @dev", 2),
        ("@prod", 22),
        ("@dev --key admin", 22),
    ] {
        let found = world.run(&format!("tkm revoke --yes {rest}"));
        assert_eq!(found.code, code, "{rest}: {}{}", found.output, found.stderr);
    }
    assert_eq!(contents(&tkm_dir(&world)), before);
}
