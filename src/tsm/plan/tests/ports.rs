//! Which port is meant, and what becomes of one that is taken.

use super::*;

#[test]
fn the_port_ladder_from_top_to_bottom() {
    let bench = Bench::new();
    let service = |port: &str| format!("TSM_COMMAND='node server.js --port 5'\nTSM_CWD=../../../my-api\n{port}");
    let flag = |request: &mut StartRequest| request.port = Some(PortWish::Exactly(1));
    bench.put("my-api/env/dev.env", "TETRA_PORT=33\n", 0o644);
    bench.service("tetra", &service("TSM_PORT=4\n"));
    assert_eq!(port(&bench.with("tetra", flag).expect("a plan")), Some(("1".to_owned(), true)), "the flag first");
    assert_eq!(port(&bench.plan("tetra")), Some(("33".to_owned(), true)), "then TETRA_PORT of the env file");
    bench.put("my-api/env/dev.env", "TETRA_PORT=33\nPORT=3\n", 0o644);
    assert_eq!(port(&bench.plan("tetra")), Some(("3".to_owned(), true)), "PORT beats TETRA_PORT");
    fs::remove_file(bench.cwd.join("env/dev.env")).expect("removed");
    assert_eq!(port(&bench.plan("tetra")), Some(("4".to_owned(), true)), "then TSM_PORT");
    bench.service("tetra", &service(""));
    assert_eq!(port(&bench.plan("tetra")), Some(("5".to_owned(), false)), "then what the command gives away: a guess");
    assert_eq!(port(&bench.plan("node server.js")), None, "else none");
    assert_eq!(port(&bench.plan("PORT=3000 node server.js")), Some(("3000".to_owned(), false)));
    assert_eq!(port(&bench.plan("node server.js http://localhost:3000")), None, "never from inside a URL");
}

#[test]
fn a_port_among_variables_is_explicit_and_follows_their_order() {
    let bench = Bench::new();
    bench.put("my-api/.env", "PORT=3\n", 0o644);
    let plan = bench.with("node app.js", |request| request.env = vec!["PORT=2".to_owned()]).expect("a plan");
    assert_eq!(port(&plan), Some(("2".to_owned(), true)));
    bench.service("tetra", "TSM_COMMAND='node app.js'\nTSM_CWD=../../../my-api\nexport PORT=7\n");
    assert_eq!(port(&bench.plan("tetra")), Some(("7".to_owned(), true)), "export lines come after the env file");
}

#[test]
fn what_is_no_port_is_said_with_its_place() {
    let bench = Bench::new();
    bench.put("my-api/.env", "A=1\nexport PORT=\"http\"\n", 0o644);
    let error = bench.with("node app.js", |_| {}).expect_err("no port");
    let at = error.place().expect("a place");
    assert_eq!((at.line, at.column, at.width), (2, 13, 6));
    assert!(error.to_string().contains("PORT is `http`"));
    let error = bench.with("node app.js", |request| request.env = vec!["PORT=0".to_owned(), "none".to_owned()]);
    assert_eq!(error.expect_err("no port").kind(), Kind::Usage);
    bench.put("my-api/.env", "PORT=\n", 0o644);
    assert_eq!(port(&bench.plan("node app.js")), None, "an empty one is none");
}

fn taken_by_a_stranger(port: u16) -> Option<Conflict> {
    let holder = Holder::Process { pid: 77, command: "nginx".to_owned(), managed: None };
    (3000..3003).contains(&port).then_some(Conflict { port, holder })
}

#[test]
fn an_explicit_port_that_is_taken_is_refused_and_a_guessed_one_only_noticed() {
    let bench = Bench::new();
    let explicit = bench.with("node app.js", |request| request.port = Some(PortWish::Exactly(3000))).expect("a plan");
    let error = place(&explicit, &[] as &[Process; 0], &taken_by_a_stranger).expect_err("taken");
    assert_eq!(error.to_string(), "port 3000 is in use by PID 77 (nginx)");
    let guessed = bench.plan("node app.js 3000");
    let placement = place(&guessed, &[] as &[Process; 0], &taken_by_a_stranger).expect("a place");
    assert_eq!((placement.port, placement.in_the_way.is_some()), (Some(3000), true));
}

#[test]
fn a_plus_takes_the_next_free_port_and_name() {
    let mut bench = Bench::new();
    bench.process(0, "my-api-app-3003", State::Online);
    let plan = bench.with("node app.js", |request| request.port = Some(PortWish::From(3000))).expect("a plan");
    let placement = place(&plan, &bench.processes, &taken_by_a_stranger).expect("a place");
    assert_eq!((placement.port, placement.name.as_str()), (Some(3004), "my-api-app-3004"));
    let plan = bench.with("node app.js", |request| request.port = Some(PortWish::From(65535))).expect("a plan");
    let error = place(&plan, &[], &|port| taken_by_a_stranger(3000).map(|it| Conflict { port, ..it }));
    assert!(matches!(error, Err(PlacementError::NoFreePort { from: 65535 })));
}

// Variables.
