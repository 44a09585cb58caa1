//! Listing: what is shown, what is counted, and what is true.

use serde_json::json;
use tetra::supervise::meta::{self, ExitStatus, LastExit, ProcessState, RestartPolicy};

use crate::sandbox::{Sandbox, is_running};
use crate::waiting::eventually;
use crate::world::World;

fn names(list: &serde_json::Value) -> Vec<&str> {
    let rows = list.as_array().expect("an array");
    rows.iter().map(|row| row["name"].as_str().expect("a name")).collect()
}

fn row<'a>(list: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    list.as_array().expect("an array").iter().find(|row| row["name"] == name).expect("the process")
}

/// Records of a process that ended with a failure, `failed`, and of one that was stopped, `rests`.
pub(super) fn failed_and_stopped(sandbox: &Sandbox) {
    for (id, name, state, how) in [
        (1, "failed", ProcessState::Crashed, ExitStatus::Code(3)),
        (2, "rests", ProcessState::Stopped, ExitStatus::Code(0)),
    ] {
        let mut meta = sandbox.record(id, name, "true");
        meta.set_state(state);
        meta.last_exit =
            Some(LastExit { at_ms: 1, uptime_ms: 5, status: how, oom: None, origin: None, nonce: String::new() });
        sandbox.write_record(&meta);
    }
}

/// A process that ended with a failure, one that was stopped, and one that runs.
fn three(sandbox: &Sandbox) {
    sandbox.launch(0, "runs-3000", "exec sleep 600");
    failed_and_stopped(sandbox);
}

#[test]
fn list_shows_everything_not_cleanly_stopped_and_counts_the_rest() {
    let sandbox = Sandbox::new();
    three(&sandbox);
    let said = sandbox.run(&["tsm", "list"]);
    assert!(
        said.out.contains("runs-3000") && said.out.contains("failed") && !said.out.contains("rests"),
        "{}",
        said.out
    );
    assert_eq!(said.err.lines().last(), Some("1 stopped: tsm list all"));
    assert_eq!(names(&sandbox.json_with_schema(&["tsm", "list"], "tsm-list")), ["runs-3000", "failed"]);
    assert_eq!(names(&sandbox.json_with_schema(&["tsm", "ls", "running"], "tsm-list")), ["runs-3000"]);
    assert_eq!(names(&sandbox.json_with_schema(&["tsm", "list", "all"], "tsm-list")), ["runs-3000", "failed", "rests"]);
    assert_eq!(names(&sandbox.json_with_schema(&["tsm", "list", "-a"], "tsm-list")), ["runs-3000", "failed", "rests"]);
    let said = sandbox.run(&["tsm", "list", "running"]);
    assert!(!said.err.contains("stopped"), "the count belongs to the default view");
}

#[test]
fn an_empty_list_says_how_to_begin() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&["tsm", "list"]);
    assert_eq!(said.err, "No running services found.\nStart services with: tsm start <service-name>\n");
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert_eq!(sandbox.json_with_schema(&["tsm", "list"], "tsm-list"), json!([]));
}

#[test]
fn the_columns_are_those_of_the_reference_and_json_has_real_types() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "api-3000", "exec sleep 600");
    (meta.port, meta.run.environment) = (Some(3000), "dev".to_owned());
    meta.run.set = vec![("API_TOKEN".to_owned(), "hush-hush".to_owned())];
    let pid = sandbox.start_record(&meta);
    let out = sandbox.ok(&["tsm", "list"]);
    let heading: Vec<&str> = out.lines().next().expect("a heading").split_whitespace().collect();
    assert_eq!(heading, ["ID", "NAME", "ENV", "PID", "PORT", "STATUS", "UPTIME"]);
    let list = sandbox.json_with_schema(&["tsm", "list", "-v"], "tsm-list");
    let row = row(&list, "api-3000");
    assert_eq!((&row["id"], &row["pid"], &row["port"]), (&json!(0), &json!(pid), &json!(3000)));
    assert_eq!((&row["status"], &row["state"], &row["env"]), (&json!("online"), &json!("online"), &json!("dev")));
    assert_eq!((&row["restarts"], &row["supervised"], &row["exit"]), (&json!(0), &json!(true), &json!(null)));
    assert!(row["uptime"].is_u64() && row["cpu"].is_number(), "{row}");
    assert!(row["memory"].as_u64().is_some_and(|bytes| bytes > 4096), "{row}");
    let verbose = sandbox.ok(&["tsm", "list", "-v"]);
    assert!(
        verbose.lines().next().is_some_and(|line| line.contains("RESTARTS") && line.contains("COMMAND")),
        "{verbose}"
    );
}

