//! A service belongs to its environment, and the guard cannot be talked out of one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tetra::supervise::meta::{self, Meta};

use crate::world::{PROGRAM, World};

/// What acme's environments are made from: one service, which has its own secrets and limits in each.
const LOCAL: &str = "[environment]\nname = \"local\"\ntype = \"local\"\n[services.sh]\ncommand = \"sleep 1000\"\n\
                     [overrides.dev]\nservices.sh.cwd = \"WORK\"\nresources.memory_max = 0\nresources.limit_nofile = 123\nresources.limit_nproc = 0\n\
                     [overrides.prod]\nservices.sh.cwd = \"WORK\"\nresources.memory_max = 0\nresources.limit_nofile = 321\nresources.limit_nproc = 0\n\
                     security.allowed_ips = [\"10.0.0.1\"]\ndeployment.user = \"operator\"\n";

/// dev and prod of acme are generated, and prod is applied.
fn applied() -> World {
    let mut world = World::new();
    world.run("org init acme").done();
    let org = world.paths().orgs().join("acme");
    world.file(org.join("environments/local.toml"), &LOCAL.replace("WORK", &world.work().display().to_string()));
    for env in ["dev", "prod"] {
        let file = world.file(org.join(format!("secrets/{env}.env")), &format!("DATABASE_URL={env}\n"));
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("ours");
        world.run(&format!("org promote @{env} --yes")).done();
    }
    world.run("org apply @prod --yes").done();
    world
}

fn record(world: &World, name: &str) -> Meta {
    let dir = world.paths().process(&name.parse().expect("a name"));
    meta::read(&dir).expect("readable").expect("a record")
}

fn exists(world: &World, name: &str) -> bool {
    world.paths().process(&name.parse().expect("a name")).exists()
}

/// A variable of a living process.
fn variable(pid: u32, name: &str) -> Option<String> {
    let all = fs::read(format!("/proc/{pid}/environ")).expect("it lives");
    let all = String::from_utf8_lossy(&all).into_owned();
    all.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

fn nofile(pid: u32) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it lives");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn a_service_is_started_with_the_secrets_limits_and_guard_of_its_own_environment() {
    let mut world = applied();
    for start in ["tsm start sh", "tsm startup"] {
        assert!(world.run(start).failed(4).contains("prod"), "{start}");
        assert!(!exists(&world, "sh"), "{start}");
        world.run(&format!("{start} --yes")).done();
        let meta = record(&world, "sh");
        assert_eq!((meta.run.org.as_str(), meta.run.environment.as_str()), ("acme", "prod"), "{start}");
        assert_eq!(variable(meta.pid, "DATABASE_URL").as_deref(), Some("prod"), "{start}");
        assert_eq!(nofile(meta.pid), 321, "{start}");
        for change in ["tsm restart sh", "tsm stop sh", "tsm kill sh", "tsm delete sh", "tsm logs clean sh"] {
            assert!(world.run(change).failed(4).contains("prod"), "{change}");
        }
        world.run("tsm restart sh --yes").done();
        assert_eq!(variable(record(&world, "sh").pid, "DATABASE_URL").as_deref(), Some("prod"), "{start}");
        world.run("tsm delete sh --yes").done();
    }
}

#[test]
fn its_definition_is_guarded_too_and_what_is_saved_of_it_stays_in_its_environment() {
    let mut world = applied();
    for change in ["tsm disable sh", "tsm enable sh", "tsm rm sh", "tsm save sh --force sleep 2"] {
        assert!(world.run(change).failed(4).contains("prod"), "{change}");
    }
    world.run("tsm start sh --yes").done();
    world.run("tsm save sh copy --yes").done();
    world.run("tsm delete sh --yes").done();
    world.run("tsm start copy").failed(4);
    world.run("tsm start copy --yes").done();
    assert_eq!(variable(record(&world, "copy").pid, "DATABASE_URL").as_deref(), Some("prod"));
    // It is nothing that `org apply` made, so applying again leaves it.
    assert!(!world.run("org apply @prod --yes").done().contains("removed"));
    // What needs it is guarded as it is.
    world.file(world.paths().service(&"front".parse().expect("a name")), "TSM_COMMAND=\"sleep 3\"\nTSM_DEPS=\"sh\"\n");
    assert!(world.run("tsm start front").failed(4).contains("prod"));
}

