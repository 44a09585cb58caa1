use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::time::Timestamp;

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
        let application = Application {
            from: self.from(),
            into: EntryPath::new("app").expect("a path"),
            exclude: exclude.iter().map(|it| (*it).to_owned()).collect(),
        };
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

#[test]
fn what_is_gathered_arrives_as_it_was() {
    let bed = Bed::new();
    bed.write("bin/run", b"#!/bin/sh\n");
    set_mode(&bed.from().join("bin/run"), 0o750);
    bed.write("deep/er/data", &vec![7; 5000]);
    bed.write("empty", b"");
    bed.write("twin", &vec![7; 5000]);
    bed.write("node_modules/x/y.js", b"no");
    bed.write("debug.log", b"no");
    symlink("../bin/run", bed.from().join("deep/run")).expect("linked");
    symlink("nowhere", bed.from().join("dangling")).expect("linked");
    let payload = bed.collect(&["node_modules", "*.log"]).expect("gathered");
    let paths: Vec<&str> = payload.manifest.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "app",
            "app/bin",
            "app/bin/run",
            "app/dangling",
            "app/deep",
            "app/deep/er",
            "app/deep/er/data",
            "app/deep/run",
            "app/empty",
            "app/twin",
            "environments",
            "environments/dev.toml"
        ]
    );
    assert!(payload.manifest.rid().as_str().starts_with("20261120T103045Z-"), "{}", payload.manifest.rid());
    assert_eq!(payload.blobs.len(), 4, "a content is there once");
    let store = bed.store();
    assert_eq!(store.missing(&payload.manifest).expect("looked").len(), 4);
    assert_eq!(send(&store, &payload).expect("sent"), 10 + 5000 + 12);
    assert!(store.build(&payload.manifest).expect("built"));
    assert!(!store.build(&payload.manifest).expect("built"), "it was there");
    let rid = payload.manifest.rid();
    assert_eq!(store.verify(rid).expect("looked"), []);
    assert_eq!(store.manifest(rid).expect("read"), payload.manifest);
    let root = store.release(rid);
    let mode = |path: &str| fs::symlink_metadata(root.join(path)).expect("there").mode() & 0o7777;
    assert_eq!([mode("app/bin/run"), mode("app/empty"), mode("app"), mode("")], [0o550, 0o444, 0o555, 0o555]);
    assert_eq!(fs::read(root.join("app/deep/run")).expect("through the link"), b"#!/bin/sh\n");
    assert_eq!(fs::read_link(root.join("app/dangling")).expect("a link"), Path::new("nowhere"));
    assert_eq!(send(&store, &bed.collect(&["node_modules", "*.log"]).expect("gathered")).expect("sent"), 0);
}

#[test]
fn the_content_is_of_what_is_held_and_not_of_when_it_was_made() {
    let (one, later, other) = (small(0, "a = 1\n"), small(60, "a = 1\n"), small(0, "a = 2\n"));
    assert_eq!(one.manifest.content(), later.manifest.content());
    assert_ne!(one.manifest.rid(), later.manifest.rid());
    assert_ne!(one.manifest.content(), other.manifest.content());
    assert!(one.manifest.content().as_str().starts_with(one.manifest.rid().content8()));
}

