//! The files of an application: gathered, carried, entered, and left out.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use super::{Host, Site};
use crate::sandbox::kill_hard;
use crate::waiting::eventually;

/// A service in the release, one beside it, and the files.
const SERVICES: &str = "[services.web]\ncommand = './bin/run'\nrestart = 'always'\n\
                        [services.web.export]\nMODE = 'one'\n\
                        [services.api]\ncommand = './run'\ncwd = 'api'\n\
                        [services.other]\ncommand = 'sleep 1000'\ncwd = '/'\n\
                        [release]\nfrom = 'dist/'\nexclude = ['*.map', 'cache']\n";

impl Site {
    /// Writes the application on the operator's machine, with its version.
    fn application(&self, version: &str) {
        let dist = self.world.home().join("tetra/dist");
        for dir in ["bin", "api", "cache"] {
            fs::create_dir_all(dist.join(dir)).expect("made");
        }
        fs::write(dist.join("version"), version).expect("written");
        fs::write(dist.join("app.js.map"), "not wanted").expect("written");
        fs::write(dist.join("cache/x"), "not wanted").expect("written");
        let script = "#!/bin/sh\necho \"$(pwd -P) $(cat $(dirname $0)/../version) $COLOR\" > /root/seen-$(basename $TSM_PROCESS_DIR)\nexec sleep 1000\n";
        for path in ["bin/run", "api/run"] {
            let _ = fs::remove_file(dist.join(path));
            fs::write(dist.join(path), script).expect("written");
            fs::set_permissions(dist.join(path), fs::Permissions::from_mode(0o700)).expect("ours");
        }
        let _ = symlink("version", dist.join("link"));
    }
}

impl Host {
    /// Where a service was started, and what it saw there.
    fn seen(&self, service: &str) -> String {
        fs::read_to_string(self.server.root().join(format!("seen-{service}"))).unwrap_or_default().trim().to_owned()
    }

    fn pid(&self, service: &str) -> u64 {
        let path = self.tetra().join(format!("tsm/runtime/processes/{service}/meta.json"));
        let meta: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).expect("it runs")).expect("JSON");
        meta["pid"].as_u64().expect("a number")
    }

    #[track_caller]
    fn sees(&self, service: &str, version: &str) {
        let release = format!("/root/{}/org/acme/releases/{}/app", self.dir, self.current().expect("one"));
        let below = if service == "api" { "/api" } else { "" };
        eventually(version, || self.seen(service).starts_with(&format!("{release}{below} {version}")));
    }
}

#[test]
fn services_run_in_the_release_and_are_restarted_when_its_files_change() {
    let Some(mut site) = Site::new("services_run_in_the_release", 1) else { return };
    site.deploy("").done();
    site.services(SERVICES);
    site.application("1");
    let host = &site.hosts[0];
    // Every service of dev has this one.
    let env_file = host.tetra().join("env/dev.env");
    fs::create_dir_all(env_file.parent().expect("one")).expect("ours");
    fs::write(&env_file, "COLOR=red\n").expect("ours");
    fs::set_permissions(&env_file, fs::Permissions::from_mode(0o600)).expect("ours");
    let first = site.deploy("");
    assert_eq!(first.code, 0, "{first:?}");
    let host = &site.hosts[0];
    host.sees("web", "1 red");
    host.sees("api", "1");
    let app = host.org().join("current/app");
    let mode = |path: &str| fs::symlink_metadata(app.join(path)).expect(path).permissions().mode() & 0o777;
    assert_eq!([mode("bin/run"), mode("version"), mode("bin")], [0o555, 0o444, 0o555]);
    assert_eq!(fs::read_link(app.join("link")).expect("a link"), Path::new("version"));
    assert!(!app.join("app.js.map").exists() && !app.join("cache").exists());

    // Other files: what runs in them is restarted, and nothing else.
    let before = ["web", "api", "other"].map(|name| host.pid(name));
    site.application("2");
    let second = site.deploy("").done();
    assert!(second.contains("restarts web (TETRA_APPLICATION)") && !second.contains("restarts other"), "{second}");
    let host = &site.hosts[0];
    host.sees("web", "2 red");
    host.sees("api", "2");
    let after = ["web", "api", "other"].map(|name| host.pid(name));
    assert!(after[0] != before[0] && after[1] != before[1] && after[2] == before[2], "{before:?} {after:?}");

    // The same files: nothing is restarted; the next start is in the release that is current then.
    let old = host.current();
    site.services(&SERVICES.replace("sleep 1000", "sleep 1001"));
    site.deploy("").done();
    let host = &site.hosts[0];
    assert_eq!(["web", "api"].map(|name| host.pid(name)), after[..2]);
    assert!(host.current() != old && host.seen("web").contains(&old.expect("one")));
    kill_hard(u32::try_from(after[0]).expect("a pid"));
    host.sees("web", "2 red");

    // The release before has its own files.
    site.application("3");
    site.deploy("").done();
    site.hosts[0].sees("api", "3");
    site.world.run("org deploy rollback --env @dev --min-healthy-time 0s").done();
    site.hosts[0].sees("api", "2");
}

