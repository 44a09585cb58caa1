//! The doctor with real patients, and the ports that they have.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tetra::supervise::client;
use tetra::supervise::meta::{self, ProcessState};

use super::kill::listener;
use crate::sandbox::{Sandbox, assert_fits, is_running};
use crate::waiting::eventually;

/// What a command that may say no prints as JSON, which has the shape that the schema says.
fn said(sandbox: &Sandbox, words: &[&str], schema: &str) -> (Value, i32) {
    let said = sandbox.run(&[&["--json"], words].concat());
    let value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}{}", said.out, said.err));
    assert_fits(&value, schema);
    (value, said.code)
}

/// The findings that are not as they should be: check, status and message of each.
fn wrong(findings: &Value) -> Vec<String> {
    let rows = findings.as_array().expect("an array").iter().filter(|row| row["status"] != "ok");
    rows.map(|row| format!("{} {} {}", row["check"], row["status"], row["message"]).replace('"', "")).collect()
}

/// A process that listens on a free port, which its record has.
fn server(sandbox: &Sandbox, id: u32, name: &str) -> u16 {
    let port = crate::ports::free_port();
    let mut meta = sandbox.record(id, name, &format!("exec python3 -u -m http.server --bind 127.0.0.1 {port}"));
    meta.port = Some(port);
    sandbox.start_record(&meta);
    eventually("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    port
}

#[test]
fn a_lost_supervisor_is_found_and_given_back() {
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.home().join("tsm/runtime"), fs::Permissions::from_mode(0o700)).expect("a mode");
    let pid = sandbox.launch(0, "api", "exec sleep 600");
    assert_eq!(said(&sandbox, &["tsm", "doctor", "healthcheck"], "tsm-doctor").1, 0);
    sandbox.kill_supervisors("api");
    let (found, code) = said(&sandbox, &["tsm", "doctor", "healthcheck"], "tsm-doctor");
    assert_eq!((wrong(&found), code), (vec!["supervisors error `api` has lost its supervisor".to_owned()], 3));
    let (found, code) = said(&sandbox, &["tsm", "doctor", "--fix"], "tsm-doctor");
    assert_eq!(code, 0, "{found:#}");
    assert!(client::is_supervised(&sandbox.dir("api")) && is_running(pid) && sandbox.read("api").pid == pid);
}

#[test]
fn a_pipe_that_is_gone_is_found() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "exec sleep 600");
    fs::remove_file(sandbox.dir("api").join("out")).expect("a pipe");
    let (found, code) = said(&sandbox, &["tsm", "doctor"], "tsm-doctor");
    assert!(
        code == 3
            && wrong(&found).iter().any(|it| it.starts_with("fifos error") && it.contains("/out` does not exist"))
    );
}

#[test]
fn what_the_dead_left_is_removed_and_the_living_keep_theirs() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "lives", "exec sleep 600");
    let mut meta = sandbox.record(1, "dead", "true");
    meta.set_state(ProcessState::Online);
    meta.pid = 4_194_300;
    sandbox.write_record(&meta);
    fs::write(sandbox.dir("dead").join("dead.pid"), "4194300\n").expect("a pid file");
    fs::create_dir(sandbox.dir("hollow")).expect("a directory");
    let (found, _) = said(&sandbox, &["tsm", "doctor", "healthcheck"], "tsm-doctor");
    let found = wrong(&found).join("\n");
    for part in
        ["`dead` is recorded as online and is not running", "names a process that has ended", "hollow` is empty"]
    {
        assert!(found.contains(part), "{part}: {found}");
    }
    let (cleaned, code) = said(&sandbox, &["tsm", "doctor", "clean"], "tsm-doctor");
    assert_eq!((cleaned.as_array().map(Vec::len), code), (Some(2), 0), "{cleaned:#}");
    assert!(!sandbox.dir("dead").join("dead.pid").exists() && !sandbox.dir("hollow").exists());
    assert!(sandbox.dir("dead").exists() && sandbox.dir("lives").join("lives.pid").exists() && is_running(pid));
}

