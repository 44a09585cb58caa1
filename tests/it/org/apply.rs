//! What an apply does to what runs: exactly what changed is restarted, and where a step fails everything is as it was.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use tetra::supervise::meta::{self, Meta, ProcessState};
use tetra::sys::host::Host;
use tetra::sys::os_host::OsHost;

use super::{acme_of_user, change, made, read};
use crate::fault_injection::can_break;
use crate::ports::free_ports;
use crate::sandbox::signal;
use crate::schema::{misfits, schema};
use crate::waiting::eventually;
use crate::world::{PROGRAM, World};

#[test]
fn where_an_environment_is_copied_to_the_organization_of_a_server_is_advised() {
    let said = World::new().run("org apply @dev --org acme").failed(5);
    assert!(said.contains("`tsm org init acme --server` creates it where environments are copied to"), "{said}");
}

/// An environment with services that run.
struct Live {
    world: World,
    local: PathBuf,
}

impl Live {
    /// The services of `text`, promoted, applied and started.
    fn with(text: &str) -> Self {
        // Root may apply what an ordinary user runs; another user only what is their own.
        let real = OsHost::new();
        let user = if nix::unistd::geteuid().is_root() { "operator" } else { real.user() };
        let (world, environments) = made("org init acme", &[("USER", user)]);
        let local = environments.join("local.toml");
        let whole = read(&local);
        let (from, to) = (whole.find("[services.tetra]").expect("there"), whole.find("[resources]").expect("there"));
        fs::write(&local, format!("{}{}\n{text}", &whole[..from], &whole[to..])).expect("written");
        let mut live = Self { world, local };
        live.apply().done();
        live.world.run("tsm startup").done();
        live
    }

    fn apply(&mut self) -> crate::world::LineResult {
        self.world.run("org promote @dev").done();
        self.world.run("org apply @dev")
    }

    fn change(&mut self, old: &str, new: &str) {
        change(&self.local, old, new);
    }

    /// What `MODE` is for a process.
    fn mode(&self, name: &str) -> String {
        let set = self.record(name).run.set;
        set.into_iter().find(|(name, _)| name == "MODE").map(|(_, mode)| mode).unwrap_or_default()
    }

    /// Waits until an apply that was interrupted has ended, with everything as it was.
    #[track_caller]
    fn has_put_back(&self, apply: Child, files: &[(PathBuf, Vec<u8>)]) {
        let output = apply.wait_with_output().expect("it ended");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted") && said.contains("everything was put back"), "{said}");
        assert_eq!((self.files().as_slice(), self.mode("web").as_str()), (files, "old"));
    }

    fn record(&self, name: &str) -> Meta {
        let dir = self.world.paths().process(&name.parse().expect("a name"));
        meta::read(&dir).expect("readable").expect("a record")
    }

    fn pids(&self, names: &[&str]) -> Vec<u32> {
        names.iter().map(|name| self.record(name).pid).collect()
    }

    fn definition(&self, name: &str) -> String {
        read(self.world.paths().service(&name.parse().expect("a name")))
    }

    /// Everything that an apply may change.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = super::files(&self.world.paths().services_available());
        all.extend(super::files(&self.world.paths().services_enabled()));
        all
    }
}

/// Two services, of which one needs the other; `MODE` decides whether they live.
const PAIR: &str = "[services.web]\ncommand = \"bash -c 'test $MODE != sick && exec sleep 1000'\"\ndepends_on = ['api']\n\
                    [services.web.export]\nMODE = 'web'\n\
                    [services.api]\ncommand = \"bash -c 'test $MODE != sick && exec sleep 1000'\"\n\
                    [services.api.export]\nMODE = 'api'\n";

