//! Plans as files, deploys that wait for others, and what says how hosts are switched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use super::Site;
use super::secrecy::write_private;
use crate::sandbox::{ChildGuard, kill_hard};
use crate::waiting::eventually;

/// A deploy in the background, and the file of what it says.
fn begin(site: &Site, options: &str) -> (ChildGuard, PathBuf) {
    let path = site.world.work().join("said.txt");
    let file = fs::File::create(&path).expect("ours");
    (site.start(&format!("--min-healthy-time 0s {options}"), Stdio::from(file)), path)
}

#[track_caller]
fn says(path: &PathBuf, text: &str) {
    eventually(text, || fs::read_to_string(path).is_ok_and(|said| said.contains(text)));
}

#[test]
fn a_plan_is_deployed_as_it_was_written_or_not_at_all() {
    let Some(mut site) = Site::new("a_plan_is_deployed_as_it_was_written_or_not_at_all", 2) else { return };
    let file = site.world.work().join("plan.json");
    let written = site.world.run("org deploy @dev --min-healthy-time 0s --canary 0 --plan-out plan.json");
    assert!(written.code == 0 && written.stderr.contains("nothing was changed"), "{written:?}");
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let plan: serde_json::Value = serde_json::from_slice(&fs::read(&file).expect("there")).expect("JSON");
    assert_eq!((&plan["version"], &plan["environment"]), (&1.into(), &"acme/dev".into()));
    assert_eq!((&plan["hosts"][1]["host"], &plan["rollout"]["canary"]), (&"web-2".into(), &0.into()));
    assert_eq!((site.hosts[0].current(), site.hosts[1].current()), (None, None));
    assert!(site.world.run("org deploy --plan-in plan.json --canary 1").failed(2).contains("--canary"));

    // The environment is promoted with it, as it was to be then.
    site.world.run("org deploy --plan-in plan.json").done();
    assert_eq!(site.hosts[1].current().as_deref(), plan["release"].as_str());
    let stale = site.world.run("org deploy --plan-in plan.json").failed(25);
    assert!(
        stale.contains("web-1: the plan was made for no release, and ") && stale.contains("plan it again"),
        "{stale}"
    );

    // What is to be deployed changed.
    site.mode("two");
    site.world.run("org deploy @dev --min-healthy-time 0s --plan-out plan.json").done();
    site.mode("three");
    let stale = site.world.run("org deploy --plan-in plan.json").failed(25);
    assert!(stale.contains("it changed on this machine"), "{stale}");
    site.hosts[0].runs("one");

    let missing = site.world.run("org deploy --plan-in missing.json").failed(5);
    assert!(missing.contains("missing.json"), "{missing}");
    for (text, why) in [("{", "is not a plan"), ("{}", "it has no `version`"), ("{\"version\": 2}", "reads version 1")]
    {
        fs::write(&file, text).expect("ours");
        let said = site.world.run("org deploy --plan-in plan.json").failed(2);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_deploy_that_waits_says_for_what() {
    let Some(mut site) = Site::new("a_deploy_that_waits_says_for_what", 1) else { return };
    site.deploy("").done();
    site.mode("two");
    site.world.run("org deploy freeze 'the database moves' @dev").done();
    let (mut waiting, said) = begin(&site, "--wait");
    says(&said, "web-1: waiting: frozen by operator@");
    // After a beat it is said again; a machine under load may be late with it.
    eventually("how long it waits", || {
        let said = fs::read_to_string(&said).expect("text");
        let waits = said.split("the database moves (").skip(1).filter_map(|rest| rest.split_once(" s)"));
        waits.flat_map(|(seconds, _)| seconds.parse::<u64>()).any(|seconds| seconds >= 5)
    });
    site.hosts[0].runs("one");
    site.world.run("org deploy unfreeze @dev").done();
    assert_eq!(waiting.0.wait().expect("ours").code(), Some(0), "{}", fs::read_to_string(&said).expect("text"));
    site.hosts[0].runs("two");

    // Another deployer; the wait is bounded.
    site.mode("three");
    let other = site.begin();
    site.hosts[0].reaches("APPLIED");
    let late = site.deploy("--wait=1s").failed(10);
    assert!(late.contains(" deploys ") && late.contains("nothing was changed"), "{late}");
    let (mut waiting, said) = begin(&site, "--wait=5m");
    says(&said, " deploys ");
    kill_hard(other.0.id());
    assert_eq!(waiting.0.wait().expect("ours").code(), Some(0), "{}", fs::read_to_string(&said).expect("text"));
    site.hosts[0].runs("three");
    assert!(site.deploy("--wait").stderr.contains("is deployed already"));
}

#[test]
fn what_goes_on_is_said_again() {
    let Some(site) = Site::new("what_goes_on_is_said_again", 1) else { return };
    let path = site.world.work().join("said.txt");
    let deployer = site.start("--json --min-healthy-time 600s", Stdio::from(fs::File::create(&path).expect("ours")));
    // Whole lines, among those of the talk; a machine under load may be late with them.
    eventually("a host is still at work after a beat", || {
        let said = fs::read_to_string(&path).expect("text");
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().filter(|line| line.contains("\"host\""));
        let rows: Vec<serde_json::Value> = lines.map(|line| serde_json::from_str(line).expect(line)).collect();
        assert!(rows.iter().all(|row| row["host"] == "web-1"), "{said}");
        rows.iter().any(|row| row["seconds"].as_u64().is_some_and(|it| it >= 5))
    });
    drop(deployer);
}

#[test]
fn the_manifest_says_how_hosts_are_switched_unless_an_option_does() {
    let Some(mut site) = Site::new("the_manifest_says_how_hosts_are_switched_unless_an_option_does", 1) else { return };
    let manifest = site.world.home().join("tetra/org/acme/manifest.toml");
    let text = fs::read_to_string(&manifest).expect("there");
    let with = |rollout: &str| fs::write(&manifest, format!("{text}\n[rollout]\n{rollout}\n")).expect("ours");
    with("canary = 0\nmax_parallel = '50%'\non_failure = 'continue'");
    let plan = site.deploy("--plan --max-parallel 2");
    let origins = "rollout: canary 0 (manifest.toml), max-parallel 2 (option), on-failure continue (manifest.toml), \
                   healthy-deadline 1m (default), min-healthy-time 0ms (option)";
    assert!(plan.stderr.contains(origins), "{plan:?}");
    with("pause = '10s'");
    let said = site.deploy("--plan");
    assert!(said.code != 0 && said.stderr.contains("unknown key `rollout.pause`"), "{said:?}");
    let line = text.lines().count() + 3;
    assert!(said.stderr.contains(&format!("manifest.toml:{line}:")), "{said:?}");
}

#[test]
fn a_plan_is_stale_where_a_secret_alone_changed_since() {
    let Some(mut site) = Site::with_services("a_plan_is_stale_where_a_secret_alone_changed_since", "dev") else {
        return;
    };
    let plan = "org deploy @dev --min-healthy-time 0s --plan-out plan.json";
    site.world.run(plan).done();
    for (secret, color) in [("other-1", "red"), ("one", "other-2")] {
        site.secret(secret);
        site.color(color);
        let stale = site.world.run("org deploy --plan-in plan.json").failed(25);
        assert!(stale.contains("it changed on this machine") && stale.contains("plan it again"), "{stale}");
        assert!(!stale.contains("other-"), "{stale}");
        assert_eq!((site.hosts[0].current(), site.hosts[0].journal().len()), (None, 0));
    }
    // As it was when the plan was made, it holds.
    site.secret("one");
    site.color("red");
    site.world.run("org deploy --plan-in plan.json").done();
    site.hosts[0].has("one", "red");

    // The one of the host.
    site.secret("two");
    site.world.run(plan).done();
    write_private(&site.hosts[0].secrets("dev.env"), "API_KEY=by-hand\n");
    let stale = site.world.run("org deploy --plan-in plan.json").failed(25);
    let why = "web-1: files of its release, env files, secrets or services changed since the plan was made";
    assert!(stale.contains(why) && !stale.contains("by-hand"), "{stale}");
    assert_eq!(fs::read_to_string(site.hosts[0].secrets("dev.env")).expect("there"), "API_KEY=by-hand\n");
    write_private(&site.hosts[0].secrets("dev.env"), "API_KEY=one\n");
    site.world.run("org deploy --plan-in plan.json").done();
    site.hosts[0].has("two", "red");
}
