//! Jobs by the clock, tasks that end, and signals.

use std::fs;

use serde_json::json;
use tetra::supervise::meta::{ProcessState, StopCause};

use crate::sandbox::{Sandbox, is_running, signal};
use crate::waiting::eventually;

#[test]
fn what_ended_by_itself_runs_again_at_its_hour_and_what_was_stopped_does_not() {
    let sandbox = Sandbox::new();
    for (name, line, word) in [("well", "echo ran", "completed"), ("ill", "echo ran; exit 3", "failed")] {
        let said = sandbox.run(&["tsm", "start", "--name", name, "--cron", "* * * * * *", "--", "sh", "-c", line]);
        assert!((said.out + &said.err).to_lowercase().contains(word), "{name}");
        sandbox.until(name, |meta| meta.state == ProcessState::Scheduled);
        sandbox.until(name, |meta| meta.restarts >= 2);
        assert!(sandbox.text(name, "current.out").matches("ran\n").count() >= 2);
    }
    eventually("both are seen waiting", || {
        let listed = sandbox.ok(&["tsm", "list"]);
        listed.contains("scheduled, next at ") && listed.contains("(last: exit 3)")
    });
    let info = sandbox.json_with_schema(&["tsm", "info", "well"], "tsm-info");
    assert!(info["next_run"].is_string() || info["state"] == "online", "{info:#}");
    sandbox.ok(&["tsm", "stop", "well", "ill"]);
    for name in ["well", "ill"] {
        let meta = sandbox.until(name, |meta| meta.state == ProcessState::Stopped);
        eventually("its sidecar ends", || !tetra::tsm::sidecar::is_running(&sandbox.dir(name)));
        assert_eq!(sandbox.read(name).restarts, meta.restarts);
    }
}

#[test]
fn a_scheduled_process_is_still_scheduled_after_its_supervisor_was_killed() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["tsm", "start", "--name", "night", "--cron", "0 4 * * *", "--cron-tz", "UTC", "--", "true"]);
    sandbox.until("night", |meta| meta.state == ProcessState::Scheduled);
    sandbox.kill_supervisors("night");
    let listed = sandbox.ok(&["tsm", "list"]);
    assert!(listed.contains("scheduled, next at ") && listed.contains("04:00"), "{listed}");
    assert!(tetra::supervise::client::is_supervised(&sandbox.dir("night")));
    let info = sandbox.json_with_schema(&["tsm", "info", "night"], "tsm-info");
    assert_eq!(info["looked_after"]["cron_tz"], "UTC");
    assert!(info["next_run"].as_str().is_some_and(|next| next.ends_with("T04:00:00Z")), "{info:#}");
    assert_eq!(sandbox.run(&["tsm", "start", "--cron", "0 4 * * *", "--cron-tz", "Nowhere/Land", "true"]).code, 2);
}

/// It is as good as running for every command that starts what does not run.
#[test]
fn what_waits_for_its_hour_is_left_to_it_by_every_start() {
    let sandbox = Sandbox::new();
    let available = sandbox.home().join("tsm/services-available");
    fs::create_dir_all(&available).expect("a directory");
    let text = "TSM_CWD=/\nTSM_COMMAND='true'\nTSM_CRON='0 4 * * *'\nTSM_CRON_TZ=Asia/Tokyo\nTSM_STACK=shop\n";
    fs::write(available.join("night.tsm"), text).expect("a definition");
    let said = sandbox.ok(&["tsm", "start", "night"]);
    assert!(said.contains("04:00 (Asia/Tokyo)"), "the clock of another zone is named: {said}");
    sandbox.until("night", |meta| meta.state == ProcessState::Scheduled);
    let listed = sandbox.ok(&["tsm", "list"]);
    assert!(listed.contains("04:00 (Asia/Tokyo)"), "{listed}");
    let said = sandbox.run(&["tsm", "start", "night"]);
    assert!(said.code == 1 && said.err.contains("process 'night' is already scheduled"), "{} {}", said.code, said.err);
    assert!(said.err.contains("run `tsm restart night` to run it now"), "{}", said.err);
    let said = sandbox.run(&["tsm", "reload", "night"]);
    assert!(said.code == 0 && said.err.contains("`tsm restart night` runs it now"), "{}", said.err);
    sandbox.ok(&["tsm", "enable", "night"]);
    for words in [&["tsm", "startup"][..], &["tsm", "stack", "start", "shop"]] {
        let rows = sandbox.json_with_schema(words, "tsm-startup");
        assert_eq!((&rows[0]["result"], rows.as_array().map(Vec::len)), (&json!("scheduled"), Some(1)), "{rows:#}");
    }
    assert_eq!(sandbox.read("night").restarts, 0, "none of them ran it");
    sandbox.ok(&["tsm", "up", "night"]);
    sandbox.until("night", |meta| meta.restarts == 1 && meta.state == ProcessState::Scheduled);
}

