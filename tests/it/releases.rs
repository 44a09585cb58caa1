//! Releases on a disk that is full, and where the program is killed in the middle.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tetra::base::time::Timestamp;
use tetra::deploy::release::{Document, EntryPath, Payload, ReleaseError, ReleaseId, ReleaseStore, Sources};

use crate::fault_injection::{CALLS, can_break};
use crate::faults::disks::Disk;
use crate::waiting::eventually;

/// Where the killed one works; set for it alone.
const DIRECTORY: &str = "TETRA_TEST_RELEASES";

fn payload(second: u64, bytes: Vec<u8>) -> Payload {
    Payload::collect(Sources {
        org: "acme".parse().expect("a name"),
        env: "dev".parse().expect("a name"),
        at: Timestamp(1_795_170_645_000 + second * 1000),
        documents: vec![Document { path: EntryPath::new("environments/dev.toml").expect("a path"), bytes }],
        application: None,
    })
    .expect("gathered")
}

fn send(store: &ReleaseStore, payload: &Payload) -> Result<(), ReleaseError> {
    for missing in store.missing(&payload.manifest)? {
        let blob = &payload.blobs[&missing.hash];
        let bytes = blob.read(0, usize::MAX)?;
        let half = bytes.len() / 2;
        store.put(&missing.hash, missing.size, 0, &bytes[..half])?;
        store.put(&missing.hash, missing.size, half as u64, &bytes[half..])?;
    }
    Ok(())
}

/// All that a deployment does on a host.
fn deploy(store: &ReleaseStore, payload: &Payload) -> Result<(), ReleaseError> {
    send(store, payload)?;
    store.build(&payload.manifest)?;
    let rid = payload.manifest.rid();
    let old = store.current()?;
    store.switch(rid, "tx")?;
    if let Some(old) = old.filter(|old| old != rid) {
        store.set_previous(&old, "tx")?;
    }
    store.prune(std::slice::from_ref(rid), &[])?;
    Ok(())
}

fn old_and_new() -> [Payload; 2] {
    [payload(0, b"a = 1\n".to_vec()), payload(1, b"a = 2\n".to_vec())]
}

/// The one that is killed: it does nothing where it is not started for that.
#[test]
fn a_deployment_in_a_process_of_its_own() {
    let Some(root) = std::env::var_os(DIRECTORY) else { return };
    deploy(&ReleaseStore::at(Path::new(&root)), &old_and_new()[1]).expect("deployed");
}

/// Whether the process was killed.
fn is_killed(root: &Path, calls: &str, number: usize) -> bool {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:signal=KILL:when={number}"));
    let status = Command::new("strace")
        .args(["-qq", "-f", "-o", "/dev/null", "-e", &trace, "-e", &inject])
        .arg(std::env::current_exe().expect("a program"))
        .args(["--exact", "releases::a_deployment_in_a_process_of_its_own", "--test-threads=1"])
        .env(DIRECTORY, root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace is installed");
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}

#[test]
fn a_killed_deployment_leaves_the_old_release_or_the_new_one() {
    if !can_break() {
        return;
    }
    let [old, new] = old_and_new();
    let both: [&ReleaseId; 2] = [old.manifest.rid(), new.manifest.rid()];
    let (mut moments, mut switched) = (0, 0);
    let attributes = "symlink,symlinkat,mkdir,mkdirat,chmod,fchmod,fchmodat,syncfs,rmdir";
    for calls in CALLS.into_iter().chain([attributes]) {
        for number in 1.. {
            let home = tempfile::tempdir().expect("a directory");
            let store = ReleaseStore::at(home.path());
            deploy(&store, &old).expect("deployed");
            let was_killed = is_killed(home.path(), calls, number);
            let what = format!("{calls} {number}");
            let current = store.current().expect(&what).expect("there is one");
            assert!(both.contains(&&current), "{what}: {current}");
            assert_eq!(store.verify(&current).expect(&what), [], "{what}");
            for rid in store.list().expect(&what) {
                assert_eq!(store.verify(&rid).expect(&what), [], "{what}: {rid}");
            }
            switched += usize::from(current == *both[1]);
            // The next run needs no repair, and leaves nothing of the killed one.
            deploy(&store, &new).expect(&what);
            assert_eq!(store.current().expect(&what).as_ref(), Some(both[1]), "{what}");
            let mut left: Vec<_> = names(home.path());
            left.extend(names(&home.path().join("releases")));
            assert!(left.iter().all(|name| !name.contains(".tx") && !name.starts_with(".tetra")), "{what}: {left:?}");
            unlock(home.path());
            if !was_killed {
                break;
            }
            moments += 1;
        }
    }
    assert!(
        moments > 20 && switched > 0 && switched < moments,
        "{moments} moments, {switched} of them after the switch"
    );
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("listed");
    entries.map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned()).collect()
}

/// So that an ordinary user can remove it.
fn unlock(home: &Path) {
    let status = Command::new("chmod").args(["-R", "u+w"]).arg(home).status();
    assert!(status.expect("chmod is installed").success());
}

#[test]
fn a_full_disk_changes_nothing_and_keeps_what_has_arrived() {
    let Some(disk) = Disk::of(4) else { return };
    let store = ReleaseStore::at(&disk.path().join("org/acme"));
    let old = payload(0, b"a = 1\n".to_vec());
    deploy(&store, &old).expect("deployed");
    let current = store.current().expect("read");

    // While it arrives: the part that was refused is gone, the part before it is kept.
    let large = payload(1, vec![7; 8 << 20]);
    let (hash, blob) = large.blobs.iter().next().expect("one");
    let piece = blob.read(0, 2 << 20).expect("read");
    store.put(hash, blob.size(), 0, &piece).expect("there is room");
    let full = store.put(hash, blob.size(), 2 << 20, &blob.read(2 << 20, 4 << 20).expect("read")).expect_err("no room");
    let causes = format!("{full} {:?}", std::error::Error::source(&full).map(ToString::to_string));
    assert!(causes.contains("No space left"), "{causes}");
    assert_eq!(store.missing(&large.manifest).expect("looked")[0].received, 2 << 20);

    // While it is built: nothing of it is left. The space of a removed file is free once no process has it open, and a
    // process that another test is starting here has all files of this one open until its program runs.
    store.prune(&[], &[]).expect("pruned");
    let fits_once = payload(2, vec![8; 2_500 << 10]);
    eventually("the blob has room", || send(&store, &fits_once).is_ok());
    let error = deploy(&store, &fits_once).expect_err("no room for a copy");
    assert!(format!("{error:?}").contains("StorageFull"), "{error:?}");
    assert_eq!(store.current().expect("read"), current);
    assert_eq!(store.list().expect("listed"), [old.manifest.rid().clone()]);
    assert_eq!(names(&disk.path().join("org/acme/releases")).len(), 1);
    assert_eq!(store.verify(old.manifest.rid()).expect("looked"), []);
    let small = payload(3, b"a = 3\n".to_vec());
    eventually("a small one has room", || deploy(&store, &small).is_ok());
}
