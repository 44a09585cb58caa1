//! What is gathered for a release, and what cannot be part of one.

use super::*;

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
    assert_eq!([mode("app/bin/run"), mode("app/empty"), mode("app"), mode("")], [0o555, 0o444, 0o555, 0o555]);
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
    for name in [".env", ".env.production", "dev.env", "ID_rsa", "id_deploy", "server.pem"] {
        assert_eq!(refused(&|bed| drop(bed.write(name, b"A=1"))), (name.to_owned(), Refusal::Secret));
    }
    for name in ["key", "both.pem"] {
        let key = |bed: &Bed| drop(bed.write(name, b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3"));
        assert_eq!(refused(&key), (name.to_owned(), Refusal::Secret));
    }
    let bed = Bed::new();
    set_mode(&bed.write("data", b"private, and no secret by its looks"), 0o600);
    for name in [".env.example", "id_rsa.pub", "id_map.js"] {
        bed.write(name, b"A=");
    }
    bed.write("ca.pem", b"Some authority\n-----BEGIN CERTIFICATE-----\nMII");
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
