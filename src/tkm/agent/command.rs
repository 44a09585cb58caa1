//! A command of tetra, run on a host by a login whose key is not bound.

use memchr::memmem;

/// Looks for the program where a login shell may not: most give a command without a terminal a short PATH.
const FIND: &str = r#"
t=$(command -v tetra 2>/dev/null)
if [ -z "$t" ]; then
    for p in "$HOME/.local/bin/tetra" "$HOME/bin/tetra" /usr/local/bin/tetra /opt/tetra/bin/tetra \
        "$HOME"/.local/lib/tetra/tetra-*; do
        [ -x "$p" ] && t=$p && break
    done
fi
[ -n "$t" ] || exit 127
"#;

/// What runs the program with some words in `sh`, its standard error apart behind a line with `mark`.
pub(super) fn script(words: &[String], mark: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!(
        "{FIND}exec 3>&1\ne=$(\"$t\" {} 2>&1 >&3 3>&- </dev/null); s=$?\nprintf '\\n%s\\n%s' 'errors-{mark}' \"$e\"\nexit $s\n",
        words.join(" ")
    )
}

/// The line for ssh that runs the program with some words and gives its output as it comes.
#[must_use]
pub fn stream(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("exec sh -c {}", quoted(&format!("{FIND}exec \"$t\" {} </dev/null", words.join(" "))))
}

/// What it printed on standard output and on standard error; none if there was no program.
pub(super) fn split(said: &[u8], mark: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let line = format!("\nerrors-{mark}\n");
    let at = memmem::rfind(said, line.as_bytes())?;
    Some((said[..at].to_vec(), said[at + line.len()..].to_vec()))
}

/// One word of `sh`, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn words_and_streams_are_kept_apart() {
        let home = tempfile::tempdir().expect("a directory");
        let bin = home.path().join("bin");
        std::fs::create_dir(&bin).expect("made");
        let program = bin.join("tetra");
        std::fs::write(&program, "#!/bin/sh\nprintf '<%s>' \"$@\"\necho problem >&2\nexit 5\n").expect("written");
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
        let run = |home: &std::path::Path, script: &str| {
            let mut sh = Command::new("/bin/sh");
            sh.args(["-c", script]).env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").output().expect("sh")
        };
        let words = ["a b", "it's", "$(id)", "*", ""].map(str::to_owned);
        let done = run(home.path(), &script(&words, "m"));
        let (output, errors) = split(&done.stdout, "m").expect("it was found");
        assert_eq!(String::from_utf8_lossy(&output), "<a b><it's><$(id)><*><>");
        assert_eq!((String::from_utf8_lossy(&errors).as_ref(), done.status.code()), ("problem", Some(5)));
        let streamed = run(home.path(), &stream(&words));
        assert_eq!(String::from_utf8_lossy(&streamed.stdout), "<a b><it's><$(id)><*><>");
        let absent = run(std::path::Path::new("/nonexistent"), &script(&words, "m"));
        assert_eq!((split(&absent.stdout, "m"), absent.status.code()), (None, Some(127)));
    }
}
