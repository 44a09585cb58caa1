//! Which port is meant, and what becomes of one that is taken.

use super::*;

#[test]
fn the_port_ladder_from_top_to_bottom() {
    let bench = Fixture::new();
    let service =
        |rest: &str, port: &str| format!("TSM_COMMAND='node server.js{rest}'\nTSM_CWD=../../../my-api\n{port}");
    let flag = |request: &mut StartRequest| request.port = Some(PortSpec::Exact(1));
    bench.put("my-api/env/dev.env", "TETRA_PORT=33\n", 0o644);
    bench.service("tetra", &service("", "TSM_PORT=4\n"));
    assert_eq!(port(&bench.with("tetra", flag).expect("a plan")), Some(("1".to_owned(), true)), "the flag first");
    assert_eq!(port(&bench.plan("tetra")), Some(("33".to_owned(), false)), "then TETRA_PORT of the env file: a guess");
    assert_eq!(bench.plan("tetra").set, [pair("PORT", "33")], "which is exported");
    bench.put("my-api/env/dev.env", "TETRA_PORT=33\nPORT=3\n", 0o644);
    assert_eq!(port(&bench.plan("tetra")), Some(("3".to_owned(), false)), "PORT beats TETRA_PORT");
    bench.service("tetra", &service(" --port 5", "TSM_PORT=4\n"));
    assert_eq!(port(&bench.plan("tetra")), Some(("4".to_owned(), true)), "TSM_PORT, where the command names its own");
    fs::remove_file(bench.cwd.join("env/dev.env")).expect("removed");
    assert_eq!(port(&bench.plan("tetra")), Some(("4".to_owned(), true)), "then TSM_PORT");
    bench.service("tetra", &service(" --port 5", ""));
    assert_eq!(port(&bench.plan("tetra")), Some(("5".to_owned(), false)), "then what the command gives away: a guess");
    assert_eq!(port(&bench.plan("node server.js")), None, "else none");
    assert_eq!(port(&bench.plan("PORT=3000 node server.js")), Some(("3000".to_owned(), false)));
    assert_eq!(port(&bench.plan("node server.js http://localhost:3000")), None, "never from inside a URL");
}

#[test]
fn what_the_command_names_is_stronger_than_what_a_file_suggests() {
    let bench = Fixture::new();
    bench.put("my-api/.env", "PORT=3100\n", 0o644);
    for line in [
        "python3 -m http.server 8000",
        "node app.js --port 8000",
        "sh -c 'node app.js -p 8000'",
        "PORT=8000 node app.js",
    ] {
        let plan = bench.plan(line);
        assert_eq!(port(&plan), Some(("8000".to_owned(), false)), "{line}");
        assert_eq!(
            plan.set.len(),
            usize::from(line.starts_with("PORT")),
            "the variable stays the one of the file: {line}"
        );
        let rungs: Vec<&str> = plan.port_candidates.iter().map(|(rung, _)| *rung).collect();
        assert_eq!(rungs[3..], ["TSM_PORT", "command", "env file"], "{line}");
    }
    assert_eq!(
        port(&bench.plan("node app.js")),
        Some(("3100".to_owned(), false)),
        "which counts where nothing is named"
    );
    let pair =
        bench.with("node app.js --port 8000", |request| request.env = vec!["PORT=2".to_owned()]).expect("a plan");
    assert_eq!(port(&pair), Some(("2".to_owned(), false)), "what is typed beside it is meant for it");
}

#[test]
fn a_port_among_variables_is_a_guess_and_follows_their_order() {
    let bench = Fixture::new();
    bench.put("my-api/.env", "PORT=3\n", 0o644);
    let plan = bench.with("node app.js", |request| request.env = vec!["PORT=2".to_owned()]).expect("a plan");
    assert_eq!(port(&plan), Some(("2".to_owned(), false)));
    bench.service("tetra", "TSM_COMMAND='node app.js'\nTSM_CWD=../../../my-api\nexport PORT=7\n");
    assert_eq!(port(&bench.plan("tetra")), Some(("7".to_owned(), false)), "export lines come after the env file");
}

#[test]
fn a_variable_that_agrees_with_the_definition_is_claimed() {
    let bench = Fixture::new();
    bench.put("my-api/.env", "PORT=4444\n", 0o644);
    bench.service("tetra", "TSM_COMMAND='node app.js'\nTSM_CWD=../../../my-api\nTSM_PORT=4444\n");
    assert_eq!(port(&bench.plan("tetra")), Some(("4444".to_owned(), true)));
}