#[test]
fn exactly_what_changed_is_restarted_in_order_and_twice_is_once() {
    let mut live = Live::with(PAIR);
    let first = live.pids(&["api", "web"]);
    let said = live.apply();
    assert!(said.stderr.contains("acme/dev is applied already; nothing was changed"), "{}", said.stderr);
    assert_eq!(live.pids(&["api", "web"]), first);

    // One of them.
    live.change("MODE = 'web'", "MODE = 'other'");
    let plan = live.world.run("org promote @dev; org apply @dev --dry-run").done();
    assert!(plan.contains("restart web (MODE)") && plan.contains("unchanged"), "{plan}");
    assert_eq!(live.pids(&["api", "web"]), first, "a dry run changes nothing");
    let said = live.apply();
    assert!(said.stderr.contains("restarted web") && !said.stderr.contains("restarted api"), "{}", said.stderr);
    let second = live.pids(&["api", "web"]);
    assert!(second[0] == first[0] && second[1] != first[1]);

    // What is in no definition: limits. And what is the same for all of them: the level of logs.
    live.change("memory_max = 0  ", "memory_max = 0\nlimit_nofile = 4096 #");
    fs::write(
        &live.local,
        read(&live.local) + "[overrides.dev]\nresources.limit_nofile = 1234\nlogging.level = 'error'\n",
    )
    .expect("written");
    let said = live.apply().stderr;
    let (api, web) = (said.find("restarted api").expect("api"), said.find("restarted web").expect("web"));
    assert!(api < web, "the dependency is the first: {said}");
    assert_eq!(live.record("api").run.limits.nofile, 1234);
    assert!(live.definition("web").contains("export LOG_LEVEL=\"error\"\nexport LOG_FORMAT=\"json\""));
    let third = live.pids(&["api", "web"]);
    live.apply().done();
    assert_eq!(live.pids(&["api", "web"]), third);

    // A line of the definition that no process takes over restarts nothing.
    live.change("MODE = 'api'", "MODE = 'api'\n[services.late]\ncommand = 'sleep 1000'\n");
    let said = live.apply();
    assert!(said.stderr.contains("started late"), "the environment runs, so what is new is started: {}", said.stderr);
    assert_eq!(live.pids(&["api", "web"]), third);
}

/// A restart would run it at once.
#[test]
fn what_waits_for_its_hour_keeps_its_definition_and_is_named() {
    let mut live = Live::with(PAIR);
    let ran = live.world.work().join("ran");
    let job = format!("command = \"sh -c 'echo one >> {}'\"\ncron = '0 0 29 2 *'\ntype = 'oneshot'\n", ran.display());
    live.change("[services.api]\n", &format!("[services.night]\n{job}[services.api]\n"));
    live.apply().done();
    eventually("it waits", || live.record("night").state == ProcessState::Scheduled);
    assert!(!live.apply().stderr.contains("night: waits"), "it is as defined");
    live.change("echo one", "echo two");
    let said = live.apply();
    let named = "night: waits for its hour as it was defined before: `tsm restart night` runs it now";
    assert!(said.stderr.contains(named), "{}", said.stderr);
    assert_eq!(read(&ran), "one\n");
    live.world.run("tsm restart night").done();
    eventually("it ran as defined", || read(&ran) == "one\ntwo\n");
    assert!(!live.apply().stderr.contains("night: waits"), "it is as defined");
}

#[test]
fn what_was_stopped_stays_stopped_and_what_was_removed_is_named() {
    let mut live = Live::with(PAIR);
    live.world.run("tsm stop web").done();
    live.change("MODE = 'web'", "MODE = 'other'");
    let said = live.apply();
    assert!(said.stderr.contains("web: stopped, and stays so: `tsm start web` starts it"), "{}", said.stderr);
    assert_eq!(live.record("web").pid, 0);
    live.world.run("tsm start web").done();
    let done = live.world.work().join("done");
    let job = format!("command = \"bash -c 'until test -e {}; do sleep 0.1; done'\"\n", done.display());
    live.change("[services.api]\n", &format!("[services.job]\nrestart = 'never'\n{job}[services.api]\n"));
    live.apply().done();
    fs::write(&done, "").expect("written");
    eventually("the job has done its work", || live.record("job").last_exit.is_some());
    let said = live.world.run("org apply @dev");
    assert!(!said.stderr.contains("stays so"), "{}", said.stderr);
    let text = read(&live.local);
    let (from, to) = (text.find("[services.web]").expect("there"), text.find("[services.api]").expect("there"));
    fs::write(&live.local, format!("{}{}", &text[..from], &text[to..])).expect("written");
    let said = live.apply();
    assert!(said.stderr.contains("web still runs: `tsm delete web`"), "{}", said.stderr);
    assert_ne!(live.record("web").pid, 0);
}

