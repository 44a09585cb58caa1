//! Keys and hosts, with a real sshd on the other end.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

mod agent;
mod agent_lost;
mod agents;
mod bad_input;
mod certificates;
mod fleet;
mod held;
pub(crate) mod hindered;
mod lasting;
mod many;
mod own_keys;
mod remote;
mod revoke;
mod rows;
mod ways;

use crate::beds::skipped;
use crate::sshd::{self, Server};
use crate::world::{LineResult, World};

const HINT: &str = "ℹ️ TKM not initialized. Run 'tkm init' or set TKM_AUTO_INIT=true";

/// True where a server can run; says so where it cannot.
fn has_servers(test: &str) -> bool {
    if let Some(why) = sshd::hindrance() {
        skipped(test, why);
        return false;
    }
    true
}

/// A world that is initialised, and knows the server as `dev`.
fn world_of(server: &Server) -> World {
    let mut world = World::new();
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
    world
}

fn bootstrap(server: &Server) -> String {
    format!("tkm bootstrap dev --identity {}", server.identity().display())
}

fn tkm_dir(world: &World) -> PathBuf {
    world.home().join("tetra/tkm")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// Everything below a directory, with its bytes.
pub(crate) fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { found.push((path.clone(), fs::read(path).expect("readable"))) }
        }
    }
    found.sort();
    found
}

#[test]
fn before_its_initialisation_every_command_says_the_hint() {
    let mut world = World::new();
    for line in
        ["list", "status", "deploy list", "host list", "audit", "log", "test", "config", "bootstrap dev", "ssh dev"]
    {
        let said = world.run(&format!("tkm {line}")).failed(3);
        assert_eq!(said.trim_end(), HINT, "{line}");
    }
    assert!(!tkm_dir(&world).exists());
    let mut world = World::with(&[("TKM_AUTO_INIT", "true")]);
    assert!(world.run("tkm list").done().contains("staging"));
    assert_eq!(mode(&tkm_dir(&world)), 0o700);
}

#[test]
fn an_initialisation_is_made_once_and_is_private() {
    let mut world = World::new();
    fs::write(
        world.work().join("tetra.toml"),
        "[infrastructure]\ndev_server = \"arcade-dev01\"\nqa_server = \"arcade-qa01\"\n",
    )
    .expect("ours");
    let said = world.run("tkm init").done();
    assert!(said.contains("keys dev, staging; hosts arcade-dev01, arcade-qa01"), "{said}");
    let before = contents(&tkm_dir(&world));
    assert!(world.run("tkm init").done().contains("already initialized"));
    assert_eq!(contents(&tkm_dir(&world)), before);
    for (path, _) in before.iter().filter(|(path, _)| path.extension().is_none_or(|it| it != "pub")) {
        assert_eq!(mode(path) & 0o077, 0, "{}", path.display());
    }
    let listed = world.run("tkm deploy list").done();
    assert!(listed.contains("arcade-qa01") && listed.contains("not pinned"), "{listed}");
    fs::set_permissions(tkm_dir(&world), fs::Permissions::from_mode(0o755)).expect("ours");
    world.run("tkm list").failed(24);
}

#[test]
fn three_commands_lead_from_nothing_to_a_key_that_works() {
    if !has_servers("three_commands_lead_from_nothing_to_a_key_that_works") {
        return;
    }
    let server = Server::start("dev");
    let foreign = fs::read(server.authorized_keys()).expect("there");
    let odd = [&foreign[..], b"# a comment\r\n\n\xff not text\n  ssh-rsa AAAA broken  "].concat();
    fs::write(server.authorized_keys(), &odd).expect("ours");
    fs::set_permissions(server.authorized_keys(), fs::Permissions::from_mode(0o640)).expect("ours");
    let mut world = world_of(&server);
    let said = world.run(&bootstrap(&server)).done();
    assert!(said.contains("installed the key of dev on dev for root, and verified it"), "{said}");
    let now = fs::read(server.authorized_keys()).expect("there");
    assert!(now.starts_with(&odd), "foreign lines stay byte for byte");
    assert_eq!(mode(&server.authorized_keys()), 0o640);
    let text = String::from_utf8_lossy(&now).into_owned();
    assert!(text.contains("# >>> tetra dev >>>\nrestrict,pty ssh-ed25519 "), "{text}");
    assert!(world.run(&bootstrap(&server)).done().contains("already"));
    assert_eq!(fs::read(server.authorized_keys()).expect("there"), now);
    assert!(world.run("tkm test dev").done().contains("ok"));
    assert!(world.run("tkm deploy list").done().contains("ready"));
    assert!(world.run("tkm log").done().contains("key-install"));
    assert_eq!(world.run("tkm ssh dev -- exit 7").code, 7);
    // The key of the store is all that is needed from here on.
    fs::write(server.authorized_keys(), &now[odd.len()..]).expect("ours");
    world.run("tkm test dev").done();
}

