//! Files of other process managers in the shapes in which people publish them: what is carried over runs, the rest is listed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ports::free_port;
use crate::world::World;

/// Replaces the programs that the files name: it listens on the given port, or only lives.
const STAND_INS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/import/programs");

/// A world with one file in its working directory, and stand-ins for the programs.
fn world_with(file: &str) -> World {
    let path = std::env::var("PATH").expect("a PATH");
    let world = World::with(&[("PATH", &format!("{STAND_INS}:{path}"))]);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(file);
    world.file(file, &fs::read_to_string(from).expect("a fixture"));
    world
}

/// Imports the file, and makes sure of the commands and of everything that is not carried over.
#[track_caller]
fn import(world: &mut World, file: &str, commands: &[(&str, &str)], lost: &[&str]) {
    let said = world.run(&format!("tsm import {file} --json")).done();
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let rows = |at: usize, keys: [&str; 2]| {
        let rows = said[at].as_array().expect("rows");
        let text = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
        rows.iter().map(|row| (text(row, keys[0]), text(row, keys[1]))).collect::<Vec<_>>()
    };
    let services = rows(0, ["service", "command"]);
    let services: Vec<(&str, &str)> = services.iter().map(|(name, line)| (name.as_str(), line.as_str())).collect();
    assert_eq!(services, commands);
    let left = rows(1, ["field", "why"]);
    assert!(left.iter().all(|(_, why)| why.len() > 10), "each has a reason: {left:?}");
    assert_eq!(left.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), lost);
}

fn saved(world: &World, name: &str) -> String {
    fs::read_to_string(world.paths().service(&name.parse().expect("a name"))).expect("a definition")
}

/// Starts services, sees them run, and stops them.
#[track_caller]
fn run(world: &mut World, names: &[&str]) {
    for name in names {
        world.run(&format!("tsm start {name} --no-wait")).done();
    }
    let listed: Value = serde_json::from_str(&world.run("tsm list running --json").done()).expect("JSON");
    let running = listed.as_array().expect("rows").iter().filter(|row| row["status"] == "online").count();
    assert!(running >= names.len(), "{listed}");
    world.run("tsm stop all").done();
    assert_eq!(world.run("tsm list running --json").done().trim(), "[]");
}

#[test]
fn an_ecosystem_of_one_typescript_program() {
    let file = "boilerplate.config.json";
    let mut world = world_with(file);
    import(&mut world, file, &[("shop", "node src/main.ts")], &["apps[0].script", "apps[0].time"]);
    assert!(saved(&world, "shop").contains("export NODE_ENV=\"production\""));
    world.file("src/main.ts", "");
    run(&mut world, &["shop"]);
}

#[test]
fn an_ecosystem_with_arguments_for_node() {
    let file = "modules.config.json";
    let mut world = world_with(file);
    import(&mut world, file, &[("site", "node --no-warnings '--title=the site' src/site.js")], &["apps[0].time"]);
    world.file("src/site.js", "");
    run(&mut world, &["site"]);
}

#[test]
fn an_ecosystem_with_nearly_every_key() {
    let file = "fleet.config.json";
    let mut world = world_with(file);
    world.file("bin/relay", "setInterval(() => {}, 1000)\n");
    world.file("dist/vault.js", "");
    import(
        &mut world,
        file,
        &[("relay", "node bin/relay serve --quiet"), ("vault", "node ./dist/vault.js")],
        &[
            "deploy",
            "apps[0].min_uptime",
            "apps[0].restart_delay",
            "apps[0].log_date_format",
            "apps[1].instances",
            "apps[1].exec_mode",
            "apps[1].exp_backoff_restart_delay",
            "apps[1].wait_ready",
            "apps[1].listen_timeout",
            "apps[1].pid_file",
            "apps[1].out_file",
            "apps[1].error_file",
            "apps[1].merge_logs",
            "apps[1].env_development",
            "apps[1].env_production",
        ],
    );
    let vault = saved(&world, "vault");
    for line in [
        "TSM_USER=\"nobody\"",
        "TSM_STACK=\"fleet\"",
        "TSM_CRON=\"0 4 * * *\"",
        "TSM_MAX_MEMORY=\"1G\"",
        "TSM_KILL_TIMEOUT=\"5000ms\"",
        "TSM_STOP_SIGNAL=\"SIGINT\"",
        "TSM_WATCH=(\"dist\")",
        "TSM_WATCH_IGNORE=(\"node_modules\" \"logs\")",
        "TSM_RESTART=\"always\"",
    ] {
        assert!(vault.contains(line), "{line}: {vault}");
    }
    run(&mut world, &["relay"]);
}

