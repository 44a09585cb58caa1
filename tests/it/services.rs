//! Services: saved, enabled, started together.

use std::fs;

use tetra::tsm::definition::Definition;

use crate::world::World;

fn definition(world: &World, name: &str) -> Definition {
    let file = world.paths().service(&name.parse().expect("a name"));
    Definition::read(&file, world.session.host.variables()).expect("a definition")
}

#[test]
fn a_saved_process_says_all_that_its_start_said() {
    let mut world = World::new();
    world.file("odd.env", "A=1\n");
    let line = "tsm start --name lamp --port 38217 --no-wait --env odd.env --env 'K=it'\\''s $5' --pre-hook 'test -n \"$K\"' \
                --restart always --max-restarts 3 --kill-timeout 1500ms --log-size 64K --log-keep 2 \
                -- bash -c 'exec sleep 1000' '' 'two words'";
    world.run(line).done();
    world.run("tsm save lamp-38217 light").done();
    let saved = definition(&world, "light");
    assert_eq!(saved.exports, [("K".to_owned(), "it's $5".to_owned())]);
    assert!(saved.env_file.as_deref().is_some_and(|file| file.ends_with("/work/odd.env")));
    assert_eq!(saved.pre_command.as_deref(), Some("test -n \"$K\""));
    assert!(saved.command.ends_with("bash -c 'exec sleep 1000' '' 'two words'"));
    world.run("tsm stop lamp-38217").done();
    world.run("tsm start --no-wait light").done();
    let runs = ["lamp-38217", "light-38217"].map(|name| {
        let dir = world.paths().process(&name.parse().expect("a name"));
        tetra::supervise::meta::read(&dir).expect("readable").expect("a record").run
    });
    let [before, mut after] = runs;
    assert!(after.service.ends_with("light.tsm"));
    after.service = String::new();
    assert_eq!(before, after);
}

#[test]
fn a_service_is_replaced_only_when_somebody_says_so() {
    let mut world = World::new();
    world.run("tsm save api node a.js").done();
    world.run("tsm save api node b.js").failed(4);
    world.answers(&["n", "y"]);
    world.run("tsm save api node b.js").failed(4);
    assert_eq!(definition(&world, "api").command, "node a.js");
    world.run("tsm save api node b.js").done();
    assert_eq!(definition(&world, "api").command, "node b.js");
    world.run("tsm save api --force node c.js --port 1 -- --port 2").done();
    let saved = definition(&world, "api");
    assert_eq!(
        (saved.command.as_str(), saved.port.map(|port| port.to_string())),
        ("node c.js --port 2", Some("1".into()))
    );
    assert_eq!(fs::read_dir(world.paths().services_available()).expect("a folder").count(), 1);
}