#[test]
fn what_cannot_be_part_of_a_release_is_named() {
    let refused = |prepare: &dyn Fn(&Bed)| {
        let bed = Bed::new();
        bed.write("fine", b"x");
        prepare(&bed);
        bed.refusal()
    };
    let link = |target: &'static str| move |bed: &Bed| symlink(target, bed.from().join("it")).expect("linked");
    for target in ["/etc/passwd", "..", "../x", "fine/../../x", "a/../fine"] {
        assert_eq!(refused(&link(target)), ("it".to_owned(), Refusal::LinkLeaves), "{target}");
    }
    let socket = |bed: &Bed| drop(UnixListener::bind(bed.from().join("it")).expect("bound"));
    assert_eq!(refused(&socket), ("it".to_owned(), Refusal::SpecialFile));
    let pipe = |bed: &Bed| nix::unistd::mkfifo(&bed.from().join("it"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    assert_eq!(refused(&pipe), ("it".to_owned(), Refusal::SpecialFile));
    assert_eq!(refused(&|bed| drop(bed.write("a\nb", b""))), ("a\nb".to_owned(), Refusal::Name));
    let latin = latin_name();
    assert_eq!(refused(&|bed| fs::write(bed.from().join(&latin), "").expect("written")).1, Refusal::Name);
    let deep = "d/".repeat(63) + "x";
    assert_eq!(refused(&|bed| drop(bed.write(&deep, b""))).1, Refusal::TooDeep);
    for mode in [0o4755, 0o2755] {
        assert_eq!(refused(&|bed| set_mode(&bed.write("it", b""), mode)), ("it".to_owned(), Refusal::SetId));
    }
    for name in [".env", ".env.production", "dev.env"] {
        assert_eq!(refused(&|bed| set_mode(&bed.write(name, b"A=1"), 0o600)), (name.to_owned(), Refusal::Secret));
    }
    let key = |bed: &Bed| set_mode(&bed.write("id", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3"), 0o600);
    assert_eq!(refused(&key), ("id".to_owned(), Refusal::Secret));
    let bed = Bed::new();
    set_mode(&bed.write("data", b"private, and no secret by its looks"), 0o600);
    set_mode(&bed.write(".env.example", b"A="), 0o644);
    bed.collect(&[]).expect("gathered");
    let twice = collect_at(AT, &[("a", b"1"), ("a", b"2")], None).expect_err("two files of one path");
    assert!(matches!(twice, ReleaseError::Refused { why: Refusal::Taken, .. }), "{twice}");
    let inside = collect_at(AT, &[("a", b"1"), ("a/b", b"2")], None).expect_err("a file in the place of a directory");
    assert!(matches!(inside, ReleaseError::Refused { why: Refusal::Taken, .. }), "{inside}");
    for (path, why) in [
        ("", Refusal::Name),
        ("/a", Refusal::Name),
        ("a//b", Refusal::Name),
        ("a/../b", Refusal::Name),
        ("./a", Refusal::Name),
        ("a\tb", Refusal::Name),
        ("manifest.json", Refusal::Taken),
        ("Manifest.JSON", Refusal::Taken),
    ] {
        assert_eq!(EntryPath::new(path), Err(why), "{path:?}");
    }
}

/// A name in Latin-1.
fn latin_name() -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![b'a', 0xe4])
}

#[test]
fn a_directory_that_is_none_and_files_that_are_too_large_are_named() {
    let bed = Bed::new();
    let absent = bed.collect(&[]).expect_err("nothing is there");
    assert!(matches!(absent, ReleaseError::File(_)), "{absent}");
    fs::write(bed.from(), "a file").expect("written");
    let file = bed.collect(&[]).expect_err("a file");
    assert!(matches!(file, ReleaseError::Refused { why: Refusal::NotADirectory, .. }), "{file}");
    fs::remove_file(bed.from()).expect("ours");
    let large = bed.write("large", b"");
    fs::OpenOptions::new().write(true).open(&large).and_then(|file| file.set_len(MAX_SIZE + 1)).expect("sparse");
    assert!(matches!(bed.collect(&[]), Err(ReleaseError::TooLarge { path }) if path == large));
    bed.collect(&["large"]).expect("left out");
}

#[test]
fn a_file_that_changed_since_it_was_read_is_noticed() {
    let bed = Bed::new();
    let path = bed.write("data", &[1; 3000]);
    let payload = bed.collect(&[]).expect("gathered");
    let blob = payload.blobs.values().find(|blob| blob.size() == 3000).expect("it is there");
    assert_eq!(blob.read(2990, 100).expect("read"), [1; 10]);
    // Same size, same time: the system still says when its attributes changed.
    let modified = fs::metadata(&path).and_then(|it| it.modified()).expect("known");
    let change = fs::OpenOptions::new().write(true).open(&path).expect("ours");
    std::io::Write::write_all(&mut &change, &[2; 10]).expect("written");
    change.set_modified(modified).expect("ours");
    assert!(matches!(blob.read(0, 100), Err(ReleaseError::Changed { path: named }) if named == path));
    fs::write(&path, [1; 10]).expect("written");
    assert!(matches!(blob.read(2000, 100), Err(ReleaseError::Changed { .. })));
    fs::remove_file(&path).expect("ours");
    assert!(blob.read(0, 1).is_err());
}

#[test]
fn an_upload_goes_on_where_it_was_cut() {
    for received in [0, 1, 999, 1000, 2500, 4999] {
        let bed = Bed::new();
        let data: Vec<u8> = (0..5000_u32).map(|it| it.to_le_bytes()[0] ^ it.to_le_bytes()[1]).collect();
        bed.write("data", &data);
        let (payload, store) = (bed.collect(&[]).expect("gathered"), bed.store());
        let hash = ContentHash::of(&data);
        store.put(&hash, 5000, 0, &data[..received]).expect("a part");
        let missing = store.missing(&payload.manifest).expect("looked");
        let part = missing.iter().find(|it| it.hash == hash).expect("it is not all there");
        assert_eq!((part.received, &part.prefix), (received as u64, &ContentHash::of(&data[..received])));
        let gap = store.put(&hash, 5000, received as u64 + 1, &data[..1]).map(|_| ());
        match gap {
            Err(ReleaseError::WrongOffset { expected, .. }) => assert_eq!(expected, received as u64),
            // One byte after the end does not belong to it: all of it goes.
            Err(ReleaseError::Damaged { .. }) if received == 4999 => {
                store.put(&hash, 5000, 0, &data[..received]).map(|_| ()).expect("again");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(send(&store, &payload).expect("sent"), 5000 - received as u64 + 12);
        store.build(&payload.manifest).expect("built");
    }
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let bed = Bed::new();
    let mut data = vec![5; 5000];
    bed.write("data", &data);
    let (payload, store) = (bed.collect(&[]).expect("gathered"), bed.store());
    let hash = ContentHash::of(&data);
    // On the way.
    data[17] ^= 4;
    let flipped = store.put(&hash, 5000, 0, &data).expect_err("another content");
    assert!(matches!(flipped, ReleaseError::Damaged { .. }) && flipped.kind() == FaultKind::Preflight, "{flipped}");
    assert_eq!(store.missing(&payload.manifest).expect("looked").iter().map(|it| it.received).sum::<u64>(), 0);
    // In a part that lay on the disk: the upload begins anew.
    store.put(&hash, 5000, 0, &data[..2000]).expect("a part");
    assert_eq!(send(&store, &payload).expect("sent"), 5012);
    // In a content that had arrived: it is removed when the release is built, and sent again.
    let blob = store.blob(&hash);
    fs::write(&blob, &data).expect("ours");
    assert!(matches!(store.build(&payload.manifest), Err(ReleaseError::Damaged { .. })));
    assert!(!store.contains(payload.manifest.rid()) && !blob.exists());
    assert!(matches!(store.build(&payload.manifest), Err(ReleaseError::Incomplete { count: 1, .. })));
    assert_eq!(send(&store, &payload).expect("sent"), 5000);
    assert!(store.build(&payload.manifest).expect("built"));
    // Too much, and too large.
    assert!(matches!(store.put(&hash, 3, 0, b"1234"), Err(ReleaseError::Damaged { .. })));
    assert!(matches!(store.put(&hash, MAX_SIZE + 1, 0, b"1"), Err(ReleaseError::Damaged { .. })));
}

#[test]
fn what_became_of_a_release_is_listed() {
    let bed = Bed::new();
    for name in ["changed", "mode", "gone", "kind"] {
        bed.write(name, name.as_bytes());
    }
    symlink("mode", bed.from().join("link")).expect("linked");
    let store = bed.store();
    let rid = deliver(&store, &bed.collect(&[]).expect("gathered"));
    let app = store.release(&rid).join("app");
    set_mode(&app, 0o755);
    for name in ["changed", "gone", "kind", "link"] {
        fs::remove_file(app.join(name)).expect("ours");
    }
    fs::write(app.join("changed"), "CHANGED").expect("written");
    set_mode(&app.join("changed"), 0o444);
    set_mode(&app.join("mode"), 0o644);
    fs::create_dir(app.join("kind")).expect("made");
    symlink("kind", app.join("link")).expect("linked");
    fs::create_dir_all(app.join("added/below")).expect("made");
    let found: Vec<(String, DriftKind)> =
        store.verify(&rid).expect("looked").into_iter().map(|it| (it.path, it.kind)).collect();
    let expected = [
        ("app", DriftKind::Mode),
        ("app/added", DriftKind::Added),
        ("app/changed", DriftKind::Changed),
        ("app/gone", DriftKind::Missing),
        ("app/kind", DriftKind::Changed),
        ("app/link", DriftKind::Changed),
        ("app/mode", DriftKind::Mode),
    ];
    assert_eq!(found, expected.map(|(path, kind)| (path.to_owned(), kind)));
    let payload = bed.collect(&[]).expect("gathered");
    assert!(matches!(store.build(&payload.manifest), Err(ReleaseError::Occupied(_))));
}

#[test]
fn current_leads_to_one_release_and_back() {
    let bed = Bed::new();
    let store = bed.store();
    assert_eq!((store.current().expect("none"), store.previous().expect("none")), (None, None));
    let (one, two) = (deliver(&store, &small(0, "a = 1\n")), deliver(&store, &small(1, "a = 2\n")));
    let absent: ReleaseId = "20200101T000000Z-00000000".parse().expect("a name");
    assert!(matches!(store.switch(&absent, "tx"), Err(ReleaseError::NotFound(_))));
    store.switch(&one, "tx").expect("switched");
    store.switch(&two, "../../tx").expect("switched");
    store.set_previous(&one, "tx").expect("said");
    assert_eq!((store.current().expect("read"), store.previous().expect("read")), (Some(two.clone()), Some(one)));
    assert_eq!(fs::read(store.current_link().join("environments/dev.toml")).expect("read"), b"a = 2\n");
    assert!(matches!(store.move_to_failed(&two), Err(ReleaseError::InUse(_))));
    store.clear_current().expect("none");
    store.move_to_failed(&two).expect("moved");
    assert_eq!((store.current().expect("none"), store.contains(&two)), (None, false));
    assert!(store.failed().join(two.as_str()).join("manifest.json").exists());
    // What does not lead to a release is left alone.
    symlink("/etc", store.current_link()).expect("linked");
    assert!(matches!(store.current(), Err(ReleaseError::NotARelease { .. })));
    fs::remove_file(store.current_link()).expect("ours");
    fs::create_dir(store.current_link()).expect("made");
    let [one, _] = [store.previous().expect("read").expect("one"), two];
    assert!(matches!(store.switch(&one, "tx"), Err(ReleaseError::NotARelease { .. })));
    assert!(matches!(store.current(), Err(ReleaseError::NotARelease { .. })));
}

#[test]
fn a_reader_finds_a_release_at_any_time_of_a_thousand_switches() {
    let bed = Bed::new();
    let store = bed.store();
    let both = [deliver(&store, &small(0, "a = 1\n")), deliver(&store, &small(1, "a = 2\n"))];
    store.switch(&both[0], "tx").expect("switched");
    let (file, done) = (store.current_link().join("environments/dev.toml"), AtomicBool::new(false));
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&file).expect("it is always there");
                assert!(text == "a = 1\n" || text == "a = 2\n", "{text:?}");
                count += 1;
            }
            count
        });
        for number in 1..=1000 {
            store.switch(&both[number % 2], "tx").expect("switched");
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("no read failed")
    });
    assert!(reads > 0);
}

