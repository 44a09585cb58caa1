//! Whose an environment is: an ordinary user's or root's, and what becomes of home directories.

use std::fs;

use tetra::tsm::definition::Definition;

use super::{acme, acme_of_user, made, read};

#[test]
fn an_ordinary_user_has_an_environment_of_their_own() {
    let (mut world, environments) = acme_of_user();
    let manifest = environments.parent().expect("a directory").join("manifest.toml");
    assert!(read(&manifest).contains("\ndev = \"user\"\n"));
    world.run("org promote @dev").done();
    let made = read(environments.join("dev.toml"));
    for line in
        ["user = \"operator\"", "tetra_dir = \"~/tetra\"", "scope = \"user\"", "command = \"tetra serve --env dev\""]
    {
        assert!(made.lines().any(|it| it.starts_with(line)), "{line} in {made}");
    }
    assert!(!made.contains("\"/root"), "{made}");
    world.run("org env validate dev").done();
    world.run("org apply @dev").done();
    let file = world.paths().service(&"tetra".parse().expect("a name"));
    let definition = Definition::read(&file, world.session.host.variables()).expect("a definition");
    assert_eq!(definition.cwd, world.home().join("tetra"));
    // The manifest chooses; a profile of the operator's own is stronger.
    fs::write(&manifest, read(&manifest).replace("dev = \"user\"", "dev = \"dev\"")).expect("written");
    world.run("org promote @dev").done();
    assert!(read(environments.join("dev.toml")).contains("\nuser = \"root\""));
    fs::write(&manifest, read(&manifest).replace("dev = \"dev\"", "dev = \"none\"")).expect("written");
    assert!(world.run("org promote @dev").failed(5).contains("`none`"));
    fs::write(manifest.with_file_name("profiles").join("dev.toml"), "schema = 1\nextends = \"builtin:user\"\n")
        .expect("written");
    world.run("org promote @dev").done();
    assert!(read(environments.join("dev.toml")).contains("\nuser = \"operator\""));
    let said = world.run("org init other").stderr;
    assert!(said.contains("profile `user`") && said.contains("manifest.toml"), "{said}");
    assert!(!world.run("org init third --profile dev").stderr.contains("`user`"));
    world.run("org init fourth --profile prod").failed(2);
}

#[test]
fn an_environment_of_another_user_is_not_applied() {
    let (mut world, _) = acme();
    world.run("org promote @dev @staging").done();
    for (env, user, file) in [("dev", "root", "manifest.toml"), ("staging", "tetra", "local.toml")] {
        let said = world.run(&format!("org apply @{env}")).failed(4);
        for text in [&format!("`{env}` runs as `{user}` and you are `operator`"), "nothing was changed", file] {
            assert!(said.contains(text), "{text} in {said}");
        }
        let plan = world.run(&format!("org apply @{env} --dry-run"));
        assert!(plan.code == 0 && plan.stderr.contains("you are `operator`"), "{plan:?}");
        assert!(!world.paths().services_available().exists());
    }
}

#[test]
fn root_sets_up_what_others_run() {
    let (mut world, environments) = made("org init acme", &[("USER", "root")]);
    assert!(read(environments.with_file_name("manifest.toml")).contains("\ndev = \"dev\"\n"));
    world.run("org promote @dev @staging").done();
    assert!(read(environments.join("dev.toml")).contains("\nuser = \"root\""));
    world.run("org apply @dev").done();
    world.run("org apply @staging --force").done();
}

#[test]
fn a_home_directory_never_becomes_that_of_tetra() {
    let (mut world, environments) = acme();
    let local = environments.join("local.toml");
    let more = "\n[services.web]\ncommand = \"x\"\ncwd = \"~/photos\"\n[services.own]\ncommand = \"x\"\ncwd = \"~/tetra/own\"\n";
    let text = read(&local) + more;
    for (tetra_dir, own) in [("~/tetra", "/var/lib/tetra/own"), ("~", "~/tetra/own"), ("/home/me", "~/tetra/own")] {
        fs::write(&local, text.replace("tetra_dir = \"~/tetra\"", &format!("tetra_dir = \"{tetra_dir}\"")))
            .expect("written");
        world.run("org promote @staging").done();
        let made = read(environments.join("staging.toml"));
        for line in
            ["cwd = \"~/photos\"".to_owned(), format!("cwd = \"{own}\""), "tetra_dir = \"/var/lib/tetra\"".into()]
        {
            assert!(made.lines().any(|it| it.starts_with(&line)), "{tetra_dir}: {line} in {made}");
        }
    }
    // It is said of what is left: the service runs as tetra.
    let ran = world.run("org env validate staging");
    assert!(ran.output.contains("`services.web.cwd` is in a home directory"), "{ran:?}");
}
