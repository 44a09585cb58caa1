//! Secrets: kept privately, never shown, sealed for whom they are meant.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::pty::{Terminal, TestHome};
use crate::world::{PROGRAM, World};

const CANARY: &str = "canary-9f3 $x `y` \"z\"";

fn world() -> World {
    let world = World::with(&[("TETRA_ORG", "acme")]);
    world.org("acme", &[("local", ""), ("dev", ""), ("prod", "")]);
    world
}

pub(crate) fn secrets_dir(world: &World) -> PathBuf {
    world.paths().orgs().join("acme/secrets")
}

/// The real program with something on its standard input.
pub(crate) fn run(world: &World, words: &[&str], input: &str) -> Output {
    let mut command = world.program(PROGRAM);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    // A program that refuses reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("ended")
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
pub(crate) fn done(world: &World, words: &[&str], input: &str) -> String {
    let output = run(world, words, input);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
    assert!(!said.contains("canary"), "{words:?}: {said}");
    said
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn everything_below(directory: &std::path::Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            all.push_str(&everything_below(&entry.path()));
        } else {
            all.push_str(&String::from_utf8_lossy(&fs::read(entry.path()).expect("read")));
        }
    }
    all
}

#[test]
fn a_secret_is_kept_privately_and_never_shown() {
    let world = world();
    done(&world, &["secrets", "set", "dev", "API_KEY"], &format!("{CANARY}\n"));
    done(&world, &["secrets", "set", "@development", "TLS"], "canary line\nanother\n\n");
    assert_eq!(mode(secrets_dir(&world)), 0o700);
    assert_eq!(mode(secrets_dir(&world).join("dev.env")), 0o600);
    let text = fs::read_to_string(secrets_dir(&world).join("dev.env")).expect("there");
    let kept = tetra::base::dotenv::parse(&text).expect("sound");
    assert_eq!((kept[0].value.as_str(), kept[1].value.as_str()), (CANARY, "canary line\nanother\n"));
    let list = done(&world, &["secrets", "list"], "");
    assert!(list.contains("API_KEY") && list.contains("TLS"), "{list}");
    let log = everything_below(&world.paths().logs());
    assert!(log.contains("secrets set dev API_KEY") && !log.contains("canary"), "{log}");
}

#[test]
fn what_no_variable_can_hold_is_refused_with_a_way_that_works() {
    let world = world();
    let long = "é".repeat(40 << 10);
    for (name, value, problem, advice) in [
        ("nul", &b"canary\0x"[..], "contains a NUL byte", "`base64 -w0 FILE | tetra secrets set ENV NAME`"),
        ("binary", &b"canary\xff\xfe"[..], "is not UTF-8 text", "`base64 -w0 FILE | tetra secrets set ENV NAME`"),
        ("long", long.as_bytes(), "is longer than 64 KiB", "set the path of that file as the value"),
    ] {
        let file = world.home().join(name);
        fs::write(&file, value).expect("written");
        let refused = run(&world, &["secrets", "set", "dev", "DATA", "--file", &file.display().to_string()], "");
        let said = said(&refused);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(problem) && said.contains(advice) && !said.contains("canary"), "{said}");
        assert!(!secrets_dir(&world).join("dev.env").exists());
    }
    let line = format!("base64 -w0 nul | {PROGRAM} secrets set dev DATA");
    let mut shell = world.program("sh");
    assert!(shell.args(["-c", &line]).current_dir(world.home()).status().expect("sh runs").success());
    let kept = fs::read_to_string(secrets_dir(&world).join("dev.env")).expect("there");
    assert!(kept.contains("Y2FuYXJ5AHg="), "{kept}");
}

