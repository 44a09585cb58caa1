//! Ctrl-C in each phase of a deploy, in a terminal and without one.

use std::fs::File;

use nix::sys::signal::Signal;

use super::{Host, Site};
use crate::pty::Terminal;
use crate::sandbox;
use crate::waiting::eventually;

const CTRL_C: &str = "\x03";
const QUESTION: &str = "revert now (y) or keep waiting (n)?";

/// A deploy that looks for ten minutes at what it deployed, in a terminal.
fn typed(site: &Site) -> Terminal {
    let mut command = site.at_terminal();
    command.args(["-y", "-c", "org deploy @dev --min-healthy-time 600s"]);
    Terminal::start(command)
}

/// Nothing on the host takes a step while this is there.
fn hold(host: &Host) -> File {
    let path = host.org().join("deploy/act");
    let held = File::options().write(true).open(path).expect("a deploy was there");
    held.lock().expect("locked");
    held
}

/// A site with one host that has a release, and another release to come.
fn with_another(test: &str) -> Option<Site> {
    let mut site = Site::new(test, 1)?;
    site.deploy("").done();
    site.mode("two");
    Some(site)
}

#[test]
fn ctrl_c_while_a_host_is_reached_ends_it() {
    let Some(site) = with_another("ctrl_c_while_a_host_is_reached_ends_it") else { return };
    let host = &site.hosts[0];
    let (before, connections) = (host.journal(), host.link.connections());
    host.link.hang();
    let mut terminal = typed(&site);
    terminal.wait_for("connecting");
    eventually("it is reached", || host.link.connections() > connections);
    terminal.send(CTRL_C);
    assert_eq!(terminal.end(), 130);
    assert!(terminal.contents().contains("interrupted; nothing was changed"), "{}", terminal.contents());
    host.link.mend();
    assert_eq!(host.journal(), before);
    host.runs("one");
}

#[test]
fn ctrl_c_before_a_host_is_armed_changes_nothing() {
    let Some(site) = with_another("ctrl_c_before_a_host_is_armed_changes_nothing") else { return };
    let host = &site.hosts[0];
    let (old, held) = (host.current(), hold(host));
    let mut terminal = typed(&site);
    host.reaches("PREFLIGHT");
    terminal.send(CTRL_C);
    terminal.wait_for("interrupted before a host was switched");
    drop(held);
    assert_eq!(terminal.end(), 130);
    let shown = terminal.contents();
    assert!(shown.contains("interrupted; nothing was changed") && shown.contains("ABORTED"), "{shown}");
    host.reaches("ABORTED");
    assert!(!host.journal().contains(&"ARMED".to_owned()));
    assert_eq!(host.current(), old);
    host.runs("one");

    // Once more, while the first is being done.
    let held = hold(host);
    let mut terminal = typed(&site);
    host.reaches("PREFLIGHT");
    terminal.send(CTRL_C);
    terminal.wait_for("interrupted before a host was switched");
    terminal.send(CTRL_C);
    assert_eq!(terminal.end(), 130);
    assert!(terminal.contents().contains("nothing was changed"), "{}", terminal.contents());
    drop(held);
    host.reaches("ABORTED");
    host.runs("one");
}

#[test]
fn ctrl_c_after_a_host_is_armed_asks() {
    let Some(site) = with_another("ctrl_c_after_a_host_is_armed_asks") else { return };
    let host = &site.hosts[0];
    let mut terminal = typed(&site);
    host.reaches("APPLIED");
    terminal.send(CTRL_C);
    terminal.wait_for(QUESTION);
    terminal.send("n\r");
    terminal.wait_for("waiting on");
    host.runs("two");
    terminal.send(CTRL_C);
    terminal.wait_written(QUESTION, 2);
    terminal.send("y\r");
    assert_eq!(terminal.end(), 14);
    assert!(terminal.contents().contains("dev: web-1 was reverted to"), "{}", terminal.contents());
    host.reaches("REVERTED");
    host.runs("one");
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let Some(site) = with_another("a_second_ctrl_c_ends_it_at_once") else { return };
    let host = &site.hosts[0];
    let mut terminal = typed(&site);
    host.reaches("APPLIED");
    terminal.send(CTRL_C);
    terminal.wait_for(QUESTION);
    terminal.send(CTRL_C);
    assert_eq!(terminal.end(), 17);
    let shown = terminal.contents();
    assert!(shown.contains("dev: web-1 is unknown: interrupted; lost after APPLIED"), "{shown}");
    assert!(shown.contains("the host puts the old release back by itself"), "{shown}");
    host.reaches("REVERTED");
    host.runs("one");

    // While the old release is put back.
    let mut terminal = typed(&site);
    host.reaches("APPLIED");
    let held = hold(host);
    terminal.send(CTRL_C);
    terminal.wait_for(QUESTION);
    terminal.send("y\r");
    terminal.wait_for("the old release is put back");
    terminal.send(CTRL_C);
    assert_eq!(terminal.end(), 17);
    assert!(terminal.contents().contains("web-1 is unknown"), "{}", terminal.contents());
    drop(held);
    host.reaches("REVERTED");
    host.runs("one");
}

#[test]
fn ctrl_c_without_a_terminal_puts_the_old_release_back() {
    let Some(site) = with_another("ctrl_c_without_a_terminal_puts_the_old_release_back") else { return };
    let mut deployer = site.begin();
    site.hosts[0].reaches("APPLIED");
    sandbox::signal(deployer.0.id(), Signal::SIGINT);
    assert_eq!(deployer.0.wait().expect("ours").code(), Some(14));
    assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("REVERTED"));
    site.hosts[0].runs("one");
}
