//! Words as systemd reads them: quotes, `%` of specifiers, `$` of variables.

use std::path::Path;

/// A path or text that is the whole value of a key, to the end of the line.
pub(super) fn plain(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word in a list of words: `Environment=`, `ReadWritePaths=`.
pub(super) fn word(text: &str) -> String {
    let text = plain(text);
    if text.chars().all(|c| c.is_alphanumeric() || "/_-.@:+,=%~".contains(c)) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A word of a command line, where variables are filled in as well.
pub(super) fn argument(path: &Path) -> String {
    word(&path.to_string_lossy()).replace('$', "$$")
}
