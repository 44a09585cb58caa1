//! What a deploy says while it is at work: with `--json` an object on each line, else a line for each step, and a sentence at the end.

use serde_json::Value;

use super::{Site, secrecy};
use crate::sandbox::{assert_fits, kill_hard};

/// What was said with `--json`: every line is one of three shapes. The last one.
#[track_caller]
fn fits(said: &str, what: &str) -> String {
    let mut last = String::new();
    for line in said.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{what}: {error}: {line}"));
        let (schema, text) = match (value.get("host"), value.get("note"), value.get("error")) {
            (Some(_), None, None) => ("progress", &value["state"]),
            (None, Some(note), None) => ("note", note),
            (None, None, Some(error)) => ("error", &error["message"]),
            _ => panic!("{what}: {line}"),
        };
        assert_fits(&value, schema);
        text.as_str().expect("a text").clone_into(&mut last);
    }
    last
}

impl Site {
    /// Deploys with `--json`; the last thing that is said.
    #[track_caller]
    fn says(&mut self, options: &str, code: u8, what: &str) -> String {
        let time = if options.contains("--min-healthy-time") { "" } else { "--min-healthy-time 0s" };
        let done = self.world.run(&format!("org deploy @dev --json {time} {options}"));
        assert_eq!(done.code, code, "{what}: {done:?}");
        fits(&done.stderr, what)
    }
}

#[test]
fn every_line_of_a_deploy_with_json_is_an_object_and_the_last_says_what_became_of_it() {
    let test = "every_line_of_a_deploy_with_json_is_an_object_and_the_last_says_what_became_of_it";
    let Some(mut site) = Site::new(test, 2) else { return };
    let is_run = |last: &str| last.starts_with("dev: 2 hosts run 20");
    let last = site.says("", 0, "the first");
    assert!(is_run(&last), "{last}");
    let last = site.says("", 0, "nothing to do");
    assert_eq!(last, "dev is deployed already on 2 hosts");
    site.mode("two");
    let last = site.says("--canary 1 --max-parallel 2 --min-healthy-time 1s", 0, "a canary, and a promotion before");
    assert!(is_run(&last), "{last}");
    secrecy::write_private(&site.world.home().join("tetra/org/acme/secrets/dev.env"), "API_KEY=one\n");
    let last = site.says("", 0, "only secrets");
    assert!(is_run(&last), "{last}");
    site.world.run("org deploy freeze 'a fair' @dev --yes").done();
    site.mode("three");
    let last = site.says("", 4, "frozen");
    assert!(last.starts_with("dev: web-1: frozen by ") && last.contains(": a fair"), "{last}");
    assert!(last.ends_with("; nothing was changed"), "{last}");
    site.world.run("org deploy unfreeze @dev --yes").done();
    site.mode("sick");
    let last = site.says("--on-failure revert-all", 14, "not healthy");
    assert!(last.starts_with("dev: web-1 was reverted to 20"), "{last}");
    site.mode("four");
    site.hosts[1].link.cut();
    let last = site.says("", 11, "a host that is down");
    assert!(last.contains("web-2"), "{last}");
    let last = site.says("--skip-unreachable", 0, "a host that is passed over");
    assert!(last.starts_with("dev: 1 host runs 20") && last.contains("; 1 host passed over"), "{last}");
}

/// Here that a deploy was found whose deployer, agent and watcher were killed.
#[test]
fn what_a_host_has_to_say_beside_is_a_note_and_not_where_it_is() {
    let Some(mut site) = Site::new("what_a_host_has_to_say_beside_is_a_note_and_not_where_it_is", 1) else { return };
    site.deploy("").done();
    site.mode("two");
    let deployer = site.begin();
    site.hosts[0].reaches("APPLIED");
    site.hosts[0].kill(&[b"deploy-watch"]);
    site.hosts[0].kill(&[b"agent"]);
    kill_hard(deployer.0.id());
    let done = site.world.run("org deploy @dev --json --min-healthy-time 0s");
    assert_eq!(done.code, 0, "{done:?}");
    fits(&done.stderr, "after one that was killed");
    let lines: Vec<Value> = done.stderr.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |key: &str| -> Vec<&str> { lines.iter().filter_map(|line| line[key].as_str()).collect() };
    // A step is in the journal before it is in the record.
    let says = |text: &&str| text.contains(" was left ") && text.ends_with(", and is now REVERTED");
    assert!(of("note").iter().any(|text| says(text) && text.starts_with("web-1: ")), "{done:?}");
    assert!(!of("state").iter().any(says), "{done:?}");
}
