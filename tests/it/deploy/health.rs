//! Health that a deploy finds out by itself: with the defaults a supervisor asks every ten seconds.

use std::fs;

use super::Site;
use super::faults::{TOY, status_of};
use crate::ports::free_port;

/// A service of the toy server with this `MODE`, its check as it is by default but for `more`.
fn toy(site: &Site, port: u16, mode: &str, more: &str) -> String {
    let toy = site.world.work().join("toy.py");
    fs::write(&toy, TOY).expect("ours");
    format!(
        "[services.web]\ncommand = 'python3 {}'\nport = {port}\nhealth = 'http://127.0.0.1:{port}/health'\n{more}\
         [services.web.export]\nMODE = '{mode}'\n",
        toy.display()
    )
}

#[test]
fn a_service_that_fails_after_some_seconds_is_put_back_with_the_defaults() {
    let test = "a_service_that_fails_after_some_seconds_is_put_back_with_the_defaults";
    let Some(mut site) = Site::new(test, 1) else { return };
    let port = free_port();
    let services = toy(&site, port, "well", "");
    site.services(&services);
    site.deploy("").done();
    let old = site.hosts[0].current();
    // Of the last a look takes longer than is left of the time in which it has to stay well.
    for (mode, more, why) in
        [("late", "", ": unhealthy: HTTP 500"), ("stuck", "health_timeout = '9s'\n", ": unhealthy: timed out")]
    {
        let services = toy(&site, port, mode, more);
        site.services(&services);
        let said = site.world.run("org deploy @dev").failed(14);
        assert!(said.contains("web-1 was reverted to") && said.contains(why), "{mode}: {said}");
        assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("REVERTED"), "{mode}");
        assert_eq!(site.hosts[0].current(), old, "{mode}");
        assert_eq!(status_of(port), "200", "{mode}: the old version serves");
    }
}

#[test]
fn a_command_that_fails_after_some_seconds_is_seen_too() {
    let Some(mut site) = Site::new("a_command_that_fails_after_some_seconds_is_seen_too", 1) else { return };
    site.deploy("").done();
    let begun = site.world.work().join("begun");
    site.services(&format!(
        "[services.web]\ncommand = \"bash -c 'touch {begun}; exec sleep 1000'\"\n\
         health = 'exec:test $(($(date +%s) - $(stat -c %Y {begun}))) -lt 4'\n\
         [services.web.export]\nMODE = 'two'\n",
        begun = begun.display()
    ));
    let said = site.world.run("org deploy @dev").failed(14);
    assert!(said.contains("web: unhealthy: exit 1"), "{said}");
    site.hosts[0].runs("one");
}