#[test]
fn a_service_that_does_not_come_up_puts_everything_back() {
    let mut live = Live::with(PAIR);
    let files = live.files();
    let before = live.pids(&["api", "web"]);
    // The first comes up, the second does not; a third is new.
    live.change("MODE = 'api'", "MODE = 'new'\n[services.late]\ncommand = 'sleep 1000'\n");
    live.change("MODE = 'web'", "MODE = 'sick'");
    let said = live.apply().failed(14);
    assert!(said.contains("the environment was not applied") && said.contains("everything was put back"), "{said}");
    assert!(said.contains("`tsm logs web` shows its output") && !said.contains("tsm stop"), "{said}");
    assert_eq!(live.files(), files);
    let after = live.pids(&["api", "web"]);
    assert!(after.iter().all(|pid| *pid != 0) && after[1] != before[1], "{after:?}");
    for (name, mode) in [("api", "api"), ("web", "web")] {
        let set = live.record(name).run.set;
        assert!(set.contains(&("MODE".to_owned(), mode.to_owned())), "{set:?}");
    }
    assert!(!live.world.paths().process(&"late".parse().expect("a name")).exists());
    // It is tried again as a whole once it is mended.
    live.change("MODE = 'sick'", "MODE = 'well'");
    live.apply().done();
    assert!(live.record("web").run.set.contains(&("MODE".to_owned(), "well".to_owned())));
    assert!(live.world.run("tsm list").done().contains("late"));
}

#[test]
fn one_apply_at_a_time() {
    let (mut world, _) = acme_of_user();
    world.run("org promote @dev").done();
    let directory = world.paths().org(&"acme".parse().expect("a name"));
    let other = fs::File::open(directory).expect("it exists");
    other.lock().expect("locked");
    world.run("org apply @dev --dry-run").done();
    world.run("org apply @dev").failed(10);
    drop(other);
    world.run("org apply @dev").done();
}