#[test]
fn none_means_without_a_port_whatever_the_env_file_and_the_command_say() {
    let bench = Fixture::new();
    bench.put("my-api/.env", "PORT=3100\n", 0o644);
    let none = |request: &mut StartRequest| request.port = Some(PortSpec::None);
    let plan = bench.with("PORT=1 node server.js --port 5", none).expect("a plan");
    assert_eq!((port(&plan), plan.unset.as_slice(), plan.set.as_slice()), (None, &["PORT".to_owned()][..], &[][..]));
    bench.service("tetra", "TSM_COMMAND='node server.js --port 5'\nTSM_CWD=../../../my-api\nTSM_PORT=none\n");
    let plan = bench.plan("tetra");
    assert_eq!((port(&plan), plan.unset.as_slice()), (None, &["PORT".to_owned()][..]), "nor with a definition");
    let plan = bench.with("tetra", |request| request.port = Some(PortSpec::Exact(7))).expect("a plan");
    assert_eq!((port(&plan), plan.unset.len()), (Some(("7".to_owned(), true)), 0), "a flag is stronger");
    bench.put("my-api/.env", "PORT=http\n", 0o644);
    assert_eq!(port(&bench.with("node app.js", none).expect("a plan")), None, "nothing of it is read");
}

#[test]
fn a_command_that_names_another_port_than_it_gets_is_noticed() {
    let bench = Fixture::new();
    let with = |line: &str, wish| bench.with(line, |request| request.port = Some(wish)).expect("a plan");
    let plan = with("python3 -m http.server 8000", PortSpec::AtLeast(8000));
    let said = plan.disagreement(Some(8001)).expect("a note");
    assert!(said.contains("port 8000") && said.contains("--port 8000+ 'python3 -m http.server $PORT'"), "{said}");
    assert_eq!(plan.disagreement(Some(8000)), None, "it gets the port that it names");
    assert_eq!(with("node app.js", PortSpec::Exact(80)).disagreement(Some(80)), None);
    assert_eq!(bench.plan("node app.js 3000").disagreement(Some(3000)), None, "a guess is what it names");
    assert!(with("node app.js -- x", PortSpec::Exact(80)).disagreement(Some(80)).is_none());
    let error =
        allocate(&with("node app.js 3000", PortSpec::Exact(3000)), &[], &taken_by_a_stranger).expect_err("taken");
    let advice = error.advice().expect("advice");
    assert!(advice.contains("--port 3000+ 'node app.js $PORT'"), "{advice}");
}

#[test]
fn what_is_not_a_port_is_reported_with_its_place() {
    let bench = Fixture::new();
    bench.put("my-api/.env", "A=1\nexport PORT=\"http\"\n", 0o644);
    let error = bench.with("node app.js", |_| {}).expect_err("no port");
    let at = error.location().expect("a place");
    assert_eq!((at.line, at.column, at.width), (2, 13, 6));
    assert!(error.to_string().contains("invalid port `http` in PORT"));
    let error = bench.with("node app.js", |request| request.env = vec!["PORT=0".to_owned(), "none".to_owned()]);
    assert_eq!(error.expect_err("no port").kind(), FaultKind::Usage);
    bench.put("my-api/.env", "PORT=\n", 0o644);
    assert_eq!(port(&bench.plan("node app.js")), None, "an empty one is none");
}

fn taken_by_a_stranger(port: u16) -> Option<Conflict> {
    let holder = PortHolder::Process { pid: 77, command: "nginx".to_owned(), managed: None };
    (3000..3003).contains(&port).then_some(Conflict { port, holder })
}

#[test]
fn an_explicit_port_that_is_taken_is_refused_and_a_guessed_one_only_noticed() {
    let bench = Fixture::new();
    let explicit = bench.with("node app.js", |request| request.port = Some(PortSpec::Exact(3000))).expect("a plan");
    let error = allocate(&explicit, &[] as &[Process; 0], &taken_by_a_stranger).expect_err("taken");
    assert_eq!(error.to_string(), "port 3000 is in use by PID 77 (nginx)");
    let guessed = bench.plan("node app.js 3000");
    let allocation = allocate(&guessed, &[] as &[Process; 0], &taken_by_a_stranger).expect("a place");
    assert_eq!((allocation.port, allocation.guessed_port_conflict.is_some()), (Some(3000), true));
}

#[test]
fn a_plus_takes_the_next_free_port_and_name() {
    let mut bench = Fixture::new();
    bench.process(0, "my-api-app-3003", ProcessState::Online);
    let plan = bench.with("node app.js", |request| request.port = Some(PortSpec::AtLeast(3000))).expect("a plan");
    let allocation = allocate(&plan, &bench.processes, &taken_by_a_stranger).expect("a place");
    assert_eq!((allocation.port, allocation.name.as_str()), (Some(3004), "my-api-app-3004"));
    let plan = bench.with("node app.js", |request| request.port = Some(PortSpec::AtLeast(65535))).expect("a plan");
    let error = allocate(&plan, &[], &|port| taken_by_a_stranger(3000).map(|it| Conflict { port, ..it }));
    assert!(matches!(error, Err(AllocationError::NoFreePort { from: 65535 })));
}

// Variables.
