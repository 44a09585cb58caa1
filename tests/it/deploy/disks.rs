//! Hosts whose disk is full: a file system in memory is the disk, which only the host's processes see.

use super::Site;

impl super::Host {
    /// Puts a disk of so many MiB under its `TETRA_DIR`.
    pub(super) fn disk(&self, mib: u32) {
        self.server.inside(&format!("mkdir -p /root/{0} && mount -t tmpfs -o size={mib}m tmpfs /root/{0}", self.dir));
    }
}

#[test]
fn a_disk_without_room_is_found_before_anything_is_sent() {
    let Some(mut site) = Site::new("a_disk_without_room_is_found_before_anything_is_sent", 2) else { return };
    site.hosts[1].disk(4);
    let said = site.deploy("").failed(13);
    assert!(
        said.contains("web-2: ") && said.contains(" MiB left, and 6") && said.contains("nothing was changed"),
        "{said}"
    );
    for host in &site.hosts {
        assert_eq!(host.journal().last().map(String::as_str), Some("ABORTED"));
        assert!(host.current().is_none() && host.web().is_none());
        assert!(!host.org().join("releases").exists(), "nothing was built");
    }
}
