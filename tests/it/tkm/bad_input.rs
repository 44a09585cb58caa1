//! Wrong keys, files, shells and surroundings: each with its exit code, and nothing changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use super::{bootstrap, contents, has_servers, tkm_dir, world_of};
use crate::fault_injection::SmallDisk;
use crate::ports::free_port;
use crate::program::script;
use crate::sshd::Server;
use crate::world::World;

/// A line of the mounts of a server, with `root`'s shell replaced by `/root/shell`.
pub(super) const OTHER_SHELL: &str = "sed 's#^\\(root:.*:\\)[^:]*$#\\1/root/shell#' /etc/passwd > /root/passwd && \
                           mount --bind /root/passwd /etc/passwd";

#[test]
fn keys_of_every_kind_are_met() {
    if !has_servers("keys_of_every_kind_are_met") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    let dir = world.home().join("keys");
    fs::create_dir(&dir).expect("ours");
    let good = fs::read(server.identity()).expect("there");
    let with = |name: &str, bytes: &[u8], uid: Option<u32>| {
        let path = dir.join(name);
        fs::write(&path, bytes).expect("ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        chown(&path, uid, uid).expect("root");
        path
    };
    let text = String::from_utf8(good.clone()).expect("text");
    with("of-another", &good, Some(1));
    with("half", &good[..good.len() / 3], None);
    with("flipped", text.replace("b3BlbnNzaC1rZXk", "b3BlbnNzaC1rZXl").as_bytes(), None);
    // ssh reads no private key with the line ends of Windows.
    with("crlf", text.replace('\n', "\r\n").as_bytes(), None);
    with("binary", &[0, 255, 10, 0], None);
    fs::create_dir(dir.join("directory")).expect("ours");
    let mut rows = vec![("of-another", 24), ("half", 1), ("flipped", 1), ("crlf", 1), ("binary", 1), ("directory", 1)];
    // Newer versions of OpenSSH make no keys of DSA, nor read them.
    let mut keygen = Command::new("ssh-keygen");
    let dsa =
        keygen.args(["-q", "-t", "dsa", "-N", "", "-f"]).arg(dir.join("dsa")).output().expect("ssh-keygen is there");
    if dsa.status.success() {
        rows.push(("dsa", 2));
    }
    let before = (fs::read(server.authorized_keys()).expect("there"), contents(&tkm_dir(&world)));
    for (name, code) in rows {
        let found = world.run(&format!("tkm bootstrap dev --identity {}", dir.join(name).display()));
        assert_eq!(found.code, code, "{name}: {}{}", found.output, found.stderr);
        let now = (fs::read(server.authorized_keys()).expect("there"), contents(&tkm_dir(&world)));
        assert!(now == before, "{name}: nothing is changed");
    }
}

/// The host would let it in: it is not the host that is said to refuse it.
#[test]
fn a_key_of_the_store_that_is_corrupted_is_named() {
    if !has_servers("a_key_of_the_store_that_is_corrupted_is_named") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let path = tkm_dir(&world).join("keys/_/dev/id_ed25519");
    let good = fs::read_to_string(&path).expect("there");
    let keys = fs::read(server.authorized_keys()).expect("there");
    for (name, text) in [
        ("empty", String::new()),
        ("words", "not a key\n".to_owned()),
        ("cut", good[..good.len() / 2].to_owned()),
        ("crlf", good.replace('\n', "\r\n")),
    ] {
        fs::write(&path, &text).expect("ours");
        let before = contents(&tkm_dir(&world));
        for line in ["tkm test dev", "tkm ssh dev -- true", "tkm remote sync dev"] {
            let said = world.run(line).failed(1);
            let advice =
                ["is corrupted", "restore it from a backup", "`tkm bootstrap dev`", &path.display().to_string()]
                    .into_iter()
                    .all(|words| said.contains(words));
            assert!(advice, "{name}, {line}: {said}");
        }
        assert_eq!(fs::read(server.authorized_keys()).expect("there"), keys, "{name}");
        assert!(contents(&tkm_dir(&world)) == before, "{name}: nothing is changed");
        if ["empty", "words"].contains(&name) {
            assert!(world.run("tkm audit").output.contains("its private half is corrupted"), "{name}");
        }
    }
    // Another key is used where one is named, also if that of the store is gone.
    let identity = server.identity().display().to_string();
    world.run(&format!("tkm remote list dev --identity {identity}")).done();
    fs::remove_file(&path).expect("ours");
    world.run("tkm remote list dev").failed(22);
    world.run(&format!("tkm remote list dev --identity {identity}")).done();
    // What is advised replaces it.
    world.run(&format!("tkm revoke @dev --yes --identity {identity}")).done();
    world.run("tkm generate dev").done();
    world.run(&bootstrap(&server)).done();
    world.run("tkm test dev").done();
}

#[test]
fn a_full_disk_is_not_taken_for_a_host_that_is_down() {
    let Some(disk) = SmallDisk::new() else { return };
    let world = World::new();
    let run = |words: &[&str]| {
        let done = disk.run(&world, (words, ""));
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    assert_eq!(run(&["tkm", "init"]).0, Some(0));
    let address = format!("127.0.0.1:{}", free_port());
    let add = ["tkm", "host", "add", "down", &address, "--env", "dev"];
    disk.fill();
    let (code, said) = run(&add);
    assert!(code == Some(1) && said.contains("free disk space"), "{code:?} {said}");
    disk.empty();
    let (code, said) = run(&add);
    assert!(code == Some(11) && said.contains("Connection refused"), "{code:?} {said}");
}

#[test]
fn an_address_with_everything_leads_to_its_host() {
    if !has_servers("an_address_with_everything_leads_to_its_host") {
        return;
    }
    let server = Server::start_with("dev", "ListenAddress ::1");
    let (port, fingerprint) = (server.port(), server.fingerprint());
    let mut world = World::new();
    world.run("tkm init").done();
    for (name, address) in [
        ("four", format!("root@127.0.0.1:{port}")),
        ("six", format!("root@[::1]:{port}")),
        ("url", format!("ssh://root@127.0.0.1:{port}")),
    ] {
        world.run(&format!("tkm host add {name} '{address}' --env dev --fingerprint {fingerprint}")).done();
        world.run(&format!("tkm bootstrap {name} --identity {}", server.identity().display())).done();
        world.run(&format!("tkm test {name}")).done();
    }
}

#[test]
fn a_file_of_keys_that_cannot_be_written_stays() {
    if !has_servers("a_file_of_keys_that_cannot_be_written_stays") {
        return;
    }
    let read_only = "touch /root/log && mount --bind /root/.ssh /root/.ssh && mount --bind /root/log /root/.ssh/log && \
                     mount -o remount,bind,ro /root/.ssh";
    let full = "cp -a /root/.ssh /root/copy && mount -t tmpfs -o size=64k,mode=700 tmpfs /root/.ssh && \
                cp -a /root/copy/. /root/.ssh && { cat /dev/zero > /root/.ssh/fill; true; }";
    for (line, what) in [(read_only, "cannot be written"), (full, "no space is left")] {
        let server = Server::start("dev");
        let mut world = world_of(&server);
        server.inside(line);
        let look = "cat /root/.ssh/authorized_keys; ls /root/.ssh | grep -c tetra-; true";
        let before = (server.inside(look), contents(&tkm_dir(&world)));
        let said = world.run(&bootstrap(&server)).failed(13);
        assert!(said.contains(what), "{said}");
        assert!((server.inside(look), contents(&tkm_dir(&world))) == before, "{what}: nothing is changed");
    }
}

#[test]
fn login_shells_of_every_kind_are_met() {
    if !has_servers("login_shells_of_every_kind_are_met") {
        return;
    }
    // Reads words and single quotes, and nothing else that a POSIX shell knows.
    let fish = "#!/bin/sh\n[ \"$1\" = -c ] || exit 1\nrest=$(printf %s \"$2\" | sed \"s/'[^']*'//g\")\n\
                case $rest in *[!a-zA-Z0-9\\ ./_-]*) echo 'fish: expected a string' >&2; exit 127;; esac\n\
                exec /bin/sh -c \"$2\"\n";
    let nologin = "#!/bin/sh\necho 'This account is currently not available.'\nexit 1\n";
    let talks = "#!/bin/sh\necho begin-; echo welcome; /bin/sh \"$@\"; code=$?; echo bye; exit $code\n";
    let real_fish = "#!/bin/sh\nexec fish \"$@\"\n";
    let has_fish = Command::new("fish").arg("--version").output().is_ok();
    let rows = [("fish", fish, 0), ("nologin", nologin, 13), ("talks", talks, 0)];
    for (name, shell, code) in rows.into_iter().chain(has_fish.then_some(("real fish", real_fish, 0))) {
        let server = Server::start("dev");
        script(&server.root().join("shell"), shell);
        server.inside(OTHER_SHELL);
        let mut world = world_of(&server);
        let before = fs::read(server.authorized_keys()).expect("there");
        let found = world.run(&bootstrap(&server));
        assert_eq!(found.code, code, "{name}: {}{}", found.output, found.stderr);
        assert_eq!(fs::read(server.authorized_keys()).expect("there") == before, code != 0, "{name}");
        if code == 0 {
            world.run("tkm rotate dev --now").done();
            world.run("tkm test dev").done();
        }
    }
}

#[test]
fn a_bound_key_works_behind_a_shell_that_talks() {
    if !has_servers("a_bound_key_works_behind_a_shell_that_talks") {
        return;
    }
    let server = Server::start("staging");
    script(&server.root().join("shell"), "#!/bin/sh\necho 'tetra-agent 1 x 2'; /bin/sh \"$@\"; echo bye\n");
    server.inside(OTHER_SHELL);
    let mut world = World::new();
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add staging root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world.run(&format!("tkm bootstrap staging --identity {}", server.identity().display())).done();
    world.run("tkm rotate staging --now").done();
    world.run("tkm test staging").done();
}

#[test]
fn what_cannot_be_answered_is_not_waited_for() {
    if !has_servers("what_cannot_be_answered_is_not_waited_for") {
        return;
    }
    let server = Server::start("dev");
    // Of another locale than UTF-8, too.
    let mut world = World::with(&[("LC_ALL", "de_DE.ISO-8859-1"), ("LANG", "C")]);
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world.run(&bootstrap(&server)).done();
    let before = contents(&tkm_dir(&world));
    for (line, code) in [
        ("tkm generate prod --yes", 4),
        ("tkm generate staging admin --passphrase", 4),
        ("tkm generate staging admin --fido", 1),
    ] {
        let found = world.run(line);
        assert_eq!(found.code, code, "{line}: {}{}", found.output, found.stderr);
        assert!(found.stderr.starts_with("error: ") || found.stderr.starts_with("refused: "), "{}", found.stderr);
        assert!(contents(&tkm_dir(&world)) == before, "{line}: nothing is changed");
    }
}
