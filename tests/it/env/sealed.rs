//! Sealed secrets: what cannot be opened here again never takes the place of what can be read.

use std::fs;
use std::path::{Path, PathBuf};

use super::secrets::{done, run, said, secrets_dir};
use crate::pty::{Terminal, TestHome};
use crate::world::{PROGRAM, World};

/// A private key and its public half, made for a test.
fn key(dir: &Path, name: &str) -> (String, String) {
    let path = dir.join(name);
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
    assert!(keygen.status().expect("ssh-keygen is there").success());
    let public = fs::read_to_string(path.with_extension("pub")).expect("made");
    (path.display().to_string(), public.trim().to_owned())
}

fn recipients(manifest: &Path, all: &[(&str, &str)]) {
    let lines: String = all.iter().map(|(name, key)| format!("{name} = \"{key}\"\n")).collect();
    fs::write(manifest, format!("[secrets.recipients]\n{lines}")).expect("written");
}

/// An organization with alice's and eve's keys; its secrets of dev, staging and prod are sealed for the names given.
struct Sealed {
    world: World,
    manifest: PathBuf,
    alice: (String, String),
    eve: (String, String),
}

impl Sealed {
    fn new() -> Self {
        let world = World::with(&[("TETRA_ORG", "acme")]);
        world.org("acme", &[("local", ""), ("dev", ""), ("staging", ""), ("prod", "")]);
        let (alice, eve) = (key(world.home(), "alice"), key(world.home(), "eve"));
        let manifest = world.paths().orgs().join("acme/manifest.toml");
        Self { world, manifest, alice, eve }
    }

    fn seal(&self, env: &str, (name, (private, public)): (&str, &(String, String))) {
        done(&self.world, &["secrets", "set", env, "API_KEY", "--yes"], &format!("canary-of-{env}"));
        recipients(&self.manifest, &[(name, public)]);
        done(&self.world, &["secrets", "seal", env, "--identity", private, "--yes"], "");
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(secrets_dir(&self.world).join(name)).unwrap_or_default()
    }

    /// The program with alice's key.
    fn with_alice(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = self.world.program(PROGRAM);
        let output = command.args(words).env("TETRA_AGE_IDENTITY", &self.alice.0).output().expect("run");
        assert!(!said(&output).contains("canary"), "{words:?}: {}", said(&output));
        (output.status.code(), said(&output))
    }
}

#[test]
fn what_no_key_here_opens_again_replaces_nothing() {
    let sealed = Sealed::new();
    let alice = &sealed.alice;
    sealed.seal("dev", ("alice", alice));
    sealed.seal("prod", ("alice", alice));
    let before = ["dev.env.age", "prod.env.age", "dev.recipients", "prod.recipients"].map(|name| sealed.file(name));
    recipients(&sealed.manifest, &[("eve", &sealed.eve.1)]);
    for words in [
        &["secrets", "rekey", "--yes"][..],
        &["secrets", "rekey", "dev"],
        &["secrets", "set", "dev", "OTHER"],
        &["secrets", "set", "dev", "API_KEY"],
        &["secrets", "rm", "dev", "API_KEY"],
    ] {
        let words = [words, &["--identity", &alice.0]].concat();
        let refused = run(&sealed.world, &words, "canary-2");
        assert_eq!(refused.status.code(), Some(18), "{words:?}: {}", said(&refused));
        assert!(said(&refused).contains("nothing was changed"), "{words:?}: {}", said(&refused));
        let now = ["dev.env.age", "prod.env.age", "dev.recipients", "prod.recipients"].map(|name| sealed.file(name));
        assert_eq!(now, before, "{words:?}");
    }
    // Sealing what is open leaves it open then; with --keep the operator learns that it is the only one.
    done(&sealed.world, &["secrets", "set", "staging", "API_KEY"], "canary-3");
    let refused = run(&sealed.world, &["secrets", "seal", "staging", "--identity", &alice.0], "");
    assert_eq!(refused.status.code(), Some(18), "{}", said(&refused));
    assert_eq!((sealed.file("staging.env"), sealed.file("staging.env.age").len()), (b"API_KEY=canary-3\n".to_vec(), 0));
    let kept = done(&sealed.world, &["secrets", "seal", "staging", "--keep", "--identity", &alice.0], "");
    assert!(kept.contains("only the unsealed file can be read here"), "{kept}");
    // A key that is no text is no recipient that may be passed over.
    fs::write(&sealed.manifest, format!("[secrets.recipients]\nalice = \"{}\"\neve = [\"x\"]\n", alice.1))
        .expect("written");
    let refused = run(&sealed.world, &["secrets", "rekey", "dev", "--identity", &alice.0], "");
    assert!(!refused.status.success() && said(&refused).contains("`eve`"), "{}", said(&refused));
    recipients(&sealed.manifest, &[("alice", &alice.1), ("eve", &sealed.eve.1)]);
    done(&sealed.world, &["secrets", "rekey", "dev", "--identity", &alice.0], "");
    done(&sealed.world, &["secrets", "list", "dev", "--identity", &sealed.eve.0], "");
}