#[test]
fn pins_hold() {
    if !has_servers("pins_hold") {
        return;
    }
    let mut server = Server::start("dev");
    let (port, old) = (server.port(), server.fingerprint());
    let mut world = World::new();
    world.run("tkm init").done();
    let said = world.run(&format!("tkm host add dev root@127.0.0.1:{port}")).failed(12);
    let line = format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {old}");
    assert!(said.contains(&format!("`{line}`")), "{said}");
    assert!(!world.run("tkm host list").done().contains("127.0.0.1"));
    let wrong = format!("SHA256:{}", "A".repeat(43));
    let said = world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {wrong}")).failed(12);
    assert!(said.contains(&wrong) && said.contains(&old), "{said}");
    world.run(&line).done();
    world.run(&bootstrap(&server)).done();
    server.rekey();
    let new = server.fingerprint();
    let log = server.root().join(".ssh/log");
    fs::write(&log, "").expect("ours");
    for line in ["tkm test dev", &bootstrap(&server), "tkm ssh dev -- true"] {
        let said = world.run(line).failed(12);
        assert!(said.contains(&old) && said.contains(&new), "{line}: {said}");
    }
    let logged = fs::read_to_string(&log).expect("there");
    assert!(!logged.contains("publickey") && !logged.contains("Accepted"), "no key was offered: {logged}");
    assert_eq!(world.run(&format!("tkm host rekey dev --fingerprint {old}")).code, 12);
    world.run(&format!("tkm host rekey dev --fingerprint {new}")).done();
    assert!(world.run("tkm test dev").done().contains("ok"));
    let pins = fs::read_to_string(tkm_dir(&world).join("known_hosts")).expect("there");
    assert_eq!(pins.lines().filter(|line| line.starts_with("@revoked dev ")).count(), 1, "{pins}");
}

#[test]
fn a_host_that_is_known_to_ssh_is_known_here() {
    if !has_servers("a_host_that_is_known_to_ssh_is_known_here") {
        return;
    }
    let server = Server::start("dev");
    let mut world = World::new();
    fs::create_dir(world.home().join(".ssh")).expect("ours");
    let public = fs::read_to_string(server.root().join(".ssh/host_key.pub")).expect("there");
    let line = format!("[127.0.0.1]:{} {public}", server.port());
    fs::write(world.home().join(".ssh/known_hosts"), line).expect("ours");
    world.run("tkm init").done();
    let said = world.run(&format!("tkm host add dev root@127.0.0.1:{}", server.port())).done();
    assert!(said.contains("by ~/.ssh/known_hosts"), "{said}");
    let mut world = World::new();
    world.run("tkm init").done();
    world.answers(&[&server.fingerprint()[44..]]);
    let said = world.run(&format!("tkm host add dev root@127.0.0.1:{}", server.port())).done();
    assert!(said.contains("by the typed fingerprint"), "{said}");
}

