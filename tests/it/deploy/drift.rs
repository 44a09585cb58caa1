//! What an operator changes on a host after a deploy is named, and a deploy puts it back. Releases of one second have one name.

use std::fs;
use std::path::PathBuf;

use super::{Host, SERVICE, Site};

impl Host {
    /// Runs a line on it.
    fn line(&self, line: &str) {
        self.server.inside(&format!("HOME=/root /root/bin/tetra --dir /root/{} -y -c '{line}'", self.dir));
    }

    fn definition(&self) -> PathBuf {
        self.tetra().join("tsm/services-available/web.tsm")
    }

    /// Gives the service there another `MODE`.
    fn edit(&self) {
        let text = fs::read_to_string(self.definition()).expect("there");
        assert!(text.contains("one"), "{text}");
        fs::write(self.definition(), text.replace("one", "by-hand")).expect("ours");
    }
}

const STOPPED: &str = "web-1: web was stopped there since it was deployed";
const EDITED: &str = "web-1: services-available/web.tsm there is not what the release says";

#[test]
fn a_service_that_was_stopped_there_is_named_and_started_again() {
    let Some(mut site) = Site::new("a_service_that_was_stopped_there_is_named", 1) else { return };
    site.deploy("").done();
    assert_eq!(site.deploy("--plan --exit-code").code, 0);
    site.hosts[0].line("tsm stop web");
    let plan = site.deploy("--plan --exit-code").failed(2);
    assert!(plan.contains(STOPPED), "{plan}");
    let status = site.world.run("org deploy status @dev");
    assert!(status.stderr.contains(STOPPED), "{status:?}");
    assert!(site.world.run("org deploy status @dev --json").done().contains("\"drift\": 1"));

    // A release that does not live leaves it stopped.
    site.mode("sick");
    site.deploy("").failed(14);
    assert_eq!(site.hosts[0].web(), None);
    site.mode("one");
    let done = site.deploy("");
    assert!(done.code == 0 && done.output.contains("restarts web (MODE, was stopped)"), "{done:?}");
    site.hosts[0].runs("one");
    assert!(site.deploy("").stderr.contains("is deployed already"));

    // One whose record was removed too.
    site.hosts[0].line("tsm delete web");
    let done = site.deploy("");
    assert!(done.code == 0 && done.stderr.contains("web-1: web has no process there, and should run"), "{done:?}");
    site.hosts[0].runs("one");
}

#[test]
fn a_definition_that_was_edited_there_is_named_and_put_back() {
    let Some(mut site) = Site::new("a_definition_that_was_edited_there_is_named", 1) else { return };
    site.deploy("").done();
    let before = fs::read_to_string(site.hosts[0].definition()).expect("there");
    site.world.run("org deploy @dev --min-healthy-time 0s --plan-out plan.json").done();
    site.hosts[0].edit();
    let plan = site.deploy("--plan --exit-code").failed(2);
    assert!(plan.contains(EDITED), "{plan}");
    let stale = site.world.run("org deploy --plan-in plan.json").failed(25);
    assert!(stale.contains("web-1: files of its release, env files, secrets or services changed"), "{stale}");
    site.hosts[0].line("tsm restart web");
    site.hosts[0].runs("by-hand");
    let status = site.world.run("tkm deploy status @dev");
    assert!(status.stderr.contains(EDITED), "{status:?}");
    assert!(site.world.run("org deploy status @dev --json").done().contains("\"drift\": 1"));
    let done = site.deploy("");
    assert!(done.code == 0 && done.output.contains("web: changed, restarts web (MODE)"), "{done:?}");
    site.hosts[0].runs("one");
    assert_eq!(fs::read_to_string(site.hosts[0].definition()).expect("there"), before);

    fs::remove_file(site.hosts[0].definition()).expect("ours");
    let done = site.deploy("");
    let removed = "web-1: services-available/web.tsm was removed there since it was deployed";
    assert!(done.code == 0 && done.stderr.contains(removed), "{done:?}");
    assert_eq!(fs::read_to_string(site.hosts[0].definition()).expect("there"), before);
    site.hosts[0].line("tsm disable web");
    let done = site.deploy("");
    assert!(done.code == 0 && done.stderr.contains("web-1: web was disabled there since it was deployed"), "{done:?}");
    assert!(site.deploy("").stderr.contains("is deployed already"));
}

