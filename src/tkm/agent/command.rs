//! A command of tetra, run on a host by a login whose key is not bound.

use memchr::memmem;

use crate::tkm::ssh;

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

/// A program on a host whose output is read as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The line for ssh that runs it.
    pub line: String,
    /// What it prints begins behind this line: a login may say something of its own before.
    pub begin: String,
}

impl Stream {
    /// Of the program with some words.
    #[must_use]
    pub fn of(words: &[String]) -> Self {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let begin = format!("begin-{}", ssh::mark());
        let script = format!("{FIND}printf '\\n%s\\n' '{begin}'\nexec \"$t\" {} </dev/null", words.join(" "));
        Self { line: format!("exec sh -c {}", quoted(&script)), begin }
    }
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
        let Stream { line, begin } = Stream::of(&words);
        let streamed = run(home.path(), &format!("printf welcome\n{line}"));
        let expected = format!("welcome\n{begin}\n<a b><it's><$(id)><*><>");
        assert_eq!(String::from_utf8_lossy(&streamed.stdout), expected);
        let absent = run(std::path::Path::new("/nonexistent"), &script(&words, "m"));
        assert_eq!((split(&absent.stdout, "m"), absent.status.code()), (None, Some(127)));
    }
}
