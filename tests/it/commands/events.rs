//! Events in logs: a fixture with the expected output of each command, and triggers that run real programs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::logs::Tail;
use crate::sandbox::{Sandbox, assert_fits};
use crate::waiting::eventually;

use crate::program;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/events").join(name)
}

/// A process that does not run and has said what the fixture holds.
fn shop() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "shop", "true");
    meta.set_state(tetra::supervise::meta::ProcessState::Stopped);
    sandbox.write_record(&meta);
    for log in ["current.out", "current.err"] {
        fs::copy(fixture(log), sandbox.dir("shop").join(log)).expect("a fixture");
    }
    sandbox
}

/// Every command on the fixture, where its output is kept, and the schema of its JSON.
const COMMANDS: [(&str, &str, &str); 13] = [
    ("tsm stream shop --nostream", "stream", "tsm-stream"),
    ("tsm stream shop UI --nostream", "stream-filtered", "tsm-stream"),
    ("tsm stream shop HIGH_RESPONSE_TIME --nostream", "stream-kind", "tsm-stream"),
    ("tsm analytics shop", "analytics", "tsm-analytics"),
    ("tsm sessions shop", "sessions", "tsm-sessions"),
    ("tsm sessions shop 24h summary", "sessions-summary", "tsm-sessions-summary"),
    ("tsm users shop", "users", "tsm-users"),
    ("tsm patterns shop", "patterns", "tsm-patterns"),
    ("tsm patterns shop ann", "patterns-ann", "tsm-patterns"),
    ("tsm journey shop", "journey", "tsm-journey"),
    ("tsm journey shop s-2", "journey-s-2", "tsm-journey"),
    ("tsm clicks shop", "clicks", "tsm-clicks"),
    ("tsm click-perf shop", "click-perf", "tsm-click-perf"),
];

#[test]
fn each_command_says_of_the_fixture_what_is_expected() {
    let sandbox = shop();
    for (line, name, schema) in COMMANDS {
        let words: Vec<&str> = line.split(' ').collect();
        let output = sandbox.command(&words).env("TZ", "UTC").output().expect("tetra runs");
        let real = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "`{line}`: {}", String::from_utf8_lossy(&output.stderr));
        let path = fixture(&format!("{name}.txt"));
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            fs::write(&path, &real).expect("written");
        }
        let wanted = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(real, wanted, "`{line}`; UPDATE=1 writes it anew");
        sandbox.json_with_schema(&words, schema);
    }
}

#[test]
fn a_process_without_events_has_none() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "plain", "echo hello; exec sleep 600");
    eventually("it has spoken", || sandbox.text("plain", "current.out") == "hello\n");
    for verb in ["users", "patterns", "journey", "click-perf", "sessions"] {
        let said = sandbox.run(&["tsm", verb, "plain"]);
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{verb}: {}", said.err);
        assert!(said.err.contains("TETRA:CATEGORY:EVENT"), "{verb}: {}", said.err);
    }
    assert_eq!(sandbox.json(&["tsm", "dashboard", "plain"])["events"], 0);
    assert_eq!(sandbox.run(&["tsm", "sessions", "plain", "json"]).code, 2);
    assert_eq!(sandbox.run(&["tsm", "users", "nobody"]).code, 5);
}

#[test]
fn a_window_leaves_out_what_is_older() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "echo TETRA:A:OLD; sleep 0.3; echo TETRA:A:NEW; exec sleep 600");
    eventually("it has spoken", || sandbox.text("api", "current.out").ends_with("NEW\n"));
    let rows = sandbox.json(&["tsm", "stream", "api", "--nostream"]);
    let since = rows[1]["time"].as_str().expect("a time").to_owned();
    let usage = sandbox.json(&["tsm", "analytics", "api", "--since", &since]);
    assert_eq!((&usage["events"], &usage["counts"][0]["event"]), (&json!(1), &json!("NEW")));
    assert_eq!(sandbox.json(&["tsm", "analytics", "api", "1h"])["events"], 2);
}

#[test]
fn a_stream_goes_on_with_what_comes() {
    let sandbox = Sandbox::new();
    let go = sandbox.path("go");
    let line = format!(
        "echo TETRA:A:ONE; while [ ! -e {} ]; do sleep 0.01; done; echo TETRA:A:TWO; exec sleep 600",
        go.display()
    );
    sandbox.launch(0, "api", &line);
    let tail = Tail::of(&sandbox, &["tsm", "stream", "api", "--json"]);
    let row = |text: String| serde_json::from_str::<serde_json::Value>(&text).expect("an object");
    let first = row(tail.next());
    assert_fits(&json!([first]), "tsm-stream");
    assert_eq!(first["event"], "ONE");
    fs::write(&go, "").expect("a sign");
    assert_eq!(row(tail.next())["event"], "TWO");
    tail.interrupt();
}

