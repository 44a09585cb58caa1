//! Env files and secrets whose making is interrupted: whole before, whole afterwards, and nothing left beside them.

use std::fs;
use std::path::{Path, PathBuf};

use super::init::PROJECT;
use super::secrets::{done, run, said, secrets_dir};
use crate::fault_injection::{self, CALLS, SmallDisk};
use crate::pty::{Terminal, TestHome};
use crate::world::{PROGRAM, World};

fn world() -> World {
    let world = World::with(&[("TETRA_ORG", "acme")]);
    world.org("acme", &[("local", ""), ("dev", "")]);
    world.file("tetra.toml", &project());
    world
}

/// One that needs no secrets.
fn project() -> String {
    PROJECT.replace("spaces_secret_key = \"var.DEV_SPACES_SECRET_KEY\"\n", "")
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_default()
}

/// Kills a command everywhere. `file` must always be one of what `texts` are, and the last of them once it was done again.
fn walk(prepare: impl Fn() -> World, (given, input): (&[&str], &str), (file, texts): (&str, &[String])) {
    let moments = fault_injection::killed_everywhere(prepare, (given, input), |world, moment| {
        let path = world.home().join(file);
        let now = text(&path);
        assert!(texts.contains(&now), "{moment}: {now}");
        done(world, given, input);
        assert_eq!(Some(&text(&path)), texts.last(), "{moment}");
        let left = fault_injection::half_written(world.home());
        assert!(left.is_empty(), "{moment}: {left:?}");
    });
    assert!(moments > 3, "{given:?}: only {moments} moments were tried");
}

/// What a file says after an undisturbed command.
fn after(prepare: impl Fn() -> World, (given, input): (&[&str], &str), file: &str) -> String {
    let world = prepare();
    done(&world, given, input);
    text(world.home().join(file))
}

#[test]
fn an_env_file_is_the_old_or_the_new_one() {
    if !fault_injection::can_break() {
        return;
    }
    let (init, file) = ((&["env", "init", "dev"][..], ""), "work/env/dev.env");
    walk(world, init, (file, &[String::new(), after(world, init, file)]));
    let outdated = || {
        let world = world();
        done(&world, &["env", "init", "dev"], "");
        world.file("tetra.toml", &text(world.work().join("tetra.toml")).replace("port = 8000", "port = 9000"));
        world
    };
    let old = text(outdated().home().join(file));
    walk(outdated, init, (file, &[old, after(outdated, init, file)]));
    let edited = || {
        let world = outdated();
        let path = world.work().join("env/dev.env");
        fs::write(&path, text(&path) + "MINE=1\n").expect("ours");
        world
    };
    let (force, old) = ((&["env", "init", "dev", "--force"][..], ""), text(edited().home().join(file)));
    walk(edited, force, (file, &[old, after(edited, force, file)]));
}

#[test]
fn a_promoted_env_file_is_the_old_or_the_new_one() {
    if !fault_injection::can_break() {
        return;
    }
    let file = "work/env/staging.env";
    let both = || {
        let world = world();
        done(&world, &["env", "init", "staging"], "");
        done(&world, &["env", "init", "dev"], "");
        world.file("tetra.toml", &text(world.work().join("tetra.toml")).replace("port = 8000", "port = 9000"));
        world
    };
    let promote = (&["env", "promote", "dev", "staging", "--accept", "all", "--force"][..], "");
    let old = text(both().home().join(file));
    walk(both, promote, (file, &[old, after(both, promote, file)]));
}

#[test]
fn secrets_are_the_old_or_the_new_ones() {
    if !fault_injection::can_break() {
        return;
    }
    let one = || {
        let world = world();
        done(&world, &["secrets", "set", "dev", "API_KEY"], "canary-1");
        world
    };
    let (set, before) = ((&["secrets", "set", "dev", "OTHER"][..], "canary-2"), one());
    let file = secrets_dir(&before).join("dev.env");
    let file = file.strip_prefix(before.home()).expect("it is below").display().to_string();
    walk(one, set, (&file, &["API_KEY=canary-1\n".to_owned(), "API_KEY=canary-1\nOTHER=canary-2\n".to_owned()]));
}

/// A world with sealed secrets, and the key that opens them.
fn sealed() -> World {
    let world = world();
    let key = world.home().join("key");
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f"]).arg(&key);
    assert!(keygen.status().expect("ssh-keygen is there").success());
    let public = text(key.with_extension("pub"));
    let manifest = world.paths().orgs().join("acme/manifest.toml");
    world.file(&manifest, &format!("[secrets.recipients]\nme = \"{}\"\n", public.trim()));
    done(&world, &["secrets", "set", "dev", "API_KEY"], "canary-1");
    world
}

