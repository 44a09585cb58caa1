//! Wrong hosts, keys and files, a row each: what was typed, and its exit code. Nothing is changed by any of them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{bootstrap, contents, has_servers, tkm_dir, world_of};
use crate::ports::free_port;
use crate::sshd::Server;
use crate::world::World;

/// Keys that are none, or not to be used: in a directory.
fn keys(dir: &Path, server: &Server) {
    let make = |name: &str, words: &[&str]| {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-N", "", "-f"]).arg(dir.join(name)).args(words);
        assert!(keygen.status().expect("ssh-keygen is there").success());
    };
    make("unknown", &["-t", "ed25519"]);
    make("rsa1024", &["-t", "rsa", "-b", "1024"]);
    let good = fs::read_to_string(server.identity()).expect("there");
    let write = |name: &str, bytes: &[u8], mode: u32| {
        fs::write(dir.join(name), bytes).expect("ours");
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).expect("ours");
    };
    write("open", good.as_bytes(), 0o640);
    write("crlf", good.replace('\n', "\r\n").as_bytes(), 0o600);
    write("cut", &good.as_bytes()[..120], 0o600);
    write("binary", &[0xff, 0xfe, 0], 0o600);
    write("words", b"not a key\n", 0o600);
    let public = fs::read(dir.join("unknown.pub")).expect("there");
    write("public", &public, 0o600);
    write("changed.pub", &public[..40], 0o644);
    let made = Command::new("mkfifo").args(["-m", "600"]).arg(dir.join("pipe")).status().expect("mkfifo is there");
    assert!(made.success());
}

/// What is said of a key names its file and what to do.
#[test]
fn a_key_that_cannot_be_read_is_named_with_what_to_do() {
    if !has_servers("a_key_that_cannot_be_read_is_named_with_what_to_do") {
        return;
    }
    let server = Server::start("dev");
    let mut world = world_of(&server);
    let dir = world.home().join("bad");
    fs::create_dir(&dir).expect("ours");
    keys(&dir, &server);
    for (name, why, advice) in [
        ("crlf", "has lines that end with CR LF", "sed -i"),
        ("cut", "is cut off", "copy the file again"),
        ("binary", "it is not text", "without `.pub`"),
        ("words", "does not begin with `-----BEGIN`", "without `.pub`"),
        ("public", "is a public key", "name the private one"),
        ("unknown.pub", "is a public key", "bad/unknown`"),
    ] {
        let path = dir.join(name).display().to_string();
        let said = world.run(&format!("tkm bootstrap dev --identity {path}")).failed(1);
        assert!(said.contains(&path) && said.contains(why) && said.contains(advice), "{name}: {said}");
    }
    // The advice for lines of Windows is a command: it mends the file.
    let path = dir.join("crlf");
    let done = Command::new("sed").args(["-i", r"s/\r$//"]).arg(&path).status().expect("sed is there");
    assert!(done.success());
    world.run(&format!("tkm bootstrap dev --identity {}", path.display())).done();
}

