//! The services of an environment: what their keys mean, and what becomes of them.

use std::fs;

use tetra::tsm::definition::Definition;

use super::{acme, acme_of_user, read};
use crate::world::World;

fn definition(world: &World, name: &str) -> Definition {
    let file = world.paths().service(&name.parse().expect("a name"));
    Definition::read(&file, world.session.host.variables()).expect("a definition")
}

fn write_services(environments: &std::path::Path, text: &str) {
    let path = environments.join("local.toml");
    fs::write(&path, read(&path) + text).expect("written");
}

#[test]
fn everything_an_environment_says_about_a_service_is_applied() {
    let (mut world, environments) = acme_of_user();
    write_services(
        &environments,
        "\n[services.api]\ncommand = \"sleep 9\"\nhealth = \"http://localhost:$PORT/health\"\ndepends_on = [\"tetra\"]\n\
         kill_timeout = \"3s\"\nport = 8123\nenv_flag = false\n[services.api.export]\nMODE = \"fast\"\n\
         [services.nightly]\ncommand = \"./backup.sh\"\ncron = \"0 4 * * *\"\nauto_restart = false\nenv_flag = false\n",
    );
    world.run("org env validate local").done();
    world.run("org promote @dev").done();
    world.run("org apply @dev").done();
    let text = definition(&world, "api").to_text();
    for line in [
        "TSM_HEALTH_CHECK='http://localhost:$PORT/health'",
        "TSM_DEPS=\"tetra\"",
        "TSM_KILL_TIMEOUT=\"3000ms\"",
        "TSM_PORT=\"8123\"",
        "TSM_RESTART=\"on-failure\"",
        "export MODE=\"fast\"",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    let text = definition(&world, "nightly").to_text();
    assert!(text.contains("TSM_CRON=\"0 4 * * *\"") && text.contains("TSM_RESTART=\"never\""), "{text}");
    let again = world.run("org apply @dev").done();
    assert_eq!(again.matches("unchanged").count(), 3, "twice is once: {again}");
}

#[test]
fn a_job_is_not_started_again_because_it_is_on_a_server() {
    let (mut world, environments) = acme();
    write_services(
        &environments,
        "\n[services.job]\ncommand = \"./j\"\ncron = \"@daily\"\nauto_restart = false\n\
         [services.web]\ncommand = \"./w\"\ncron = \"@daily\"\nauto_restart = false\nhealth = \"tcp://localhost:1\"\n",
    );
    world.run("org promote @dev").done();
    let made = read(environments.join("dev.toml"));
    let of = |name: &str| {
        let from = made.find(&format!("[services.{name}]")).expect("there");
        made[from..].lines().find(|line| line.starts_with("auto_restart")).expect("said").to_owned()
    };
    assert!(of("job").starts_with("auto_restart = false"), "{made}");
    assert!(of("web").starts_with("auto_restart = true"), "{made}");
}

#[test]
fn a_key_that_means_nothing_is_an_error_everywhere() {
    for (text, what) in [
        ("\n[services.api]\ncommand = \"x\"\nhealht = \"tcp://a:1\"\n", "services.api.healht"),
        ("\n[services.api]\ncommand = \"x\"\ncron = \"sometimes\"\n", "services.api.cron"),
        ("\n[overrides.dev]\nservices.tetra.mine = 1\n", "services.tetra.mine"),
    ] {
        let (mut world, environments) = acme();
        write_services(&environments, text);
        let said = world.run("org env validate local");
        assert!(said.code == 3 && format!("{said:?}").contains(what), "{said:?}");
        for line in ["org promote @dev", "org promote @dev --dry-run"] {
            assert!(world.run(line).failed(1).contains(what), "{line}");
        }
        assert!(!environments.join("dev.toml").exists());
    }
    let (mut world, environments) = acme();
    assert!(world.run("org promote @dev --set services.tetra.mine=1").failed(2).contains("services.tetra.mine"));
    let profiles = environments.parent().expect("a directory").join("profiles");
    fs::write(profiles.join("qa.toml"), "schema = 1\nextends = \"builtin:dev\"\n[set]\n\"services.*.mine\" = 1\n")
        .expect("written");
    for line in ["org promote @qa", "org profile check qa"] {
        assert!(world.run(line).failed(1).contains("services.*.mine"), "{line}");
    }
}

#[test]
fn two_environments_do_not_take_services_from_each_other() {
    let (mut world, environments) = acme_of_user();
    write_services(&environments, "\n[overrides.staging]\ndeployment.user = \"operator\"\n");
    world.run("org promote @dev @staging").done();
    world.run("org apply @dev").done();
    let said = world.run("org apply @staging").failed(4);
    assert!(said.contains("already applied from acme/dev") && said.contains("TETRA_DIR"), "{said}");
    assert!(said.contains("tetra") && !said.contains("by hand"), "{said}");
    assert!(world.run("org apply @staging --dry-run").done().contains("elsewhere"));
    assert_eq!(definition(&world, "tetra").generated_from(), Some("acme/dev"));
    world.run("org apply @staging --force").done();
    assert_eq!(definition(&world, "tetra").generated_from(), Some("acme/staging"));
    // In a directory of its own each has its services.
    let other = world.home().join("other");
    world.run(&format!("--dir {} org init acme --server", other.display())).done();
    fs::copy(environments.join("dev.toml"), other.join("org/acme/environments/dev.toml")).expect("copied");
    assert!(world.run(&format!("--dir {} org apply @dev", other.display())).done().contains("added"));
}