#[test]
fn the_last_secret_leaves_a_sealed_file_that_the_next_one_is_sealed_into() {
    let sealed = Sealed::new();
    let alice = &sealed.alice;
    sealed.seal("dev", ("alice", alice));
    sealed.seal("prod", ("alice", alice));
    let removed = done(&sealed.world, &["secrets", "rm", "dev", "API_KEY", "--identity", &alice.0], "");
    assert!(removed.contains("dev.env.age stays, so the next secret of dev is sealed too"), "{removed}");
    // An environment without secrets lacks none.
    let found = sealed.with_alice(&["secrets", "doctor"]).1;
    assert!(!found.contains("of dev is missing"), "{found}");
    done(&sealed.world, &["secrets", "set", "dev", "OTHER", "--identity", &alice.0], "canary-2");
    assert!(sealed.file("dev.env").is_empty(), "no open file");
    assert!(sealed.with_alice(&["secrets", "list", "dev"]).1.contains("OTHER"));
    let found = sealed.with_alice(&["secrets", "doctor"]).1;
    assert!(found.contains("API_KEY of dev is missing"), "{found}");
}

#[test]
fn an_editing_is_refused_before_the_editor_if_it_could_not_be_kept() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    let (me, mine) = key(&home.path("home"), "me");
    let (_, other) = key(&home.path("home"), "eve");
    let manifest = home.write("tetra/org/acme/manifest.toml", "");
    let tetra = |line: &str| {
        let mut command = home.command("sh");
        command.args(["-c", line]);
        command.env("TETRA_AGE_IDENTITY", &me);
        let mut terminal = Terminal::start(command);
        (terminal.end(), terminal.contents())
    };
    recipients(&manifest, &[("me", &mine)]);
    home.write("home/ed", "#!/bin/sh\ntouch edited\n");
    let made = "chmod +x ed; echo canary | tetra --org acme secrets set dev A && tetra --org acme secrets seal dev";
    let (code, shown) = tetra(made);
    assert_eq!(code, 0, "{shown}");
    recipients(&manifest, &[("eve", &other)]);
    let (code, shown) = tetra("EDITOR=./ed exec tetra --org acme secrets edit dev");
    assert_eq!(code, 18, "{shown}");
    assert!(!home.path("home/edited").exists(), "the editor was not started");
}

#[test]
fn any_key_that_is_there_opens() {
    let sealed = Sealed::new();
    sealed.seal("dev", ("alice", &sealed.alice));
    // The first one is there too, and opens nothing.
    let both = ["secrets", "list", "dev", "--identity", &sealed.eve.0, "--identity", &sealed.alice.0];
    assert!(done(&sealed.world, &both, "").contains("API_KEY"));
}