#[test]
fn a_host_is_of_the_environment_that_the_command_names() {
    if !has_servers("a_host_is_of_the_environment_that_the_command_names") {
        return;
    }
    let server = Server::start("dev");
    let mut world = World::new();
    world.run("tkm init").done();
    let address = format!("root@127.0.0.1:{} --fingerprint {}", server.port(), server.fingerprint());
    for (line, env) in [
        (format!("tkm host add dev {address}"), "dev"),
        (format!("use @staging; tkm host add dev {address}"), "dev"),
        (format!("tkm host add dev {address} --env staging"), "staging"),
        (format!("--env staging tkm host add dev {address}"), "staging"),
        (format!("use @staging; tkm host add web-1 {address}"), "staging"),
    ] {
        let said = world.run(&line).done();
        assert!(said.contains(&format!(" of {env}, pinned ")), "{line}: {said}");
        let name = if line.contains("web-1") { "web-1" } else { "dev" };
        world.run(&format!("tkm host rm {name} --yes")).done();
    }
    assert!(world.run(&format!("tkm host add dev {address} --env local")).failed(2).contains("has no hosts"));
}

#[test]
fn wrong_hosts_change_nothing() {
    let mut world = World::new();
    world.run("tkm init").done();
    let before = contents(&tkm_dir(&world));
    let closed = crate::ports::free_port();
    for (line, code) in [
        ("tkm host add -- -oProxyCommand=x 10.0.0.1".to_owned(), 2),
        ("tkm host add 'a b' 10.0.0.1".to_owned(), 2),
        ("tkm host add dev 'a b'".to_owned(), 2),
        ("tkm host add dev -- -oProxyCommand=x".to_owned(), 2),
        ("tkm host add dev $'a\\x1b[2J'".to_owned(), 2),
        ("tkm host add dev root@-x".to_owned(), 2),
        ("tkm host add dev web:0".to_owned(), 2),
        ("tkm host add dev web:65536".to_owned(), 2),
        ("tkm host add dev '[::1'".to_owned(), 2),
        ("tkm host add dev '[::1]x'".to_owned(), 2),
        ("tkm host add dev 10.0.0.1 --fingerprint MD5:00".to_owned(), 2),
        ("tkm host add web1 10.0.0.1".to_owned(), 2),
        (format!("tkm host add dev root@127.0.0.1:{closed}"), 11),
        (format!("tkm host add dev '[::1]:{closed}'"), 11),
        ("tkm host add dev no-such-host.invalid".to_owned(), 11),
        ("tkm host show nothing".to_owned(), 5),
        ("tkm host rm nothing".to_owned(), 5),
        ("tkm bootstrap nothing".to_owned(), 5),
        ("tkm test nothing".to_owned(), 5),
        ("tkm generate local".to_owned(), 2),
        ("tkm generate dev".to_owned(), 4),
        ("tkm generate prod --yes".to_owned(), 4),
        ("tkm generate staging deploy 366".to_owned(), 2),
    ] {
        let found = world.run(&line);
        assert_eq!(found.code, code, "{line}: {}{}", found.output, found.stderr);
        assert_eq!(contents(&tkm_dir(&world)), before, "{line}");
    }
}

#[test]
fn wrong_keys_change_nothing() {
    if !has_servers("wrong_keys_change_nothing") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    let dir = world.home().join("keys");
    fs::create_dir(&dir).expect("ours");
    let make = |name: &str, words: &[&str]| {
        let path = dir.join(name);
        let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-f"]).arg(&path).args(words).status();
        assert!(made.expect("ssh-keygen is there").success(), "{name}");
        path
    };
    make("stranger", &["-t", "ed25519"]);
    make("rsa1024", &["-t", "rsa", "-b", "1024"]);
    make("locked", &["-t", "ed25519"]);
    let locked = Command::new("ssh-keygen").args(["-q", "-p", "-N", "a secret", "-f"]).arg(dir.join("locked")).status();
    assert!(locked.expect("ssh-keygen is there").success());
    let good = fs::read(server.identity()).expect("there");
    let with = |name: &str, bytes: &[u8], mode: u32| {
        fs::write(dir.join(name), bytes).expect("ours");
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).expect("ours");
    };
    with("open", &good, 0o644);
    with("corrupted", &good[..good.len() / 2], 0o600);
    with("empty", b"", 0o600);
    with("public", b"ssh-ed25519 AAAA x\n", 0o600);
    symlink(dir.join("none"), dir.join("dangling")).expect("ours");
    let (before, keys) = (fs::read(server.authorized_keys()).expect("there"), contents(&tkm_dir(&world)));
    for (name, code) in [
        ("stranger", 18),
        ("rsa1024", 2),
        ("locked", 18),
        ("open", 24),
        ("corrupted", 1),
        ("empty", 1),
        ("public", 1),
        ("dangling", 22),
        ("none", 22),
    ] {
        let found = world.run(&format!("tkm bootstrap dev --identity {}", dir.join(name).display()));
        assert_eq!(found.code, code, "{name}: {}{}", found.output, found.stderr);
        assert_eq!(fs::read(server.authorized_keys()).expect("there"), before, "{name}");
        assert_eq!(contents(&tkm_dir(&world)), keys, "{name}");
    }
}

