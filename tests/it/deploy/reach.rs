//! Hosts that are not reached: found out before anything is changed on one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Site;

/// Nothing of a deploy is there, and nothing runs.
#[track_caller]
fn is_untouched(site: &Site) {
    for host in &site.hosts {
        assert!(host.current().is_none() && host.web().is_none() && !host.org().join("deploy").exists());
    }
}

/// Instead of a network that drops what is sent, a port that takes connections and says nothing: for ssh it is the same limit.
#[test]
fn a_host_that_hangs_is_not_waited_for_longer_than_ssh_waits() {
    let Some(mut site) = Site::new("a_host_that_hangs_is_not_waited_for_longer_than_ssh_waits", 2) else { return };
    site.hosts[1].link.hang();
    let said = site.deploy("").failed(11);
    assert!(said.contains("cannot reach `web-2`") && said.contains("timed out"), "{said}");
    is_untouched(&site);
}

#[test]
fn a_host_without_a_pin_is_not_connected_to() {
    let Some(mut site) = Site::new("a_host_without_a_pin_is_not_connected_to", 1) else { return };
    fs::write(site.world.home().join("tetra/tkm/known_hosts"), "").expect("ours");
    let (before, port) = (site.hosts[0].link.connections(), site.hosts[0].link.port());
    let said = site.deploy("").failed(12);
    assert!(said.contains(&format!("tkm host add web-1 root@127.0.0.1:{port}")), "{said}");
    assert_eq!(site.hosts[0].link.connections(), before);
    is_untouched(&site);
}

#[test]
fn a_key_that_is_not_let_in_is_tried_once_and_named() {
    let Some(mut site) = Site::new("a_key_that_is_not_let_in_is_tried_once_and_named", 2) else { return };
    let file = site.hosts[1].server.authorized_keys();
    let whole = fs::read_to_string(&file).expect("there");
    let expired = whole.replace("restrict,pty ", "restrict,pty,expiry-time=\"20200101\" ");
    assert_ne!(whole, expired);
    let revoked: String =
        whole.lines().filter(|line| !line.starts_with("restrict")).map(|it| it.to_owned() + "\n").collect();
    for text in [expired, revoked] {
        fs::write(&file, text).expect("ours");
        let before = site.hosts[1].link.connections();
        let said = site.deploy("").failed(18);
        assert!(said.contains("web-2") && said.contains("tkm/keys/acme/dev/"), "{said}");
        assert_eq!(site.hosts[1].link.connections() - before, 1);
        is_untouched(&site);
    }
    fs::write(&file, whole).expect("ours");
    site.deploy("").done();
}

#[test]
fn a_private_key_that_others_can_reach_or_that_is_missing_is_not_used() {
    let Some(mut site) = Site::new("a_private_key_that_others_can_reach_or_that_is_missing_is_not_used", 1) else {
        return;
    };
    let dir = site.world.home().join("tetra/tkm/keys/acme/dev");
    let all = fs::read_dir(dir).expect("there").flatten().map(|entry| entry.path());
    let key = all.filter(|path| path.extension().is_none()).max().expect("a key");
    let before = site.hosts[0].link.connections();
    // In a private directory it would be closed and used.
    for (path, mode) in [(key.as_path(), 0o644), (key.parent().expect("keys"), 0o755)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    }
    let said = site.deploy("").failed(24);
    assert!(said.contains("chmod go-rwx"), "{said}");
    fs::remove_file(&key).expect("ours");
    site.deploy("").failed(22);
    assert_eq!(site.hosts[0].link.connections(), before);
    is_untouched(&site);
}