#[test]
fn what_is_wrong_has_its_exit_code_and_changes_nothing() {
    if !has_servers("what_is_wrong_has_its_exit_code_and_changes_nothing") {
        return;
    }
    let server = Server::start_with("dev", "DenyUsers daemon");
    let mut world = world_of(&server);
    world.run(&bootstrap(&server)).done();
    let dir = world.home().join("bad");
    fs::create_dir(&dir).expect("ours");
    keys(&dir, &server);
    let closed = free_port();
    // It takes connections, and ends them at once.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let rude = deaf.local_addr().expect("an address").port();
    std::thread::spawn(move || deaf.incoming().for_each(drop));
    let (good, port) = (server.fingerprint(), server.port());
    let other = format!("SHA256:{}", "A".repeat(43));
    let bad = |name: &str| format!("tkm bootstrap dev --identity {}", dir.join(name).display());
    let add = |address: &str, rest: &str| format!("tkm host add new '{address}' --env dev {rest}");
    let rows = [
        (add("-oProxyCommand=reboot", ""), 2),
        (add("root@-oProxyCommand=reboot", ""), 2),
        (add("web one", ""), 2),
        (add("web;reboot", ""), 2),
        (add("$(reboot)", ""), 2),
        (add("web\u{7}", ""), 2),
        (add("käse", ""), 2),
        (add("web:0", ""), 2),
        (add("web:65536", ""), 2),
        (add("[::1]22", ""), 2),
        (add("[::1", ""), 2),
        (add("root@", ""), 2),
        (add("", ""), 2),
        (add("root@@web", ""), 2),
        (add("root:secret@web", ""), 2),
        (add("root@::1:22222", ""), 2),
        (add("[web]x:22", ""), 2),
        (add("web:+22", ""), 2),
        (add("web:ssh", ""), 2),
        (add("web:", ""), 2),
        (add("root@web -p 22", ""), 2),
        (add("root@web\n", ""), 2),
        (format!("tkm host add 'web one' 127.0.0.1:{port} --env dev"), 2),
        (format!("tkm host add --env dev -- -web 127.0.0.1:{port}"), 2),
        (format!("tkm host add 'web*' 127.0.0.1:{port} --env dev"), 2),
        (format!("tkm host add new 127.0.0.1:{port} --env local"), 2),
        (add(&format!("127.0.0.1:{port}"), "--fingerprint ''"), 2),
        (add(&format!("127.0.0.1:{port}"), &format!("--fingerprint {}", &good[7..])), 2),
        (add(&format!("127.0.0.1:{port}"), &format!("--fingerprint {}", good.to_lowercase())), 2),
        (add(&"a".repeat(300), ""), 2),
        (format!("tkm host add ../x 127.0.0.1:{port} --env dev"), 2),
        (format!("tkm host add new 127.0.0.1:{port} --env nowhere"), 5),
        (add(&format!("127.0.0.1:{port}"), "--fingerprint MD5:00"), 2),
        (add(&format!("127.0.0.1:{closed}"), ""), 11),
        (add(&format!("[::1]:{closed}"), ""), 11),
        (add(&format!("127.0.0.1:{rude}"), ""), 11),
        (add("no-such-host.invalid", ""), 11),
        (add(&format!("127.0.0.1:{port}"), ""), 12),
        (add(&format!("127.0.0.1:{port}"), &format!("--fingerprint {other}")), 12),
        (format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {good}"), 4),
        (format!("tkm host rekey dev --fingerprint {other}"), 12),
        ("tkm test none".to_owned(), 5),
        ("tkm bootstrap none".to_owned(), 5),
        (bad("missing"), 22),
        (bad("open"), 24),
        (bad("crlf"), 1),
        (bad("cut"), 1),
        (bad("binary"), 1),
        (bad("words"), 1),
        (bad("public"), 1),
        (bad("."), 1),
        (bad("unknown.pub"), 1),
        (bad("pipe"), 1),
        ("tkm bootstrap dev --identity /dev/zero".to_owned(), 1),
        ("tkm bootstrap dev --identity ''".to_owned(), 2),
        (bad("rsa1024"), 2),
        (bad("unknown"), 18),
        (format!("{} --as daemon", bootstrap(&server)), 18),
        (format!("{} --as 'a b'", bootstrap(&server)), 2),
        (format!("{} --create-user root", bootstrap(&server)), 2),
        (format!("{} --create-user web --sudo", bootstrap(&server)), 2),
        (format!("{} --from 'a b'", bootstrap(&server)), 2),
        (format!("{} --expires 0", bootstrap(&server)), 2),
        ("tkm ca sign dev".to_owned(), 22),
        ("tkm ca init prod --yes --no-passphrase".to_owned(), 22),
        ("tkm ca revoke 1".to_owned(), 5),
        ("tkm host rekey dev".to_owned(), 2),
        ("tkm host import missing".to_owned(), 5),
        ("tkm rotate dev --grace 91d".to_owned(), 2),
        ("tkm rotate dev --grace 1h --now".to_owned(), 2),
        ("tkm rotate @dev@".to_owned(), 2),
        ("tkm rotate staging --resume".to_owned(), 5),
        ("tkm rotate prod --yes".to_owned(), 22),
        ("tkm generate local".to_owned(), 2),
        ("tkm generate dev".to_owned(), 4),
        (format!("tkm revoke --key {other}"), 5),
        ("tkm revoke dev @dev".to_owned(), 2),
        ("tkm remote sync none".to_owned(), 5),
    ];
    let look = |world: &World| {
        let mut store = contents(&tkm_dir(world));
        store.retain(|(path, _)| path.extension().is_none_or(|it| it != "lock"));
        (fs::read(server.authorized_keys()).expect("there"), store)
    };
    let before = look(&world);
    let mut canaries: Vec<String> = Vec::new();
    for path in [server.identity(), tkm_dir(&world).join("keys/_/dev/id_ed25519"), dir.join("unknown")] {
        let text = fs::read_to_string(path).expect("there");
        canaries.extend(text.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    }
    let mut wrong = Vec::new();
    for (line, code) in &rows {
        let found = world.run(line);
        let said = format!("{}{}", found.output, found.stderr);
        if found.code != *code || said.trim().is_empty() {
            wrong.push(format!("{line}: {} instead of {code}: {said}", found.code));
        }
        if look(&world) != before {
            wrong.push(format!("{line}: something was changed"));
        }
        if canaries.iter().any(|canary| said.contains(canary)) {
            wrong.push(format!("{line}: a private key was shown"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What is said is about what is wrong.
    for (line, said) in [
        (add("root@::1:22222", ""), "one with a port has brackets: `[::1]:22`"),
        (add("web:+22", ""), "the port is not a number from 1 to 65535"),
        (
            format!("tkm host add 'web one' 127.0.0.1:{port} --env dev"),
            "a name begins with a letter (only a-z and A-Z) or digit",
        ),
        (format!("tkm host add new 127.0.0.1:{port} --env local"), "`local` is this machine, and has no hosts"),
    ] {
        let found = world.run(&line);
        assert!(found.stderr.contains(said), "{line}: {found:?}");
    }
    // A store that cannot be trusted or read is not used, and stays.
    let dir = tkm_dir(&world);
    for (name, text, code) in [
        ("state.json", "{", 1),
        ("state.json", "{\"version\": 99, \"keys\": []}", 1),
        ("hosts.toml", "version = 1\n[hosts.dev]\naddress = \"-x\"\nenv = \"dev\"\n", 1),
        ("hosts.toml", "version = 99\n", 1),
        ("audit.jsonl", "{}\n", 1),
    ] {
        let path = dir.join(name);
        let good = fs::read(&path).expect("there");
        fs::write(&path, text).expect("ours");
        let line = if name == "audit.jsonl" { "tkm log" } else { "tkm test dev" };
        let found = world.run(line);
        assert!(found.code == code && found.stderr.contains(name), "{name}: {found:?}");
        assert_eq!(fs::read_to_string(&path).expect("there"), text);
        fs::write(&path, good).expect("ours");
    }
    // A file that is open in a directory that is not is closed again.
    for (path, code) in [(dir.clone(), 24), (dir.join("keys/_/dev/id_ed25519"), 0), (dir.join("state.json"), 0)] {
        let mode = super::mode(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o044)).expect("ours");
        let found = world.run("tkm test dev");
        assert_eq!(found.code, code, "{}: {found:?}", path.display());
        assert_eq!(super::mode(&path) == mode, code == 0, "{}", path.display());
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
    }
    world.run("tkm test dev").done();
}
