//! Environments made from one local.toml: the whole way, and everything that can go wrong on it.

mod apply;
mod faithful;
mod keys;
mod remote;
mod services;
mod user;
mod writing;

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::fault_injection::{self, SmallDisk};
use crate::schema::{misfits, schema};
use crate::world::{PROGRAM, World};

/// A world with an organization called acme, and the directory of its environments.
fn acme() -> (World, PathBuf) {
    acme_with(&[])
}

fn acme_with(variables: &[(&str, &str)]) -> (World, PathBuf) {
    made("org init acme --profile dev", variables)
}

/// The same for the operator of the world, who is an ordinary user.
fn acme_of_user() -> (World, PathBuf) {
    made("org init acme", &[])
}

fn made(init: &str, variables: &[(&str, &str)]) -> (World, PathBuf) {
    let mut world = World::with(variables);
    world.run(init).done();
    let environments = world.paths().orgs().join("acme/environments");
    (world, environments)
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Replaces a part of a file that must be there.
fn change(path: &Path, old: &str, new: &str) {
    let text = read(path);
    assert!(text.contains(old), "{old} in {text}");
    fs::write(path, text.replace(old, new)).expect("written");
}

/// The text of a generated file without its header.
fn body(path: &Path) -> String {
    read(path).splitn(7, '\n').last().unwrap_or_default().to_owned()
}

/// Every file below a directory with its bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("listed").flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push((path.clone(), fs::read(&path).expect("read"))),
        }
    }
    found.sort();
    found
}

#[test]
fn a_new_organization_is_whole_and_stays_as_it_is() {
    let (mut world, environments) = acme();
    let directory = environments.parent().expect("a directory").to_owned();
    for file in ["manifest.toml", "environments/local.toml", ".gitignore", "secrets/.gitignore"] {
        assert!(directory.join(file).is_file(), "{file}");
    }
    assert!(directory.join("history").is_dir() && directory.join("profiles").is_dir());
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(directory.join("secrets")).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o700);
    assert!(read(environments.join("local.toml")).contains("command = \"tetra serve\""));
    change(&environments.join("local.toml"), "4444", "5555");
    let before = files(&directory);
    assert!(world.run("org init acme").done().contains("nothing was changed"));
    assert_eq!(files(&directory), before);
    assert!(world.run("org env validate").done().is_empty());
}

#[test]
fn a_server_has_no_source() {
    let mut world = World::new();
    world.run("tsm org init acme --server").done();
    let environments = world.paths().orgs().join("acme/environments");
    assert!(environments.is_dir() && !environments.join("local.toml").exists());
    assert!(world.run("org promote @dev").failed(3).contains("local.toml` does not exist"));
}

#[test]
fn what_says_the_same_is_not_written_again() {
    let (mut world, environments) = acme();
    world.run("org promote @dev").done();
    let before = files(environments.parent().expect("a directory"));
    assert!(world.run("org promote @dev").done().contains("up to date"));
    change(&environments.join("local.toml"), "# the same everywhere", "# everywhere");
    assert!(world.run("org promote @dev").done().contains("up to date"));
    let local = environments.join("local.toml");
    let without =
        |all: &[(PathBuf, Vec<u8>)]| all.iter().filter(|(path, _)| *path != local).cloned().collect::<Vec<_>>();
    assert_eq!(without(&files(environments.parent().expect("a directory"))), without(&before));
    let states = world.run("org status --json").done();
    assert!(states.contains("\"up-to-date\""), "{states}");
}

#[test]
fn nothing_is_written_if_one_of_several_is_wrong() {
    let (mut world, environments) = acme();
    fs::write(environments.parent().expect("a directory").join("profiles/strict.toml"), "schema = 1\nextends = \"builtin:dev\"\n[require]\n\"resources.memory_max\" = { min = 9999 }\n[forbid]\n\"logging.level\" = { eq = \"debug\" }\n").expect("written");
    let said = world.run("org promote @dev @strict --yes").failed(20);
    assert!(
        said.contains("2 rules") && said.contains("resources.memory_max") && said.contains("logging.level"),
        "{said}"
    );
    assert!(!environments.join("dev.toml").exists() && !environments.join("strict.toml").exists());
    let dry = world.run("org promote @dev @staging --dry-run");
    assert!(dry.stderr.contains("dev.toml would be written") && dry.output.contains("resources.memory_max"), "{dry:?}");
    assert!(!environments.join("dev.toml").exists());
}

#[test]
fn an_environment_of_ones_own_takes_six_lines() {
    let (mut world, environments) = acme();
    fs::write(environments.parent().expect("a directory").join("profiles/eu-canary.toml"), "schema = 1\nname = \"eu-canary\"\nextends = \"builtin:prod\"\n[set]\n\"resources.memory_max\" = 2048\n\"daemon.unit\" = \"tetra-eu-canary.service\"\n\"services.*.env_file\" = \"env/eu-canary.env\"\n").expect("written");
    assert!(world.run("org promote @eu-canary").failed(4).contains("prod"), "it is guarded as its root is");
    world.run("org promote @eu-canary --yes").done();
    let made = read(environments.join("eu-canary.toml"));
    for line in [
        "memory_max = 2048",
        "unit = \"tetra-eu-canary.service\"",
        "env_file = \"env/eu-canary.env\"",
        "--env production\"",
        "name = \"eu-canary\"",
    ] {
        assert!(made.contains(line), "{line} in {made}");
    }
    world.run("org profile new qa --extends staging").done();
    world.run("org profile check qa").done();
    world.run("org promote @qa").done();
    assert!(read(environments.join("qa.toml")).contains("tetra serve --env qa\""));
    world.run("org profile new qa").failed(1);
    let said = world.run("org profile new 'x y'").failed(2);
    assert!(said.contains("`x y` cannot be the name of a profile"), "{said}");
    world.run("org profile new qa2 --extends nothing").failed(5);
}