#[test]
fn secrets_belong_to_environments_that_exist() {
    let world = world();
    let refused = run(&world, &["secrets", "set", "satging", "A_KEY"], "hunter2\n");
    let said_so = said(&refused);
    assert_eq!(refused.status.code(), Some(5), "{said_so}");
    assert!(said_so.contains("did you mean `@staging`?"), "{said_so}");
    assert_eq!(run(&world, &["--yes", "secrets", "set", "satging", "A_KEY"], "hunter2\n").status.code(), Some(5));
    assert!(!secrets_dir(&world).join("satging.env").exists());
    done(&world, &["secrets", "set", "dev", "A_KEY"], "hunter2hunter2\n");
    // What an older version made.
    let stray = secrets_dir(&world).join("satging.env");
    fs::copy(secrets_dir(&world).join("dev.env"), &stray).expect("a copy");
    let checked = said(&run(&world, &["secrets", "doctor"], ""));
    assert!(
        checked.contains("no environment is called `@satging`")
            && checked.contains(&format!("rm '{}'", stray.display())),
        "{checked}"
    );
    done(&world, &["--yes", "secrets", "rm", "satging", "A_KEY"], "");
    assert!(!stray.exists(), "nothing is left in it");
    assert!(!said(&run(&world, &["secrets", "doctor"], "")).contains("satging"));
}

#[test]
fn the_file_with_a_value_is_named_when_it_cannot_be_read() {
    let world = world();
    for path in ["/nonexistent", "/tmp"] {
        let shown = said(&run(&world, &["secrets", "set", "dev", "A_KEY", "--file", path], ""));
        assert!(shown.contains(path) && !shown.contains("***"), "{shown}");
    }
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_written_down() {
    let world = world();
    for words in [&["secrets", "set", "dev", "API_KEY", "canary-1"][..], &["secrets", "set", "dev", "API_KEY=canary-1"]]
    {
        let output = run(&world, words, "");
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(!said(&output).contains("canary"), "{}", said(&output));
    }
    assert!(!everything_below(&world.paths().logs()).contains("canary"));
    let output = run(&world, &["secrets", "set", "dev", "API_KEY"], "");
    assert_eq!(output.status.code(), Some(2), "no value came in: {}", said(&output));
    assert!(!secrets_dir(&world).join("dev.env").exists());
}

#[test]
fn prod_needs_yes_also_when_only_named() {
    let world = world();
    assert_eq!(run(&world, &["secrets", "set", "prod", "KEY"], "x").status.code(), Some(4));
    done(&world, &["secrets", "set", "prod", "KEY", "--yes"], "canary");
}

#[test]
fn open_files_are_closed_in_a_private_directory_and_refused_elsewhere() {
    let mut world = world();
    let (dir, file) = (secrets_dir(&world), secrets_dir(&world).join("dev.env"));
    world.file(&file, "KEY=canary-value\n");
    let open = |path: &PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    open(&dir, 0o755);
    open(&file, 0o644);
    let talk = world.run("secrets list").failed(24);
    assert!(talk.contains("chmod 700") && talk.contains("chmod 600"), "{talk}");
    let ran = world.run("secrets doctor");
    assert_eq!(ran.code, 3, "{}", ran.output);
    assert!(ran.output.contains("accessible to other users (mode 0644)"), "{}", ran.output);
    assert_eq!(mode(file.clone()), 0o644, "looking changes nothing");
    world.run("secrets doctor --fix").done();
    assert_eq!((mode(dir), mode(file.clone())), (0o700, 0o600));
    open(&file, 0o640);
    let ran = world.run("secrets list");
    assert!(ran.stderr.contains("permissions corrected"), "{}", ran.stderr);
    ran.done();
    assert_eq!(mode(file), 0o600);
}

#[test]
fn a_broken_file_is_reported_without_its_values() {
    let mut world = world();
    let file = secrets_dir(&world).join("dev.env");
    world.file(&file, "A=1\nKEY='canary\ncanary\n");
    fs::set_permissions(secrets_dir(&world), fs::Permissions::from_mode(0o700)).expect("ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    for line in ["secrets list", "secrets list --json", "secrets doctor", "env init dev"] {
        world.file("env/dev.env.tmpl", "A=1\n");
        let ran = world.run(line);
        assert_ne!(ran.code, 0, "{line}");
        let said = format!("{}{}", ran.output, ran.stderr);
        assert!(!said.contains("canary") && said.contains('2'), "{line}: {said}");
    }
}

#[test]
fn sealed_secrets_open_for_recipients_only_and_follow_the_manifest() {
    let world = world();
    let key = |name: &str| {
        let path = world.home().join(name);
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
        assert!(keygen.status().expect("ssh-keygen is there").success());
        let public = fs::read_to_string(path.with_extension("pub")).expect("made");
        (path.display().to_string(), public.trim().to_owned())
    };
    let ((alice, alice_public), (carol, carol_public)) = (key("alice"), key("carol"));
    let manifest = world.paths().orgs().join("acme/manifest.toml");
    let recipients = |all: &[(&str, &str)]| {
        let lines: String = all.iter().map(|(name, key)| format!("{name} = \"{key}\"\n")).collect();
        world.file(&manifest, &format!("[secrets.recipients]\n{lines}"));
    };
    done(&world, &["secrets", "set", "dev", "API_KEY"], "canary-1");
    assert_eq!(
        run(&world, &["secrets", "seal", "dev", "--identity", &alice], "").status.code(),
        Some(5),
        "no manifest"
    );
    recipients(&[("alice", &alice_public), ("carol", &carol_public)]);
    let no_key = run(&world, &["secrets", "seal", "dev"], "");
    assert_eq!(no_key.status.code(), Some(18), "{}", said(&no_key));
    assert!(secrets_dir(&world).join("dev.env").exists(), "a user who cannot open it again keeps the open file");
    done(&world, &["secrets", "seal", "dev", "--identity", &alice], "");
    assert!(!secrets_dir(&world).join("dev.env").exists());
    assert!(!everything_below(&secrets_dir(&world)).contains("canary"));
    // Set and list go through the sealed file.
    done(&world, &["secrets", "set", "dev", "OTHER", "--identity", &carol], "canary-2");
    assert!(!secrets_dir(&world).join("dev.env").exists());
    let list = done(&world, &["secrets", "list", "--identity", &alice], "");
    assert!(list.contains("API_KEY") && list.contains("OTHER"), "{list}");
    // Carol leaves.
    recipients(&[("alice", &alice_public)]);
    let rekeyed = done(&world, &["secrets", "rekey", "--identity", &alice], "");
    assert!(rekeyed.contains("carol") && rekeyed.contains("API_KEY") && rekeyed.contains("OTHER"), "{rekeyed}");
    let closed = run(&world, &["secrets", "list", "--identity", &carol], "");
    assert_eq!(closed.status.code(), Some(18), "{}", said(&closed));
    // The variables of a project come through the sealed file too.
    world.file("env/dev.env.tmpl", "K=${secret:API_KEY}\n");
    let mut command = world.program(PROGRAM);
    command.args(["env", "init", "dev"]).env("TETRA_AGE_IDENTITY", &alice);
    assert!(command.output().expect("run").status.success());
    assert!(fs::read_to_string(world.work().join("env/dev.env")).expect("made").contains("K=\"canary-1\""));
}

#[test]
fn changes_from_many_sides_are_all_kept() {
    let world = world();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let world = &world;
            let mut command = world.program(PROGRAM);
            scope.spawn(move || {
                command.args(["secrets", "set", "dev", &format!("KEY_{number}")]).stdin(Stdio::piped());
                let mut child = command.stdout(Stdio::null()).spawn().expect("started");
                child.stdin.take().expect("a pipe").write_all(b"value").expect("read");
                assert!(child.wait().expect("ended").success());
            });
        }
    });
    let text = fs::read_to_string(secrets_dir(&world).join("dev.env")).expect("there");
    assert_eq!(tetra::base::dotenv::parse(&text).expect("sound").len(), 8, "{text}");
}