#[test]
fn what_is_no_longer_needed_goes() {
    let bed = Bed::new();
    let store = bed.store();
    let all: Vec<ReleaseId> =
        (0..14).map(|number| deliver(&store, &small(number, &format!("a = {number}\n")))).collect();
    store.switch(&all[0], "tx").expect("an old one, rolled back to");
    store.set_previous(&all[1], "tx").expect("said");
    for rid in &all[10..] {
        store.move_to_failed(rid).expect("moved");
    }
    symlink("releases/x", store.root().join("current.dead")).expect("a killed run");
    fs::create_dir(store.releases().join(".tetra-20200101T000000Z-00000000")).expect("a killed run");
    fs::write(store.blobs().join("0.part"), "a killed run").expect("written");
    // 9 was never committed.
    let pruned = store.prune(&all[..9]).expect("pruned");
    assert_eq!(store.list().expect("listed"), [&all[..2], &all[4..9]].concat());
    assert_eq!(pruned.releases, [&all[2..4], &all[9..11]].concat());
    assert_eq!((pruned.leftovers, pruned.blobs), (2, 3 + 4 + 1));
    assert_eq!(fs::read_dir(store.failed()).expect("there").count(), 3);
    assert_eq!(fs::read_dir(store.blobs()).expect("there").count(), 7);
    assert_eq!(store.prune(&all[..9]).expect("pruned"), Pruned::default());
    assert_eq!(store.verify(&all[0]).expect("looked"), []);
}