#[test]
fn a_crash_is_shown_with_its_exit() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "dies", "exit 3");
    sandbox.until("dies", |meta| meta.state == ProcessState::Crashed);
    let out = sandbox.ok(&["tsm", "list", "-v"]);
    assert!(out.contains("crashed (exit 3)"), "{out}");
    let list = sandbox.json_with_schema(&["tsm", "list"], "tsm-list");
    let exit = &row(&list, "dies")["exit"];
    assert_eq!((&exit["code"], &exit["signal"]), (&json!(3), &json!(null)));
}

#[test]
fn a_process_that_waits_for_its_restart_says_how_long() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "again", "exit 4");
    meta.run.restart = RestartPolicy::OnFailure;
    sandbox.start_record(&meta);
    // The pauses double, so that there is time to look at one of the later ones.
    sandbox.until("again", |meta| meta.state == ProcessState::Waiting && meta.restarts >= 4);
    eventually("a list in such a pause", || {
        let out = sandbox.ok(&["tsm", "list"]);
        out.lines().any(|line| line.contains("waiting ") && (line.contains("ms") || line.contains('s')))
    });
    let list = sandbox.json_with_schema(&["tsm", "list"], "tsm-list");
    assert!(row(&list, "again")["restarts"].as_u64().is_some_and(|count| count >= 4), "{list}");
}

#[test]
fn garbage_is_listed_and_never_fatal() {
    let sandbox = Sandbox::new();
    three(&sandbox);
    std::fs::write(sandbox.dir("rests").join("meta.json"), b"\0\0{").expect("garbage");
    std::fs::write(sandbox.dir("failed").join("meta.json"), b"").expect("nothing");
    let list = sandbox.json_with_schema(&["tsm", "list", "all"], "tsm-list");
    assert_eq!(names(&list), ["runs-3000", "failed", "rests"]);
    assert_eq!(row(&list, "rests")["id"], json!(null));
    assert!(row(&list, "rests")["damage"].is_string());
    sandbox.ok(&["tsm", "delete", "rests", "failed"]);
    assert_eq!(names(&sandbox.json_with_schema(&["tsm", "list", "all"], "tsm-list")), ["runs-3000"]);
}

#[test]
fn list_gives_a_living_process_without_supervisor_a_new_one() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "api", "exec sleep 600");
    sandbox.kill_supervisors("api");
    let before = sandbox.read("api").run_state;
    let list = sandbox.json_with_schema(&["tsm", "list"], "tsm-list");
    assert_eq!((&row(&list, "api")["supervised"], &row(&list, "api")["pid"]), (&json!(true), &json!(pid)));
    let after = sandbox.read("api").run_state;
    assert_ne!(before.worker_pid, after.worker_pid);
    assert!(is_running(pid) && is_running(after.worker_pid));
    assert_eq!(sandbox.ok(&["tsm", "stop", "api"]), "stopped api (0)\n");
    assert!(!is_running(pid));
}

#[test]
fn list_takes_up_a_restart_that_was_left_over() {
    let sandbox = Sandbox::new();
    let gate = sandbox.path("gate");
    let mut meta = sandbox.record(0, "api", &format!("test -e {} && exec sleep 600; exit 4", gate.display()));
    meta.run.restart = RestartPolicy::OnFailure;
    sandbox.start_record(&meta);
    sandbox.until("api", |meta| meta.state == ProcessState::Waiting && meta.restarts >= 5);
    sandbox.kill_supervisors("api");
    std::fs::write(&gate, "").expect("a gate");
    let list = sandbox.json_with_schema(&["tsm", "list"], "tsm-list");
    assert_eq!(row(&list, "api")["supervised"], json!(true), "{list}");
    sandbox.until("api", |meta| meta.state == ProcessState::Online);
}