#[test]
fn layers_follow_each_other_and_each_value_tells_its_story() {
    let (mut world, environments) = acme();
    let local = environments.join("local.toml");
    let text = read(&local) + "\n[overrides.production]\nresources.memory_max = 8192 # more\n";
    fs::write(&local, text).expect("written");
    world.run("org promote @prod --yes --set logging.retention_days=7").done();
    let made = body(&environments.join("prod.toml"));
    assert!(
        made.contains("memory_max = 8192") && made.contains("retention_days = 7") && !made.contains("\n[overrides"),
        "{made}"
    );
    assert!(made.contains("# more") && made.contains("set = [\"logging.retention_days=7\"]"), "{made}");
    let output = world.run("org explain @prod resources.memory_max").done();
    let order = ["local.toml", "builtin:staging", "builtin:prod", "overrides"]
        .map(|word| output.find(word).unwrap_or_else(|| panic!("{word} in {output}")));
    assert!(order.is_sorted(), "{output}");
    assert!(
        world.run("org explain @prod resources.memory_mx").failed(5).contains("did you mean `resources.memory_max`?")
    );
    assert!(world.run("org diff @prod").done().contains("environments/local.toml"), "the override has its line");
    assert!(world.run("org promote @prod --yes --set logging.retention_days=7").done().contains("up to date"));
}

#[test]
fn edits_of_generated_files_are_never_overwritten_silently() {
    let (mut world, environments) = acme();
    world.run("org promote @dev").done();
    let dev = environments.join("dev.toml");
    change(&dev, "memory_max = 1024", "memory_max = 1536");
    let edited = read(&dev);
    let said = world.run("org promote @dev").failed(21);
    assert!(said.contains("resources.memory_max: 1024 -> 1536"), "{said}");
    assert_eq!(read(&dev), edited);
    world.run("org rollback @dev").failed(21);
    assert!(world.run("org env validate dev").failed(3).contains("1 error"));
    world.run("org promote @dev --keep-as-override").done();
    assert!(read(environments.join("local.toml")).contains("[overrides.dev]\nresources.memory_max = 1536"));
    assert!(body(&dev).contains("memory_max = 1536"));
    change(&dev, "memory_max = 1536", "memory_max = 1");
    world.run("org promote @dev --discard-edits").done();
    assert!(body(&dev).contains("memory_max = 1536"));
    let kept = files(&environments.with_file_name("history"));
    assert!(
        kept.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("memory_max = 1  ")),
        "the edit is kept"
    );
}

#[test]
fn advice_after_a_rollback_and_an_edit_names_what_works() {
    let (mut world, environments) = acme();
    let (local, dev) = (environments.join("local.toml"), environments.join("dev.toml"));
    world.run("org promote @dev").done();
    change(&local, "4444", "5002");
    world.run("org promote @dev").done();
    world.run("org rollback @dev").done();
    fs::write(&dev, format!("{}\n[extra]\nadded = 1\n", read(&dev))).expect("written");
    let said = world.run("org diff @dev").stderr;
    assert!(said.contains("edited by hand: 1 value not as generated"), "{said}");
    let works = "tsm org promote @dev --discard-edits --force";
    for line in ["org promote @dev", "org promote @dev --force"] {
        assert!(world.run(line).failed(21).contains(works), "{line}");
    }
    assert!(world.run("org promote @dev --discard-edits").failed(23).contains(works));
    world.run(&works.replace("tsm ", "")).done();
}

#[test]
fn a_file_that_was_not_generated_is_not_overwritten_silently() {
    let (mut world, environments) = acme();
    let dev = environments.join("dev.toml");
    fs::write(&dev, "by = \"hand\"\n").expect("written");
    assert!(world.run("org promote @dev").failed(21).contains("not generated by tetra"));
    world.run("org rollback @dev").failed(21);
    assert_eq!(read(&dev), "by = \"hand\"\n");
    world.run("org promote @dev --discard-edits").done();
    fs::copy(&dev, environments.join("staging.toml")).expect("copied");
    world.run("org promote @staging").failed(21);
    world.run("org rollback @dev").done();
    assert_eq!(read(&dev), "by = \"hand\"\n", "it can be had back");
}

