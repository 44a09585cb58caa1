//! Programs that a test makes and runs at once.
//!
//! They are written by another process. A file that this one has open for writing, for however short a time, is also open in
//! whatever another test forks at that moment, and until that has executed its own program nobody can execute the file: "text
//! file busy".

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

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