#[test]
fn wrong_files_of_keys_are_left_alone() {
    if !has_servers("wrong_files_of_keys_are_left_alone") {
        return;
    }
    let server = Server::start_with("dev", "AuthorizedKeysFile /root/.ssh/other /root/.ssh/authorized_keys");
    let mut world = world_of(&server);
    let file = server.authorized_keys();
    fs::copy(&file, server.root().join(".ssh/other")).expect("ours");
    let mut check = |what: &str| {
        let said = world.run(&bootstrap(&server)).failed(13);
        assert!(said.contains(what), "{said}");
    };
    fs::write(&file, vec![b'#'; 10 << 20]).expect("ours");
    check("larger than");
    assert_eq!(fs::metadata(&file).expect("there").len(), 10 << 20);
    fs::remove_file(&file).expect("ours");
    symlink("other", &file).expect("ours");
    check("symbolic link");
    assert!(file.is_symlink());
    fs::remove_file(&file).expect("ours");
    fs::create_dir(&file).expect("ours");
    check("not a regular file");
    fs::remove_dir(&file).expect("ours");
    fs::write(&file, "").expect("ours");
    std::os::unix::fs::chown(&file, Some(1), Some(1)).expect("root");
    check("belongs to another user");
    fs::remove_file(&file).expect("ours");
    world.run(&bootstrap(&server)).done();
    assert_eq!(mode(&file), 0o600, "a new one is private");
}

#[test]
fn servers_of_every_kind_are_met() {
    if !has_servers("servers_of_every_kind_are_met") {
        return;
    }
    let elsewhere = "AuthorizedKeysFile /root/.ssh/other";
    for (config, code) in [
        ("MaxAuthTries 1", 0),
        ("SetEnv LC_ALL=de_DE.ISO-8859-1 LANG=zh_CN.GB18030", 0),
        ("Banner /root/.ssh/long-banner", 0),
        // No packet of ssh may be that long: no client gets in.
        ("Banner /root/.ssh/endless-banner", 11),
        ("ForceCommand /bin/echo hello", 13),
        ("ForceCommand /bin/false", 13),
        (elsewhere, 14),
        ("AllowUsers nobody-else", 18),
        ("AuthorizedKeysFile none", 18),
    ] {
        let server = Server::start_with("dev", config);
        for (name, size) in [("long", 200 << 10), ("endless", 1 << 20)] {
            fs::write(server.root().join(format!(".ssh/{name}-banner")), "b".repeat(size)).expect("ours");
        }
        fs::write(server.root().join(".bashrc"), "echo noise; echo more >&2\n").expect("ours");
        fs::copy(server.authorized_keys(), server.root().join(".ssh/other")).expect("ours");
        let before = fs::read(server.authorized_keys()).expect("there");
        let mut world = world_of(&server);
        let found = world.run(&bootstrap(&server));
        assert_eq!(found.code, code, "{config}: {}{}", found.output, found.stderr);
        let now = fs::read(server.authorized_keys()).expect("there");
        assert_eq!(now == before, code != 0, "{config}: nothing is changed where it fails");
        if code == 0 {
            world.run("tkm rotate dev --now").done();
            world.run("tkm test dev").done();
        }
    }
}