#[test]
fn services_of_prod_that_were_changed_there_are_deployed_over_only_where_that_is_said() {
    let Some(mut site) = Site::of("services_of_prod_that_were_changed_there", "prod", 1) else { return };
    site.deploy("--yes").done();
    site.hosts[0].line("tsm stop web");
    let said = site.deploy("--yes").failed(23);
    assert!(said.contains("web-1: web was stopped there") && said.contains("--accept-drift"), "{said}");
    assert_eq!(site.hosts[0].web(), None);
    site.deploy("--yes --accept-drift").done();
    site.hosts[0].runs("one");
    site.hosts[0].edit();
    let said = site.deploy("--yes").failed(23);
    assert!(said.contains(EDITED), "{said}");
    site.deploy("--yes --accept-drift").done();
    assert!(!fs::read_to_string(site.hosts[0].definition()).expect("there").contains("by-hand"));
}

/// The clock of the operator does not move here: what holds the same has the same name each time.
#[test]
fn a_release_that_stayed_once_is_kept_when_it_is_deployed_again_and_taken_back() {
    let Some(mut site) = Site::new("a_release_that_stayed_once_is_kept", 1) else { return };
    let service = |mode: &str| SERVICE.replace("$MODE != sick", "! -e /root/sick-$MODE").replace("'one'", mode);
    let mut names = Vec::new();
    for mode in ["'one'", "'two'", "'three'"] {
        site.services(&service(mode));
        site.deploy("").done();
        names.push(site.hosts[0].current().expect("one"));
    }
    let sick = site.hosts[0].server.root().join("sick-one");
    fs::write(&sick, "").expect("ours");
    let release = site.hosts[0].org().join("releases").join(&names[0]);
    site.services(&service("'one'"));
    site.deploy("").failed(14);
    site.hosts[0].runs("three");
    assert!(release.exists(), "it can still be deployed again");

    fs::remove_file(&sick).expect("ours");
    site.deploy("").done();
    assert_eq!(site.hosts[0].current().as_ref(), Some(&names[0]));
    site.hosts[0].runs("one");
    // What was before is what ran, and not the next older name.
    site.world.run("org deploy rollback --env @dev --min-healthy-time 0s").done();
    assert_eq!(site.hosts[0].current().as_ref(), Some(&names[2]));
    site.hosts[0].runs("three");
}

/// An environment of the operator's own has the rules of prod where its file says so, or does not say what it is.
#[test]
fn an_own_environment_of_production_has_the_rules_of_prod() {
    for (kind, is_prod) in [("production", true), ("", true), ("staging", false)] {
        let test = "an_own_environment_of_production_has_the_rules_of_prod";
        let Some(mut site) = Site::prepared(test, "shop", 1, |world| {
            world.run("org profile new shop --extends dev").done();
            let profile = world.home().join("tetra/org/acme/profiles/shop.toml");
            let text = fs::read_to_string(&profile).expect("made");
            let rule = match kind {
                "" => "unset = [\"environment.type\"]\n".to_owned(),
                kind => format!("[set]\n\"environment.type\" = \"{kind}\"\n"),
            };
            let own = text.lines().filter(|line| ["schema", "extends"].iter().any(|key| line.starts_with(key)));
            let own: String = own.map(|line| format!("{line}\n")).collect();
            fs::write(&profile, own + &rule).expect("ours");
            world.run("org promote @shop --yes").done();
            // Without a terminal there is none to ask for a passphrase.
            let generate = world.run("tkm generate shop --yes");
            let is_refused = generate.code == 4 && generate.stderr.contains("takes a passphrase");
            assert_eq!((kind, is_refused), (kind, is_prod), "{generate:?}");
            if is_refused {
                world.run("tkm generate shop --no-passphrase --yes").done();
            }
        }) else {
            return;
        };
        let usual = if is_prod { "on-failure revert-all (default)" } else { "on-failure stop (default)" };
        site.deploy("--yes").done();
        let plan = site.deploy("--plan");
        assert!(plan.stderr.contains(usual), "{kind}: {plan:?}");
        site.hosts[0].line("tsm stop web");
        let over = site.deploy("--yes");
        assert_eq!(over.code, if is_prod { 23 } else { 0 }, "{kind}: {over:?}");
    }
}