#[test]
fn a_manifest_that_says_what_cannot_be_is_refused() {
    let manifest = small(0, "a = 1\n").manifest;
    let json = String::from_utf8(manifest.to_json()).expect("text");
    assert_eq!(Manifest::read(json.as_bytes()).expect("read"), manifest);
    for (from, to, why) in [
        (r#""version":1"#, r#""version":2"#, "format 2"),
        (r#""version":1"#, r#""version":0"#, "the format 0 is unknown"),
        ("environments/dev.toml", "environments/../x", "cannot be part of a release"),
        ("environments/dev.toml", "elsewhere/dev.toml", "out of order"),
        ("environments/dev.toml", "environs/dev.toml", "in no directory"),
        (r#""mode":292"#, r#""mode":420"#, "mode 0644"),
        (r#""mode":292"#, r#""mode":2340"#, "mode 4444"),
        (r#""mode":365"#, r#""mode":293"#, "mode 0445"),
        (r#""size":6"#, r#""size":7"#, "not what its name"),
        (r#""size":6"#, r#""size":999999999999"#, "more than 200 MiB"),
        (r#""org":"acme""#, r#""org":"../x""#, "../x"),
        (r#""org":"acme""#, r#""org":"acme","more":1"#, "unknown field"),
        ("20261120T103045Z-", "../../../../../xx-", "name of a release"),
        (manifest.entries()[1].kind.hash(), "zz", "64 hexadecimal digits"),
    ] {
        let broken = json.replacen(from, to, 1);
        assert_ne!(broken, json, "{from}");
        let error = Manifest::read(broken.as_bytes()).expect_err(to).to_string();
        assert!(error.contains(why), "{to}: {error}");
    }
}

impl EntryKind {
    fn hash(&self) -> &str {
        if let Self::File { sha256, .. } = self { sha256.as_str() } else { "" }
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let path = "[a-c]{1,2}(/[a-c]{1,2}){0,3}".prop_map(|path| EntryPath::new(&path).expect("plain names"));
    let kind = prop_oneof![
        (0_u32..0o1000, 0_u64..9).prop_map(|(mode, size)| EntryKind::File {
            mode: mode & 0o555 | 0o400,
            size,
            sha256: ContentHash::of(&size.to_le_bytes()),
        }),
        (0_u32..0o1000).prop_map(|mode| EntryKind::Directory { mode: mode & 0o555 | 0o500 }),
        "(\\.\\./){0,3}[a-c](/[a-c.]{1,2}){0,2}".prop_map(|target| EntryKind::Link { target }),
    ];
    (path, kind).prop_map(|(path, kind)| Entry { path, kind })
}

proptest! {
    #[test]
    fn a_manifest_is_the_same_after_writing_and_reading(entries in prop::collection::vec(entry(), 0..8), turn in 0_usize..8) {
        let make = |entries| Manifest::new(AT, &"acme".parse().expect("a name"), &"dev".parse().expect("a name"), entries);
        let mut turned = entries.clone();
        turned.rotate_left(turn.min(entries.len()));
        if let Ok(made) = make(entries) {
            prop_assert_eq!(&Manifest::read(&made.to_json()).expect("it was made by us"), &made);
            prop_assert_eq!(&make(turned).expect("the order is of no matter"), &made);
        }
    }

    #[test]
    fn no_link_of_a_sound_manifest_leaves_the_release(entries in prop::collection::vec(entry(), 0..12)) {
        let made = Manifest::new(AT, &"acme".parse().expect("a name"), &"dev".parse().expect("a name"), entries);
        let made = match made { Ok(made) => made, Err(_) => return Ok(()) };
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("there").join("outer/inner");
        fs::create_dir_all(&root).expect("made");
        for entry in made.entries() {
            let at = root.join(entry.path.as_str());
            match &entry.kind {
                EntryKind::Directory { .. } => fs::create_dir(&at).expect("made"),
                EntryKind::File { .. } => fs::write(&at, "").expect("written"),
                EntryKind::Link { target } => symlink(target, &at).expect("linked"),
            }
        }
        for entry in made.entries() {
            if let Ok(real) = root.join(entry.path.as_str()).canonicalize() {
                prop_assert!(real.starts_with(&root), "{} leads to {}", entry.path, real.display());
            }
        }
    }
}