#[test]
fn a_build_command_runs_first_and_its_failure_changes_nothing() {
    let Some(mut site) = Site::new("a_build_command_runs_first", 1) else { return };
    let release =
        |build: &str| format!("[services.web]\ncommand = 'sleep 1000'\n[release]\nfrom = 'out'\nbuild = \"{build}\"\n");
    site.services(&release("echo to build; echo oh >&2; exit 3"));
    let said = site.deploy("").failed(13);
    assert!(said.contains("to build") && said.contains("oh") && said.contains("ended with 3; nothing was"), "{said}");
    assert!(!site.hosts[0].org().join("releases").exists());
    site.services(&release("mkdir -p out && echo built > out/data && echo made it"));
    let plan = site.deploy("--plan").failed(5);
    assert!(plan.contains("tetra/out` of application files does not exist"), "{plan}");
    assert!(!site.world.home().join("tetra/out").exists());
    let done = site.deploy("");
    assert!(done.code == 0 && done.stderr.contains("made it"), "{done:?}");
    assert_eq!(fs::read_to_string(site.hosts[0].org().join("current/app/data")).ok().as_deref(), Some("built\n"));
}

#[test]
fn a_build_command_that_says_nothing_is_said_to_go_on() {
    let Some(site) = Site::new("a_build_command_that_says_nothing_is_said_to_go_on", 1) else { return };
    let go = site.world.work().join("go");
    let build = format!("until test -e {}; do sleep 0.02; done; mkdir -p out && echo made > out/data", go.display());
    site.services(&format!("[services.web]\ncommand = 'sleep 1000'\n[release]\nfrom = 'out'\nbuild = \"{build}\"\n"));
    let mut deployer = site.start("--min-healthy-time 0s", Stdio::piped());
    let mut lines = BufReader::new(deployer.0.stderr.take().expect("piped")).lines().map(|line| line.expect("text"));
    let still = lines.find(|line| line.starts_with("still running `until test")).expect("a sign of life");
    assert!(still.ends_with(" s)"), "{still}");
    fs::write(&go, "").expect("ours");
    let last = lines.last().expect("a sentence");
    assert!(last.starts_with("dev: 1 host runs "), "{last}");
    assert_eq!(deployer.0.wait().expect("ours").code(), Some(0));
}

#[test]
fn what_looks_like_a_secret_or_leads_out_is_refused_before_a_host_is_asked() {
    let Some(mut site) = Site::new("what_looks_like_a_secret_is_refused", 1) else { return };
    site.services(SERVICES);
    site.application("1");
    let dist = site.world.home().join("tetra/dist");
    for name in [".env", "api/server.pem", "id_deploy"] {
        fs::write(dist.join(name), "A=1").expect("written");
        let said = site.deploy("").failed(13);
        assert!(
            said.contains(&format!("dist/{name}` cannot be part of a release")) && said.contains("`exclude`"),
            "{said}"
        );
        fs::remove_file(dist.join(name)).expect("ours");
    }
    symlink("/etc/passwd", dist.join("passwd")).expect("ours");
    let said = site.deploy("").failed(13);
    assert!(said.contains("it is a link that leaves the release"), "{said}");
    assert!(!site.hosts[0].org().exists(), "the host was not asked");
    site.services("[services.web]\ncommand = 'sleep 1000'\n[release]\nform = 'dist'\n");
    let said = site.deploy("").failed(1);
    assert!(said.contains("unknown key `release.form`"), "{said}");
}
