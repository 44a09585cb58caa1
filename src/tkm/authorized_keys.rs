//! `authorized_keys` as text that is edited in place: what is not ours stays byte for byte.
//!
//! Our lines are between two marks for each environment. A line outside of them is never changed, whatever its key.

use super::host::HostName;
use super::key::PublicKey;
use crate::base::environment::EnvRef;

/// The largest file of keys that is changed, in bytes.
pub const MAX_KEYS_FILE: usize = 1 << 20;

/// Where the file is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedBlock {
    begin: String,
    end: String,
}

impl ManagedBlock {
    /// The block of an environment.
    #[must_use]
    pub fn of(env: &EnvRef) -> Self {
        Self { begin: format!("# >>> tetra {env} >>>"), end: format!("# <<< tetra {env} <<<") }
    }

    /// The lines of the block, without the marks and the ends of lines; byte for byte, whatever others put there.
    #[must_use]
    pub fn lines(&self, file: &[u8]) -> Vec<Vec<u8>> {
        let Some((_, inside, _)) = self.split(file) else { return Vec::new() };
        let lines = inside.split_inclusive(|byte| *byte == b'\n');
        lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line).to_vec()).collect()
    }

    /// True if what begins at a place of the file is a line of the block.
    #[must_use]
    pub fn contains(&self, file: &[u8], at: usize) -> bool {
        self.split(file).is_some_and(|(before, inside, after)| {
            let end = file.len() - after.len();
            let begin =
                before.len() + file[before.len()..end].iter().position(|byte| *byte == b'\n').map_or(0, |it| it + 1);
            (begin..begin + inside.len()).contains(&at)
        })
    }

    /// The file with these lines in the block. Without lines the block goes away; a block that is not there is added at the end.
    #[must_use]
    pub fn replace(&self, file: &[u8], lines: &[Vec<u8>]) -> Vec<u8> {
        let mut block = Vec::new();
        if !lines.is_empty() {
            let inside = lines.iter().map(Vec::as_slice);
            for line in [self.begin.as_bytes()].into_iter().chain(inside).chain([self.end.as_bytes()]) {
                block.extend_from_slice(line);
                block.push(b'\n');
            }
        }
        if let Some((before, _, after)) = self.split(file) {
            return [before, &block, after].concat();
        }
        if block.is_empty() {
            return file.to_vec();
        }
        let gap: &[u8] = if file.is_empty() || file.ends_with(b"\n") { b"" } else { b"\n" };
        [file, gap, &block].concat()
    }

    /// What is before the block, in it, and after it. A block without its end is not one: nothing after it is ours, up to the
    /// beginning of one that has an end.
    fn split<'a>(&self, file: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let (mut begin, mut inside) = line_range(file, self.begin.as_bytes(), 0)?;
        let (end, after) = line_range(file, self.end.as_bytes(), inside)?;
        while let Some((later, within)) = line_range(&file[..end], self.begin.as_bytes(), inside) {
            (begin, inside) = (later, within);
        }
        Some((&file[..begin], &file[inside..end], &file[after..]))
    }
}

/// Where a line begins and where the next one does, at or after `from`.
fn line_range(file: &[u8], wanted: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut start = from;
    while start < file.len() {
        let next = file[start..].iter().position(|byte| *byte == b'\n').map_or(file.len(), |end| start + end + 1);
        if file[start..next].trim_ascii_end() == wanted {
            return Some((start, next));
        }
        start = next;
    }
    None
}

/// True if a line lets this key in, whatever its options, and whatever is between its words: sshd takes blanks and tabs.
#[must_use]
pub fn has_key(line: &[u8], key: &PublicKey) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace);
    !line.trim_ascii_start().starts_with(b"#") && words.any(|word| word == key.base64.as_bytes())
}

/// The file without the lines that let one of these keys in, wherever they are. A block of ours that has none left goes with them.
#[must_use]
pub fn without_keys(file: &[u8], keys: &[PublicKey]) -> Vec<u8> {
    let lets_in = |line: &[u8]| keys.iter().any(|key| has_key(line, key));
    let all: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let kept: Vec<&[u8]> = all.iter().copied().filter(|line| !lets_in(line)).collect();
    if kept.len() == all.len() {
        return file.to_vec();
    }
    let mut lines = kept.into_iter().peekable();
    let mut text = Vec::with_capacity(file.len());
    while let Some(line) = lines.next() {
        let is_empty_block = lines.peek().is_some_and(|next| {
            mark(line, "# >>> tetra ", " >>>").is_some_and(|env| Some(env) == mark(next, "# <<< tetra ", " <<<"))
        });
        if is_empty_block {
            lines.next();
        } else {
            text.extend_from_slice(line);
        }
    }
    text
}

/// What a mark is of; none if the line is not such a mark.
fn mark<'a>(line: &'a [u8], before: &str, after: &str) -> Option<&'a [u8]> {
    line.trim_ascii_end().strip_prefix(before.as_bytes())?.strip_suffix(after.as_bytes())
}