#[test]
fn what_is_staged_is_scanned() {
    let world = world();
    world.file("a.toml", "token = \"canary-1\"\n");
    world.file("b.txt", "nothing\n");
    let git = |words: &[&str]| {
        let mut command = world.program("git");
        assert!(command.args(words).output().expect("git is there").status.success(), "{words:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "b.txt"]);
    done(&world, &["secrets", "scan", "--staged"], "");
    git(&["add", "a.toml"]);
    let output = run(&world, &["secrets", "scan", "--staged"], "");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("a.toml:1:9") && !said(&output).contains("canary"), "{}", said(&output));
}

#[test]
fn what_is_typed_is_not_shown() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    let begin = |shell: &str| {
        let mut command = home.command("sh");
        command.args(["-c", shell]);
        Terminal::start(command)
    };
    let mut terminal = begin("tetra --org acme secrets set dev API_KEY; echo code $?");
    terminal.wait_for("(not shown):");
    terminal.send("canary-typed\r");
    terminal.wait_for("code 0");
    assert!(!terminal.contents().contains("canary"), "{}", terminal.contents());
    assert_eq!(home.files_with("tetra", "canary-typed"), [home.path("tetra/org/acme/secrets/dev.env")]);
    terminal.end();
    let mut terminal = begin("tetra --org acme secrets set dev API_KEY; echo code $?");
    terminal.wait_for("(not shown):");
    terminal.send("half\u{3}");
    assert_ne!(terminal.end(), 0);
    assert_eq!(home.files_with("tetra", "canary-typed").len(), 1, "interrupting changes nothing");
}

