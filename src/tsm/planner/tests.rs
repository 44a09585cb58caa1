//! Every rule about names, flags, ports and variables, on real directories and no processes.

mod ports;
mod variables;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::base::environment::EnvName;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::OrgName;
use crate::supervise::limits::Limits;
use crate::supervise::meta::{Meta, ProcessState, RestartPolicy};
use crate::sys::paths::Paths;
use crate::tsm::allocate::{AllocationError, allocate, lowest_free};
use crate::tsm::conflict::{Conflict, PortHolder};
use crate::tsm::detect::ProcessType;
use crate::tsm::live_state::LiveState;
use crate::tsm::port::PortSpec;
use crate::tsm::store::Process;
use crate::tsm::terms::Terms;

/// A home, a directory `my-api` to work in, and a `bin` with the usual interpreters.
struct Fixture {
    dir: tempfile::TempDir,
    paths: Paths,
    variables: BTreeMap<String, String>,
    cwd: PathBuf,
    env: Option<EnvName>,
    org: Option<OrgName>,
    restart: Option<RestartPolicy>,
    processes: Vec<Process>,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("a directory");
        let bench = Self {
            paths: Paths::under(&root),
            variables: BTreeMap::from([("PATH".to_owned(), root.join("bin").display().to_string())]),
            cwd: root.join("my-api"),
            env: None,
            org: None,
            restart: None,
            processes: Vec::new(),
            dir,
        };
        for program in ["python3", "node", "bash", "npm", "sleep", "psql"] {
            bench.put(&format!("bin/{program}"), "", 0o755);
        }
        for script in ["server.py", "app.js", "server.js"] {
            bench.put(&format!("my-api/{script}"), "", 0o644);
        }
        bench.put("my-api/test-service.sh", "#!/bin/sh\n", 0o755);
        bench
    }

    fn put(&self, name: &str, text: &str, mode: u32) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn service(&self, name: &str, text: &str) {
        self.put(&format!("tetra/tsm/services-available/{name}.tsm"), text, 0o644);
    }

    fn around(&self) -> StartContext<'_> {
        StartContext {
            paths: &self.paths,
            cwd: &self.cwd,
            variables: &self.variables,
            org: self.org.as_ref(),
            env: self.env.as_ref(),
            restart: self.restart,
            limits: Limits::default(),
            terms: |_, env| match env.env.as_str() {
                "prod" => Ok(Terms { limits: Limits { nofile: 77, ..Limits::default() }, ..Terms::default() }),
                _ => Ok(Terms::default()),
            },
            processes: &self.processes,
        }
    }

    fn request(&self, line: &str) -> StartRequest {
        let words = shlex::split(line).expect("words");
        let mut parts = words.splitn(2, |word| word == "--").map(<[String]>::to_vec);
        StartRequest { program: parts.next().unwrap_or_default(), arguments: parts.next(), ..StartRequest::default() }
    }

    fn plan(&self, line: &str) -> StartPlan {
        plan(&self.request(line), &self.around()).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn with(&self, line: &str, edit: impl FnOnce(&mut StartRequest)) -> Result<StartPlan, PlanError> {
        let mut request = self.request(line);
        edit(&mut request);
        plan(&request, &self.around())
    }

    /// The name with nothing in the way.
    fn name(&self, plan: &StartPlan) -> String {
        allocate(plan, &self.processes, &|_| None).expect("a place").name.to_string()
    }

    fn process(&mut self, id: u32, name: &str, state: ProcessState) {
        let text =
            format!(r#"{{"tsm_id":{id},"name":"{name}","pid":0,"command":"sleep 30","cwd":"{}"}}"#, self.cwd.display());
        let mut meta: Meta = serde_json::from_str(&text).expect("a record");
        meta.set_state(state);
        let online = state == ProcessState::Online;
        meta.pid = if online { 4242 } else { 0 };
        let view = LiveState { state, supervised: online, alive: online, ..LiveState::UNKNOWN };
        let dir = self.paths.process(&name.parse().expect("a name"));
        self.processes.push(Process {
            name: name.parse().expect("a name"),
            dir,
            meta,
            live: view,
            record_error: None,
            unknown: None,
        });
    }
}

fn port(plan: &StartPlan) -> Option<(String, bool)> {
    plan.port.as_ref().map(|choice| (choice.spec.to_string(), choice.source.is_claim()))
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

// Names.

#[test]
fn the_published_naming_examples_hold() {
    let mut bench = Fixture::new();
    assert_eq!(bench.name(&bench.plan("python -m http.server 8000")), "my-api-http-8000");
    bench.put("demos/test/server.py", "", 0o644);
    bench.put("backend/app.js", "", 0o644);
    bench.cwd = bench.dir.path().join("demos/test");
    assert_eq!(bench.name(&bench.plan("python server.py 9000")), "test-server-9000");
    bench.cwd = bench.dir.path().join("backend");
    assert_eq!(bench.name(&bench.plan("node app.js 3000")), "backend-app-3000");
}

#[test]
fn the_name_flag_beats_service_name_beats_trailing_word_beats_package_json_beats_directory() {
    let bench = Fixture::new();
    bench.service("tetra", "TSM_NAME=web\nTSM_COMMAND='node server.js'\nTSM_CWD=../../../my-api\nTSM_PORT=4444\n");
    let named = |request: &mut StartRequest| request.name = Some("flag".to_owned());
    assert_eq!(bench.name(&bench.with("tetra", named).expect("a plan")), "flag-4444");
    assert_eq!(bench.name(&bench.plan("tetra")), "web-4444");
    assert_eq!(bench.name(&bench.with("./test-service.sh my-app", named).expect("a plan")), "flag");
    assert_eq!(bench.name(&bench.plan("./test-service.sh my-app")), "my-app");
    bench.put("my-api/package.json", r#"{"name":"@shop/web"}"#, 0o644);
    assert_eq!(bench.name(&bench.plan("npm run dev")), "shop-web");
    assert_eq!(bench.name(&bench.plan("node app.js")), "my-api-app", "package.json counts for package runners only");
}

#[test]
fn the_trailing_word_names_and_is_not_passed_on_unless_behind_two_hyphens() {
    let bench = Fixture::new();
    let plan = bench.plan("./test-service.sh my-app");
    assert_eq!(
        (bench.name(&plan).as_str(), plan.program.argv.last().map(String::as_str)),
        ("my-app", Some("./test-service.sh"))
    );
    let plan = bench.plan("./test-service.sh -- my-app");
    assert_eq!(
        (bench.name(&plan).as_str(), plan.program.argv.last().map(String::as_str)),
        ("my-api-test-service", Some("my-app"))
    );
    for line in ["node app.js 3000", "node app.js ./data", "node app.js -x", "node app.js a b"] {
        let plan = bench.plan(line);
        let words = shlex::split(line).expect("words");
        assert_eq!(plan.program.argv[1..], words[1..], "{line}");
    }
}

#[test]
fn illegal_given_names_are_refused_at_the_door() {
    let bench = Fixture::new();
    for name in ["", "a b", "12", "../x", "all"] {
        let error = bench.with("sleep 9", |request| request.name = Some(name.to_owned())).expect_err(name);
        assert_eq!(error.kind(), FaultKind::Usage);
    }
}

#[test]
fn what_is_given_or_has_a_port_is_refused_while_online_and_only_a_derived_portless_name_gets_a_number() {
    let mut bench = Fixture::new();
    bench.process(0, "api", ProcessState::Online);
    bench.process(1, "my-api-http-8000", ProcessState::Online);
    bench.process(2, "my-api-sleep", ProcessState::Online);
    let free = |_: u16| None;
    let given = bench.with("sleep 9", |request| request.name = Some("api".to_owned())).expect("a plan");
    let error = allocate(&given, &bench.processes, &free).expect_err("it runs");
    assert!(error.to_string().contains("already running") && error.kind() == FaultKind::Failed, "{error}");
    let with_port = bench.plan("python -m http.server 8000");
    assert!(matches!(allocate(&with_port, &bench.processes, &free), Err(AllocationError::AlreadyRunning { .. })));
    assert_eq!(bench.name(&bench.plan("sleep 9")), "my-api-sleep-2");
    let trailing = bench.plan("./test-service.sh api");
    assert!(matches!(allocate(&trailing, &bench.processes, &free), Err(AllocationError::AlreadyRunning { .. })));
}

#[test]
fn a_stopped_process_of_that_name_is_started_again_with_its_id() {
    let mut bench = Fixture::new();
    for (id, state) in [(5, ProcessState::Stopped), (6, ProcessState::Crashed), (7, ProcessState::Errored)] {
        bench.processes.clear();
        bench.process(id, "my-api-sleep", state);
        let plan = bench.plan("sleep 9");
        let allocation = allocate(&plan, &bench.processes, &|_| None).expect("a place");
        assert_eq!(
            (allocation.id, allocation.existing.is_some(), allocation.name.as_str()),
            (id, true, "my-api-sleep")
        );
    }
    bench.processes.clear();
    bench.process(3, "my-api-sleep", ProcessState::Waiting);
    let given = bench.with("sleep 9", |request| request.name = Some("my-api-sleep".to_owned())).expect("a plan");
    let cut_off = allocate(&given, &bench.processes, &|_| None).expect("without a supervisor it waits in vain");
    assert_eq!((cut_off.id, cut_off.existing.is_some()), (3, true));
    bench.processes[0].live.supervised = true;
    assert!(matches!(allocate(&given, &bench.processes, &|_| None), Err(AllocationError::Waiting { .. })));
}

#[test]
fn a_process_is_started_again_by_name_or_id_from_its_record_and_flags_override() {
    let mut bench = Fixture::new();
    bench.process(4, "web-3000", ProcessState::Stopped);
    let meta = &mut bench.processes[0].meta;
    meta.port = Some(3000);
    meta.run.argv = vec!["/usr/bin/node".to_owned(), "x y.js".to_owned()];
    meta.run.set = vec![pair("A", "1"), pair("PORT", "3000")];
    meta.prehook = "make ready".to_owned();
    for word in ["web-3000", "4", "web"] {
        let plan = bench.plan(word);
        assert_eq!(
            (bench.name(&plan).as_str(), plan.program.argv.len(), plan.pre_hook.as_str()),
            ("web-3000", 2, "make ready")
        );
        assert_eq!((port(&plan), plan.set), (Some(("3000".to_owned(), true)), vec![pair("A", "1")]));
    }
    let plan = bench.with("web-3000", |request| {
        request.port = Some(PortSpec::Exact(4000));
        request.env = vec!["A=2".to_owned()];
        request.options.restart = Some(RestartPolicy::Always);
    });
    let plan = plan.expect("a plan");
    assert_eq!((bench.name(&plan).as_str(), port(&plan)), ("web-3000", Some(("4000".to_owned(), true))));
    assert_eq!((plan.set.last(), plan.settings.restart), (Some(&pair("A", "2")), RestartPolicy::Always));
    let error = bench.with("99", |_| {}).expect_err("no such id");
    assert_eq!(error.kind(), FaultKind::NotFound);
}

#[test]
fn ids_are_the_lowest_free() {
    let mut bench = Fixture::new();
    assert_eq!(lowest_free(&bench.processes), 0);
    for id in [0, 1, 3, 7] {
        bench.process(id, &format!("p{id}"), ProcessState::Stopped);
    }
    assert_eq!(lowest_free(&bench.processes), 2);
    bench.processes.remove(0);
    assert_eq!(lowest_free(&bench.processes), 0);
}

// Flags and words.

#[test]
fn everything_behind_two_hyphens_and_a_services_command_is_opaque() {
    let bench = Fixture::new();
    let plan = bench.plan("-- node server.js --env dev --port 4001 name");
    assert_eq!(plan.program.argv[1..], ["server.js", "--env", "dev", "--port", "4001", "name"]);
    bench.service("tetra", "TSM_COMMAND=\"node server.js --env dev\"\nTSM_CWD=../../../my-api\nTSM_PORT=4444\n");
    let plan = bench.plan("tetra");
    assert_eq!(plan.program.argv[1..], ["server.js", "--env", "dev"]);
    assert_eq!((plan.env_files, plan.service.is_some()), (vec![], true), "`--env dev` is the program's");
    assert_eq!(bench.plan("app.js -i max").notes.len(), 1);
    assert_eq!(bench.plan("app.js -- -i max").notes, [""; 0], "it is meant for the script");
}

#[test]
fn one_word_with_spaces_is_split_and_with_operators_goes_to_bash() {
    let bench = Fixture::new();
    let plan = bench.plan("'node app.js \"a b\"'");
    assert_eq!(plan.program.argv[1..], ["app.js", "a b"]);
    let plan = bench.plan("'cd x && node app.js 3000'");
    assert_eq!(plan.program.argv[1..], ["-c", "cd x && node app.js 3000"]);
    assert!(plan.program.argv[0].ends_with("/bin/bash"));
    assert_eq!(bench.name(&plan), "my-api-app-3000");
    assert_eq!(plan.program.kind, ProcessType::Node);
}

#[test]
fn nothing_to_start_and_words_behind_a_service_are_wrong_usage() {
    let bench = Fixture::new();
    bench.service("api", "TSM_COMMAND='sleep 9'\n");
    for line in ["", "--", "api worker", "api -- x"] {
        assert_eq!(bench.with(line, |_| {}).expect_err(line).kind(), FaultKind::Usage, "{line}");
    }
}

#[test]
fn a_program_that_is_called_like_a_service_may_have_arguments() {
    let bench = Fixture::new();
    bench.service("psql", "TSM_COMMAND='sleep 9'\n");
    assert!(bench.plan("psql").service.is_some());
    assert_eq!(bench.plan("psql -h db").program.argv, ["psql", "-h", "db"]);
}

#[test]
fn a_file_with_spaces_in_its_name_is_one_word() {
    let bench = Fixture::new();
    bench.put("my-api/my server.py", "", 0o644);
    let plan = bench.plan("'my server.py'");
    assert_eq!((plan.program.argv[1].as_str(), bench.name(&plan).as_str()), ("my server.py", "my-api-my-server"));
}

#[test]
fn a_definition_file_is_started_by_its_path() {
    let bench = Fixture::new();
    bench.put("my-api/ops/web.tsm", "TSM_COMMAND='sleep 9'\n", 0o644);
    let plan = bench.plan("ops/web.tsm");
    assert_eq!((bench.name(&plan).as_str(), plan.cwd.ends_with("my-api/ops")), ("web", true));
    assert!(plan.service.is_some_and(|file| file.is_absolute()));
}

// Ports.

#[test]
fn defaults_are_the_documented_ones_and_the_policy_is_flag_then_service_then_environment() {
    let mut bench = Fixture::new();
    let kept = bench.plan("sleep 9").settings;
    assert_eq!((kept.restart, kept.max_restarts, kept.kill_timeout_ms), (RestartPolicy::Never, 15, 10_000));
    assert_eq!((kept.log_size, kept.log_keep), (10 * 1024 * 1024, 5));
    bench.restart = Some(RestartPolicy::OnFailure);
    assert_eq!(bench.plan("sleep 9").settings.restart, RestartPolicy::OnFailure);
    bench.service("api", "TSM_COMMAND='sleep 9'\nTSM_RESTART_ON_FAILURE=false\n");
    assert_eq!(bench.plan("api").settings.restart, RestartPolicy::Never);
    let flag = |request: &mut StartRequest| request.options.restart = Some(RestartPolicy::Always);
    assert_eq!(bench.with("api", flag).expect("a plan").settings.restart, RestartPolicy::Always);
}

#[test]
fn flags_override_what_the_service_says() {
    let bench = Fixture::new();
    bench.put("other/x", "", 0o644);
    bench
        .service("api", "TSM_COMMAND='sleep 9'\nTSM_CWD=../../../my-api\nTSM_PORT=4444\nTSM_PRE_COMMAND='test -f x'\n");
    let plan = bench.plan("api");
    assert_eq!((plan.cwd.ends_with("my-api"), plan.pre_hook.as_str()), (true, "test -f x"));
    let plan = bench.with("api", |request| {
        request.cwd = Some("../other".into());
        request.pre_hook = Some("true".to_owned());
        request.port = Some(PortSpec::Exact(5000));
        request.name = Some("b".to_owned());
    });
    let plan = plan.expect("a plan");
    assert_eq!(
        (plan.cwd.ends_with("other"), plan.pre_hook.as_str(), bench.name(&plan).as_str()),
        (true, "true", "b-5000")
    );
}

#[test]
fn a_directory_that_is_not_there_is_an_error_before_anything_is_made() {
    let bench = Fixture::new();
    let error = bench.with("sleep 9", |request| request.cwd = Some("gone".into())).expect_err("no directory");
    assert!(error.to_string().contains("gone") && error.kind() == FaultKind::NotFound);
    bench.service("api", "TSM_COMMAND='sleep 9'\nTSM_CWD=/nowhere/at/all\n");
    assert!(bench.with("api", |_| {}).expect_err("no directory").to_string().contains("/nowhere/at/all"));
    assert!(!bench.paths.runtime().exists());
}

#[test]
fn a_missing_script_is_the_published_error() {
    let bench = Fixture::new();
    let error = bench.with("script.sh", |_| {}).expect_err("missing");
    assert_eq!(error.to_string(), "tsm: 'script.sh' not found or not executable");
    bench.put("my-api/script.sh", "#!/bin/sh\n", 0o644);
    let error = bench.with("script.sh", |_| {}).expect_err("no x-bit");
    assert_eq!(error.advice().as_deref(), Some("chmod +x script.sh"));
}