#[test]
fn ctrl_c_while_health_is_waited_for_puts_everything_back() {
    let (mut live, healthy) = with_health();
    let files = live.files();
    live.change("MODE = 'old'", "MODE = 'new'");
    live.world.run("org promote @dev").done();
    fs::remove_file(&healthy).expect("removed");
    let mut command = live.world.program(PROGRAM);
    command.args(["org", "apply", "@dev", "--org", "acme"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("tetra runs");
    eventually("the new one runs", || live.mode("web") == "new");
    signal(child.id(), Signal::SIGINT);
    eventually("the old one runs again", || live.mode("web") == "old");
    fs::write(&healthy, "").expect("written");
    live.has_put_back(child, &files);
}

#[test]
fn ctrl_c_that_comes_with_the_last_answer_puts_everything_back_too() {
    if !can_break() {
        return;
    }
    let (mut live, _) = with_health();
    let files = live.files();
    live.change("MODE = 'old'", "MODE = 'new'");
    live.world.run("org promote @dev").done();
    let health = live.world.paths().process(&"web".parse().expect("a name")).join("health.json");
    // Each look is so late that the new one is healthy before it, and the signal comes meanwhile.
    let mut command = live.world.program("strace");
    command.args(["-D", "-q", "-o", "/dev/null", "-e", "inject=openat2:delay_enter=1000000", "-P"]).arg(&health);
    command.arg(PROGRAM).args(["org", "apply", "@dev", "--org", "acme"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("strace runs");
    eventually("the new one is healthy", || {
        live.mode("web") == "new" && read(&health).contains(&live.record("web").run_state.nonce)
    });
    signal(child.id(), Signal::SIGINT);
    live.has_put_back(child, &files);
}

/// A service that is healthy as long as a file exists, and the file.
fn with_health() -> (Live, PathBuf) {
    let mut live = Live::with("");
    let healthy = live.world.file("healthy", "");
    let health = format!("health = \"exec:test -e {}\"\nhealth_interval = '1s'\n", healthy.display());
    let web = format!("[services.web]\ncommand = 'sleep 1000'\n{health}[services.web.export]\nMODE = 'old'\n");
    fs::write(&live.local, read(&live.local) + &web).expect("written");
    live.apply().done();
    live.world.run("tsm startup").done();
    (live, healthy)
}

#[test]
fn a_limit_under_which_nothing_lives_is_taken_back_too() {
    let mut live = Live::with("[services.web]\ncommand = \"bash -c 'test $(ulimit -n) -ge 100 && exec sleep 1000'\"\n");
    let before = live.record("web").run.limits;
    fs::write(&live.local, read(&live.local) + "[overrides.dev]\nresources.limit_nofile = 64\n").expect("written");
    live.apply().failed(14);
    eventually("it runs as before", || live.record("web").pid != 0 && live.record("web").run.limits == before);
}

#[test]
fn a_limit_that_the_machine_lowers_is_said_once() {
    let services =
        "[services.web]\ncommand = \"sleep 1001\"\n[services.api]\ncommand = \"sleep 1002\"\ndepends_on = [\"web\"]\n";
    let mut live = Live::with(&format!("{services}[overrides.dev]\nresources.limit_nofile = 4000000000\n"));
    let lowered = "limit_nofile is reduced to";
    for name in ["web", "api"] {
        live.world.run(&format!("tsm stop {name}")).done();
    }
    let said = live.world.run("tsm startup");
    assert_eq!(said.stderr.matches(lowered).count(), 1, "{}", said.stderr);
    // One after the other, then one that ends, and the others as they were.
    live.change("sleep 1001", "sleep 1003");
    live.change("sleep 1002", "sleep 1004");
    let said = live.apply();
    assert_eq!((said.code, said.stderr.matches(lowered).count()), (0, 1), "{}", said.stderr);
    live.change("sleep 1003", "sleep 1005");
    live.change("[services.api]", "[services.new]\ncommand = \"false\"\ndepends_on = [\"api\"]\n[services.api]");
    let said = live.apply();
    assert_eq!((said.code, said.stderr.matches(lowered).count()), (14, 1), "{}", said.stderr);
}

#[test]
fn what_could_not_be_started_again_is_refused_before_anything_is_changed() {
    let mut live = Live::with(PAIR);
    let (files, before) = (live.files(), live.pids(&["api", "web"]));
    live.change("exec sleep 1000'\"\ndepends_on", "exec sleep 1000'\"\ncwd = '/no/such'\ndepends_on");
    live.change("MODE = 'api'", "MODE = 'new'");
    let said = live.apply().failed(13);
    assert!(said.contains("`web` cannot be restarted as it is defined now") && said.contains("/no/such"), "{said}");
    assert_eq!((live.files(), live.pids(&["api", "web"])), (files, before));
}

#[test]
fn an_env_file_that_was_written_again_is_a_change() {
    let mut live = Live::with("[services.web]\ncommand = 'sleep 1000'\ncwd = '~/tetra'\n");
    let env = live.world.home().join("tetra/env/dev.env");
    fs::create_dir_all(env.parent().expect("a directory")).expect("made");
    fs::write(&env, "A=1\n").expect("written");
    assert!(live.apply().stderr.contains("restarted web"), "now it has one");
    let before = live.record("web").pid;
    live.apply().done();
    assert_eq!(live.record("web").pid, before);
    fs::write(&env, "A=2\n").expect("written");
    let json: Value = serde_json::from_str(&live.world.run("org apply @dev --dry-run --json").done()).expect("JSON");
    assert_eq!(misfits(&json, &schema("org-apply")), Vec::<String>::new());
    assert_eq!(json[0]["changes"], serde_json::json!(["env file contents"]));
    live.apply().done();
    assert_ne!(live.record("web").pid, before);
}

/// The times of files are those of the last tick of the kernel, so a start may seem to be later than what was written after it.
#[test]
fn an_env_file_of_the_tick_of_a_start_is_a_change_if_the_process_has_other_variables() {
    let mut live = Live::with("[services.web]\ncommand = \"sh -c 'exec sleep 1000'\"\ncwd = '~/tetra'\n");
    let env = live.world.home().join("tetra/env/dev.env");
    fs::create_dir_all(env.parent().expect("a directory")).expect("made");
    fs::write(&env, "A=1\n").expect("written");
    assert!(live.apply().stderr.contains("restarted web"), "now it has one");
    let before = live.record("web").pid;
    for (text, is_changed) in [("A=1\n", false), ("A=2\n", true), ("", true)] {
        fs::write(&env, text).expect("written");
        let found = fs::metadata(&env).expect("there");
        let changed = found.ctime() * 1000 + found.ctime_nsec() / 1_000_000;
        let mut record = live.record("web");
        record.run_state.started_ms = u64::try_from(changed).expect("after 1970") + 1;
        meta::write(&live.world.paths().process(&"web".parse().expect("a name")), &record).expect("written");
        let plan = live.world.run("org apply @dev --dry-run").output;
        assert_eq!(plan.contains("env file contents"), is_changed, "{text:?}: {plan}");
        assert_eq!(live.record("web").pid, before);
    }
}

#[test]
fn another_port_is_another_name_and_the_old_one_goes_once_the_new_one_is_ready() {
    let ports = free_ports(4);
    let (old, new) = (ports.start, ports.start + 1);
    let server = "exec python3 -m http.server $PORT --bind 127.0.0.1";
    let mut live = Live::with(&format!(
        "[services.web]\ncommand = \"bash -c 'test $MODE != sick && {server}'\"\nport = {old}\n\
                                        env_flag = false\n[services.web.export]\nMODE = 'a'\n"
    ));
    let first = live.record(&format!("web-{old}")).pid;
    live.change(&format!("port = {old}"), &format!("port = {new}"));
    live.change("MODE = 'a'", "MODE = 'sick'");
    live.apply().failed(14);
    let back = live.record(&format!("web-{old}")).pid;
    assert!(back != 0 && back != first);
    assert!(!live.world.paths().process(&format!("web-{new}").parse().expect("a name")).exists());
    live.change("MODE = 'sick'", "MODE = 'a'");
    let said = live.apply();
    assert!(said.output.contains(&format!("replace web-{old} by web-{new}")), "{}", said.output);
    assert_ne!(live.record(&format!("web-{new}")).pid, 0);
    assert!(!live.world.paths().process(&format!("web-{old}").parse().expect("a name")).exists());
}

#[test]
fn the_strategy_of_the_organization_is_that_of_its_services() {
    let mut live = Live::with(PAIR);
    let manifest = live.world.paths().manifest(&"acme".parse().expect("a name"));
    change(&manifest, "strategy = \"rolling\"", "strategy = \"recreate\"");
    live.apply().done();
    assert!(live.definition("web").contains("TSM_STRATEGY=\"recreate\""));
    change(&manifest, "strategy = \"recreate\"", "strategy = \"sometimes\"");
    assert!(live.world.run("org apply @dev").failed(1).contains("`deployment.strategy` must be"));
}

#[test]
fn every_key_of_every_built_in_environment_is_explained() {
    let (mut world, environments) = acme_of_user();
    world.run("org promote @dev @staging @prod --yes").done();
    for env in ["dev", "staging", "prod"] {
        let said = world.run(&format!("org apply @{env} --explain --json")).done();
        let rows: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(misfits(&rows, &schema("org-apply-explain")), Vec::<String>::new());
        let rows = rows.as_array().expect("rows");
        let text: toml::Table = read(environments.join(format!("{env}.toml"))).parse().expect("TOML");
        for table in ["security", "backup", "monitoring", "logging", "resources"] {
            for key in text[table].as_table().expect("a table").keys() {
                let path = format!("{table}.{key}");
                let row = rows.iter().find(|row| row["key"] == *path).unwrap_or_else(|| panic!("{path} in @{env}"));
                assert!(!row["effect"].as_str().expect("a text").contains("of your own"), "{path}: {row}");
            }
        }
        let row = |key: &str| rows.iter().find(|row| row["key"] == key).expect("a row")["declared_only"].clone();
        assert_eq!((row("logging.level"), row("backup.enabled")), (false.into(), true.into()));
    }
    assert!(world.run("org apply @dev --explain").done().contains("declared only: tetra makes no backups"));
}

#[test]
fn the_unit_that_is_installed_follows_its_environment_and_comes_back_where_a_service_fails() {
    let home = crate::transcript::SessionHome::new();
    let scene =
        "export PATH=~/fake:$PATH TETRA_UNIT_DIR=~/units TETRA_ORG=acme; L=tetra/org/acme/environments/local.toml; ";
    let run = |lines: &str| home.bash(&format!("{scene}{lines}"));
    let port = free_ports(2).start;
    let begin = "mkdir -p fake units/system units/user && printf '#!/bin/sh\\necho \"$@\" >> ~/calls\\n' > fake/systemctl && \
                 cp fake/systemctl fake/systemd-analyze && chmod +x fake/* && org init acme >/dev/null 2>&1 && \
                 sed -i 's|^command = .*|command = \"python3 -m http.server PORT --bind 127.0.0.1\"|; s|^cwd = .*|cwd = \"/\"|' $L && \
                 printf '\\n[overrides.dev]\\nports.tetra = PORT\\nresources.memory_max = 200\\n' >> $L && \
                 tsm org promote @dev >/dev/null 2>&1 && tsm org apply @dev 2>&1 && tsm startup 2>&1";
    let (said, code) = run(&begin.replace("PORT", &port.to_string()));
    assert!(code == 0 && !said.contains("reload"), "no unit is installed: {said}");
    let (said, _) = run("tsm daemon install @dev --dry-run --json 2>/dev/null");
    let planned: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let (file, text) = (planned["file"].as_str().expect("a file"), planned["text"].as_str().expect("a text"));
    assert!(text.contains("MemoryMax=200M"), "{text}");
    run(&format!("cat > {file} <<'END'\n{text}END"));

    let (said, code) = run("tsm org apply @dev 2>&1");
    assert!(code == 0 && said.contains("applied already"), "{said}");
    let promote = "tsm org promote @dev >/dev/null 2>&1; ";
    let (said, code) = run(&format!(
        "sed -i 's/^resources.memory_max = 200/resources.memory_max = 300/' $L; {promote}tsm org apply @dev 2>&1; cat calls {file}"
    ));
    assert!(code == 0 && said.contains("reload (MemoryMax)") && said.contains("tsm daemon restart @dev"), "{said}");
    assert!(
        said.contains("daemon-reload") && said.contains("MemoryMax=300M") && said.contains("restarted tetra"),
        "{said}"
    );
    let (said, code) = run("tsm org apply @dev 2>&1");
    assert!(code == 0 && said.contains("applied already"), "{said}");

    let (said, code) = run(&format!(
        "sed -i 's/^resources.memory_max = 300/resources.memory_max = 400/; s/python3 -m [^\"]*/false/' $L; {promote}tsm org apply @dev 2>&1"
    ));
    assert!(code == 14 && said.contains("everything was put back"), "{said}");
    let (said, _) = run(&format!("cat {file}; tsm list; tsm delete all"));
    assert!(said.contains("MemoryMax=300M") && said.contains("online"), "{said}");
    // An edit is the operator's.
    let (said, code) =
        run(&format!("sed -i 's/^MemoryMax=.*/MemoryMax=1G/' {file}; tsm org apply @dev 2>&1; cat {file}"));
    assert!(
        code == 0 && said.contains("tetra-dev.service was left as it is") && said.contains("MemoryMax=1G"),
        "{said}"
    );
}

#[test]
fn a_unit_that_is_too_exposed_or_cannot_be_loaded_keeps_the_environment_from_being_applied() {
    let home = crate::transcript::SessionHome::new();
    let scene =
        "export PATH=~/fake:$PATH TETRA_UNIT_DIR=~/units TETRA_ORG=acme; L=tetra/org/acme/environments/local.toml; ";
    let run = |lines: &str| home.bash(&format!("{scene}{lines}"));
    let analyzer = |what: &str, says: &str| {
        run(&format!(
            "printf '#!/bin/sh\\ncase \"$*\" in *{what}*) echo \"{says}\"; exit 1 ;; esac\\n' > fake/systemd-analyze && \
             chmod +x fake/systemd-analyze"
        ));
    };
    let begin = "mkdir -p fake units/system units/user && ln -s /bin/true fake/systemctl && org init acme >/dev/null 2>&1 && \
                 printf '\\n[overrides.dev]\\nresources.memory_max = 200\\ndaemon.scope = \"system\"\\n' >> $L && \
                 echo \"deployment.user = '$(id -un)'\" >> $L && tsm org promote @dev >/dev/null 2>&1";
    run(begin);
    analyzer("nothing", "");
    let (said, _) = run("tsm daemon install @dev --dry-run --json 2>/dev/null");
    let planned: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let (file, text) = (planned["file"].as_str().expect("a file"), planned["text"].as_str().expect("a text"));
    run(&format!("cat > {file} <<'END'\n{text}END"));
    run("sed -i 's/^resources.memory_max = .*/resources.memory_max = 300/' $L; tsm org promote @dev >/dev/null 2>&1");
    for (what, says, code, expected) in [
        ("security", "Overall exposure level for tetra-dev.service: 9.6 UNSAFE", 4, "would be too exposed: 9.6 of 10"),
        ("verify", "Unknown section Serfice", 1, "systemd rejects the unit"),
    ] {
        analyzer(what, says);
        let (said, found) = run("tsm org apply @dev 2>&1");
        assert!(found == code && said.contains(expected), "{found}: {said}");
        let (said, _) = run(&format!("cat {file}; ls tetra/tsm/services-available 2>&1"));
        assert!(said.starts_with(text) && !said.contains(".tsm"), "{said}");
    }
}

#[test]
fn which_organization_is_asked_before_which_environment() {
    let mut world = World::new();
    for line in ["org apply", "org apply @dev", "org apply --explain"] {
        assert!(world.run(line).failed(3).contains("organization"), "{line}");
    }
    for line in ["org apply --org acme", "org apply @dev --org acme"] {
        assert!(world.run(line).failed(5).contains("organization `acme` does not exist"), "{line}");
    }
}
