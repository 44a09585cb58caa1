//! A file of keys beside what the store says of its host: which lines are whose, and how it would be as it should.
//!
//! A line is ours if its key is of this store and it is between our marks. Other lines are shown, and never changed: operators
//! on other machines have theirs between the same marks.

use std::collections::BTreeSet;

use super::authorized_keys::has_key;
use super::host::Host;
use super::key::{PublicKey, is_algorithm};
use super::line::{block_of, options};
use super::state::{Key, KeyId, KeyStatus, StoreState};

/// What a line of a file of keys is, beside what the store says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// Ours, as it should be.
    Right,
    /// Ours, and it allows more or less than it should.
    WrongOptions,
    /// It should be there.
    Missing,
    /// Ours, of a key that is retired, revoked, or there twice.
    Stray,
    /// Ours, of a key that is used, and the store does not say that the host accepts it.
    Unrecorded,
    /// Of a key of ours, but not between our marks.
    Outside,
    /// Of others.
    Foreign,
    /// It should be a key, and cannot be read as one.
    Unreadable,
}

impl LineState {
    /// The words for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::WrongOptions => "wrong options",
            Self::Missing => "missing",
            Self::Stray => "stray",
            Self::Unrecorded => "unrecorded",
            Self::Outside => "outside",
            Self::Foreign => "foreign",
            Self::Unreadable => "unreadable",
        }
    }

    /// True for what `sync` mends.
    #[must_use]
    pub fn is_mended(self) -> bool {
        matches!(self, Self::WrongOptions | Self::Missing | Self::Stray | Self::Unrecorded)
    }
}

/// A line that lets a key in, or should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLine {
    /// Counted from 1; none if it is missing.
    pub number: Option<usize>,
    /// What it is.
    pub state: LineState,
    /// The environment of the key; none if it is not ours.
    pub env: Option<String>,
    /// The key; none if it cannot be read.
    pub key: Option<PublicKey>,
    /// What is before the key.
    pub options: String,
}

/// A file of keys, looked through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examination {
    /// Its lines with a key, and those that should be there.
    pub lines: Vec<FoundLine>,
    /// The file as it should be.
    pub wanted: Vec<u8>,
    /// The keys whose lines are added or changed.
    pub mended: Vec<Key>,
    /// The keys that the host accepts, and the store does not say so.
    pub unrecorded: Vec<Key>,
}

/// One of our keys with its line on a host.
struct Own<'a> {
    key: &'a Key,
    id: KeyId,
    public: PublicKey,
    line: String,
    is_expected: bool,
}

/// Looks through the file of keys of a host.
#[must_use]
pub fn examine(state: &StoreState, host: &Host, file: &[u8]) -> Examination {
    let own: Vec<Own> = state.keys.iter().filter_map(|key| own(key, host)).collect();
    let mut found = Examination::default();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut at = 0;
    for (index, bytes) in file.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let (start, text) = (at, String::from_utf8_lossy(bytes));
        at += bytes.len();
        let is_entry = !text.trim().is_empty() && !text.trim_start().starts_with('#');
        let mine = own.iter().find(|own| has_key(bytes, &own.public));
        let state = match mine {
            Some(own) if block_of(&own.id).contains(file, start) => own.state(text.trim_end(), &mut seen),
            Some(_) => LineState::Outside,
            None => LineState::Foreign,
        };
        match (state, mine) {
            (LineState::Stray, _) => {}
            (LineState::WrongOptions, Some(own)) => {
                found.wanted.extend_from_slice(format!("{}\n", own.line).as_bytes());
                found.mended.push(own.key.clone());
            }
            _ => found.wanted.extend_from_slice(bytes),
        }
        if let (LineState::Unrecorded, Some(own)) = (state, mine) {
            found.unrecorded.push(own.key.clone());
        }
        if is_entry {
            found.lines.push(FoundLine::of(index + 1, state, text.trim(), mine));
        }
    }
    for own in own.iter().filter(|own| own.is_expected && !seen.contains(own.key.fingerprint.as_str())) {
        let block = block_of(&own.id);
        let mut lines = block.lines(&found.wanted);
        lines.push(own.line.clone().into_bytes());
        found.wanted = block.replace(&found.wanted, &lines);
        found.mended.push(own.key.clone());
        found.lines.push(FoundLine { number: None, ..FoundLine::of(0, LineState::Missing, &own.line, Some(own)) });
    }
    // A block of which the last line went goes with it.
    let is_changed = found.wanted != file;
    for own in own.iter().filter(|_| is_changed) {
        let block = block_of(&own.id);
        if block.lines(&found.wanted).is_empty() {
            found.wanted = block.replace(&found.wanted, &[]);
        }
    }
    found
}

/// None for a key whose entry in the store was changed by hand.
fn own<'a>(key: &'a Key, host: &Host) -> Option<Own<'a>> {
    let (id, public) = (key.id()?, key.public_key()?);
    let line = options(host, &id, key).line(&public);
    let is_used = matches!(key.status, KeyStatus::Active | KeyStatus::Grace);
    Some(Own { key, id, public, line, is_expected: is_used && key.hosts.contains(&host.name) })
}