/// A deployment starts what waits for its next try at once.
#[test]
fn up_restarts_what_keeps_crashing() {
    let sandbox = Sandbox::new();
    let available = sandbox.home().join("tsm/services-available");
    fs::create_dir_all(&available).expect("a directory");
    let cwd = sandbox.root().display();
    let text = format!(
        "TSM_CWD={cwd}\nTSM_COMMAND='sh -c \"test -e mended && exec sleep 600; exit 3\"'\nTSM_RESTART=always\n"
    );
    fs::write(available.join("api.tsm"), text).expect("a definition");
    sandbox.run(&["tsm", "start", "api"]);
    sandbox.until("api", |meta| meta.state == ProcessState::Waiting && meta.restarts >= 3);
    fs::write(sandbox.path("mended"), "").expect("written");
    sandbox.ok(&["tsm", "up", "api"]);
    sandbox.until("api", |meta| meta.state == ProcessState::Online && is_running(meta.pid));
}

/// What is said after a first run that failed is what happens then: the schedule goes on, a task is over.
#[test]
fn a_first_run_that_fails_is_not_a_start_that_fails() {
    let sandbox = Sandbox::new();
    let failed = |options: &str| {
        let words = ["tsm start --name job", options, "-- sh -c"].join(" ");
        let words: Vec<&str> = words.split_whitespace().chain(["exit 3"]).collect();
        let said = sandbox.run(&words);
        sandbox.ok(&["tsm", "delete", "job", "--yes"]);
        (said.code, format!("{}{}", said.out, said.err))
    };
    for (options, code) in
        [("--cron @yearly", 1), ("--cron @yearly --oneshot", 1), ("--cron @yearly --oneshot --wait", 3)]
    {
        let said = failed(options);
        assert!(said.0 == code && said.1.contains("failed: exit 3; it runs again at "), "{options}: {said:?}");
        assert!(!said.1.contains("to start"), "{options}: {said:?}");
    }
    let said = failed("--oneshot");
    assert!(said.0 == 1 && said.1.contains("`job` failed: exit 3\n"), "{said:?}");
}