/// How many lines of a file allow a login: neither empty nor a comment.
#[must_use]
pub fn entry_count(file: &[u8]) -> usize {
    let is_entry = |line: &&[u8]| !line.trim_ascii().is_empty() && !line.trim_ascii().starts_with(b"#");
    file.split(|byte| *byte == b'\n').filter(is_entry).count()
}

/// What became of a file of keys of which a key was not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysLeft {
    /// It is as it was.
    Before,
    /// The new key is in it, beside the old one.
    Both,
    /// The old key is not in it, and the host puts it back.
    Armed {
        /// When.
        seconds: u64,
    },
}

impl KeysLeft {
    /// The words for it.
    pub(super) fn words(self, host: &HostName) -> String {
        match self {
            Self::Before => format!("the file of keys of `{host}` is as it was before"),
            Self::Both => format!("`{host}` has both keys in its file"),
            Self::Armed { seconds } => format!("`{host}` puts its old keys back within {seconds} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> ManagedBlock {
        ManagedBlock::of(&"acme/dev".parse().expect("an environment"))
    }

    #[test]
    fn what_is_not_ours_stays_byte_for_byte() {
        let lines =
            |names: &[&str]| names.iter().map(|name| format!("ssh-ed25519 {name}").into_bytes()).collect::<Vec<_>>();
        for foreign in [&b""[..], b"a\n", b"a\r\n\r\n# x\n", b"\xff\xfe\n\0b\n", b"  ssh-rsa x  \n\n\n"] {
            let once = block().replace(foreign, &lines(&["one"]));
            assert!(once.starts_with(foreign));
            assert_eq!(block().lines(&once), lines(&["one"]));
            let with_more = [&once, &b"later\n"[..]].concat();
            let twice = block().replace(&with_more, &lines(&["one", "two"]));
            assert!(twice.starts_with(foreign) && twice.ends_with(b"later\n"));
            assert_eq!(block().replace(&twice, &[]), [foreign, &b"later\n"[..]].concat());
        }
        let unfinished = b"last line without end";
        let added = block().replace(unfinished, &lines(&["one"]));
        assert!(added.starts_with(b"last line without end\n# >>> tetra acme/dev >>>\n"));
    }

    #[test]
    fn a_line_of_others_in_the_block_stays_byte_for_byte() {
        let odd = [&b"ssh-rsa \xff\xfe"[..], b"# caf\xe9\r", b"", b"\0"].map(<[u8]>::to_vec);
        let file = block().replace(b"first\n", &odd);
        assert_eq!(block().lines(&file), odd);
        assert_eq!(block().replace(&file, &block().lines(&file)), file);
    }

    #[test]
    fn a_key_goes_from_all_its_lines_and_from_no_other() {
        let key = |byte: char| {
            let blob = format!("AAAAC3NzaC1lZDI1NTE5AAAAI{}", byte.to_string().repeat(43));
            PublicKey::parse(&format!("ssh-ed25519 {blob} me")).expect("a key")
        };
        let (gone, kept) = (key('A'), key('E'));
        let file = block().replace(b"\xff\r\n", &[format!("restrict {}", gone.line()).into_bytes()]);
        let file = [&file[..], format!("{}\n# {}\n", kept.line(), gone.line()).as_bytes()].concat();
        // As sshd reads it, too.
        let apart = format!("\t{}  \t{}\tme\r\n", gone.algorithm, gone.base64);
        let file = [&file[..], apart.as_bytes(), format!("no-pty {}", gone.body()).as_bytes()].concat();
        let expected = format!("{}\n# {}\n", kept.line(), gone.line());
        assert_eq!(without_keys(&file, std::slice::from_ref(&gone)), [&b"\xff\r\n"[..], expected.as_bytes()].concat());
        let marks_only = b"# >>> tetra dev >>>\n# <<< tetra dev <<<\n";
        assert_eq!(without_keys(marks_only, &[gone]), marks_only);
    }

    #[test]
    fn a_block_without_its_end_is_not_ours() {
        let file = b"# >>> tetra acme/dev >>>\nssh-ed25519 mine\n";
        assert_eq!(block().lines(file), Vec::<Vec<u8>>::new());
        let with_block = block().replace(file, &[b"new".to_vec()]);
        assert!(with_block.starts_with(file));
        assert_eq!(block().lines(&with_block), [b"new".to_vec()]);
        assert_eq!(block().replace(&with_block, &[]), file);
    }

    #[test]
    fn another_environment_has_a_block_of_its_own() {
        let other = ManagedBlock::of(&"acme/prod".parse().expect("an environment"));
        let file = block().replace(&other.replace(b"", &[b"p".to_vec()]), &[b"d".to_vec()]);
        assert_eq!((block().lines(&file), other.lines(&file)), (vec![b"d".to_vec()], vec![b"p".to_vec()]));
        assert_eq!(entry_count(&file), 2);
    }
}