#[test]
fn a_lost_record_of_a_living_process_is_rebuilt() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(4, "api", "exec sleep 600");
    sandbox.kill_supervisors("api");
    for garbage in [&b""[..], b"{", b"\0\0"] {
        meta::remove(&sandbox.dir("api")).expect("the record, and the one before it");
        std::fs::write(sandbox.dir("api").join("meta.json"), garbage).expect("garbage");
        let list = sandbox.json_with_schema(&["tsm", "list"], "tsm-list");
        let row = row(&list, "api");
        assert_eq!((&row["id"], &row["pid"], &row["damage"]), (&json!(4), &json!(pid), &json!(null)), "{list}");
        assert_eq!((&row["supervised"], &row["command"]), (&json!(true), &json!("sleep 600")), "{list}");
        assert!(row["uptime"].as_u64().is_some_and(|seconds| seconds < 3600), "{list}");
        sandbox.kill_supervisors("api");
    }
    assert_eq!(sandbox.ok(&["tsm", "stop", "4"]), "stopped api (4)\n");
    assert!(!is_running(pid));
}

#[test]
fn a_dead_process_without_supervisor_reads_crashed_and_so_does_one_of_another_boot() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "api", "exec sleep 600");
    sandbox.kill_supervisors("api");
    crate::sandbox::signal(pid, nix::sys::signal::Signal::SIGKILL);
    eventually("it is dead", || !is_running(pid));
    let mut old = sandbox.record(1, "old", "exec sleep 600");
    old.set_state(ProcessState::Online);
    (old.pid, old.run_state.boot_id) = (std::process::id(), "another boot".to_owned());
    sandbox.write_record(&old);
    let list = sandbox.json_with_schema(&["tsm", "list"], "tsm-list");
    for name in ["api", "old"] {
        assert_eq!(
            (&row(&list, name)["status"], &row(&list, name)["pid"]),
            (&json!("crashed"), &json!(null)),
            "{name}"
        );
    }
}

#[test]
fn available_lists_definitions_with_their_mark() {
    let sandbox = Sandbox::new();
    let (available, enabled) =
        (sandbox.home().join("tsm/services-available"), sandbox.home().join("tsm/services-enabled"));
    std::fs::create_dir_all(&available).expect("a directory");
    std::fs::create_dir_all(&enabled).expect("a directory");
    let definition =
        "TSM_NAME=\"tetra\"\nTSM_COMMAND=\"node server.js\"\nTSM_PORT=\"4444\"\nTSM_DESCRIPTION=\"the server\"\n";
    std::fs::write(available.join("tetra.tsm"), definition).expect("a definition");
    std::fs::write(available.join("broken.tsm"), "rm -rf /\n").expect("a broken one");
    std::os::unix::fs::symlink("../services-available/tetra.tsm", enabled.join("tetra.tsm")).expect("a link");
    let list = sandbox.json_with_schema(&["tsm", "list", "available"], "tsm-list-available");
    assert_eq!(names(&list), ["broken", "tetra"]);
    assert_eq!(
        (&list[1]["enabled"], &list[1]["port"], &list[1]["command"]),
        (&json!(true), &json!(4444), &json!("node server.js"))
    );
    assert!(list[0]["error"].is_string(), "{list}");
    assert_eq!(names(&sandbox.json_with_schema(&["tsm", "list", "enabled"], "tsm-list-available")), ["tetra"]);
}