impl<'a> Own<'a> {
    /// What one of its lines between our marks is.
    fn state(&self, line: &str, seen: &mut BTreeSet<&'a str>) -> LineState {
        if !seen.insert(&self.key.fingerprint) {
            return LineState::Stray;
        }
        match (self.is_expected, self.key.status) {
            (true, _) if line == self.line => LineState::Right,
            (true, _) => LineState::WrongOptions,
            (false, KeyStatus::Active) if line == self.line => LineState::Unrecorded,
            (false, _) => LineState::Stray,
        }
    }
}

impl FoundLine {
    fn of(number: usize, state: LineState, line: &str, own: Option<&Own>) -> Self {
        // Options may hold blanks between quotes: the key begins with the first word that is an algorithm.
        let at = line.split_whitespace().find(|word| is_algorithm(word)).and_then(|word| line.find(word));
        let key = at.and_then(|at| PublicKey::parse(&line[at..]).ok());
        let state = if key.is_none() && own.is_none() { LineState::Unreadable } else { state };
        Self {
            number: Some(number),
            state,
            env: own.map(|own| own.key.env.clone()),
            key,
            options: line[..at.unwrap_or(0)].trim().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tkm::host::HostRules;
    use crate::tkm::state::Purpose;

    fn key(last: char, status: KeyStatus, is_there: bool) -> Key {
        let public = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} me", last.to_string().repeat(43));
        Key {
            org: None,
            env: "dev".to_owned(),
            purpose: Purpose::Deploy,
            file: String::new(),
            fingerprint: PublicKey::parse(&public).expect("a key").fingerprint.to_string(),
            public,
            created: 0,
            expires: None,
            status,
            hosts: is_there.then(|| "web".parse().expect("a name")).into_iter().collect(),
            replaced: None,
        }
    }

    fn host() -> Host {
        let (name, address) = ("web".parse().expect("a name"), "web".parse().expect("an address"));
        Host { name, address, env: "dev".parse().expect("a name"), rules: HostRules::default() }
    }

    /// The states of the lines, and whether a second look at the file as it should be finds nothing to mend.
    fn states(keys: &[Key], file: &str) -> (Vec<&'static str>, String) {
        let state = StoreState { keys: keys.to_vec(), ..StoreState::default() };
        let found = examine(&state, &host(), file.as_bytes());
        let again = examine(&state, &host(), &found.wanted);
        let recorded = |line: &FoundLine| line.state == LineState::Unrecorded;
        assert!(again.lines.iter().all(|line| recorded(line) || !line.state.is_mended()), "{again:?}");
        assert_eq!(again.wanted, found.wanted);
        let words = found.lines.iter().map(|line| line.state.word()).collect();
        (words, String::from_utf8(found.wanted).expect("text"))
    }

    #[test]
    fn only_lines_of_ours_between_our_marks_are_mended() {
        let (active, grace) = (key('A', KeyStatus::Active, true), key('E', KeyStatus::Retired, false));
        let right = format!("restrict,pty {}", active.public);
        let foreign =
            "from=\"a b\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII other";
        let keys = [active.clone(), grace.clone()];
        let file = |lines: &[&str]| {
            format!("# mine\n# >>> tetra dev >>>\n{}\n# <<< tetra dev <<<\nbroken\n", lines.join("\n"))
        };
        let whole = file(&[&right]);
        assert_eq!(states(&keys, &whole), (vec!["right", "unreadable"], whole.clone()));
        for (lines, expected) in [
            (vec![right.as_str(), foreign], vec!["right", "foreign", "unreadable"]),
            (vec![active.public.as_str(), foreign], vec!["wrong options", "foreign", "unreadable"]),
            (vec![right.as_str(), grace.public.as_str(), foreign], vec!["right", "stray", "foreign", "unreadable"]),
            (vec![right.as_str(), right.as_str(), foreign], vec!["right", "stray", "foreign", "unreadable"]),
        ] {
            let (found, wanted) = states(&keys, &file(&lines));
            assert_eq!((found, wanted), (expected, file(&[&right, foreign])));
        }
        let outside = format!("{}\n", active.public);
        let (found, wanted) = states(&keys, &outside);
        assert_eq!(found, ["outside", "missing"]);
        assert!(wanted.starts_with(&outside) && wanted.contains(&right), "{wanted}");
        let unfinished = format!("# >>> tetra dev >>>\n{}\n", grace.public);
        assert!(states(&keys, &unfinished).1.starts_with(&unfinished));
    }

    #[test]
    fn a_line_of_a_run_that_did_not_end_is_recorded_and_the_last_stray_line_takes_its_marks_along() {
        let active = key('A', KeyStatus::Active, false);
        let file = format!("# >>> tetra dev >>>\nrestrict,pty {}\n# <<< tetra dev <<<\n", active.public);
        assert_eq!(states(&[active], &file), (vec!["unrecorded"], file.clone()));
        assert_eq!(states(&[key('A', KeyStatus::Revoked, true)], &file), (vec!["stray"], String::new()));
    }
}