#[test]
fn a_rollback_is_a_new_version_and_leads_to_the_last_good_one() {
    let (mut world, environments) = acme();
    let (local, dev) = (environments.join("local.toml"), environments.join("dev.toml"));
    world.run("org promote @dev").done();
    world.run("org rollback @dev").failed(5);
    let first = read(&dev);
    change(&local, "4444", "5001");
    world.run("org promote @dev").done();
    let second = read(&dev);
    change(&local, "5001", "5002");
    world.run("org promote @dev").done();
    assert!(world.run("org rollback @dev --dry-run").done().contains("5002"));
    world.run("org rollback @dev").done();
    assert_eq!(read(&dev), second);
    let again = world.run("org promote @dev").failed(23);
    assert!(again.contains("--force"), "{again}");
    world.run("org rollback @dev").done();
    assert_eq!(read(&dev), first, "what was turned away from is not good");
    world.run("org rollback @dev").failed(5);
    world.run("org rollback @dev --to 20261120_120000_2").done();
    assert_eq!(read(&dev), second);
    change(&local, "5002", "5003");
    world.run("org promote @dev").done();
    let all = world.run("org history @dev --json").done();
    let all: serde_json::Value = serde_json::from_str(&all).expect("JSON");
    let ids: Vec<&str> = all.as_array().expect("several").iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(ids.len(), 7);
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]) && all[0]["current"] == true, "{all:#}");
}

#[test]
fn the_manifest_is_honoured() {
    let (mut world, environments) = acme();
    let manifest = environments.with_file_name("manifest.toml");
    change(&manifest, "history_retention = 50", "history_retention = 2");
    for port in [5001, 5002, 5003, 5004] {
        change(&environments.join("local.toml"), if port == 5001 { "4444" } else { "500" }, &port.to_string());
        let text =
            read(environments.join("local.toml")).replace(&format!("{port}{}", port - 1 - 5000), &port.to_string());
        fs::write(environments.join("local.toml"), text).expect("written");
        world.run("org promote @dev").done();
    }
    let copies = files(&environments.with_file_name("history"));
    assert_eq!(copies.iter().filter(|(path, _)| path.extension().is_some_and(|it| it == "toml")).count(), 2);
    world.run("org promote @prod").failed(4);
    change(&manifest, "prod_requires_approval = true ", "prod_requires_approval = false");
    world.run("org promote @prod").done();
    fs::write(&manifest, read(&manifest) + "[promotion]\nprod = { after = \"staging\" }\n").expect("written");
    change(&environments.join("local.toml"), "tetra = 5004", "tetra = 6000");
    assert!(world.run("org promote @prod").failed(23).contains("@staging"));
    world.run("org promote @staging @prod").done();
}

#[test]
fn prod_is_asked_about_after_the_plan() {
    let (mut world, environments) = acme();
    world.answers(&["n", "y"]);
    let said = world.run("org promote @prod").failed(4);
    assert!(said.contains("resources.memory_max") && said.contains("continue?"), "{said}");
    assert!(!environments.join("prod.toml").exists());
    world.run("org promote @production").done();
    assert!(environments.join("prod.toml").exists());
}

#[test]
fn what_was_confirmed_is_what_is_written() {
    let (mut world, environments) = acme();
    let (local, prod) = (environments.join("local.toml"), environments.join("prod.toml"));
    // A value that was not in the plan is not written.
    let edited = local.clone();
    world.answers_yes_after(move || change(&edited, "tetra = 4444 ", "tetra = 6000 "));
    let said = world.run("org promote @prod").failed(25);
    assert!(said.contains("was changed after the plan was made") && !prod.exists(), "{said}");
    // A comment does not change the plan.
    let edited = local.clone();
    world.answers_yes_after(move || change(&edited, "# the same everywhere", "# the main port"));
    world.run("org promote @prod").done();
    assert!(read(&prod).contains("# the main port"), "{}", read(&prod));
    change(&local, "tetra = 6000 ", "tetra = 7000 ");
    world.run("org promote @prod --yes").done();
    let before = read(&prod);
    let edited = prod.clone();
    world.answers_yes_after(move || fs::write(&edited, before + "# by hand\n").expect("written"));
    assert!(world.run("org rollback @prod").failed(25).contains("the environment was changed"));
    assert!(read(&prod).ends_with("# by hand\n"));
}

#[test]
fn former_names_are_read_and_both_at_once_are_a_mistake() {
    let (mut world, environments) = acme();
    let local = environments.join("local.toml");
    fs::write(&local, "[resources]\nnofile = 1024 # files\n[services.web]\ncommand = \"python3 -m http.server\"\nworking_dir = \"~/web\" # where\n[backup]\nschedule = \"0 3 * * *\"\n").expect("written");
    world.run("org promote @dev").done();
    let made = body(&environments.join("dev.toml"));
    for line in [
        "limit_nofile = 65536 # files  # Changed",
        "cwd = \"/root/web\" # where  # Changed",
        "command = \"python3 -m http.server\"\n",
        "env_file = \"env/dev.env\"  # Added",
        "schedule = \"daily\"  # Changed",
    ] {
        assert!(made.contains(line), "{line} in {made}");
    }
    fs::write(&local, "[resources]\nnofile = 1\nlimit_nofile = 2\n").expect("written");
    let said = world.run("org promote @dev").failed(1);
    assert!(said.contains("are two names of one key") && said.contains("local.toml:2:1"), "{said}");
}

