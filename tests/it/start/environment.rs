//! Variables: which file, in which order, read when.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tetra::supervise::meta::RestartPolicy;

use super::{StartSandbox, read};
use crate::ports::free_port;
use crate::waiting::eventually;

/// A script that writes its variables down, whole, and stays.
const SHOW: &str = "#!/bin/bash\nenv -0 > seen.new && mv seen.new seen\nexec sleep 1000\n";

/// What the script saw.
fn seen(sandbox: &StartSandbox) -> BTreeMap<String, String> {
    let path = sandbox.world.work().join("seen");
    eventually("it wrote its variables", || path.exists());
    let text = read(&path);
    fs::remove_file(&path).expect("removed");
    text.split('\0').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn private(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn each_source_beats_those_before_it() {
    let keys = ["A", "B", "C", "D", "E"];
    let all: Vec<(&str, &str)> = keys.iter().map(|key| (*key, "process")).collect();
    let sandbox =
        StartSandbox::with(&[&all[..], &[("TETRA_ORG", "acme"), ("TETRA_ENV", "dev"), ("PORT", "1")]].concat());
    sandbox.world.org("acme", &[("dev", "")]);
    let from = |keys: &[&str], value: &str| keys.iter().map(|key| format!("{key}={value}\n")).collect::<String>();
    let secrets = sandbox.world.paths().secrets(&"acme".parse().expect("a name"), &"dev".parse().expect("a name"));
    sandbox.world.file(&secrets, &from(&keys[1..], "secrets"));
    private(secrets.parent().expect("a directory"), 0o700);
    private(&secrets, 0o600);
    sandbox.world.file("env/dev.env", &(from(&keys[2..], "file") + "PORT=2\n"));
    sandbox.script("show.sh", SHOW);
    let port = free_port().to_string();
    let exports: String = from(&keys[3..], "export").lines().map(|line| format!("export {line}\n")).collect();
    let cwd = sandbox.world.work();
    sandbox.service("show", &format!("TSM_COMMAND=./show.sh\nTSM_CWD={}\nTSM_PORT=3\n{exports}", cwd.display()));
    let started = sandbox.start(&["show", "--env", "E=pair", "--port", &port]);
    assert_eq!(started["name"], format!("show-{port}"));
    let seen = seen(&sandbox);
    let got: Vec<&str> = keys.iter().map(|key| seen[*key].as_str()).collect();
    assert_eq!(got, ["process", "secrets", "file", "export", "pair"]);
    assert_eq!(seen["PORT"], port, "and the port flag beats them all");
}

#[test]
fn the_file_is_read_again_at_every_start() {
    let sandbox = StartSandbox::new();
    sandbox.script("show.sh", SHOW);
    sandbox.world.file(".env", "KEY=one\n");
    let said = sandbox.tsm(&["start", "--name", "show", "./show.sh"]);
    assert!(said.err.contains("using the env file .env"), "what was found is announced: {}", said.err);
    assert_eq!(seen(&sandbox)["KEY"], "one");
    sandbox.world.file(".env", "KEY=two\n");
    assert_eq!(sandbox.tsm(&["restart", "show"]).code, 0);
    assert_eq!(seen(&sandbox)["KEY"], "two");
    sandbox.world.file(".env", "KEY=three\n");
    assert_eq!(sandbox.tsm(&["stop", "show"]).code, 0);
    sandbox.start(&["show"]);
    assert_eq!(seen(&sandbox)["KEY"], "three");
}

#[test]
fn the_file_is_read_again_after_a_crash_too() {
    let sandbox = StartSandbox::new();
    let wait = "until [ -e go ]; do read -rt 0.01 <> <(:) || :; done; rm go; exit 1\n";
    sandbox.script("show.sh", &SHOW.replace("exec sleep 1000\n", wait));
    sandbox.world.file(".env", "KEY=one\n");
    sandbox.start(&["--restart", "on-failure", "./show.sh"]);
    assert_eq!(seen(&sandbox)["KEY"], "one");
    sandbox.world.file(".env", "KEY=two\n");
    sandbox.world.file("go", "");
    assert_eq!(seen(&sandbox)["KEY"], "two");
}

#[test]
fn on_servers_what_fails_is_started_again_unless_it_is_said_otherwise() {
    for (env, flag, restart) in [
        ("local", None, RestartPolicy::Never),
        ("dev", None, RestartPolicy::OnFailure),
        ("staging", None, RestartPolicy::OnFailure),
        ("dev", Some("--restart=never"), RestartPolicy::Never),
    ] {
        let sandbox = StartSandbox::with(&[("TETRA_ENV", env)]);
        let words: Vec<&str> = flag.into_iter().chain(["--name", "s", "sleep", "1000"]).collect();
        sandbox.start(&words);
        assert_eq!(sandbox.meta("s").run.restart, restart, "{env} {flag:?}");
    }
}

#[test]
fn nothing_in_a_file_is_executed_and_every_plain_line_counts() {
    let sandbox = StartSandbox::new();
    sandbox.script("show.sh", SHOW);
    sandbox.world.file("x.env", "PLAIN=a b\nexport QUOTED=\"$(touch hacked) ${HOME} `touch hacked`\"\n");
    sandbox.start(&["--env", "x.env", "./show.sh"]);
    let seen = seen(&sandbox);
    assert_eq!(seen["PLAIN"], "a b");
    assert_eq!(seen["QUOTED"], "$(touch hacked) ${HOME} `touch hacked`");
    assert!(!sandbox.world.work().join("hacked").exists());
}

#[test]
fn a_named_file_that_is_missing_is_an_error_and_nothing_starts() {
    let sandbox = StartSandbox::new();
    let said = sandbox.tsm(&["start", "--env", "qa", "sleep", "1000"]);
    assert_eq!(said.code, 5);
    assert!(said.err.contains("env file `qa` not found") && said.err.contains("env/qa.env"), "{}", said.err);
    assert!(sandbox.processes().is_empty());
}

#[test]
fn a_file_beside_the_script_is_found_and_none_means_none() {
    let sandbox = StartSandbox::new();
    sandbox.script("srv/show.sh", SHOW);
    sandbox.world.file("srv/env/local.env", "KEY=beside\n");
    let said = sandbox.tsm(&["start", "--name", "a", "srv/show.sh"]);
    assert!(said.err.contains("using the env file srv/env/local.env"), "{}", said.err);
    assert_eq!(seen(&sandbox)["KEY"], "beside");
    sandbox.start(&["--name", "b", "--env", "none", "srv/show.sh"]);
    assert_eq!(seen(&sandbox).get("KEY"), None);
}

#[test]
fn the_context_stays_as_it_is_whatever_env_file_is_named() {
    let sandbox = StartSandbox::with(&[("TETRA_ENV", "prod")]);
    sandbox.world.file("env/local.env", "A=1\n");
    let refused = sandbox.tsm(&["start", "--env", "local", "sleep", "1000"]);
    assert_eq!(refused.code, 4, "the environment is still prod: {}", refused.err);
    let started = sandbox.tsm(&["start", "--yes", "--env", "local", "--name", "s", "sleep", "1000"]);
    assert_eq!(started.code, 0, "{}", started.err);
    assert_eq!(sandbox.meta("s").run.environment, "prod");
}

#[test]
fn the_marks_of_a_surrounding_process_are_not_inherited() {
    let sandbox = StartSandbox::with(&[("TSM_RUN", "7.stranger"), ("TSM_PROCESS_DIR", "/elsewhere"), ("KEPT", "yes")]);
    sandbox.script("show.sh", SHOW);
    sandbox.start(&["--name", "show", "./show.sh"]);
    let snapshot = read(&sandbox.dir("show").join("environ"));
    assert!(snapshot.contains("KEPT=yes\0") && !snapshot.contains("TSM_RUN") && !snapshot.contains("/elsewhere"));
    let seen = seen(&sandbox);
    assert!(seen["TSM_RUN"].starts_with("0.") && seen["TSM_PROCESS_DIR"].ends_with("/show"), "{seen:?}");
}

#[test]
fn secrets_that_are_open_to_others_are_closed_in_a_private_directory_and_refused_elsewhere() {
    let sandbox = StartSandbox::with(&[("TETRA_ORG", "acme"), ("TETRA_ENV", "dev")]);
    sandbox.world.org("acme", &[("dev", "")]);
    let secrets = sandbox.world.paths().secrets(&"acme".parse().expect("a name"), &"dev".parse().expect("a name"));
    sandbox.world.file(&secrets, "KEY=v\n");
    private(&secrets, 0o644);
    private(secrets.parent().expect("a directory"), 0o755);
    let refused = sandbox.tsm(&["start", "sleep", "1000"]);
    assert_eq!(refused.code, 24, "{}", refused.err);
    assert!(sandbox.processes().is_empty());
    private(secrets.parent().expect("a directory"), 0o700);
    let said = sandbox.tsm(&["start", "sleep", "1000"]);
    assert!(said.code == 0 && said.err.contains("0644"), "{}", said.err);
    assert_eq!(fs::metadata(&secrets).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_runs_with_the_env_file_of_prod_is_guarded_like_prod() {
    let sandbox = StartSandbox::new();
    sandbox.world.file("env/prod.env", "A=1\n");
    let start = ["start", "--env", "prod", "--name", "s", "sleep", "1000"];
    let refused = sandbox.tsm(&start);
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert_eq!(sandbox.tsm(&[&["start", "--yes"], &start[1..]].concat()).code, 0);
    for words in [&["stop", "s"][..], &["stop", "s", "--env", "local"], &["restart", "s"], &["delete", "s"]] {
        let refused = sandbox.tsm(words);
        assert_eq!(refused.code, 4, "{words:?}: {}", refused.err);
    }
    assert_eq!(sandbox.tsm(&["stop", "s", "--yes"]).code, 0);
}