#[test]
fn a_server_with_no_common_cipher_is_not_taken_for_a_wrong_address() {
    if !has_servers("a_server_with_no_common_cipher_is_not_taken_for_a_wrong_address") {
        return;
    }
    // No client of today offers it.
    let server = Server::start_with("dev", "Ciphers 3des-cbc");
    let mut world = World::new();
    world.run("tkm init").done();
    let (port, fingerprint) = (server.port(), server.fingerprint());
    let line = format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}");
    let said = world.run(&line).failed(11);
    assert!(said.contains("no matching cipher found") && said.contains("`Ciphers`"), "{said}");
    assert!(!world.run("tkm host list").done().contains("127.0.0.1"), "nothing was added");
}

#[test]
fn nothing_private_is_seen_by_others() {
    if !has_servers("nothing_private_is_seen_by_others") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    let done = AtomicBool::new(false);
    let (mut said, mut lines) = (String::new(), BTreeSet::new());
    std::thread::scope(|scope| {
        // The server runs on this machine: both sides are seen.
        let seen = scope.spawn(|| {
            let mut lines = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").expect("there").flatten() {
                    let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    lines.insert(String::from_utf8_lossy(&line).into_owned());
                }
            }
            lines
        });
        world.run("tkm init").done();
        for line in [
            &bootstrap(&server),
            "tkm test dev",
            "tkm test dev --json",
            "tkm host show dev --json",
            "tkm rotate dev --now",
            "tkm log --json",
        ] {
            let found = world.run(line);
            said += &(found.output + &found.stderr);
        }
        done.store(true, Ordering::Relaxed);
        lines = seen.join().expect("it looks");
    });
    assert!(lines.iter().any(|line| line.contains("dd bs=1 count=")), "the calls were seen");
    let mut canaries = Vec::new();
    for (path, bytes) in contents(&tkm_dir(&world).join("keys")) {
        if path.extension().is_none() {
            let text = String::from_utf8(bytes).expect("text");
            canaries.extend(text.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
        }
    }
    // Four lines each: of staging, and of dev before and after.
    assert!(canaries.len() > 11, "{}", canaries.len());
    for canary in &canaries {
        assert!(!lines.iter().any(|line| line.contains(canary)), "a private key was an argument");
    }
    for name in ["audit.jsonl", "state.json", "ssh_config", "known_hosts", "hosts.toml"] {
        said += &fs::read_to_string(tkm_dir(&world).join(name)).expect("there");
    }
    said += &fs::read_to_string(server.authorized_keys()).expect("there");
    assert!(!canaries.iter().any(|canary| said.contains(canary)));
}

#[test]
fn other_programs_reach_the_hosts_too() {
    let mut world = World::new();
    world.run("tkm init").done();
    let config = world.home().join(".ssh/config");
    fs::create_dir(world.home().join(".ssh")).expect("ours");
    let mine = "Host *\n  User ann\nMatch host x exec true\n  Port 2\n";
    fs::write(&config, mine).expect("ours");
    let shown = world.run("tkm config --dry-run").done();
    assert!(shown.contains("+ Include"), "{shown}");
    assert_eq!(fs::read_to_string(&config).expect("there"), mine);
    world.run("tkm config").done();
    let now = fs::read_to_string(&config).expect("there");
    assert!(now.starts_with("# hosts of tetra") && now.ends_with(mine), "{now}");
    let checked = Command::new("ssh").arg("-G").arg("-F").arg(&config).arg("tetra-dev").output().expect("ssh is there");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(world.run("tkm config").done().contains("up to date"));
    world.run("tkm config --remove").done();
    assert_eq!(fs::read_to_string(&config).expect("there"), mine);
}

#[test]
fn a_config_that_another_program_makes_is_not_changed() {
    let mut world = World::new();
    world.run("tkm init").done();
    let (config, real) = (world.home().join(".ssh/config"), world.home().join("dotfiles"));
    fs::create_dir(world.home().join(".ssh")).expect("ours");
    fs::write(&real, "Host a\n").expect("ours");
    symlink(&real, &config).expect("ours");
    let line = format!("Include \"{}\"", world.home().join("tetra/tkm/ssh_config").display());
    let refused = |line_result: LineResult, why: &str| {
        let said = line_result.failed(4);
        assert!(said.contains(why) && said.contains(&line), "{said}");
    };
    refused(world.run("tkm config"), "is a link, so that it is not changed");
    assert_eq!(fs::read_to_string(&real).expect("there"), "Host a\n");
    // It counts where it was added by hand.
    fs::write(&real, format!("{line}\nHost a\n")).expect("ours");
    assert!(world.run("tkm config").done().contains("up to date"));
    fs::remove_file(&config).expect("ours");
    fs::write(&config, "Host a\n").expect("ours");
    let set = |mode: u32| fs::set_permissions(&config, fs::Permissions::from_mode(mode)).expect("ours");
    set(0o444);
    refused(world.run("tkm config"), "is read-only, so that it is not changed");
    set(0o644);
    world.run("tkm config").done();
    assert_eq!(mode(&config), 0o644);
}