#[test]
fn a_task_that_succeeds_is_waited_for_and_what_needs_a_failed_one_is_not_started() {
    let sandbox = Sandbox::new();
    let code = |line: &str| {
        sandbox.run(&["tsm", "start", "--name", "task", "--oneshot", "--wait", "--", "sh", "-c", line]).code
    };
    assert_eq!((code("sleep 1; exit 7"), code("exit 3"), code("kill -TERM $$"), code("sleep 1")), (7, 3, 143, 0));
    assert!(sandbox.ok(&["tsm", "list", "all"]).contains("succeeded"));
    let available = sandbox.home().join("tsm/services-available");
    fs::create_dir_all(&available).expect("a directory");
    let service =
        |name: &str, text: &str| fs::write(available.join(format!("{name}.tsm")), text).expect("a definition");
    service("migrate", "TSM_TYPE=oneshot\nTSM_CWD=/\nTSM_COMMAND='sleep 1; touch \"$MARK\"'\n");
    service("web", "TSM_DEPS=migrate\nTSM_CWD=/\nTSM_COMMAND='test -e \"$MARK\" && exec sleep 600'\n");
    service("broken", "TSM_TYPE=oneshot\nTSM_CWD=/\nTSM_COMMAND='sleep 1; exit 4'\n");
    service("late", "TSM_DEPS=broken\nTSM_CWD=/\nTSM_COMMAND='sleep 600'\n");
    let mark = format!("MARK={}", sandbox.path("mark").display());
    for name in ["migrate", "web"] {
        let file = available.join(format!("{name}.tsm"));
        let text = fs::read_to_string(&file).expect("a definition");
        fs::write(file, format!("{text}export {mark}\n")).expect("a definition");
    }
    sandbox.ok(&["tsm", "start", "web"]);
    assert!(is_running(sandbox.read("web").pid));
    let said = sandbox.run(&["tsm", "start", "late"]);
    assert!(said.code == 1 && !sandbox.dir("late").exists(), "{}", said.err);
    assert!(said.err.contains("exit 4"), "{}", said.err);
}

#[test]
fn what_deps_names_is_started_before() {
    let sandbox = Sandbox::new();
    let available = sandbox.home().join("tsm/services-available");
    fs::create_dir_all(&available).expect("a directory");
    for name in ["db", "cache"] {
        fs::write(available.join(format!("{name}.tsm")), "TSM_CWD=/\nTSM_COMMAND='sleep 600'\n").expect("a definition");
    }
    sandbox.ok(&["tsm", "start", "--name", "web", "--deps", "db,cache", "--", "sleep", "600"]);
    for name in ["db", "cache", "web"] {
        assert!(is_running(sandbox.read(name).pid), "{name}");
    }
    assert_eq!(sandbox.read("web").run.deps, ["db", "cache"]);
    sandbox.ok(&["tsm", "stop", "*"]);
    sandbox.ok(&["tsm", "start", "web"]);
    assert!(is_running(sandbox.read("db").pid), "a start by the record needs them as well");
}

#[test]
fn a_process_is_asked_to_end_by_its_own_signal_and_gets_the_signals_it_is_sent() {
    let sandbox = Sandbox::new();
    let line = "trap 'echo int; exit 0' INT; trap 'echo usr1' USR1; trap 'echo term' TERM; echo up; while :; do sleep 0.05; done";
    sandbox.ok(&["tsm", "start", "--name", "a", "--stop-signal", "INT", "--", "bash", "-c", line]);
    eventually("its traps are set", || sandbox.text("a", "current.out").contains("up"));
    sandbox.ok(&["tsm", "signal", "a", "USR1"]);
    eventually("it got the signal", || sandbox.text("a", "current.out").contains("usr1"));
    sandbox.ok(&["tsm", "stop", "a"]);
    assert_eq!(sandbox.text("a", "current.out"), "up\nusr1\nint\n");
    sandbox.ok(&["tsm", "start", "--name", "b", "--", "sleep", "600"]);
    sandbox.json_with_schema(&["tsm", "signal", "b", "SIGHUP"], "tsm-signal");
    sandbox.until("b", |meta| meta.state == ProcessState::Crashed);
    let exit = sandbox.read("b").last_exit.expect("an end");
    assert_eq!(exit.origin.map(|origin| origin.cause), Some(StopCause::Signal));
    let why = sandbox.json_with_schema(&["tsm", "why", "b"], "tsm-why");
    assert!(why["causes"][0]["what"].as_str().is_some_and(|what| what.contains("tsm signal b SIGHUP")), "{why:#}");
    assert_eq!(sandbox.run(&["tsm", "signal", "b", "HUP"]).code, 1);
    assert_eq!(sandbox.run(&["tsm", "signal", "a", "NOPE"]).code, 2);
}

