//! Every key of an environment has an effect that can be seen, or is listed as declared only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tetra::org::known_keys;

use super::{acme, acme_of_user, change, files, read};
use crate::world::World;

/// A service, and tables that are not those of tetra, or have keys that it does not know.
const WRITTEN: &str = "[services.web]\ncommand = 'sleep 1000'\nenabled = false\n[health]\npath = '/up'\n[health.http]\nport = 1\n\
                       [infrastructure]\ndev_server = 'app1'\nowner = 'me'\n[hosts]\nprod = ['app2']\n[database]\nhost = 'db'\n\
                       [compliance]\nofficer = 'me'\n";

/// Keys whose effect is that of a deploy or an import. Their own tests show it.
const ELSEWHERE: [&str; 5] =
    ["hosts.prod", "infrastructure.dev_server", "release.build", "release.exclude", "release.from"];

/// Another value for a key than the one that it has.
fn other(key: &str, now: Option<&Value>) -> String {
    match key {
        "environment.type" => "'production'".into(),
        "daemon.unit" => "'tetra-other.service'".into(),
        "daemon.scope" if now == Some(&json!("user")) => "'system'".into(),
        "daemon.scope" => "'user'".into(),
        "daemon.hardening" | "security.firewall_policy" => "'strict'".into(),
        "logging.level" => "'error'".into(),
        "logging.format" => "'pretty'".into(),
        // Services show an effect only where it is a directory.
        "deployment.tetra_src" | "deployment.tetra_dir" => "'/usr'".into(),
        "hosts.prod" | "release.exclude" | "security.internal_cidrs" | "security.allowed_ips" => {
            "['10.9.0.0/16']".into()
        }
        _ if ["_days", "_max", "_nofile", "_nproc"].iter().any(|end| key.ends_with(end)) => "77".into(),
        _ if key.starts_with("ports.") => "4555".into(),
        _ => match now {
            Some(Value::Bool(now)) => (!now).to_string(),
            Some(Value::Number(_)) => "78".into(),
            None if ["enabled", "readonly", "auto_start", "logging", "offsite"]
                .iter()
                .any(|end| key.ends_with(end)) =>
            {
                "true".into()
            }
            _ => "'other'".into(),
        },
    }
}

/// An organization with @dev, and what one sees of it.
struct Scene {
    world: World,
    local: PathBuf,
    text: String,
}

impl Scene {
    fn new((world, environments): (World, PathBuf)) -> Self {
        let local = environments.join("local.toml");
        // An env file that does not exist is left out.
        fs::write(world.paths().home().join("other"), "A=1\n").expect("written");
        let mut scene = Self { world, text: read(&local) + WRITTEN, local };
        scene.promote("");
        scene
    }

    fn promote(&mut self, overrides: &str) {
        fs::write(&self.local, format!("{}[overrides.dev]\n{overrides}\n", self.text)).expect("written");
        // What the one before refuses does not count.
        let _ = fs::remove_file(self.local.with_file_name("dev.toml"));
        self.world.run("org promote @dev").done();
    }

    fn json(&mut self, line: &str) -> Value {
        serde_json::from_str(&self.world.run(line).done()).expect("JSON")
    }

    /// The rows of `--explain` by their keys.
    fn explained(&mut self) -> BTreeMap<String, Value> {
        let rows = self.json("org apply @dev --explain --json");
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| (row["key"].as_str().expect("a key").to_owned(), row.clone())).collect()
    }

    /// The unit as it would be installed.
    fn unit(&mut self) -> String {
        let said = self.json("daemon install @dev --dry-run --json");
        format!("{} {}", said["file"], said["text"])
    }

    /// The exit code of an apply, and what it leaves.
    fn applied(&mut self) -> (u8, Vec<(PathBuf, Vec<u8>)>) {
        let dirs = [self.world.paths().services_available(), self.world.paths().services_enabled()];
        for dir in &dirs {
            let _ = fs::remove_dir_all(dir);
            fs::create_dir_all(dir).expect("a directory");
        }
        let code = self.world.run("org apply @dev").code;
        (code, dirs.iter().flat_map(|dir| files(dir)).collect())
    }
}