#[test]
fn a_program_in_place_of_data_is_not_executed_and_its_way_out_is_shown() {
    let mut world = World::new();
    world.file("ecosystem.config.js", "require('fs').writeFileSync('executed', ''); module.exports = {apps: []}\n");
    let said = world.run("tsm import ecosystem.config.js").failed(2);
    assert!(said.contains("it is not executed") && said.contains("node -e 'import("), "{said}");
    assert!(!world.work().join("executed").exists());
}

#[test]
fn a_procfile_with_comments() {
    let file = "Procfile.jobs";
    let mut world = world_with(file);
    let commands = [
        ("schedule", "bundle exec rails runner bin/schedule.rb"),
        ("stream", "bundle exec rails runner bin/stream.rb"),
        ("jobs", "bundle exec script/jobs run"),
    ];
    import(&mut world, file, &commands, &[]);
    run(&mut world, &["schedule", "stream", "jobs"]);
}

#[test]
fn a_procfile_with_the_defaults_of_a_shell() {
    let file = "Procfile.forge";
    let mut world = world_with(file);
    let web = "bundle exec rackup -p ${PORT:=\"3000\"} -E ${RACK_ENV:=\"development\"}";
    let commands = [
        ("web", web),
        ("worker", "bundle exec sidekiq -q mail,hooks,default"),
        ("news", "bundle exec rackup news.ru -s thin -E production"),
    ];
    import(&mut world, file, &commands, &[]);
    let port = free_port();
    let said = world.run(&format!("tsm start web --port {port} --json")).done();
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&said["port"], &said["listening"]), (&port.into(), &true.into()));
    let said = world.run("tsm logs web").done();
    assert!(said.contains(&format!("rackup -p {port} -E development")), "its own shell filled it in: {said}");
    world.run("tsm stop web").done();
    run(&mut world, &["worker", "news"]);
}

#[test]
fn a_procfile_with_a_release_and_one_name_twice() {
    let file = "Procfile.celery";
    let mut world = world_with(file);
    let commands = [
        (
            "web",
            "python manage.py check && gunicorn shop.wsgi:application --bind 127.0.0.1:$PORT --workers 2 --log-file -",
        ),
        ("worker", "celery -A shop worker -l info --without-gossip"),
        ("worker-2", "celery -A shop beat -l info"),
    ];
    import(&mut world, file, &commands, &["release", "worker"]);
    run(&mut world, &["web", "worker", "worker-2"]);
}

#[test]
fn a_compose_file_with_a_database_in_an_image() {
    let file = "proxied.yaml";
    let mut world = world_with(file);
    import(
        &mut world,
        file,
        &[("backend", "python3 -m http.server --bind 127.0.0.1 13800")],
        &[
            "volumes",
            "secrets",
            "networks",
            "services.db",
            "services.backend.secrets",
            "services.backend.networks",
            "services.proxy",
            "services.backend.depends_on.db",
        ],
    );
    let backend = saved(&world, "backend");
    for line in [
        "TSM_HEALTH_CHECK=\"exec:sh -c 'exit 0'\"",
        "TSM_HEALTH_GRACE=\"40000ms\"",
        "TSM_PORT=\"13800\"",
        "TSM_RESTART=\"always\"",
    ] {
        assert!(backend.contains(line), "{line}: {backend}");
    }
    run(&mut world, &["backend"]);
}

#[test]
fn a_compose_file_with_limits_and_ports_of_all_kinds() {
    let file = "search.yaml";
    let mut world = world_with(file);
    import(
        &mut world,
        file,
        &[("engine", "engine --node single"), ("shipper", "shipper -f /usr/share/pipeline.config")],
        &[
            "networks",
            "services.engine.environment.discovery.type",
            "services.engine.ports[1]",
            "services.engine.ulimits.nofile.soft",
            "services.engine.ulimits.memlock",
            "services.engine.image",
            "services.engine.container_name",
            "services.engine.networks",
            "services.shipper.ports[1]",
            "services.shipper.ports[2]",
            "services.shipper.deploy.resources.limits.cpus",
            "services.shipper.profiles",
            "services.shipper.image",
            "services.shipper.container_name",
            "services.shipper.volumes",
            "services.shipper.networks",
            "services.shipper.user",
        ],
    );
    let engine = saved(&world, "engine");
    for line in
        ["TSM_MEMORY_MAX=\"512M\"", "TSM_LIMIT_NOFILE=\"2048\"", "TSM_LIMIT_NPROC=\"20000\"", "TSM_STACK=\"search\""]
    {
        assert!(engine.contains(line), "{line}: {engine}");
    }
    let shipper = saved(&world, "shipper");
    for line in ["TSM_MEMORY_MAX=\"256M\"", "TSM_INSTANCES=\"2\"", "TSM_DEPS=\"engine\"", "TSM_PORT=\"5000\""] {
        assert!(shipper.contains(line), "{line}: {shipper}");
    }
    let port = free_port();
    world.run(&format!("tsm start engine --port {port}")).done();
    let dir = world.paths().process(&format!("engine-{port}").parse().expect("a name"));
    let meta = tetra::supervise::meta::read(&dir).expect("readable").expect("a record");
    let limits = fs::read_to_string(format!("/proc/{}/limits", meta.pid)).expect("limits");
    assert!(limits.lines().any(|line| line.starts_with("Max open files") && line.contains(" 2048 ")), "{limits}");
    world.run("tsm stop all").done();
}