#[test]
fn info_says_everything_and_masks_secrets() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "api", "echo out; echo err >&2; exec sleep 600");
    meta.run.set = vec![("API_TOKEN".to_owned(), "hush-hush".to_owned()), ("COLOR".to_owned(), "blue".to_owned())];
    let pid = sandbox.start_record(&meta);
    eventually("it has spoken", || sandbox.text("api", "current.err") == "err\n");
    let info = sandbox.json_with_schema(&["tsm", "info", "api", "-v"], "tsm-info");
    assert_eq!((&info["id"], &info["pid"], &info["status"]), (&json!(0), &json!(pid), &json!("online")));
    assert_eq!((&info["last_stdout"], &info["last_stderr"]), (&json!(["out"]), &json!(["err"])));
    assert_eq!(info["variables"], json!({ "API_TOKEN": "***", "COLOR": "blue" }));
    assert_eq!((&info["stdout_size"], &info["restart_policy"]), (&json!(4), &json!("never")));
    assert_eq!(info["supervisor"]["worker"], json!(sandbox.read("api").run_state.worker_pid));
    sandbox.json_with_schema(&["tsm", "info", "api"], "tsm-info");
    let text = sandbox.ok(&["tsm", "info", "0", "-v"]);
    assert!(text.contains("last stdout") && !text.contains("hush-hush"), "{text}");
    assert_eq!(sandbox.run(&["tsm", "info", "nope"]).code, 5);
}

#[test]
fn no_place_shows_a_secret_of_a_command_line() {
    let sandbox = Sandbox::new();
    let program = ["sleep", "600", "--api-key", "hunter2", "DB_PASSWORD=hunter2"];
    let start = [&["tsm", "start", "--name", "api", "--"][..], &program].concat();
    // `sleep` does not know the words; what was started with them is shown all the same.
    sandbox.run(&start);
    let shell = "mysql -phunter2; curl -u me:hunter2 x; exec sleep 600";
    sandbox.ok(&["tsm", "start", "--name", "web", "--pre-hook", "true --token hunter2", "sh", "-c", shell]);
    let about = "see http://me:hunter2@h/ and --token hunter2";
    sandbox.ok(&["tsm", "save", "web", "kept", "--description", about]);
    let both = sandbox.json_with_schema(&["tsm", "info", "api", "web"], "tsm-info");
    assert_eq!(names(&both), ["api", "web"]);
    let saved = sandbox.json_with_schema(&["tsm", "save", "plain", "sleep", "600"], "tsm-save");
    assert_eq!(saved["command"], "sleep 600", "`--json` at the end is ours");
    for line in [
        "tsm list all -v",
        "tsm list all --json",
        "tsm info api -v",
        "tsm info api --json",
        "tsm info web --json",
        "tsm services",
        "tsm services --json",
        "tsm show kept",
        "tsm show kept --json",
        "tsm why api",
        "tsm why api --json",
        "tsm why web",
        "tsm doctor",
        "tsm kill web",
        // What is wrong is named without them.
        "tsm start --health http://me:hunter2@h:xx/ sleep 9",
        "tsm start --health http://me:hunter2@h:80/ --nope sleep 9",
        "tsm start --max-memory password=hunter2 sleep 9",
        "tsm start --cron --token=hunter2 sleep 9",
        "tsm start --cwd /nope/?password=hunter2 sleep 9",
        "tsm start --token=hunter2",
        "tsm info http://me:hunter2@h",
        "tsm stop http://me:hunter2@h --json",
        "use password=hunter2",
        "set password=hunter2",
        "org promote --set db.password=hunter2 --nope",
    ] {
        let ran = sandbox.run(&line.split(' ').collect::<Vec<_>>());
        assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{line}: {}{}", ran.out, ran.err);
    }
    let log = std::fs::read_to_string(sandbox.home().join("logs/tetra.jsonl")).expect("a log");
    assert!(log.contains("tsm start") && !log.contains("hunter2"), "{log}");
}

#[test]
fn a_crash_loop_shows_without_any_option() {
    let mut world = World::new();
    world.run("tsm start --no-wait --restart always --name loop -- sh -c 'exit 3'").done();
    eventually("it is seen", || {
        let row = world.run("tsm list").done();
        let row = row.lines().find(|line| line.contains("loop")).unwrap_or_default().to_owned();
        let restarts = row.split_whitespace().last().and_then(|word| word.parse::<u32>().ok());
        row.contains("crash loop") && restarts.is_some_and(|count| count > 2)
    });
}
