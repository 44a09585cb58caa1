//! A daemon that is started while the disk is full.

use super::Bed;

/// The unit's own words about itself, and how often systemd had to start it again.
const STATE: &str = "systemctl show -P StatusText -P NRestarts -P ActiveState tetra-dev";

#[test]
fn a_daemon_that_is_started_on_a_full_disk_goes_on_when_there_is_space() {
    let Some(bed) = Bed::start("full") else { return };
    // Neither a directory nor a socket can be made.
    bed.root(
        "mkdir /root/tetra && mount -t tmpfs -o size=8m,nr_inodes=200 none /root/tetra && tsm daemon install @dev",
    )
    .ok();
    bed.root("rm -rf /root/tetra/tsm/runtime /root/tetra/logs; i=0; while touch /root/tetra/full-$i; do i=$((i + 1)); done 2>/dev/null; true").ok();
    bed.root("tsm daemon start").ok();
    let said = bed.root(STATE).ok();
    assert!(said.starts_with("waiting for free disk space: failed to create the directory"), "{said}");
    assert!(said.ends_with("\n0\nactive\n"), "{said}");
    assert!(bed.root("tsm daemon status; true").ok().contains("waiting for free disk space"));
    let pid = bed.root("systemctl show -P MainPID tetra-dev").ok();
    bed.root("systemctl stop tetra-dev && test $(systemctl show -P Result tetra-dev) = success").ok();
    bed.root("systemctl start tetra-dev && systemctl reload tetra-dev && rm /root/tetra/full-*").ok();
    bed.eventually("it goes on", "curl -sf localhost:4444/health");
    assert_ne!(bed.root("systemctl show -P MainPID tetra-dev").ok(), pid);
    assert_eq!(bed.root(STATE).ok(), "1 of 1 processes run\n0\nactive\n");
    assert!(bed.root("journalctl -u tetra-dev -o cat").ok().contains("failed to create the directory `/root/tetra"));
    bed.root("tsm daemon stop && ! pgrep -x tetra").ok();
}
