//! Releases on their host.

use super::*;

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
    // 9 was never committed; processes work in 2.
    let pruned = store.prune(&all[..9], &all[2..3]).expect("pruned");
    assert_eq!(store.list().expect("listed"), [&all[..3], &all[4..9]].concat());
    assert_eq!(pruned.releases, [&all[3..4], &all[9..11]].concat());
    assert_eq!((pruned.leftovers, pruned.blobs), (2, 2 + 4 + 1));
    assert_eq!(fs::read_dir(store.failed()).expect("there").count(), 3);
    assert_eq!(fs::read_dir(store.blobs()).expect("there").count(), 8);
    assert_eq!(store.prune(&all[..9], &all[2..3]).expect("pruned"), Pruned::default());
    store.remove(&all[2]).expect("removed");
    assert!(!store.contains(&all[2]) && matches!(store.remove(&all[0]), Err(ReleaseError::InUse(_))));
    assert_eq!(store.verify(&all[0]).expect("looked"), []);
}