#[test]
fn declared_ports_are_compared_with_the_sockets_there_are() {
    let sandbox = Sandbox::new();
    let own = server(&sandbox, 0, "site");
    let (stranger, taken) = listener();
    fs::write(sandbox.home().join("tsm/ports"), format!("site:{own}\nshop:{taken}\nfree:1\n")).expect("a registry");
    let scan = sandbox.json_with_schema(&["tsm", "ports", "scan"], "tsm-ports-scan");
    let row = |name: &str| scan.as_array().expect("rows").iter().find(|row| row["name"] == name).expect(name).clone();
    assert_eq!(
        (&row("site")["used_by"], &row("site")["owner_pid"]),
        (&json!("itself"), &json!(sandbox.read("site").pid))
    );
    assert_eq!((&row("shop")["used_by"], &row("shop")["owner_pid"]), (&json!("another"), &json!(stranger.0.id())));
    assert_eq!((&row("free")["status"], &row("free")["sockets"]), (&json!("free"), &json!([])));
    let status = sandbox.json_with_schema(&["tsm", "ports", "status"], "tsm-ports-status");
    assert_eq!((&status[0]["listening"], &status[0]["verdict"]), (&json!([own]), &json!("as declared")));
    assert_eq!(
        sandbox.json_with_schema(&["tsm", "ports", "overview"], "tsm-ports-overview")["used_by_another"],
        json!(1)
    );
    let (conflicts, code) = said(&sandbox, &["tsm", "ports", "conflicts"], "tsm-ports-conflicts");
    assert_eq!((&conflicts[0]["name"], code), (&json!("shop"), 3), "{conflicts:#}");
    let (fixed, code) = said(&sandbox, &["tsm", "ports", "conflicts", "--fix"], "tsm-ports-conflicts");
    let moved = &fixed[0]["moved_to"];
    assert!(code == 0 && moved.is_u64(), "{fixed:#}");
    assert_eq!(&sandbox.json_with_schema(&["tsm", "ports", "get", "shop"], "tsm-ports-get")["port"], moved);
    let scanned = sandbox.json_with_schema(&["tsm", "scan-ports", &own.to_string()], "tsm-scan-ports");
    assert_eq!((&scanned[0]["tsm"], &scanned[0]["address"]), (&json!("site"), &json!("127.0.0.1")));
    sandbox.json_with_schema(&["tsm", "ports", "owner", &taken.to_string()], "tsm-ports-owner");
}

#[test]
fn the_registry_is_changed_by_hand_under_its_rules() {
    let sandbox = Sandbox::new();
    let set = sandbox.json_with_schema(&["tsm", "ports", "set", "web", "4100"], "tsm-ports-set");
    assert_eq!(set, json!({"name": "web", "port": 4100, "before": null, "action": "assigned"}));
    assert_eq!(sandbox.run(&["tsm", "ports", "set", "api", "4100"]).code, 1);
    for bad in ["0", "70000", "x"] {
        assert_eq!(sandbox.run(&["tsm", "ports", "set", "api", bad]).code, 2, "{bad}");
    }
    let given = sandbox.json_with_schema(&["tsm", "ports", "allocate", "api", "prod"], "tsm-ports-set");
    assert!(given["port"].as_u64().is_some_and(|port| (8000..9000).contains(&port)), "{given}");
    let export = sandbox.path("all.json").display().to_string();
    assert_eq!(sandbox.json_with_schema(&["tsm", "ports", "export", &export], "tsm-ports-export")["ports"], json!(2));
    let before = fs::read_to_string(sandbox.home().join("tsm/ports")).expect("a registry");
    for name in ["web", "api"] {
        sandbox.json_with_schema(&["tsm", "ports", "remove", name], "tsm-ports-remove");
    }
    assert_eq!(sandbox.run(&["tsm", "ports", "remove", "web"]).code, 5);
    assert_eq!(sandbox.json(&["tsm", "ports", "json"]), json!({}));
    let (imported, code) = said(&sandbox, &["tsm", "ports", "import", &export], "tsm-ports-import");
    assert_eq!((imported["imported"].as_array().map(Vec::len), code), (Some(2), 0));
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&fs::read_to_string(sandbox.home().join("tsm/ports")).expect("a registry")), sorted(&before));
    sandbox.json_with_schema(&["tsm", "ports"], "tsm-ports");
    sandbox.json_with_schema(&["tsm", "ranges"], "tsm-ranges");
}

