use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};

use super::*;

const ANN: u32 = 64_011;
const BOB: u32 = 64_012;

struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, name).expect("a file");
        path
    }

    fn link(&self, name: &str, target: &str) -> std::path::PathBuf {
        symlink(target, self.at(name)).expect("a link");
        self.at(name)
    }

    /// Gives something to a user; false where we are not root and cannot.
    fn give(&self, name: &str, uid: u32) -> bool {
        rustix::process::geteuid().is_root() && lchown(self.at(name), Some(uid), Some(uid)).is_ok()
    }
}

fn access_error_of(opened: io::Result<File>) -> Option<FileAccessError> {
    access_error(&opened.expect_err("a refusal"))
}

#[test]
fn a_link_in_the_place_of_a_file_of_the_program_is_refused_and_one_of_an_operator_is_followed() {
    let bench = Fixture::new();
    let (file, link) = (bench.file("real/a"), bench.link("link", "real/a"));
    for options in [own_file(), own_file().write(), own_file().append(0o600), own_file().create(0o600).truncate()] {
        assert_eq!(access_error_of(options.open(&link)), Some(FileAccessError::Symlink));
    }
    assert_eq!(fs::read(&file).expect("read"), b"real/a", "nothing was cut");
    assert_eq!(read(&link).expect("read"), b"real/a");
    let dangling = bench.link("dangling", "nothing");
    assert_eq!(access_error_of(own_file().append(0o600).open(&dangling)), Some(FileAccessError::Symlink));
    assert!(!bench.at("nothing").exists(), "nothing was made behind it");
}

#[test]
fn links_of_our_own_on_the_way_are_followed() {
    let bench = Fixture::new();
    bench.file("real/deep/a");
    bench.link("way", "real");
    bench.link("real/up", "../way/deep");
    bench.link("real/all", &bench.at("real").display().to_string());
    for path in ["way/deep/a", "real/up/a", "way/all/up/../deep/a", "real/./deep/a"] {
        assert_eq!(read_own(bench.at(path)).expect(path), b"real/deep/a");
    }
    let directory = directory(&bench.at("way")).expect("a directory");
    assert!(own_file().open_at(rustix::fd::AsFd::as_fd(&directory), "up/a").is_ok());
    let mut file = own_file().append(0o600).open(bench.at("way/up/new")).expect("made");
    io::Write::write_all(&mut file, b"x").expect("written");
    assert_eq!(fs::read(bench.at("real/deep/new")).expect("read"), b"x");
    bench.link("round", "round");
    assert_eq!(user_file().open(bench.at("round")).expect_err("a loop").raw_os_error(), Some(40));
}

