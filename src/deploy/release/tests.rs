use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::time::Timestamp;

mod gather_tests;
mod host_tests;
mod manifest_tests;

/// 2026-11-20 10:30:45 in UTC.
const AT: Timestamp = Timestamp(1_795_170_645_000);

struct Bed {
    dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    fn from(&self) -> PathBuf {
        self.dir.path().join("dist")
    }

    fn store(&self) -> ReleaseStore {
        ReleaseStore::at(&self.dir.path().join("org/acme"))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let path = self.from().join(path);
        fs::create_dir_all(path.parent().expect("one")).expect("made");
        fs::write(&path, bytes).expect("written");
        set_mode(&path, 0o644);
        path
    }

    fn collect(&self, exclude: &[&str]) -> Result<Payload, ReleaseError> {
        let application =
            Application { from: self.from(), exclude: exclude.iter().map(|it| (*it).to_owned()).collect() };
        collect_at(AT, &[("environments/dev.toml", b"port = 3000\n")], Some(application))
    }

    /// Why the files of the application are refused, and which one.
    fn refusal(&self) -> (String, Refusal) {
        match self.collect(&[]) {
            Err(error @ ReleaseError::Refused { .. }) => {
                assert_eq!(error.kind(), FaultKind::Preflight);
                let ReleaseError::Refused { path, why } = error else { unreachable!() };
                (path.strip_prefix(self.from()).expect("below").display().to_string(), why)
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        store::remove_tree(self.dir.path()).expect("ours");
    }
}

fn collect_at(
    at: Timestamp,
    documents: &[(&str, &[u8])],
    application: Option<Application>,
) -> Result<Payload, ReleaseError> {
    let document =
        |(path, bytes): &(&str, &[u8])| Document { path: EntryPath::new(path).expect("a path"), bytes: bytes.to_vec() };
    Payload::collect(Sources {
        org: "acme".parse().expect("a name"),
        env: "dev".parse().expect("a name"),
        at,
        documents: documents.iter().map(document).collect(),
        application,
    })
}

/// A release of one document, made so many seconds after the first.
fn small(second: u64, text: &str) -> Payload {
    collect_at(Timestamp(AT.0 + second * 1000), &[("environments/dev.toml", text.as_bytes())], None).expect("gathered")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

/// Sends what is missing in pieces, as a connection does. Gives how many bytes went over.
fn send(store: &ReleaseStore, payload: &Payload) -> Result<u64, ReleaseError> {
    let mut sent = 0;
    for MissingBlob { hash, size, received, prefix } in store.missing(&payload.manifest)? {
        let blob = &payload.blobs[&hash];
        let mut offset = if blob.prefix_hash(received)? == prefix { received } else { 0 };
        loop {
            let bytes = blob.read(offset, 1000)?;
            sent += bytes.len() as u64;
            let done = store.put(&hash, size, offset, &bytes)?;
            offset += bytes.len() as u64;
            assert_eq!(done, offset == size);
            if done {
                break;
            }
        }
    }
    Ok(sent)
}

fn deliver(store: &ReleaseStore, payload: &Payload) -> ReleaseId {
    send(store, payload).expect("sent");
    assert!(store.build(&payload.manifest).expect("built"));
    payload.manifest.rid().clone()
}
