//! Units of systemd: what they say, how closed they are, and what `daemon` does with them.

use std::fs;
use std::path::Path;
use std::process::Command;

use tetra::base::environment::{EnvName, Tier};
use tetra::ops::unit::templates;
use tetra::unit::{Hardening, UnitSettings};

use crate::beds::skipped;

/// The program that the templates of the project name: where `tetra setup --system` puts it.
const PROGRAM: &str = "/usr/local/bin/tetra";

fn settings(env: &str) -> UnitSettings {
    let env: EnvName = env.parse().expect("a name");
    UnitSettings::of_profile(&env, env.tier().unwrap_or(Tier::Prod), Path::new(PROGRAM))
}

#[test]
fn the_templates_are_what_the_renderer_makes() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/systemd");
    let mut names = Vec::new();
    for (name, text) in templates(Path::new(PROGRAM), Path::new(PROGRAM)) {
        let path = dir.join(&name);
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            fs::write(&path, &text).expect("the project can be written");
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "{} is old; `UPDATE=1 cargo test --test it templates` writes it anew", path.display());
        names.push(name);
    }
    let there = fs::read_dir(&dir).expect("templates").map(|entry| entry.expect("an entry").file_name());
    assert!(
        there.into_iter().all(|name| names.iter().any(|known| name == **known)),
        "there is a template that nothing makes"
    );
}

#[test]
fn no_unit_is_more_exposed_than_its_profile_allows() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        skipped("no_unit_is_more_exposed_than_its_profile_allows", "systemd-analyze is not installed");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut strict_dev = settings("dev");
    strict_dev.hardening = Hardening::Strict;
    let mut low = settings("prod");
    low.has_low_port = true;
    for (settings, expected) in [
        (settings("dev"), 75),
        (strict_dev, 35),
        (settings("staging"), 20),
        (settings("prod"), 15),
        (settings("eu-canary"), 15),
        (low, 20),
    ] {
        let most = settings.highest_exposure().expect("units of the machine have a limit");
        assert_eq!(most, expected);
        let path = dir.path().join(&settings.name);
        fs::write(&path, settings.text()).expect("ours");
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["security", "--no-pager", "--offline=true"]).arg(format!("--threshold={most}")).arg(&path);
        let done = analyze.output().expect("it is there");
        assert!(done.status.success(), "{}:\n{}", settings.name, String::from_utf8_lossy(&done.stdout));
    }
}