#[test]
fn a_process_that_is_asked_to_end_by_kill_was_not_killed_after_its_time() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["tsm", "start", "--name", "hard", "--stop-signal", "KILL", "--", "sleep", "600"]);
    assert_eq!(sandbox.ok(&["tsm", "stop", "hard"]), "stopped hard (0)\n");
}

#[test]
fn the_start_that_made_it_is_in_its_history_and_that_of_its_like_is_not() {
    let sandbox = Sandbox::new();
    let [one, other] = crate::ports::free_ports(2).collect::<Vec<_>>()[..] else { panic!("two ports") };
    for port in [one, other] {
        sandbox.ok(&["tsm", "start", "--no-wait", "--name", "api", "--port", &port.to_string(), "--", "sleep", "600"]);
    }
    sandbox.ok(&["tsm", "start", "--name", "many", "--instances", "2", "--", "sleep", "600"]);
    let (first, second) = (format!("api-{one}"), format!("api-{other}"));
    sandbox.ok(&["tsm", "restart", "--no-wait", &first, &second, "many"]);
    let starts = |name: &str| {
        let said = sandbox.json_with_schema(&["tsm", "why", name], "tsm-why");
        let all = said["timeline"].as_array().expect("a timeline").clone();
        let what = all.iter().filter_map(|event| event["what"].as_str());
        what.filter(|what| what.contains("tsm start")).map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, port) in [(&first, one), (&second, other)] {
        let found = starts(name);
        assert!(found.len() == 1 && found[0].contains(&format!("--port {port}")), "{name}: {found:?}");
    }
    assert_eq!(starts("many-2").len(), 1);
}

#[test]
fn the_command_that_ended_it_is_named_and_no_other() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("app.js"), "1").expect("a file");
    sandbox.ok(&["tsm", "start", "--name", "other", "--", "sleep", "600"]);
    sandbox.ok(&["tsm", "kill", "*", "--yes"]);
    let watched = sandbox.path("app.js").display().to_string();
    sandbox.ok(&["tsm", "start", "--name", "api", "--watch", &watched, "--no-wait", "--", "sleep", "600"]);
    sandbox.ok(&["tsm", "start", "--name", "beside", "--no-wait", "--", "sleep", "600"]);
    assert_eq!(sandbox.read("api").tsm_id, 0, "it has the id of the one before");
    fs::write(sandbox.path("app.js"), "2").expect("a file");
    let exit = sandbox
        .until("api", |meta| meta.restarts == 1 && meta.state == ProcessState::Online)
        .last_exit
        .expect("an end");
    assert_eq!(exit.origin.map(|origin| origin.cause), Some(StopCause::Watch));
    let why = sandbox.json_with_schema(&["tsm", "why", "api"], "tsm-why");
    assert_eq!(why["causes"], json!([{ "what": format!("restarted: `{watched}` changed"), "advice": null }]));
    let commands = |why: &serde_json::Value| {
        let events = why["timeline"].as_array().expect("a list").iter();
        let words = events.map(|event| event["what"].as_str().expect("a text").to_owned());
        words.filter(|words| words.contains(": tsm ")).collect::<Vec<_>>()
    };
    assert!(matches!(commands(&why).as_slice(), [start] if start.contains("--name api")), "{why:#}");
    // Another process sends a signal: no command is the cause, though one ran at that time.
    signal(sandbox.read("beside").pid, nix::sys::signal::Signal::SIGTERM);
    sandbox.until("beside", |meta| meta.state == ProcessState::Crashed);
    sandbox.ok(&["tsm", "stop", "api"]);
    let why = sandbox.json_with_schema(&["tsm", "why", "beside"], "tsm-why");
    assert!(why["causes"][0]["what"].as_str().is_some_and(|what| what.contains("not sent through tsm")), "{why:#}");
    let why = sandbox.json_with_schema(&["tsm", "why", "api"], "tsm-why");
    assert!(why["verdict"].as_str().is_some_and(|verdict| verdict.contains("`tsm stop api`")), "{why:#}");
}
