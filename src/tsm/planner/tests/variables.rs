//! Which variables a process gets, and from which files.

use super::*;

#[test]
fn variables_come_in_order_exports_then_pairs() {
    let bench = Fixture::new();
    bench.service(
        "tetra",
        "TSM_COMMAND='A=c node app.js'\nTSM_CWD=../../../my-api\nexport A=b\nexport B=b\nTSM_ENV='C=x D=y'\n",
    );
    let plan = bench.with("tetra", |request| request.env = vec!["A=d".to_owned()]).expect("a plan");
    let expected = [("A", "b"), ("B", "b"), ("C", "x"), ("D", "y"), ("A", "c"), ("A", "d")].map(|(k, v)| pair(k, v));
    assert_eq!(plan.set, expected);
}

#[test]
fn an_env_file_that_was_found_is_announced_and_one_that_was_named_is_not() {
    let bench = Fixture::new();
    bench.put("my-api/env/dev.env", "A=1\n", 0o644);
    let plan = bench.plan("node app.js");
    assert_eq!(plan.notes, ["using the env file env/dev.env"]);
    let plan = bench.with("node app.js", |request| request.env = vec!["dev".to_owned()]).expect("a plan");
    assert!(plan.notes.is_empty() && plan.env_files.len() == 1);
    let plan = bench.with("node app.js", |request| request.env = vec!["none".to_owned()]).expect("a plan");
    assert_eq!(plan.env_files, []);
}

#[test]
fn a_named_env_file_that_is_missing_is_an_error_and_so_are_two_environments() {
    let bench = Fixture::new();
    let env = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        bench.with("node app.js", |request| request.env = words).expect_err("an error").kind()
    };
    assert_eq!(env(&["dev"]), FaultKind::NotFound);
    assert_eq!(env(&["dev", "qa"]), FaultKind::Usage);
    bench.service("tetra", "TSM_COMMAND='sleep 9'\nTSM_ENV_FILE=env/dev.env\n");
    assert_eq!(bench.with("tetra", |_| {}).expect_err("missing").kind(), FaultKind::NotFound);
}

#[test]
fn of_several_env_files_a_later_one_wins_and_one_that_may_be_missing_is_kept() {
    let bench = Fixture::new();
    for (file, text) in [("a b.env", "A=1\nB=1\nPORT=4001\n"), ("b.env", "B=2\nPORT=4002\n"), ("env/qa.env", "Q=1\n")] {
        bench.put(&format!("my-api/{file}"), text, 0o644);
    }
    let start = |line: &str, files: &[&str], env: &[&str]| {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        bench.with(line, |request| {
            request.options.env_file = Some(files).filter(|files| !files.is_empty());
            request.env = env.iter().map(|word| (*word).to_owned()).collect();
        })
    };
    let shown = |plan: &StartPlan| {
        let short = |name: String| name.replace(&format!("{}/", bench.cwd.display()), "");
        (plan.env_files.iter().map(|file| short(file.name())).collect::<Vec<_>>().join(" "), bench.name(plan))
    };
    let shown = |line: &str, files: &[&str], env: &[&str]| shown(&start(line, files, env).expect("a plan"));
    let of = |files: &str, name: &str| (files.to_owned(), name.to_owned());
    assert_eq!(shown("node app.js", &["a b.env", "b.env"], &[]), of("a b.env b.env", "my-api-app-4002"));
    assert_eq!(
        shown("node app.js", &["b.env", "-no.env", "a b.env"], &["qa"]),
        of("env/qa.env b.env -no.env a b.env", "my-api-app-4001")
    );
    assert_eq!(shown("node app.js", &["-no.env"], &["none"]), of("-no.env", "my-api-app"));
    let missing = start("node app.js", &["a b.env", "no.env"], &[]).expect_err("it has to be there");
    assert_eq!(missing.kind(), FaultKind::NotFound);
    for (line, files, name) in [
        ("TSM_ENV_FILE='a b.env'", "a b.env", "shop-4001"),
        ("TSM_ENV_FILE=('a b.env' b.env -no.env)", "a b.env b.env -no.env", "shop-4002"),
        ("TSM_ENV_FILE=-b.env", "-b.env", "shop-4002"),
    ] {
        bench.service("shop", &format!("TSM_COMMAND='node app.js'\nTSM_CWD=../../../my-api\n{line}\n"));
        assert_eq!(shown("shop", &[], &[]), of(files, name), "{line}");
        assert_eq!(shown("shop", &["b.env"], &[]), of("b.env", "shop-4002"), "{line}");
        assert_eq!(shown("shop", &[], &["none"]), of("", "shop"), "{line}");
    }
}

#[test]
fn the_env_file_of_the_active_environment_comes_first_and_beside_the_script_last() {
    let mut bench = Fixture::new();
    bench.put("my-api/server/run.py", "", 0o644);
    bench.put("my-api/server/env/local.env", "A=1\n", 0o644);
    assert_eq!(bench.plan("python server/run.py").notes, ["using the env file server/env/local.env"]);
    bench.put("my-api/env/staging.env", "A=1\n", 0o644);
    bench.env = Some("staging".parse().expect("a name"));
    assert_eq!(bench.plan("python server/run.py").notes, ["using the env file env/staging.env"]);
}

#[test]
fn the_env_flag_is_the_file_of_a_service_too() {
    let bench = Fixture::new();
    bench.put("my-api/env/qa.env", "PORT=4001\n", 0o644);
    bench.put("my-api/env/dev.env", "PORT=4444\n", 0o644);
    bench.service("tetra", "TSM_COMMAND='node app.js'\nTSM_CWD=../../../my-api\nTSM_ENV_FILE=env/dev.env\n");
    let plan = bench.with("tetra", |request| request.env = vec!["qa".to_owned()]).expect("a plan");
    assert_eq!(bench.name(&plan), "tetra-4001");
}

#[test]
fn the_secrets_of_the_active_environment_are_used_and_an_open_one_is_refused_or_closed() {
    let mut bench = Fixture::new();
    (bench.org, bench.env) = ("acme".parse().ok(), "dev".parse().ok());
    assert!(bench.plan("sleep 9").secrets.is_some_and(|path| path.ends_with("org/acme/secrets/dev.env")));
    bench.put("tetra/org/acme/secrets/dev.env", "KEY=v\n", 0o640);
    assert_eq!(bench.with("sleep 9", |_| {}).expect_err("open").kind(), FaultKind::UnsafeMode);
    let dir = bench.paths.home().join("org/acme/secrets");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).expect("a mode");
    let plan = bench.plan("sleep 9");
    assert!(plan.secrets_exposed);
    let mode = fs::metadata(dir.join("dev.env")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "a plan changes nothing");
}

// How it is kept, where it runs.