/// The names of the secrets that can be read.
fn names(world: &World) -> Vec<String> {
    let key = world.home().join("key").display().to_string();
    let listed = done(world, &["secrets", "list", "dev", "--json", "--identity", &key], "");
    let all: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    all.as_array().expect("several").iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn sealed_secrets_can_always_be_opened() {
    if !fault_injection::can_break() {
        return;
    }
    let in_steps: [(&[&str], &str, &[&str]); 3] = [
        (&["secrets", "seal", "dev", "--identity", "../key"], "", &["API_KEY"]),
        (&["secrets", "set", "dev", "OTHER", "--identity", "../key"], "canary-2", &["API_KEY", "OTHER"]),
        (&["secrets", "rekey", "--identity", "../key"], "", &["API_KEY"]),
    ];
    for (number, (given, input, wanted)) in in_steps.into_iter().enumerate() {
        let prepare = || {
            let world = sealed();
            if number > 0 {
                done(&world, in_steps[0].0, "");
            }
            world
        };
        let moments = fault_injection::killed_everywhere(prepare, (given, input), |world, moment| {
            assert!(names(world).contains(&"API_KEY".to_owned()), "{moment}");
            let again = run(world, given, input);
            // What is sealed already is not sealed again.
            assert!([Some(0), Some(5)].contains(&again.status.code()), "{moment}: {}", said(&again));
            assert_eq!(names(world), wanted, "{moment}");
            assert!(!secrets_dir(world).join("dev.env").exists(), "{moment}");
            let left = fault_injection::half_written(world.home());
            assert!(left.is_empty(), "{moment}: {left:?}");
        });
        assert!(moments > 3, "{given:?}: only {moments} moments were tried");
    }
}

#[test]
fn an_editing_that_is_killed_leaves_the_secrets_and_nothing_else() {
    if !fault_injection::can_break() {
        return;
    }
    let mut moments = 0;
    for calls in CALLS {
        for number in 1.. {
            let home = TestHome::new();
            let file = home.write("tetra/org/acme/secrets/dev.env", "A=canary-1\n");
            home.write("tetra/org/acme/environments/dev.toml", "");
            std::fs::create_dir(home.path("run")).expect("ours");
            home.write("home/ed", "#!/bin/sh\ngrep -q B= \"$1\" || echo B=canary-2 >> \"$1\"\n");
            let edit = |before: &[String]| {
                let line = "chmod 700 ../tetra/org/acme/secrets; chmod 600 ../tetra/org/acme/secrets/*; chmod +x ed; exec \"$@\"";
                let mut command = home.command("sh");
                command.args(["-c", line, "sh"]);
                command.args(before);
                command.args(["--org", "acme", "secrets", "edit", "dev"]);
                command.env("EDITOR", "./ed");
                command.env("XDG_RUNTIME_DIR", home.path("run"));
                Terminal::start(command).end()
            };
            let traced = [vec!["strace".to_owned()], fault_injection::words(calls, "signal=SIGKILL", number)].concat();
            // The editor is another program: only tetra's own calls are counted.
            let traced: Vec<String> = traced.into_iter().filter(|word| word != "-f").collect();
            let killed = edit(&traced) != 0;
            let now = text(&file);
            assert!(["A=canary-1\n", "A=canary-1\nB=canary-2\n"].contains(&now.as_str()), "{calls} {number}: {now}");
            assert_eq!(edit(&[PROGRAM.to_owned()]), 0);
            assert!(text(&file).ends_with("B=canary-2\n"));
            let mut left = fault_injection::half_written(&home.path("tetra"));
            left.extend(below(&home.path("run")));
            assert!(left.is_empty(), "{calls} {number}: {left:?}");
            if !killed {
                break;
            }
            moments += 1;
        }
    }
    assert!(moments > 3, "only {moments} moments were tried");
}

fn below(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).expect("there").flatten().map(|entry| entry.path()).collect()
}

#[test]
fn a_full_disk_leaves_env_files_and_secrets_as_they_were() {
    let Some(disk) = SmallDisk::new() else { return };
    let world = World::with(&[("TETRA_ORG", "acme")]);
    let run = |words: &[&str], input: &str| disk.run(&world, (words, input));
    assert!(run(&["org", "init", "acme"], "").status.success());
    let toml = disk.path().join("work/tetra.toml");
    let project = project();
    fs::write(&toml, &project).expect("there is room");
    assert!(run(&["env", "init", "dev"], "").status.success());
    assert!(run(&["env", "init", "staging"], "").status.success());
    assert!(run(&["secrets", "set", "dev", "API_KEY"], "canary-1").status.success());
    fs::write(&toml, project.replace("port = 8000", "port = 9000")).expect("there is room");
    let files = ["work/env/dev.env", "work/env/staging.env", "tetra/org/acme/secrets/dev.env"];
    let before = files.map(|file| text(disk.path().join(file)));
    disk.fill();
    let lines: [(&[&str], &str); 3] = [
        (&["env", "init", "dev"], ""),
        (&["env", "promote", "dev", "staging", "--accept", "all"], ""),
        (&["secrets", "set", "dev", "OTHER"], "canary-2"),
    ];
    for (words, input) in lines {
        let output = run(words, input);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", said(&output));
        assert!(said(&output).contains("free disk space"), "{words:?}: {}", said(&output));
    }
    assert_eq!(files.map(|file| text(disk.path().join(file))), before);
    assert_eq!(fault_injection::half_written(disk.path()), Vec::<PathBuf>::new());
    disk.empty();
    for (words, input) in lines {
        let output = run(words, input);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    }
    assert!(text(disk.path().join(files[2])).contains("OTHER=canary-2"));
}