#[test]
fn an_editor_works_on_a_private_copy_that_is_gone_afterwards() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    home.write("home/ed", "#!/bin/sh\nstat -c %a \"$1\" > mode\necho API_KEY=canary >> \"$1\"\n");
    let mut command = home.command("sh");
    command.args(["-c", "chmod +x ed; EDITOR=./ed exec tetra --org acme secrets edit dev"]);
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    assert_eq!(std::fs::read_to_string(home.path("home/mode")).expect("the editor ran"), "600\n");
    assert_eq!(home.files_with("tetra", "canary"), [home.path("tetra/org/acme/secrets/dev.env")]);
    let world = world();
    let output = run(&world, &["secrets", "edit", "dev"], "");
    assert_eq!(output.status.code(), Some(1), "without a terminal it fails at once: {}", said(&output));
}

#[test]
fn a_process_gets_sealed_secrets_or_is_not_started() {
    let world = World::with(&[("TETRA_ORG", "acme"), ("TETRA_ENV", "dev")]);
    world.org("acme", &[("local", ""), ("dev", "")]);
    let key = world.home().join("key");
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f"]).arg(&key);
    assert!(keygen.status().expect("ssh-keygen is there").success());
    let public = fs::read_to_string(key.with_extension("pub")).expect("made");
    let manifest = world.paths().orgs().join("acme/manifest.toml");
    world.file(&manifest, &format!("[secrets.recipients]\nme = \"{}\"\n", public.trim()));
    done(&world, &["secrets", "set", "dev", "BUCKET"], "canary-1");
    done(&world, &["secrets", "seal", "dev", "--identity", "../key"], "");
    let start =
        ["tsm", "start", "--name", "web", "--env", "none", "--", "sh", "-c", "echo $BUCKET >> got; exec sleep 600"];
    let refused = run(&world, &start, "");
    assert_eq!(refused.status.code(), Some(18), "{}", said(&refused));
    assert!(said(&refused).contains("sealed") && said(&refused).contains("TETRA_AGE_IDENTITY"), "{}", said(&refused));
    assert_eq!(done(&world, &["tsm", "list", "all", "--json"], ""), "[]\n");
    let with_key = |words: &[&str]| {
        let mut command = world.program(PROGRAM);
        let output = command.args(words).env("TETRA_AGE_IDENTITY", &key).output().expect("run");
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        assert!(!said(&output).contains("canary"), "{words:?}: {}", said(&output));
        said(&output)
    };
    // It has got it so often.
    let got = |times: usize| {
        let until = Instant::now() + Duration::from_secs(30);
        let text = || fs::read_to_string(world.work().join("got")).unwrap_or_default();
        while text() != "canary-1\n".repeat(times) {
            assert!(Instant::now() < until, "waited for {times} lines in {:?}", text());
            crate::waiting::pause();
        }
    };
    assert!(with_key(&start).contains("opened the sealed secrets of dev"));
    got(1);
    with_key(&["tsm", "stop", "web"]);
    with_key(&["tsm", "start", "web"]);
    got(2);
    // It runs: what was opened for its start holds for its restarts.
    done(&world, &["tsm", "restart", "web"], "");
    got(3);
    done(&world, &["tsm", "stop", "web"], "");
    assert_eq!(run(&world, &["tsm", "restart", "web"], "").status.code(), Some(18));
    with_key(&["tsm", "save", "web"]);
    done(&world, &["tsm", "delete", "web"], "");
    with_key(&["tsm", "enable", "web"]);
    let startup = run(&world, &["tsm", "startup"], "");
    assert!(!startup.status.success() && said(&startup).contains("sealed"), "{}", said(&startup));
    with_key(&["tsm", "startup"]);
    got(4);
}