#[test]
fn a_compose_file_with_anchors_and_what_they_hold() {
    let file = "workflow.yaml";
    let mut world = world_with(file);
    let init = "/bin/bash -c 'if [[ -z \"${KEY}\" ]]; then\n  echo \"no key\"\nfi\nexec sleep 1000\n'";
    import(
        &mut world,
        file,
        &[("api", "workflow api-server"), ("worker", "workflow celery worker"), ("init", init)],
        &[
            "x-common",
            "volumes",
            "services.redis",
            "services.api.image",
            "services.api.volumes",
            "services.api.user",
            "services.worker.image",
            "services.worker.volumes",
            "services.worker.user",
            "services.init.user",
            "services.init.image",
            "services.init.volumes",
            "services.api.depends_on.redis",
            "services.worker.depends_on.redis",
            "services.init.depends_on.redis",
        ],
    );
    let worker = saved(&world, "worker");
    for line in ["export DUMB_INIT_SETSID=\"0\"", "export EXECUTOR=\"CeleryExecutor\""] {
        assert!(worker.contains(line), "{line}: {worker}");
    }
    world.run("tsm start init").done();
    assert_eq!(world.run("tsm logs init").done(), "no key\n");
    world.run("tsm stop init").done();
}

#[test]
fn a_refused_file_changes_nothing_and_a_dry_run_ends_as_the_import_would() {
    let mut world = World::new();
    world.file("Procfile", "web: sleep 1000\nclock: sleep 1000\n");
    world.run("tsm save clock sleep 5").done();
    let before = saved(&world, "clock");
    for line in ["tsm import Procfile --dry-run", "tsm import Procfile"] {
        let said = world.run(line).failed(4);
        assert!(said.contains("the service `clock` already exists"), "{said}");
        assert!(!world.paths().service(&"web".parse().expect("a name")).exists(), "{line}");
    }
    assert_eq!(saved(&world, "clock"), before);
    world.run("tsm import Procfile --only web").done();
    world.run("tsm import Procfile --prefix old").done();
    assert!(saved(&world, "old-clock").contains("sleep 1000"));
    let said = world.run("tsm import Procfile --force --dry-run").done();
    assert!(said.contains("would be replaced"), "{said}");
    world.run("tsm import Procfile --force").done();
    assert_ne!(saved(&world, "clock"), before);
}

#[test]
fn one_bad_app_does_not_lose_the_others() {
    let mut world = World::new();
    world.file("ecosystem.json", "{apps: [{name: 'a'}, {name: 'b', script: 'b.js', args: '$(touch executed)'}]}");
    for line in ["tsm import ecosystem.json --dry-run", "tsm import ecosystem.json"] {
        let said = world.run(line).failed(1);
        assert!(said.contains("`apps[0]` cannot be imported: no script"), "{said}");
    }
    assert!(saved(&world, "b").contains("node b.js"));
    world.file("b.js", "setInterval(() => {}, 1000)");
    world.run("tsm start b").done();
    world.run("tsm stop b").done();
    assert!(!world.work().join("executed").exists(), "no shell sees its arguments");
}

#[test]
fn a_service_of_prod_is_replaced_only_when_confirmed() {
    let mut world = World::new();
    world.file("Procfile", "web: python3 -m http.server 8000\n");
    world.run("tsm import Procfile").done();
    let saved_text = saved(&world, "web").replace("\nTSM_COMMAND", "\nTSM_ENVIRONMENT=\"prod\"\nTSM_COMMAND");
    fs::write(world.paths().service(&"web".parse().expect("a name")), &saved_text).expect("written");
    assert!(saved_text.contains("prod"), "{saved_text}");
    world.run("tsm import Procfile --force").failed(4);
    assert_eq!(saved(&world, "web"), saved_text);
    let said = world.run("tsm import Procfile --force --yes").done();
    assert!(said.contains("replaced") && !saved(&world, "web").contains("prod"), "{said}");
}