#[test]
fn one_sealed_file_that_is_for_others_blocks_nothing_else() {
    let sealed = Sealed::new();
    sealed.seal("prod", ("eve", &sealed.eve));
    sealed.seal("dev", ("alice", &sealed.alice));
    let (code, list) = sealed.with_alice(&["secrets", "list", "dev"]);
    assert_eq!(code, Some(0), "{list}");
    let (code, list) = sealed.with_alice(&["secrets", "list"]);
    assert!(code == Some(0) && list.contains("API_KEY"), "{list}");
    assert!(list.lines().any(|line| line.starts_with("prod") && line.contains("no key here opens it")), "{list}");
    let (code, json) = sealed.with_alice(&["secrets", "list", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(
        (code, &all[0]["problem"], &all[1]["name"]),
        (Some(0), &serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!(sealed.with_alice(&["secrets", "list", "prod"]).0, Some(18), "what was asked for is not there");
    sealed.world.file("tetra.toml", "[environments.dev]\nPORT = 1\nK = \"${secret:API_KEY}\"\n[environments.prod]\nPORT = 2\nK = \"${secret:API_KEY}\"\n");
    for words in [
        &["env", "promote", "dev", "prod", "--dry-run"][..],
        &["env", "promote", "prod", "dev", "--dry-run"],
        &["env", "init", "dev"],
        &["env", "show", "dev"],
        &["env", "diff", "dev"],
        &["env", "status"],
        &["secrets", "doctor"],
    ] {
        let (code, said) = sealed.with_alice(words);
        assert_eq!(code, Some(0), "{words:?}: {said}");
    }
    let (_, said) = sealed.with_alice(&["env", "status"]);
    assert!(said.lines().any(|line| line.starts_with("prod") && line.contains("sealed")), "{said}");
    sealed.world.file("env/prod.env", "PORT=2\nK=canary-of-prod\n");
    let (_, said) = sealed.with_alice(&["env", "validate"]);
    assert!(said.contains("dev, prod: "), "{said}");
    // What is written needs the secrets.
    assert_eq!(sealed.with_alice(&["env", "init", "prod", "--yes"]).0, Some(18));
    assert_eq!(sealed.with_alice(&["env", "promote", "dev", "prod", "--yes"]).0, Some(18));
    assert_eq!(
        fs::read_to_string(sealed.world.work().join("env/prod.env")).expect("kept"),
        "PORT=2\nK=canary-of-prod\n"
    );
}

#[test]
fn a_sealed_file_that_cannot_be_opened_is_not_good() {
    let sealed = Sealed::new();
    sealed.seal("dev", ("alice", &sealed.alice));
    sealed.seal("staging", ("eve", &sealed.eve));
    let state = |name: &str| {
        let (code, said) = sealed.with_alice(&["secrets", "doctor", "--json"]);
        let rows: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        let mine = rows
            .as_array()
            .expect("rows")
            .iter()
            .filter(|row| row["message"].as_str().is_some_and(|it| it.contains(&format!("/{name}`"))));
        let states: Vec<String> = mine.map(|row| row["status"].as_str().unwrap_or_default().to_owned()).collect();
        (code, states.join(" "))
    };
    assert_eq!(state("dev.env.age"), (Some(0), "ok".to_owned()));
    assert_eq!(state("staging.env.age"), (Some(0), "ok warning".to_owned()), "for others");
    let path = secrets_dir(&sealed.world).join("dev.env.age");
    let whole = sealed.file("dev.env.age");
    for bytes in [b"".to_vec(), b"\n".to_vec(), b"API_KEY=canary\n".to_vec(), whole[..whole.len() / 2].to_vec()] {
        fs::write(&path, &bytes).expect("written");
        assert_eq!(state("dev.env.age"), (Some(3), "ok error".to_owned()), "{:?}", String::from_utf8_lossy(&bytes));
    }
    // Both forms say the same, or one of them is wrong.
    fs::write(&path, &whole).expect("written");
    sealed.world.file(secrets_dir(&sealed.world).join("dev.env"), "API_KEY=another\n");
    fs::set_permissions(
        secrets_dir(&sealed.world).join("dev.env"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .expect("ours");
    assert_eq!(state("dev.env.age"), (Some(3), "ok error".to_owned()), "they differ");
}

#[test]
fn git_takes_what_is_sealed_and_nothing_that_is_open() {
    let sealed = Sealed::new();
    let world = &sealed.world;
    done(world, &["org", "init", "shop"], "");
    let org = world.paths().orgs().join("shop");
    let git = |words: &[&str]| {
        let mut git = std::process::Command::new("git");
        let output = git.args(words).current_dir(&org).env("HOME", world.home()).output().expect("git is there");
        (output.status.success(), said(&output))
    };
    assert!(git(&["init", "-q", "."]).0);
    fs::write(org.join("manifest.toml"), format!("[secrets.recipients]\nalice = \"{}\"\n", sealed.alice.1))
        .expect("written");
    let shop = |words: &[&str], input: &str| done(world, &[&["--org", "shop"], words].concat(), input);
    shop(&["secrets", "set", "dev", "A"], "canary-1");
    shop(&["secrets", "set", "local", "A"], "canary-1");
    shop(&["secrets", "seal", "dev", "--keep", "--identity", &sealed.alice.0], "");
    let (added, said) = git(&["add", "secrets/dev.env.age", "secrets/dev.recipients"]);
    assert!(added, "{said}");
    assert!(git(&["add", "-A"]).0);
    let (_, staged) = git(&["diff", "--cached", "--name-only"]);
    let secrets: Vec<&str> = staged.lines().filter(|line| line.starts_with("secrets/")).collect();
    assert_eq!(secrets, ["secrets/.gitignore", "secrets/dev.env.age", "secrets/dev.recipients"]);
    // An organization that was made before: sealing lets git take what is sealed.
    fs::write(org.join(".gitignore"), "environments/*.toml\n# Never in git.\nsecrets/\n").expect("written");
    fs::write(org.join("secrets/.gitignore"), "*\n!.gitignore\n").expect("written");
    assert!(git(&["rm", "-rqf", "--cached", "."]).0);
    let said = shop(&["secrets", "seal", "dev", "--keep", "--identity", &sealed.alice.0], "");
    assert!(said.contains(".gitignore"), "{said}");
    assert!(git(&["add", "secrets/dev.env.age"]).0);
    assert!(!git(&["add", "secrets/dev.env"]).0);
}
