//! Programs that a test makes and runs at once.
//!
//! They are written by another process. A file that this one has open for writing, for however short a time, is also open in
//! whatever another test forks at that moment, and until that has executed its own program the file cannot be executed: "text
//! file busy".

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;

use nix::sys::stat::{Mode, umask};
use tempfile::TempDir;

use crate::world::PROGRAM;

/// Writes an executable script.
pub(crate) fn script(path: &Path, text: &str) {
    let mut writer = Command::new("sh");
    writer.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(path);
    let mut writer = writer.stdin(Stdio::piped()).spawn().expect("sh is there");
    writer.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    assert!(writer.wait().expect("it is ours").success(), "{} is written", path.display());
}

/// Copies a program.
pub(crate) fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().expect("cp is there");
    assert!(copied.success(), "{} is copied", to.display());
}

/// Has files of tests be made as with the usual umask: tetra trusts none that other users can write. A stricter one stays.
pub(crate) fn limit_umask() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let given = umask(Mode::from_bits_truncate(0o077));
        umask(given | Mode::from_bits_truncate(0o022));
    });
}

/// An empty directory for the program under test: beside it, where it can be linked, if this user may write there.
pub(crate) fn directory() -> TempDir {
    limit_umask();
    let beside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    beside.or_else(|_| tempfile::tempdir()).expect("a directory can be made")
}

/// Puts the program under test at `to`. It is linked there if it can be, and copied if not: to another file system, or where it
/// was built by another user, whose files the kernel lets no other user link.
pub(crate) fn place(to: &Path) {
    if fs::hard_link(PROGRAM, to).is_err() {
        copy(Path::new(PROGRAM), to);
    }
}