/// A sandbox with triggers, and a process that says something once there is a file called `go`.
fn with_triggers(rules: &str, says: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let conf = sandbox.home().join("tsm/config");
    fs::create_dir_all(&conf).expect("a directory");
    fs::write(conf.join("triggers.conf"), rules).expect("rules");
    fs::write(sandbox.path("says"), says).expect("what it says");
    let (go, says) = (sandbox.path("go"), sandbox.path("says"));
    let line = format!("while [ ! -e {} ]; do sleep 0.01; done; cat {}; exec sleep 600", go.display(), says.display());
    sandbox.launch(0, "api", &line);
    sandbox
}

#[test]
fn a_trigger_gets_words_and_the_event_and_a_log_runs_nothing() {
    let nasty = r#"TETRA:API:ERROR {"status":500,"session":"$(touch pwned); `touch pwned` '\" | touch pwned"}"#;
    let sandbox = with_triggers("", &format!("{nasty}\nTETRA:API:OK {{}}\nno event\n"));
    let script = sandbox.path("note.sh");
    let into = sandbox.path("noted");
    program::script(
        &script,
        &format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > {0}.tmp; cat >> {0}.tmp; mv {0}.tmp {0}\n", into.display()),
    );
    let rules = format!(
        "# mine\nAPI_ERROR|{} {{TOKEN}} {{SESSION}} {{PROCESS}}|note it|true\n.*|false|off|no\n",
        script.display()
    );
    fs::write(sandbox.home().join("tsm/config/triggers.conf"), rules).expect("rules");
    let listed = sandbox.json_with_schema(&["tsm", "triggers"], "tsm-triggers");
    assert_eq!((&listed[0]["line"], &listed[1]["enabled"]), (&json!(2), &json!(false)));

    let tail = Tail::of(&sandbox, &["tsm", "monitor", "api", "--triggers", "--json"]);
    // It hears only what comes after it began.
    eventually("it follows", || tail.is_waiting());
    fs::write(sandbox.path("go"), "").expect("a sign");
    let fired: serde_json::Value = serde_json::from_str(&tail.next()).expect("an object");
    assert_fits(&json!([fired]), "tsm-monitor-triggers");
    assert_eq!((&fired["trigger"], &fired["outcome"]), (&json!("API_ERROR"), &json!("done")), "{fired:#}");
    let session = "$(touch pwned); `touch pwned` '\" | touch pwned";
    let noted = fs::read_to_string(&into).expect("it ran");
    let (words, event) = noted.split_at(noted.find('{').expect("an event"));
    assert_eq!(words, format!("API:ERROR\n{session}\napi\n"));
    let event: serde_json::Value = serde_json::from_str(event).expect("JSON on its standard input");
    assert_eq!((&event["event"], &event["data"]["session"]), (&json!("ERROR"), &json!(session)));
    assert!(!sandbox.path("pwned").exists(), "nothing of the log was run");
    let (rest, _) = tail.interrupt();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn only_so_many_triggers_run_at_once_and_they_end_with_the_monitor() {
    let says: String = (0..12).map(|number| format!("TETRA:A:B {{\"n\":{number}}}\n")).collect();
    let sandbox = with_triggers("TETRA:A|sleep 987|wait|yes\nTETRA:A|/nonexistent/program|none|yes\n", &says);
    let tail = Tail::of(&sandbox, &["tsm", "monitor", "api", "--triggers", "--json"]);
    eventually("it follows", || tail.is_waiting());
    fs::write(sandbox.path("go"), "").expect("a sign");
    let mut outcomes = Vec::new();
    // Ten of the twelve sleep; the two that find no place are reported, and so is each that cannot be run.
    while outcomes.iter().filter(|it| *it == "skipped").count() < 2 {
        let fired: serde_json::Value = serde_json::from_str(&tail.next()).expect("an object");
        outcomes.push(fired["outcome"].as_str().expect("a word").to_owned());
    }
    assert!(outcomes.iter().all(|it| it == "skipped" || it == "not-run"), "{outcomes:?}");
    let sleeping = || {
        let all = fs::read_dir("/proc").expect("/proc").flatten();
        all.filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x00987\x00")).count()
    };
    eventually("they run", || sleeping() > 0);
    assert!(sleeping() <= 10);
    tail.interrupt();
    eventually("they are ended", || sleeping() == 0);
}

#[test]
fn triggers_that_make_no_sense_are_refused() {
    let sandbox = with_triggers("API_ERROR|sh -c 'echo {DATA}'|x|true\n", "");
    for words in [&["tsm", "triggers"][..], &["tsm", "monitor", "api", "--triggers"]] {
        let said = sandbox.run(words);
        assert_eq!(said.code, 1, "{}", said.err);
        assert!(said.err.contains("{DATA} after `-c` would be executed as code"), "{}", said.err);
        assert!(said.err.contains("triggers.conf:1:"), "{}", said.err);
    }
    fs::write(sandbox.home().join("tsm/config/triggers.conf"), "A|x|y|no\n").expect("rules");
    assert_eq!(sandbox.run(&["tsm", "monitor", "api", "--triggers"]).code, 1);
    assert_eq!(sandbox.run(&["tsm", "monitor", "--triggers"]).code, 2);
}
