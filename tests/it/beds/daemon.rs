//! `daemon` on a machine with systemd.

use super::Bed;

#[test]
fn a_box_has_what_the_tests_use() {
    let Some(bed) = Bed::start("box") else { return };
    assert_eq!(bed.root("systemctl is-system-running").ok(), "running\n");
    assert_eq!(bed.root("tsm list --json").ok(), "[]\n");
    assert_eq!(bed.user("ann", "id -un").ok(), "ann\n");
    assert_eq!(bed.login("ann", "id -un; loginctl list-sessions --no-legend | grep -c ann").ok(), "ann\n1\n");
    bed.root("touch /root/stays; node --version; python3 --version").ok();
    bed.power_cut();
    bed.root("rm /root/stays").ok();
    bed.reboot();
    bed.eventually("the box is up", "! ls /root/stays && systemctl is-system-running");
}
