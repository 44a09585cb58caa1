//! A network that is cut, or no longer answers.

use std::process::Stdio;

use super::{Site, ended};

/// The host itself is well, and only the way to it is gone: what it does by itself is found out later.
#[test]
fn a_host_that_is_lost_after_the_switch_puts_the_old_release_back() {
    let Some(mut site) = Site::new("a_host_that_is_lost_after_the_switch_puts_the_old_release_back", 1) else { return };
    site.deploy("").done();
    let old = site.hosts[0].current();
    site.mode("two");
    let mut deployer = site.start("--min-healthy-time 600s", Stdio::piped());
    site.hosts[0].reaches("APPLIED");
    site.hosts[0].link.cut();
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 17, "{said}");
    assert!(said.contains("web-1 is unknown") && said.contains("; lost after A"), "{said}");
    assert!(said.contains("puts the old release back by itself, by 20"), "{said}");
    site.hosts[0].reaches("REVERTED");
    assert_eq!(site.hosts[0].current(), old);
    site.hosts[0].runs("one");
    site.hosts[0].link.mend();
    site.deploy("").done();
    site.hosts[0].runs("two");
}

/// Nothing is closed on either side, as where a cable is pulled out.
#[test]
fn a_network_that_says_nothing_any_more_is_a_cut_for_both_sides() {
    let Some(mut site) = Site::new("a_network_that_says_nothing_any_more_is_a_cut_for_both_sides", 1) else { return };
    site.deploy("").done();
    site.mode("two");
    let deployer = site.begin();
    site.hosts[0].reaches("APPLIED");
    site.hosts[0].link.hang();
    site.hosts[0].reaches("REVERTED");
    site.hosts[0].runs("one");
    drop(deployer);
    site.hosts[0].link.mend();
    site.deploy("").done();
    site.hosts[0].runs("two");
}

/// Between the last look and the commit: the new connection is not made, so the release does not stay.
#[test]
fn a_host_that_is_not_reached_again_does_not_keep_the_release() {
    let Some(mut site) = Site::new("a_host_that_is_not_reached_again_does_not_keep_the_release", 1) else { return };
    site.deploy("").done();
    site.mode("two");
    let mut deployer = site.start("--min-healthy-time 5s", Stdio::piped());
    site.hosts[0].reaches("APPLIED");
    site.hosts[0].link.hold_new();
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 14, "{said}");
    assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("REVERTED"));
    site.hosts[0].runs("one");
}

/// No host keeps the release before all of them were reached again, where all are to have the same.
#[test]
fn one_host_that_is_not_reached_again_has_the_others_put_back_too() {
    let test = "one_host_that_is_not_reached_again_has_the_others_put_back_too";
    let Some(mut site) = Site::new(test, 2) else { return };
    site.deploy("--max-parallel 2").done();
    site.mode("two");
    let options = "--canary 0 --max-parallel 2 --min-healthy-time 5s --on-failure revert-all";
    let mut deployer = site.start(options, Stdio::piped());
    site.hosts.iter().for_each(|host| host.reaches("APPLIED"));
    site.hosts[1].link.hold_new();
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 14, "{said}");
    for host in &site.hosts {
        assert_eq!(host.journal().last().map(String::as_str), Some("REVERTED"), "{said}");
        host.runs("one");
    }
}