/// The lines of a file of keys that tetra wrote.
fn own_lines(server: &Server) -> Vec<String> {
    let text = fs::read_to_string(server.authorized_keys()).expect("there");
    text.lines().filter(|line| line.starts_with("restrict")).map(str::to_owned).collect()
}

#[test]
fn a_key_is_replaced_with_both_let_in_for_a_while() {
    if !has_servers("a_key_is_replaced_with_both_let_in_for_a_while") {
        return;
    }
    let server = Server::start("dev");
    let foreign = fs::read(server.authorized_keys()).expect("there");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let first = own_lines(&server);
    assert_eq!(world.run("tkm rotate dev --resume").code, 5);
    let said = world.run("tkm rotate dev").done();
    assert!(said.contains("both"), "{said}");
    assert_eq!(own_lines(&server).len(), 2, "both are let in");
    world.run("tkm test dev").done();
    assert!(world.run("tkm list").done().contains("grace"));
    world.run("tkm rotate dev --resume").done();
    assert_eq!(own_lines(&server).len(), 2, "its time is not over");
    // One that is forgotten is worth a look.
    let forgotten = "it was replaced, and is still let in on dev";
    assert!(!world.run("tkm audit").output.contains(forgotten));
    let state = tkm_dir(&world).join("state.json");
    let text = fs::read_to_string(&state).expect("there");
    let (now, before) = (crate::world::NOON.0, crate::world::NOON.0 - 90_000_000);
    fs::write(&state, text.replace(&format!("\"replaced\": {now}"), &format!("\"replaced\": {before}"))).expect("ours");
    assert!(world.run("tkm audit").output.contains(forgotten));
    let said = world.run("tkm rotate dev --resume --now").done();
    assert!(said.contains("replaced"), "{said}");
    let last = own_lines(&server);
    assert!(last.len() == 1 && last != first, "{last:?}");
    world.run("tkm test dev").done();
    assert!(fs::read(server.authorized_keys()).expect("there").starts_with(&foreign));
    let left = fs::read_dir(server.root().join(".ssh")).expect("there").flatten();
    assert!(
        !left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".tetra-")),
        "nothing is left"
    );
}

#[test]
fn a_host_that_is_down_keeps_the_old_key_and_is_reported() {
    if !has_servers("a_host_that_is_down_keeps_the_old_key_and_is_reported") {
        return;
    }
    let (server, mut other) = (Server::start("dev"), Server::start("other"));
    let mut world = world_of(&server);
    let (port, fingerprint) = (other.port(), other.fingerprint());
    world.run(&format!("tkm host add other root@127.0.0.1:{port} --env dev --fingerprint {fingerprint}")).done();
    world.run(&bootstrap(&server)).done();
    world.run(&format!("tkm bootstrap other --identity {}", other.identity().display())).done();
    other.stop();
    let found = world.run("tkm rotate dev --now");
    assert_eq!(found.code, 11, "{}{}", found.output, found.stderr);
    assert!(found.output.contains("replaced") && found.output.contains("failed"), "{}", found.output);
    // It is shown as a host that accepts a key, and what is to be done is to go on.
    assert!(world.run("tkm status dev").done().contains("tkm rotate @dev --resume"));
    assert_eq!(world.run("tkm host list").done().matches("installed").count(), 2);
    assert_eq!(world.run("tkm deploy list").done().matches("ready").count(), 2);
    other.restart();
    world.run("tkm test dev other").done();
    // Other programs log in with the key that it accepts.
    let config = tkm_dir(&world).join("ssh_config");
    for name in ["tetra-dev", "tetra-other"] {
        let mut login = Command::new("ssh");
        login.arg("-F").arg(&config).args(["-o", "BatchMode=yes", "-o", "IdentityAgent=none", name, "exit 7"]);
        assert_eq!(login.output().expect("ssh is there").status.code(), Some(7), "{name}");
    }
    world.run("tkm rotate dev --resume --now").done();
    assert!(!world.run("tkm status dev").done().contains("--resume"));
    assert_eq!((own_lines(&server).len(), own_lines(&other).len()), (1, 1));
    world.run("tkm test dev other").done();
    assert!(!world.run("tkm list").done().contains("grace"));
}