#[test]
fn a_stranger_on_a_port_is_ended_only_when_it_is_meant() {
    let sandbox = Sandbox::new();
    let (mut stranger, port) = listener();
    let port = port.to_string();
    let (about, code) = said(&sandbox, &["tsm", "doctor", "port", &port], "tsm-doctor-port");
    assert_eq!((&about["status"], &about["pid"], code), (&json!("used"), &json!(stranger.0.id()), 3));
    let refused = sandbox.run(&["tsm", "doctor", "kill", &port]);
    assert!(refused.code == 4 && refused.err.contains("--yes") && is_running(stranger.0.id()), "{}", refused.err);
    let killed = sandbox.json_with_schema(&["tsm", "doctor", "kill", &port, "--yes"], "tsm-doctor-kill");
    assert_eq!(killed[0]["pid"], json!(stranger.0.id()));
    assert!(stranger.0.wait().is_ok_and(|status| !status.success()));
    assert_eq!(said(&sandbox, &["tsm", "doctor", "port", &port], "tsm-doctor-port").1, 0);
    let own = server(&sandbox, 0, "api");
    let refused = sandbox.run(&["tsm", "doctor", "kill", &own.to_string(), "--yes"]);
    assert!(refused.code == 4 && refused.err.contains("tsm stop api"), "{}", refused.err);
    assert!(is_running(sandbox.read("api").pid));
}

#[test]
fn a_process_whose_record_was_removed_is_an_orphan() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "api", "exec sleep 600");
    let is_orphan = |found: &Value| found.as_array().expect("rows").iter().any(|row| row["pid"] == pid);
    assert!(!is_orphan(&said(&sandbox, &["tsm", "doctor", "orphans"], "tsm-doctor-orphans").0));
    sandbox.kill_supervisors("api");
    let record = sandbox.read("api");
    meta::remove(&sandbox.dir("api")).expect("a record");
    fs::remove_file(sandbox.dir("api").join("api.pid")).expect("a pid file");
    let (found, _) = said(&sandbox, &["tsm", "doctor", "orphans"], "tsm-doctor-orphans");
    let row = found.as_array().expect("rows").iter().find(|row| row["pid"] == pid).expect("it is one").clone();
    assert_eq!(row["kind"], "lost");
    meta::write(&sandbox.dir("api"), &record).expect("a record");
}

#[test]
fn a_registry_out_of_step_is_put_right() {
    let sandbox = Sandbox::new();
    let port = server(&sandbox, 0, "api");
    fs::write(sandbox.home().join("tsm/ports"), "api:1\nweb:2\n").expect("a registry");
    let (_, code) = said(&sandbox, &["tsm", "doctor", "reconcile"], "tsm-doctor-reconcile");
    assert_eq!(code, 3);
    assert_eq!(said(&sandbox, &["tsm", "ports", "validate"], "tsm-doctor").1, 3);
    let (rows, code) = said(&sandbox, &["tsm", "doctor", "reconcile", "--fix"], "tsm-doctor-reconcile");
    assert_eq!(code, 0, "{rows:#}");
    let registry = fs::read_to_string(sandbox.home().join("tsm/ports")).expect("a registry");
    assert_eq!(registry, format!("web:2\napi:{port}\n"));
}

#[test]
fn what_could_not_be_started_is_reported_before() {
    let sandbox = Sandbox::new();
    let (_stranger, port) = listener();
    let taken = port.to_string();
    let (verdict, code) =
        said(&sandbox, &["tsm", "doctor", "validate", "--port", &taken, "sleep", "5"], "tsm-doctor-validate");
    assert!(code == 3 && verdict["errors"][0].as_str().is_some_and(|error| error.contains(&taken)), "{verdict:#}");
    let (verdict, code) = said(&sandbox, &["tsm", "doctor", "validate", "sleep", "5"], "tsm-doctor-validate");
    assert_eq!((&verdict["valid"], code), (&json!(true), 0));
    let (found, code) = said(&sandbox, &["tsm", "doctor", "env", "none.env"], "tsm-doctor");
    assert!(code == 3 && wrong(&found)[0].contains("does not exist"));
    assert!(!sandbox.dir("sleep").exists());
}
