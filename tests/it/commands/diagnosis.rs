//! Why processes end, what they use, and looking after them.

use std::fs;

use serde_json::{Value, json};
use tetra::supervise::client;
use tetra::supervise::meta::{ExitStatus, LastExit, ProcessState};

use crate::sandbox::{Sandbox, is_running, signal};
use crate::waiting::eventually;

/// The causes that are reported for a process.
fn causes(why: &Value) -> String {
    let causes = why["causes"].as_array().expect("an array").iter();
    causes.map(|cause| cause["what"].as_str().expect("a text").to_owned() + "\n").collect()
}

#[test]
fn each_way_to_end_is_explained() {
    let sandbox = Sandbox::new();
    for (id, name, line, verdict, cause) in [
        (0, "fails", "echo 'Error: Cannot find module x' >&2; exit 3", "crashed: exit 3 after", "a module is missing"),
        (1, "done", "exit 0", "exited successfully: exit 0", ""),
        (2, "lost", "none-such-program", "crashed: exit 127", "exit code 127: the shell did not find a command"),
        (3, "hit", "kill -SEGV $$", "crashed: SIGSEGV", "accessed invalid memory (SIGSEGV)"),
        (4, "full", "echo 'write: No space left on device'; exit 1", "crashed: exit 1", "the disk is full"),
    ] {
        sandbox.write_record(&sandbox.record(id, name, line));
        let _ = client::launch(std::path::Path::new(env!("CARGO_BIN_EXE_tetra")), &sandbox.dir(name));
        sandbox.until(name, |meta| meta.last_exit.is_some() && meta.state.is_final());
        let why = sandbox.json_with_schema(&["tsm", "why", name], "tsm-why");
        assert!(why["verdict"].as_str().is_some_and(|said| said.contains(verdict)), "{name}: {why:#}");
        assert!(causes(&why).contains(cause), "{name}: {why:#}");
    }
}

#[test]
fn a_run_whose_end_was_not_seen_is_not_forgotten() {
    let sandbox = Sandbox::new();
    let verdict = |name: &str| {
        let why = sandbox.json_with_schema(&["tsm", "why", name], "tsm-why");
        why["verdict"].as_str().expect("text").to_owned()
    };
    // The records as they are where the machine, or the supervisor, ended with them; each had a run that ended otherwise before.
    for (id, name, boot) in [(0, "down", "another boot"), (1, "killed", "")] {
        sandbox.ok(&["tsm", "start", "--name", name, "--", "sleep", "600"]);
        sandbox.ok(&["tsm", "stop", name]);
        let mut meta = crate::sandbox::read_record(&sandbox.dir(name));
        assert_eq!(meta.tsm_id, id);
        meta.set_state(ProcessState::Online);
        (meta.pid, meta.run_state.nonce) = (4_000_000, "another".to_owned());
        if !boot.is_empty() {
            meta.run_state.boot_id = boot.to_owned();
        }
        sandbox.write_record(&meta);
    }
    assert_eq!(verdict("down"), "`down` was running when the machine went down and was not started after the boot");
    sandbox.ok(&["tsm", "start", "down"]);
    let said = verdict("down");
    assert!(
        said.contains("its previous run ended: the machine went down, and booted ") && said.ends_with("ago"),
        "{said}"
    );
    let info = sandbox.json_with_schema(&["tsm", "info", "down"], "tsm-info");
    assert_eq!(info["last_exit"]["cause"], "machine", "{info:#}");
    sandbox.ok(&["tsm", "start", "killed"]);
    assert!(verdict("killed").contains("its previous run ended: exit status unknown"), "{}", verdict("killed"));
}

#[test]
fn who_stopped_it_and_who_has_its_port_is_explained() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "exec sleep 600");
    let why = sandbox.json_with_schema(&["tsm", "why", "api"], "tsm-why");
    assert!(why["verdict"].as_str().is_some_and(|said| said.starts_with("`api` is running")), "{why:#}");
    sandbox.ok(&["tsm", "stop", "api"]);
    let why = sandbox.json_with_schema(&["tsm", "why", "api"], "tsm-why");
    assert!(why["verdict"].as_str().is_some_and(|said| said.contains("with `tsm stop api`")), "{why:#}");
    assert!(why["timeline"].as_array().is_some_and(|events| events.len() >= 3), "{why:#}");
    let (stranger, port) = super::kill::listener();
    let mut meta = sandbox.record(1, "web", "true");
    meta.set_state(ProcessState::Crashed);
    meta.port = Some(port);
    meta.last_exit = Some(LastExit {
        at_ms: 1,
        uptime_ms: 5,
        status: ExitStatus::Code(1),
        oom: None,
        origin: None,
        nonce: String::new(),
    });
    sandbox.write_record(&meta);
    let why = sandbox.json_with_schema(&["tsm", "why", "web"], "tsm-why");
    assert!(causes(&why).contains(&format!("port {port} is in use by PID {}", stranger.0.id())), "{why:#}");
}

#[test]
fn variables_are_shown_without_their_secrets_alive_and_dead() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "api", "exec sleep 600");
    meta.run.set = vec![("DB_PASSWORD".into(), "hunter2".into()), ("PLAIN".into(), "yes".into())];
    sandbox.start_record(&meta);
    let value = |name: &str| {
        let all = sandbox.json_with_schema(&["tsm", "env", "api"], "tsm-env");
        let row = all.as_array().expect("rows").iter().find(|row| row["name"] == name).expect(name).clone();
        (row["value"].as_str().expect("a text").to_owned(), row["masked"] == json!(true))
    };
    for _ in ["alive", "dead"] {
        assert_eq!((value("DB_PASSWORD"), value("PLAIN")), (("***".into(), true), ("yes".into(), false)));
        sandbox.ok(&["tsm", "stop", "api"]);
    }
    let paths = sandbox.json_with_schema(&["tsm", "paths", "api"], "tsm-paths");
    let record = paths.as_array().expect("rows").iter().find(|row| row["what"] == "record").expect("it").clone();
    assert_eq!(
        (&record["there"], record["path"].as_str()),
        (&json!(true), sandbox.dir("api").join("meta.json").to_str())
    );
    assert_eq!(sandbox.run(&["tsm", "env", "nobody"]).code, 5);
}