/// Ends tetra before or after a call of ssh, counted from 1, or of ssh-keygen that makes a key, which is 0.
pub(crate) struct Killer {
    bin: PathBuf,
}

impl Killer {
    pub(crate) fn new(world: &World) -> Self {
        let bin = world.home().join("bin");
        fs::create_dir(&bin).expect("ours");
        let script = "#!/bin/sh\n[ \"$1\" = -G ] && exec /usr/bin/ssh \"$@\"\ncd \"${0%/*}\" || exit\n\
                      count=$(($(cat count) + 1)); echo $count > count; read -r at when < kill-at\n\
                      [ $count = $at ] && [ $when = before ] && kill -9 $PPID && exit\n\
                      case \" $* \" in *' -N '*) exec /usr/bin/ssh \"$@\";; esac\n\
                      /usr/bin/ssh \"$@\"; code=$?\n[ $count = $at ] && kill -9 $PPID\nexit $code\n";
        crate::program::script(&bin.join("ssh"), script);
        let script = "#!/bin/sh\ncase \" $* \" in *' -t '*) ;; *) exec /usr/bin/ssh-keygen \"$@\";; esac\n\
                      read -r at when < \"${0%/*}/kill-at\"\n[ $at$when = 0before ] && kill -9 $PPID && exit\n\
                      /usr/bin/ssh-keygen \"$@\"; code=$?\n[ $at$when = 0after ] && kill -9 $PPID\nexit $code\n";
        crate::program::script(&bin.join("ssh-keygen"), script);
        Self { bin }
    }

    /// Runs a line; false if it was killed, or failed.
    pub(crate) fn run(&self, world: &World, line: &str, at: &str) -> bool {
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").expect("there"));
        fs::write(self.bin.join("count"), "0").expect("ours");
        fs::write(self.bin.join("kill-at"), format!("{at}\n")).expect("ours");
        let mut program = world.program(crate::world::PROGRAM);
        program.args(["-c", line]).env("PATH", path).output().expect("it runs").status.success()
    }
}

#[test]
fn a_rotation_that_is_killed_at_any_step_locks_no_one_out() {
    if !has_servers("a_rotation_that_is_killed_at_any_step_locks_no_one_out") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let killer = Killer::new(&world);
    let rounds: usize = std::env::var("TKM_KILL_ROUNDS").map_or(1, |rounds| rounds.parse().expect("a number"));
    // The key is made (0). It is let in by five calls: a connection, read, write, a fresh connection, its check. The old one goes by
    // six: read, arm, write, a fresh connection, its check, disarm. Connections have no end that is waited for.
    let is_connection = |at: &usize| [1, 4, 9].contains(at);
    let after = (0..=11).filter(|at| !is_connection(at)).map(|at| (at, "after"));
    let points: Vec<_> = (0..=11).map(|at| (at, "before")).chain(after).collect();
    let mut killed = 0;
    for (at, when) in std::iter::repeat_n(&points, rounds).flatten() {
        killed += usize::from(!killer.run(&world, "tkm rotate dev --now", &format!("{at} {when}")));
        world.run("tkm test dev").done();
        if world.run("tkm list").done().contains("grace") {
            world.run("tkm rotate dev --resume --now").done();
        }
        assert_eq!(own_lines(&server).len(), 1, "no line is left over ({at} {when})");
        world.run("tkm test dev").done();
    }
    assert_eq!(killed, points.len() * rounds);
}