#[test]
fn another_context_is_refused_and_not_mixed() {
    let mut world = applied();
    world.run("org init globex").done();
    for line in [
        "use acme @dev; tsm start sh --yes",
        "use acme @dev; tsm start sh",
        "--org acme --env dev tsm start sh --yes",
        "--org globex tsm start sh --yes",
        "use acme @prod; tsm start --yes --env dev sh",
        "use acme @prod; tsm start --yes --env env/staging.env sh",
        "use acme @dev; tsm startup --yes",
    ] {
        world.run("use acme @prod").done();
        let said = world.run(line).failed(4);
        assert!(said.contains("belongs to acme/prod"), "{line}: {said}");
        assert!(!exists(&world, "sh"), "{line}");
    }
    world.run("use acme @prod; tsm start --yes --env EXTRA=1 sh").done();
    assert_eq!(variable(record(&world, "sh").pid, "EXTRA").as_deref(), Some("1"));
}

#[test]
fn the_env_file_of_another_environment_is_never_found_by_chance() {
    let mut world = applied();
    for file in ["env/dev.env", "env/local.env", ".env"] {
        world.file(file, "FROM=elsewhere\n");
    }
    world.run("tsm start sh --yes").done();
    assert_eq!(variable(record(&world, "sh").pid, "FROM"), None);
    world.run("tsm delete sh --yes").done();
    world.file("env/prod.env", "FROM=prod\n");
    world.run("tsm start sh --yes").done();
    assert_eq!(variable(record(&world, "sh").pid, "FROM").as_deref(), Some("prod"));
}

#[test]
fn no_option_takes_the_guard_of_the_session_away() {
    let mut world = World::with(&[("TETRA_ORG", "acme"), ("TETRA_ENV", "prod")]);
    for org in ["acme", "globex"] {
        world.org(org, &[("dev", ""), ("prod", ""), ("qa", "[environment]\ntype = \"dev\"\n")]);
    }
    world.run("use globex @dev; tsm start --yes --name web sleep 1000").done();
    world.file("stops.tetra", "tsm stop web\n");
    for words in [
        &["-c", "tsm stop web --env dev"][..],
        &["-c", "tsm delete web --env local"],
        &["-c", "--org globex tsm stop web"],
        &["-c", "--org globex --env dev tsm restart web"],
        &["-c", "--env qa tsm stop web"],
        &["--env", "dev", "tsm", "stop", "web"],
        &["--org", "globex", "--env", "dev", "-c", "tsm stop web"],
        &["--env", "local", "stops.tetra"],
        &["-c", "source --env dev stops.tetra"],
        &["-c", "watch --env dev --count 1 'tsm stop web'"],
        &["-c", "tsm kill web --env dev"],
        // A line shows no prompt: what it chooses does not replace what the variables say.
        &["-c", "use globex @dev; tsm stop web"],
    ] {
        let ran = world.program(PROGRAM).args(words).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(4), "{words:?}: {said}");
        assert!(said.contains("prod"), "{words:?}: {said}");
    }
}

#[test]
fn a_process_counts_with_the_environment_of_its_own_organization() {
    let mut world = World::new();
    world.org("acme", &[("qa", "[environment]\ntype = \"production\"\n")]);
    world.org("globex", &[("qa", "[environment]\ntype = \"dev\"\n")]);
    world.run("use acme @qa; tsm start --yes --name web sleep 1000").done();
    world.run("use globex @qa; tsm start --name app sleep 1000").done();
    assert!(world.run("tsm stop web").failed(4).contains("qa"));
    world.run("tsm stop app").done();
}