#[test]
fn every_key_has_an_effect_that_can_be_seen_or_is_declared_only() {
    // The environment of a machine, whose unit has users and directories, and that of an ordinary user, who applies it.
    let (mut machine, mut own) = (Scene::new(acme()), Scene::new(acme_of_user()));
    let mut looks = |overrides: &str| {
        machine.promote(overrides);
        own.promote(overrides);
        let rows = own.explained();
        ((machine.unit(), own.unit(), own.applied()), rows)
    };
    let (before, rows) = looks("");
    assert_eq!(before.2.0, 0, "it can be applied");
    let known = known_keys::paths().map(|key| key.to_string().replace('*', "web"));
    let written = rows.keys().filter(|key| !key.starts_with("metadata.") && !key.starts_with("services.tetra"));
    let keys: BTreeSet<String> = known.chain(written.cloned()).collect();
    assert!(keys.len() > 50, "{keys:?}");
    let mut wrong = Vec::new();
    for key in &keys {
        let value = other(key, rows.get(key).map(|row| &row["value"]));
        let (after, rows) = looks(&format!("{key} = {value}"));
        let Some(row) = rows.get(key) else {
            wrong.push(format!("{key} is not explained"));
            continue;
        };
        let acts = after != before || ELSEWHERE.contains(&key.as_str());
        if row["declared_only"] != !acts {
            wrong.push(format!("{key} = {value}: acts: {acts}, but {row}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_type_of_an_environment_acts_where_its_name_does_not_say_it() {
    let (mut world, environments) = acme_of_user();
    let manifest = environments.with_file_name("manifest.toml");
    change(&manifest, "[profiles]\n", "[profiles]\nlab = \"staging\"\n");
    world.run("org promote @lab @staging").done();
    for (env, declared_only) in [("lab", false), ("staging", true)] {
        let said = world.run(&format!("org apply @{env} --explain --json")).done();
        let rows: Value = serde_json::from_str(&said).expect("JSON");
        let row = rows.as_array().expect("rows").iter().find(|row| row["key"] == "environment.type").expect("a row");
        assert_eq!(row["declared_only"], declared_only, "{row}");
    }
    assert_eq!(
        world.run("org promote @lab --force; tsm ports set a 4000 --env lab; org apply @lab").code,
        4,
        "it asks"
    );
}

/// A gate and a guard that are misspelt would be none.
#[test]
fn a_key_of_the_manifest_that_means_nothing_is_named_where_it_would_count() {
    let (mut world, environments) = acme_of_user();
    let manifest = environments.with_file_name("manifest.toml");
    let text = read(&manifest);
    let own = "[environments.prod]\nreadnly = true\n\n[promotionn]\ndev = { after = \"staging\" }\n";
    fs::write(&manifest, format!("{text}\n{own}")).expect("written");
    let line = text.lines().count() + 3;
    let places = [
        format!("manifest.toml:{line}:1: unknown key `environments.prod.readnly`; did you mean `readonly`?"),
        format!("manifest.toml:{}:1: unknown table `promotionn`; did you mean `promotion`?", line + 2),
    ];
    for command in ["org promote @dev --dry-run", "org promote @dev", "org apply @dev --dry-run"] {
        let said = world.run(command);
        assert_eq!(said.code, 0, "{command}: {}", said.stderr);
        for place in &places {
            assert_eq!(said.stderr.matches(place).count(), 1, "{command}: {}", said.stderr);
        }
    }
    let said = world.run("org env validate local");
    let text = said.output + &said.stderr;
    assert_eq!(said.code, 0, "{text}");
    assert!(text.contains("unknown key `environments.prod.readnly`"), "{text}");
    assert!(text.contains(&format!("manifest.toml:{line}:1")), "{text}");
    assert!(text.contains("local: 0 errors, 2 warnings"), "{text}");
}
