//! Uploads that are cut, or arrive damaged: what is sent again is counted on the way.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use super::{Site, ended};
use crate::waiting::eventually;

/// How many bytes the application has. It is sent in parts of 1 MiB, and one that is cut off is lost.
const SIZE: u64 = 28 << 20;

impl Site {
    /// Application files of [`SIZE`] that cannot be compressed.
    fn large_application(&self) {
        let dir = self.world.home().join("tetra/dist");
        fs::create_dir(&dir).expect("ours");
        let mut file = fs::File::create(dir.join("data.bin")).expect("ours");
        let mut word: u64 = 0x9e37_79b9_7f4a_7c15;
        let words = (0..SIZE / 8).flat_map(|_| {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            word.to_le_bytes()
        });
        file.write_all(&words.collect::<Vec<u8>>()).expect("written");
        let whole = fs::read_to_string(self.local()).expect("there");
        fs::write(self.local(), whole.replacen("[services", "[release]\nfrom = \"dist/\"\n\n[services", 1))
            .expect("ours");
    }
}

/// The same with 60 MB is in `benches/deploy.sh`.
/// How a host is said to get a content once more; why follows.
const AGAIN: &str = "web-1: sending again: the content ";

#[test]
fn of_an_upload_that_is_cut_at_half_little_more_than_the_other_half_is_sent_again() {
    let test = "of_an_upload_that_is_cut_at_half_little_more_than_the_other_half_is_sent_again";
    let Some(mut site) = Site::new(test, 1) else { return };
    // The program of this test is put there first.
    site.deploy("").done();
    site.large_application();
    site.hosts[0].link.cut_after(SIZE / 2);
    let cut = site.deploy("");
    assert_eq!(cut.code, 17, "{cut:?}");
    site.hosts[0].reaches("ABORTED");
    site.hosts[0].link.mend();
    let before = site.hosts[0].link.sent();
    site.deploy("").done();
    let again = site.hosts[0].link.sent() - before;
    assert!(again <= SIZE * 55 / 100, "{again} of {SIZE} bytes were sent again");
    assert!(again > SIZE / 10, "it was counted");
    let release = site.hosts[0].org().join("current/app/data.bin");
    assert_eq!(
        fs::read(release).expect("there"),
        fs::read(site.world.home().join("tetra/dist/data.bin")).expect("ours")
    );
}

/// ssh lets nothing damaged through, so the damage is done where it arrives, while the way to the host hangs.
fn damage(site: &Site) {
    let mut part = None;
    eventually("a part arrives, and no more comes", || {
        let all = fs::read_dir(site.hosts[0].org().join("deploy/blobs")).into_iter().flatten().flatten();
        part = all.map(|it| it.path()).find(|it| it.extension().is_some_and(|it| it == "part"));
        part.as_ref().is_some_and(|it| fs::metadata(it).is_ok_and(|it| it.len() >= SIZE / 4))
            && site.hosts[0].link.hangs()
    });
    let part = part.expect("found");
    let mut bytes = [0];
    let file = fs::File::options().read(true).write(true).open(part).expect("ours");
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 1000).expect("long enough");
    std::os::unix::fs::FileExt::write_all_at(&file, &[bytes[0] ^ 1], 1000).expect("written");
}

#[test]
fn what_arrives_damaged_is_sent_once_more() {
    let Some(mut site) = Site::new("what_arrives_damaged_is_sent_once_more", 1) else { return };
    site.deploy("").done();
    site.large_application();
    site.hosts[0].link.hang_after(SIZE / 2);
    let mut deployer = site.start("--min-healthy-time 0s", Stdio::piped());
    damage(&site);
    site.hosts[0].link.mend();
    let (code, said) = ended(&mut deployer.0);
    assert!(code == 0 && said.contains(AGAIN) && said.contains("arrived damaged, and was removed"), "{said}");
    let release = site.hosts[0].org().join("current/app/data.bin");
    assert_eq!(
        fs::read(release).expect("there"),
        fs::read(site.world.home().join("tetra/dist/data.bin")).expect("ours")
    );
}

#[test]
fn what_arrives_damaged_twice_ends_the_deploy_and_changes_nothing() {
    let Some(mut site) = Site::new("what_arrives_damaged_twice_ends_the_deploy_and_changes_nothing", 1) else { return };
    site.deploy("").done();
    let old = site.hosts[0].current();
    site.large_application();
    site.hosts[0].link.hang_after(SIZE / 2);
    let mut deployer = site.start("--min-healthy-time 0s", Stdio::piped());
    damage(&site);
    // The other half arrives, and of what is sent again about as much as the first time.
    site.hosts[0].link.mend();
    site.hosts[0].link.hang_after(SIZE);
    damage(&site);
    site.hosts[0].link.mend();
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 13, "{said}");
    assert_eq!(said.matches(AGAIN).count(), 1, "{said}");
    assert!(said.contains("arrived damaged, and was removed; nothing was changed"), "{said}");
    let host = &site.hosts[0];
    assert_eq!((host.journal().last().map(String::as_str), host.current()), (Some("ABORTED"), old));
    host.runs("one");
    let left = fs::read_dir(host.org().join("releases")).expect("there").flatten().count();
    assert_eq!(left, 1, "no release is left of it");
    site.deploy("").done();
    assert!(site.hosts[0].org().join("current/app/data.bin").is_file());
}
