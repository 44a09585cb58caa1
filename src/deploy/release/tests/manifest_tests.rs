//! Manifests as texts.

use super::*;

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