#[test]
fn stats_count_whole_trees_and_groups() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "busy-1", "sleep 600 & while :; do :; done");
    sandbox.launch(1, "busy-2", "exec sleep 600");
    let stats = sandbox.json_with_schema(&["tsm", "stats", "--over", "500ms"], "tsm-stats");
    let (busy, idle) = (&stats[0], &stats[1]);
    assert_eq!((&busy["processes"], &idle["processes"]), (&json!(2), &json!(1)));
    assert!(busy["cpu"].as_f64() > idle["cpu"].as_f64(), "{stats:#}");
    let groups = sandbox.json_with_schema(&["tsm", "stats", "--groups"], "tsm-stats-groups");
    assert_eq!(
        (&groups[0]["group"], &groups[0]["members"], &groups[0]["processes"]),
        (&json!("busy"), &json!(2), &json!(3))
    );
}

#[test]
fn stats_know_the_stacks_of_services_and_the_groups_of_their_instances() {
    let sandbox = Sandbox::new();
    for (name, more) in [("web", "TSM_INSTANCES=2\nTSM_STACK=shop\n"), ("db", "TSM_STACK=shop\n"), ("lone", "")] {
        let file = sandbox.home().join(format!("tsm/services-available/{name}.tsm"));
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, format!("TSM_COMMAND=\"sleep 600\"\nTSM_CWD=/\n{more}")).expect("a definition");
        sandbox.ok(&["tsm", "start", "--no-wait", name]);
    }
    for stack in ["shop", "ad-hoc"] {
        sandbox.ok(&[
            "tsm",
            "start",
            "--no-wait",
            "--stack",
            stack,
            "--name",
            &format!("{stack}-job"),
            "--",
            "sleep",
            "600",
        ]);
    }
    let rows = |what: &str, key: &str| {
        let sums = sandbox.json_with_schema(&["tsm", "stats", what], &format!("tsm-stats{}", &what[1..]));
        let row = |row: &serde_json::Value| (row[key].as_str().expect("a name").to_owned(), row["members"].as_u64());
        sums.as_array().expect("rows").iter().map(row).collect::<Vec<_>>()
    };
    let named =
        |rows: &[(&str, u64)]| rows.iter().map(|(name, count)| ((*name).to_owned(), Some(*count))).collect::<Vec<_>>();
    assert_eq!(rows("--stacks", "stack"), named(&[("ad-hoc", 1), ("shop", 4)]));
    assert_eq!(
        rows("--groups", "group"),
        named(&[("ad-hoc-job", 1), ("db", 1), ("lone", 1), ("shop-job", 1), ("web", 2)])
    );
}

#[test]
fn a_patrol_gives_supervisors_back_and_starts_enabled_services_again() {
    let sandbox = Sandbox::new();
    let (available, enabled) =
        (sandbox.home().join("tsm/services-available"), sandbox.home().join("tsm/services-enabled"));
    fs::create_dir_all(&available).expect("a directory");
    fs::create_dir_all(&enabled).expect("a directory");
    for name in ["on", "off"] {
        let file = available.join(format!("{name}.tsm"));
        fs::write(&file, format!("TSM_NAME={name}\nTSM_COMMAND=\"sleep 600\"\n")).expect("a definition");
        sandbox.ok(&["tsm", "start", name]);
        signal(sandbox.read(name).pid, nix::sys::signal::Signal::SIGKILL);
        sandbox.until(name, |meta| meta.state == ProcessState::Crashed);
    }
    std::os::unix::fs::symlink("../services-available/on.tsm", enabled.join("on.tsm")).expect("a link");
    let pid = sandbox.launch(7, "alone", "exec sleep 600");
    sandbox.kill_supervisors("alone");
    let round = sandbox.json_with_schema(&["tsm", "patrol", "--once"], "tsm-patrol");
    assert_eq!(
        (&round["restarted"], &round["crashed"], &round["supervised"]),
        (&json!(["on"]), &json!(["off"]), &json!(["alone"]))
    );
    assert!(is_running(sandbox.read("on").pid) && is_running(pid) && client::is_supervised(&sandbox.dir("alone")));
    let quiet = sandbox.json_with_schema(&["tsm", "patrol", "--once"], "tsm-patrol");
    assert_eq!((&quiet["restarted"], &quiet["supervised"]), (&json!([]), &json!([])));
}

#[test]
fn cleanup_removes_what_ended_badly_and_nothing_else() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "lives", "exec sleep 600");
    super::list::failed_and_stopped(&sandbox);
    assert_eq!(sandbox.json(&["tsm", "cleanup", "--dry-run"]), json!([{"name": "failed"}]));
    assert!(sandbox.dir("failed").exists(), "a dry run removes nothing");
    sandbox.json_with_schema(&["tsm", "cleanup"], "tsm-stop");
    assert!(!sandbox.dir("failed").exists() && sandbox.dir("rests").exists() && is_running(pid));
    sandbox.ok(&["tsm", "cleanup", "--stopped"]);
    eventually("only the living is left", || !sandbox.dir("rests").exists() && is_running(pid));
}