#[test]
fn what_is_not_a_regular_file_is_an_error_at_once() {
    let bench = Fixture::new();
    let pipe = bench.at("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    fs::create_dir(bench.at("directory")).expect("a directory");
    for path in [pipe.clone(), bench.at("directory"), "/dev/null".into()] {
        assert_eq!(access_error_of(user_file().open(&path)), Some(FileAccessError::NotRegular), "{}", path.display());
        assert_eq!(access_error_of(own_file().open(&path)), Some(FileAccessError::NotRegular), "{}", path.display());
    }
    let _reader = own_file().fifo().open(&pipe).expect("a reader");
    assert!(own_file().fifo().write().open(&pipe).is_ok(), "where a pipe is wanted it is opened");
    assert_eq!(access_error_of(own_file().fifo().open(bench.file("file"))), Some(FileAccessError::NotRegular));
}

#[test]
fn more_than_an_operator_writes_is_not_read() {
    let bench = Fixture::new();
    let large = File::create(bench.at("large")).expect("a file");
    large.set_len(MAX_FILE_SIZE).expect("long");
    assert_eq!(read(bench.at("large")).expect("just so").len() as u64, MAX_FILE_SIZE);
    large.set_len(MAX_FILE_SIZE + 1).expect("longer");
    assert_eq!(access_error(&read(bench.at("large")).expect_err("too large")), Some(FileAccessError::TooLarge));
}

#[test]
fn a_link_of_another_user_leads_to_files_of_that_user_alone() {
    let bench = Fixture::new();
    bench.file("ours/secret");
    for (directory, user) in [("ann", ANN), ("bob", BOB)] {
        bench.file(&format!("{directory}/own"));
        if !bench.give(directory, user) || !bench.give(&format!("{directory}/own"), user) {
            // Without root nothing can be another user's; that what is ours is followed is shown above.
            return;
        }
    }
    for (name, target) in [("theirs", "own"), ("ours", "../ours/secret"), ("bob", "../bob/own"), ("new", "../ours/new")]
    {
        bench.link(&format!("ann/{name}"), target);
        bench.give(&format!("ann/{name}"), ANN);
    }
    bench.link("ann/moved", "../ours/secret");
    bench.link("ann/way", "../ours");
    assert_eq!(read(bench.at("ann/theirs")).expect("their own"), b"ann/own");
    for name in ["ours", "bob", "moved", "way/secret"] {
        assert_eq!(
            access_error_of(user_file().open(bench.at(&format!("ann/{name}")))),
            Some(FileAccessError::ForeignSymlink(ANN)),
            "{name}"
        );
    }
    assert_eq!(
        access_error_of(user_file().append(0o600).open(bench.at("ann/new"))),
        Some(FileAccessError::ForeignSymlink(ANN))
    );
    assert_eq!(
        access_error_of(own_file().append(0o600).open(bench.at("ann/way/new"))),
        Some(FileAccessError::ForeignSymlink(ANN))
    );
    assert!(!bench.at("ours/new").exists());
    bench.link("home", "ann");
    assert_eq!(read(bench.at("home/theirs")).expect("a way of ours"), b"ann/own");
}

#[test]
fn what_another_user_owns_is_read_and_not_written() {
    let bench = Fixture::new();
    let file = bench.file("file");
    if bench.give("file", ANN) {
        assert!(own_file().open(&file).is_ok());
        assert_eq!(access_error_of(own_file().append(0o600).open(&file)), Some(FileAccessError::ForeignOwner(ANN)));
        assert_eq!(
            access_error_of(own_file().create(0o600).truncate().open(&file)),
            Some(FileAccessError::ForeignOwner(ANN))
        );
        assert_eq!(fs::read(&file).expect("read"), b"file", "nothing was cut");
    } else {
        assert!(own_file().append(0o600).open(&file).is_ok(), "our own is written");
    }
}

#[test]
fn only_what_no_other_user_can_change_says_what_is_run() {
    let bench = Fixture::new();
    let file = bench.file("services/api.tsm");
    let look = || trust::check_trusted(&file, &user_file().open(&file).expect("opened"));
    let set = |name: &str, mode| fs::set_permissions(bench.at(name), fs::Permissions::from_mode(mode)).expect("ours");
    assert_eq!(look(), Ok(()));
    for (name, mode, open) in [
        ("services/api.tsm", 0o646, true),
        ("services/api.tsm", 0o644, false),
        ("services", 0o757, true),
        ("services", 0o1777, false),
        ("services", 0o755, false),
    ] {
        set(name, mode);
        let expected = UntrustedFileError::WritableByOthers { path: bench.at(name), mode };
        assert_eq!(look(), if open { Err(expected) } else { Ok(()) }, "{name} {mode:o}");
    }
    if bench.give("services/api.tsm", ANN) {
        assert_eq!(look(), Err(UntrustedFileError::ForeignOwner { path: file.clone(), owner: ANN }));
        bench.give("services/api.tsm", 0);
        bench.give("services", BOB);
        assert_eq!(look(), Err(UntrustedFileError::ForeignOwner { path: bench.at("services"), owner: BOB }));
    }
}