#[test]
fn bad_input_is_reported_with_its_place_and_changes_nothing() {
    let (mut world, environments) = acme();
    world.run("org promote @dev").done();
    let local = environments.join("local.toml");
    let dev = read(environments.join("dev.toml"));
    let cases: [(&[u8], &[&str]); 8] = [
        (b"b = \n[a]\nc = hello\n", &["2 errors", "local.toml:1:5", "local.toml:3:5"]),
        (b"a = 1\na = 2\n", &["duplicate key", "local.toml:2:1", "^"]),
        (
            b"[ports]\nweb = \"x\"\n[services.a]\nauto_restart = 3\n",
            &["2 errors", "must be a port", "expected true or false"],
        ),
        (b"a = \"\xff\"\n", &["not UTF-8", "line 1"]),
        (b"b = hello\n", &["a string must be quoted"]),
        (b"security = 3\n", &["`security` must be a table"]),
        (b"[services.a]\ncommand = \"node a | tee b\"\n", &["shell operators", "{args}"]),
        (b"[deployment]\ntetra_src = \"${NOWHERE}\"\n", &["`NOWHERE` is not set (E-UNSET)"]),
    ];
    for (bytes, words) in cases {
        fs::write(&local, bytes).expect("written");
        let said = world.run("org promote @dev").failed(1);
        for word in words {
            assert!(said.contains(word), "{word} in {said}");
        }
    }
    fs::remove_file(&local).expect("removed");
    nix::unistd::mkfifo(&local, nix::sys::stat::Mode::S_IRWXU).expect("made");
    assert!(world.run("org promote @dev").failed(1).contains("is not a regular file"));
    fs::remove_file(&local).expect("removed");
    let deep = format!("a = {}{}\n", "[".repeat(5000), "]".repeat(5000));
    fs::write(&local, deep).expect("written");
    world.run("org promote @dev").failed(1);
    fs::File::create(&local).and_then(|file| file.set_len(50 << 20)).expect("a large file");
    assert!(world.run("org promote @dev").failed(1).contains("is larger than 8192 KiB"));
    assert_eq!(read(environments.join("dev.toml")), dev);
    let error: serde_json::Value = {
        fs::write(&local, "a = \nb = \n").expect("written");
        serde_json::from_str(&world.run("org promote @dev --json").failed(1)).expect("JSON")
    };
    assert_eq!(error["error"]["diagnostics"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&error["error"]["at"]["line"], &error["error"]["diagnostics"][1]["labels"][0]["line"]),
        (&1.into(), &2.into())
    );
}

#[test]
fn links_and_names_do_not_lead_out_of_the_tree() {
    let (mut world, environments) = acme();
    let secret = world.file("secret.toml", "password = \"hunter2\"\n");
    let local = environments.join("local.toml");
    let text = read(&local);
    fs::remove_file(&local).expect("removed");
    symlink(&secret, &local).expect("linked");
    assert!(world.run("org promote @dev").failed(1).contains("is outside of"));
    fs::remove_file(&local).expect("removed");
    fs::write(&local, text).expect("written");
    symlink(&secret, environments.join("dev.toml")).expect("linked");
    assert!(world.run("org env show dev").failed(1).contains("is outside of"));
    assert!(world.run("org promote @dev").failed(1).contains("is outside of"));
    assert_eq!(read(&secret), "password = \"hunter2\"\n");
    fs::remove_file(environments.join("dev.toml")).expect("removed");
    let elsewhere = world.work().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    fs::remove_dir(environments.with_file_name("history")).expect("removed");
    symlink(&elsewhere, environments.with_file_name("history")).expect("linked");
    assert!(world.run("org promote @dev").failed(1).contains("is outside of"));
    assert_eq!(fs::read_dir(&elsewhere).expect("listed").count(), 0);
    for line in [
        "org promote @../x",
        "org env show ../../etc/passwd",
        "org init ../x",
        "org init 123",
        "org rollback @dev --to ../x",
        "org profile show ../x",
    ] {
        assert!([2, 5].contains(&world.run(line).code), "{line}");
    }
    assert!(world.run("org promote local").failed(2).contains("is the source"));
    fs::write(environments.with_file_name("profiles").join("dev.toml"), "schema = 1\nextends = \"dev\"\n")
        .expect("written");
    assert!(world.run("org promote @dev").failed(1).contains("extends"));
}

#[test]
fn a_record_that_was_changed_is_not_trusted() {
    let (mut world, environments) = acme();
    let history = environments.with_file_name("history");
    world.run("org promote @dev").done();
    change(&environments.join("local.toml"), "4444", "5555");
    world.run("org promote @dev").done();
    let record = history.join("dev.jsonl");
    let good = read(&record);
    fs::write(&record, good.replacen("\"by\":\"operator\"", "\"by\":\"nobody\"", 1)).expect("written");
    assert!(world.run("org history @dev").failed(1).contains("line 2"));
    let said = world.run("org history verify @dev");
    assert!(said.code == 3 && said.output.contains("line 2"), "{said:?}");
    fs::write(&record, &good).expect("written");
    let copy = history.join("dev_20261120_120000.toml");
    change(&copy, "tetra = 4444", "tetra = 1");
    assert!(world.run("org rollback @dev").failed(5).contains("was modified"));
    let said = world.run("org audit verify");
    assert!(said.code == 3 && said.output.contains("20261120_120000 was modified"), "{said:?}");
    change(&copy, "tetra = 1", "tetra = 4444");
    world.run("org history verify").done();
    assert!(world.run("org history @dev --diff 20261120_120000").done().contains("ports.tetra"));
    world.run("org history @dev --diff 2").failed(5);
    world.run("org rollback @dev --steps 2").failed(5);
    world.run("org rollback @dev --steps 0").failed(2);
    world.run("org rollback @dev --steps 1").done();
    assert!(read(environments.join("dev.toml")).contains("tetra = 4444"));
}

#[test]
fn an_editor_edits_a_copy_that_has_to_make_sense() {
    let (mut world, environments) = acme_with(&[("EDITOR", "sh -c 'sed -i s/4444/$PORT_OF_TEST/ \"$0\"'")]);
    assert!(world.run("org env edit local").failed(1).contains("needs a terminal"));
    let local = environments.join("local.toml");
    let before = read(&local);
    // The editor takes the variable from this process, where there is none: it breaks the file.
    world.answers(&["n"]);
    let said = world.run("org env edit").failed(1);
    assert!(said.contains("local.toml.edit:") && said.contains("was not changed"), "{said}");
    assert_eq!(read(&local), before);
    assert!(world.run("org env edit dev").failed(4).contains("generated"));
    let copy = environments.join(".local.toml.edit");
    fs::write(&copy, before.replace("4444", "5555")).expect("written");
    world.run("org env edit").done();
    assert!(read(&local).contains("5555") && !copy.exists());
}

#[test]
fn two_at_once_wait_for_each_other_and_not_for_ever() {
    let (world, environments) = acme();
    let directory = fs::File::open(environments.parent().expect("a directory")).expect("opened");
    directory.lock().expect("locked");
    let held = world.program(PROGRAM).args(["org", "promote", "@dev"]).output().expect("it starts");
    assert_eq!(held.status.code(), Some(10), "{}", String::from_utf8_lossy(&held.stderr));
    assert!(!environments.join("dev.toml").exists());
    drop(directory);
    let children: Vec<_> = (0..6)
        .map(|number| {
            let set = format!("resources.memory_max={}", 100 + number);
            world
                .program(PROGRAM)
                .args(["org", "promote", "@dev", "--set", &set])
                .stderr(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("it starts")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let history = world.program(PROGRAM).args(["org", "history", "@dev", "--json"]).output().expect("it starts");
    let all: serde_json::Value = serde_json::from_slice(&history.stdout).expect("the chain is whole");
    assert_eq!(all.as_array().map(Vec::len), Some(6));
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_half_written() {
    if !fault_injection::can_break() {
        return;
    }
    let old = RefCell::new(Vec::new());
    let prepare = || {
        let (mut world, environments) = acme();
        world.run("org promote @dev @staging").done();
        change(&environments.join("local.toml"), "4444", "5555");
        *old.borrow_mut() =
            ["local", "dev", "staging"].map(|env| read(environments.join(format!("{env}.toml")))).to_vec();
        world
    };
    let moments =
        fault_injection::killed_everywhere(prepare, (&["org", "promote", "@dev", "@staging"], ""), |world, moment| {
            let environments = world.paths().orgs().join("acme/environments");
            let old = old.borrow();
            assert_eq!(read(environments.join("local.toml")), old[0]);
            for (env, old) in ["dev", "staging"].iter().zip(&old[1..]) {
                let now = read(environments.join(format!("{env}.toml")));
                assert!(now == *old || now.contains("tetra = 5555"), "{env}: {moment}");
                world.run(&format!("org env validate {env}")).done();
                world.run(&format!("org history @{env}")).done();
            }
            world.run("org promote @dev @staging").done();
            for (env, old) in ["dev", "staging"].iter().zip(&old[1..]) {
                assert!(read(environments.join(format!("{env}.toml"))).contains("tetra = 5555"));
                world.run(&format!("org rollback @{env}")).done();
                assert_eq!(body(&environments.join(format!("{env}.toml"))), body_of(old));
            }
            let left = fault_injection::half_written(world.home());
            assert!(left.is_empty(), "{moment}: {left:?}");
        });
    assert!(moments > 12, "only {moments} moments were tried");
}

#[test]
fn an_organization_is_made_whole_however_often_that_is_interrupted() {
    if !fault_injection::can_break() {
        return;
    }
    let moments = fault_injection::killed_everywhere(World::new, (&["org", "init", "acme"], ""), |world, moment| {
        world.run("org init acme").done();
        world.run("org env validate").done();
        let directory = world.paths().orgs().join("acme");
        for file in ["manifest.toml", "environments/local.toml", ".gitignore", "secrets/.gitignore"] {
            assert!(!read(directory.join(file)).is_empty(), "{file}: {moment}");
        }
        let left = fault_injection::half_written(world.home());
        assert!(left.is_empty(), "{moment}: {left:?}");
    });
    assert!(moments > 8, "only {moments} moments were tried");
}

fn body_of(text: &str) -> String {
    text.splitn(7, '\n').last().unwrap_or_default().to_owned()
}

#[test]
fn a_full_disk_changes_nothing() {
    let Some(disk) = SmallDisk::new() else { return };
    // What could not be made does not count: acme stays the only one.
    let world = World::new();
    let run = |words: &[&str]| disk.run(&world, (words, ""));
    assert!(run(&["org", "init", "acme"]).status.success());
    assert!(run(&["org", "promote", "@dev"]).status.success());
    let directory = disk.path().join("tetra/org");
    change(&directory.join("acme/environments/local.toml"), "4444", "5555");
    let before = files(&directory);
    disk.fill();
    for words in [["org", "init", "other"], ["org", "promote", "@dev"]] {
        let said = run(&words);
        let talk = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{words:?}: {talk}");
        assert!(talk.contains("free disk space"), "{words:?}: {talk}");
    }
    let changed: Vec<_> = files(&directory).into_iter().filter(|file| !before.contains(file)).collect();
    assert!(changed.is_empty(), "{changed:?}");
    disk.empty();
    for words in [["org", "promote", "@dev"], ["org", "init", "other"]] {
        let after = run(&words);
        assert!(after.status.success(), "{}", String::from_utf8_lossy(&after.stderr));
    }
    assert!(read(directory.join("other/environments/local.toml")).contains("SOURCE OF TRUTH"));
}

#[test]
fn what_json_prints_fits_the_schemas() {
    let (mut world, environments) = acme_of_user();
    let local = environments.join("local.toml");
    fs::write(&local, read(&local) + "[loging]\nlevel = 1\n").expect("written");
    for (line, name) in [
        ("org init other --json", "org-init"),
        ("org use acme --json", "org-use"),
        ("org list --json", "org-list"),
        ("org env validate --json", "org-env-validate"),
        ("org promote @dev @staging --dry-run --json", "org-promote-plan"),
        ("org promote @dev @staging --json", "org-promote"),
        ("org promote @dev --json", "org-promote"),
        ("org diff @dev --json", "org-diff"),
        ("org diff @dev @staging --json", "org-diff-two"),
        ("org explain @dev services.tetra.command --json", "org-explain"),
        ("org status --json", "org-status"),
        ("org env list --json", "org-env-list"),
        ("org apply @dev --json", "org-apply"),
        ("org promote @dev --set ports.tetra=1 --json", "org-promote"),
        ("org rollback @dev --dry-run --json", "org-rollback-plan"),
        ("org rollback @dev --json", "org-rollback"),
        ("org history @dev --json", "org-history"),
        ("org history @dev --diff 20261120_120000 --json", "org-history-diff"),
        ("org history verify --json", "org-history-verify"),
        ("org history prune --json", "org-history-prune"),
        ("org profile list --json", "org-profile-list"),
        ("org profile show prod --json", "org-profile-show"),
        ("org profile new qa --json", "org-profile-new"),
        ("org profile check qa --json", "org-profile-check"),
    ] {
        let said = world.run(line).done();
        let value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("`{line}`: {error}\n{said}"));
        assert_eq!(misfits(&value, &schema(name)), Vec::<String>::new(), "`{line}` printed\n{value:#}");
    }
    fs::write(&local, "a = \n").expect("written");
    let said = world.run("org promote @dev --json").failed(1);
    let value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(misfits(&value, &schema("error")), Vec::<String>::new(), "{value:#}");
}

#[test]
fn a_write_that_fails_anywhere_changes_nothing_or_everything() {
    if !fault_injection::can_break() {
        return;
    }
    let (mut failed, mut done) = (0, 0);
    for (calls, error) in [("write", "ENOSPC"), ("fsync", "EIO"), ("rename,renameat,renameat2", "EACCES")] {
        for number in 1.. {
            let (mut world, environments) = acme();
            world.run("org promote @dev").done();
            change(&environments.join("local.toml"), "4444", "5555");
            let old = read(environments.join("dev.toml"));
            let fault = format!("error={error}");
            let ended = fault_injection::broken(&world, (calls, &fault, number), (&["org", "promote", "@dev"], ""));
            let now = read(environments.join("dev.toml"));
            world.run("org env validate dev").done();
            world.run("org history @dev").done();
            if ended.status.success() {
                assert!(now.contains("tetra = 5555"));
                done += 1;
                // What is written beside the work (the log of commands, the talk) may fail without harm.
                if done > 12 {
                    break;
                }
                continue;
            }
            failed += 1;
            assert!(now == old || now.contains("tetra = 5555"), "{calls} {number}");
            let talk = String::from_utf8_lossy(&ended.stderr);
            assert!(talk.contains("failed to") || talk.is_empty(), "{talk}");
            world.run("org promote @dev").done();
            assert!(read(environments.join("dev.toml")).contains("tetra = 5555"));
        }
        done = 0;
    }
    assert!(failed > 8, "only {failed} failures were tried");
}

#[test]
fn what_an_editor_leaves_is_reported_as_data() {
    let (mut world, _) = acme_with(&[("EDITOR", "sed -i s/4444/5555/")]);
    world.answers(&[]);
    for changed in [true, false] {
        let said = world.run("org env edit --json").done();
        let value: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(misfits(&value, &schema("org-env-edit")), Vec::<String>::new(), "{value:#}");
        assert_eq!(value["changed"], changed);
    }
}

#[test]
fn a_profile_has_other_names() {
    let (mut world, environments) = acme();
    let profiles = environments.with_file_name("profiles");
    let text = "schema = 1\naliases = [\"euc\", \"canary\"]\nextends = \"builtin:prod\"\n";
    world.file(profiles.join("eu-canary.toml"), text);
    let local = environments.join("local.toml");
    fs::write(&local, read(&local) + "\n[overrides.euc]\nresources.memory_max = 1234\n").expect("written");
    assert!(world.run("org promote @euc").failed(4).contains("prod"), "it is guarded as what it means");
    world.run("org promote @euc --yes").done();
    assert!(read(environments.join("eu-canary.toml")).contains("memory_max = 1234"));
    assert!(!environments.join("euc.toml").exists());
    for line in [
        "org diff @canary --exit-code",
        "org explain @canary resources.memory_max",
        "org history @euc",
        "org env show euc",
        "org env validate euc",
        "org profile show euc",
        "org profile check euc",
        "org promote @canary --yes",
    ] {
        world.run(line).done();
    }
    assert!(world.run("org profile list").done().contains("canary"));
    // A name of its own comes first.
    world.run("org profile new euc --extends dev").done();
    world.run("org promote @euc").done();
    assert!(environments.join("euc.toml").exists());
    world.file(profiles.join("eu-canary.toml"), "schema = 1\naliases = [\"../x\"]\nextends = \"builtin:prod\"\n");
    assert!(world.run("org promote @eu-canary --yes").failed(1).contains("`../x`"));
}

#[test]
fn old_versions_are_taken_away_and_the_chain_stays() {
    let (mut world, environments) = acme();
    let (local, history) = (environments.join("local.toml"), environments.with_file_name("history"));
    let copies = |env: &str| {
        let prefix = format!("{env}_");
        let name = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
        files(&history).into_iter().filter(|(path, _)| name(path)).count()
    };
    let mut before = "4444".to_owned();
    for port in 5001..5007 {
        change(&local, &before, &port.to_string());
        before = port.to_string();
        world.run("org promote @dev @prod --yes").done();
    }
    // What was interrupted leaves a copy that no line speaks of; a file of another origin stays.
    fs::write(history.join("dev_20200101_000000.toml"), "a = 1\n").expect("written");
    fs::write(history.join("dev_notes.toml"), "a = 1\n").expect("written");
    assert_eq!(copies("dev"), 8);
    change(&environments.with_file_name("manifest.toml"), "history_retention = 50", "history_retention = 3");
    let plan = world.run("org history prune @dev @prod --dry-run");
    assert!(plan.stderr.contains("4 files would be removed"), "{plan:?}");
    assert!(plan.output.contains("dev_20200101_000000.toml") && copies("dev") == 8, "{plan:?}");
    world.run("org history prune @prod").failed(4);
    world.run("org history prune --yes").done();
    assert_eq!((copies("dev"), copies("prod")), (4, 6), "prod keeps 90 days");
    assert!(history.join("dev_notes.toml").exists());
    let all = world.run("org history @dev --json").done();
    let all: serde_json::Value = serde_json::from_str(&all).expect("the chain is whole");
    let kept: Vec<bool> = all.as_array().expect("several").iter().map(|it| it["file"].is_string()).collect();
    assert_eq!(kept, [true, true, true, false, false, false]);
    assert!(world.run("org rollback @dev --to 20261120_120000").failed(5).contains("was pruned"));
    world.run("org rollback @dev").done();
    assert!(world.run("org history prune @dev").done().contains("nothing to remove") || copies("dev") == 4);
}

#[test]
fn what_only_the_next_toml_allows_is_reported() {
    let (mut world, environments) = acme();
    let local = environments.join("local.toml");
    fs::write(&local, read(&local) + "\n[own]\na = { b = 1,\n  c = \"\\e\", }\n").expect("written");
    let said = world.run("org env validate local").done();
    for text in ["inline tables over several lines", "a comma before `}`", "this escape needs", "local.toml:"] {
        assert!(said.contains(text), "{text} in {said}");
    }
    world.run("org promote @dev").done();
}

#[test]
fn no_message_shows_a_secret() {
    let (mut world, environments) = acme();
    let local = environments.join("local.toml");
    let good = read(&local);
    let canary = "canary-3f9a2b";
    let mut output = String::new();
    let lines = ["org promote @dev", "org env validate local", "org env validate local --json", "org env show local"];
    let more = ["org diff @dev", "org explain @dev own.api_key", "org promote @dev --json", "org status"];
    for broken in [
        format!("[own]\napi_key = \"{canary}\" x\n"),
        format!("[own]\napi_key = \"{canary}\nb = 1\n"),
        format!("[services.\"{canary}\"]\n[own]\nport = {{ api_key = \"{canary}\", level = 1 }}\n")
            .replacen(canary, "x", 1),
        format!("[ports]\npassword = \"{canary}\"\n"),
        format!("[services.a]\ncommand = [\"--password\", \"{canary}\"]\ntoken = [\n\"{canary}\",\n3]\n"),
        format!("[own]\napi_key = \"{canary}${{NOTHING}}\"\n"),
        format!("[own]\nurl = \"postgres://me:{canary}@h/x${{NOTHING}}\"\n"),
    ] {
        let broken = broken.replace("[ports]", "[ports.x]");
        fs::write(&local, format!("{good}\n{broken}")).expect("written");
        for line in lines.iter().chain(&more) {
            let ran = world.run(line);
            let said = format!("{}{}", ran.output, ran.stderr);
            assert!(!said.contains(canary), "`{line}` with {broken}: {said}");
            output.push_str(&said);
        }
    }
    assert!(output.contains("***"), "something was there to hide");
    fs::write(&local, good).expect("written");
    world.run("org promote @dev").done();
    let dev = environments.join("dev.toml");
    fs::write(&dev, read(&dev) + &format!("[own]\napi_key = \"{canary}\"\n")).expect("written");
    for line in ["org promote @dev", "org diff @dev", "org rollback @dev", "org env validate dev", "org env show dev"] {
        let ran = world.run(line);
        assert!(!format!("{}{}", ran.output, ran.stderr).contains(canary), "`{line}`: {ran:?}");
    }
}

#[test]
fn an_environment_is_applied_once_and_never_over_what_an_operator_saved() {
    let (mut world, environments) = acme_of_user();
    let local = environments.join("local.toml");
    let more = "\n[services.web]\ncommand = \"python3 -m http.server 8000\"\ncwd = \"~/nowhere\"\nenabled = false\n[services.none]\nenv_flag = false\n";
    fs::write(&local, read(&local) + more).expect("written");
    assert!(world.run("org apply @dev").failed(5).contains("copy dev.toml here"));
    world.run("org apply local").failed(2);
    world.run("org promote @dev @prod --yes").done();
    world.run("org apply @prod").failed(4);
    let plan = world.run("org apply @dev --dry-run");
    assert!(plan.output.contains("added") && plan.stderr.contains("nothing was changed"), "{plan:?}");
    let services = world.paths().services_available();
    assert!(!services.exists());
    let ran = world.run("org apply @dev");
    assert!(ran.stderr.contains("web: ") && ran.stderr.contains("nowhere does not exist"), "{ran:?}");
    assert!(read(services.join("tetra.tsm")).contains("TETRA_MADE_FROM=\"acme/dev\""));
    let enabled = world.paths().services_enabled();
    assert!(enabled.join("tetra.tsm").exists() && !enabled.join("web.tsm").exists());
    let before = world.tree();
    assert!(!world.run("org apply @dev").done().contains("added"));
    let log = world.paths().logs();
    let without = |tree: std::collections::BTreeMap<PathBuf, String>| {
        tree.into_iter().filter(|(path, _)| !path.starts_with(&log)).collect::<Vec<_>>()
    };
    assert_eq!(without(world.tree()), without(before));
    // A service that is gone from the environment goes; one that was saved by hand stays.
    fs::write(&local, read(&local).replace("[services.web]\ncommand", "[services.api]\ncommand")).expect("written");
    world.run("tsm save api sleep 600").done();
    let mine = read(services.join("api.tsm"));
    world.run("org promote @dev").done();
    assert!(world.run("org apply @dev").failed(4).contains("saved by hand: api"));
    assert!(services.join("web.tsm").exists() && read(services.join("api.tsm")) == mine);
    let said = world.run("org apply @dev --force").done();
    assert!(said.contains("removed") && !services.join("web.tsm").exists(), "{said}");
    // An edited file is not applied.
    change(&environments.join("dev.toml"), "memory_max = 1024", "memory_max = 1");
    world.run("org apply @dev").failed(21);
}

#[test]
fn what_comes_of_a_promotion_makes_sense_or_is_not_written() {
    let (mut world, environments) = acme();
    let local = environments.join("local.toml");
    let good = read(&local);
    let output = world.run("org promote @dev --set ports.tetra=abc --set logging.level=loud").failed(1);
    for text in ["`ports.tetra` must be a port", "`logging.level` must be one of", "--> --set"] {
        assert!(output.contains(text), "{text} in {output}");
    }
    fs::write(&local, good.clone() + "\n[overrides.dev]\nports.tetra = \"x\"\nbackup.enabled = 3\n").expect("written");
    let output = world.run("org promote @dev").failed(1);
    assert!(
        output.contains("`backup.enabled` must be a boolean") && output.contains("ports.tetra = \"x\""),
        "{output}"
    );
    fs::write(&local, good.clone() + "\n[own]\nword = \"much\"\n[overrides.dev]\nports.tetra = \"${own.word}\"\n")
        .expect("written");
    assert!(world.run("org promote @dev").failed(1).contains("`ports.tetra` must be a port"), "after it was filled in");
    assert!(!environments.join("dev.toml").exists());
    fs::write(&local, good.clone() + "\n[own]\nword = \"${NONE:-x}}\"\n").expect("written");
    let ran = world.run("org promote @dev");
    assert!(ran.code == 0 && ran.stderr.contains("W-STRAY-BRACE"), "{ran:?}");
    for env in ["local", "dev"] {
        assert!(world.run(&format!("org env validate {env}")).output.contains("W-STRAY-BRACE"), "{env}");
        world.run(&format!("org env validate {env}")).failed(3);
    }
    fs::write(&local, good.clone() + "\n[own]\na = \"${NONE\"\nb = \"x${ NONE}\"\n").expect("written");
    let ran = world.run("org env validate local");
    assert!(ran.output.contains("E-UNTERMINATED") && ran.output.contains("E-BAD-NAME"), "{ran:?}");
    // A service that runs as tetra does not find its files in an operator's home.
    fs::write(
        &local,
        good + "\n[services.web]\ncommand = \"x\"\n[overrides.staging]\nservices.web.cwd = \"/home/bob/app\"\n",
    )
    .expect("written");
    world.run("org promote @dev @staging").done();
    world.run("org env validate dev").done();
    let ran = world.run("org env validate staging");
    assert!(ran.output.contains("`services.web.cwd` is in a home directory"), "{ran:?}");
    ran.failed(3);
}
