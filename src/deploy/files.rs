//! What a host keeps of its deploys, below `org/ORG/deploy`, 0700:
//!
//! ```text
//! lock             held by the agent that deploys; in it who that is
//! act              held for as long as something changes: by that agent, by the watcher, or at boot
//! journal.jsonl    a line before each step, synced
//! tx/TXID.json     the deploy as it is now; what has not ended is put back by what finds it
//! freeze.json      why no deploy may begin; where the old release could not be put back, its record says so
//! reserve          room that a deploy needs to be put back, should the disk become full
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::RecordError;
use super::machine::{Duty, Event, step};
use super::record::{Freeze, Holder, JournalLine, Record, VERSION};
use crate::base::sort::SortExt;
use crate::base::time::Timestamp;
use crate::disk;
use crate::sys::daemonize;
use crate::sys::file::{self, Access, FileError};

/// How many records of deploys that have ended are kept.
const KEPT: usize = 50;

/// The size at which the journal is put aside, in bytes. One that was put aside is kept.
const MAX_JOURNAL: u64 = 4 << 20;

/// The suffix of what a watcher holds.
const WATCH: &str = "watch";

/// The room for putting a release back, in bytes: records, definitions, links, and what starting a service writes.
const RESERVE: usize = 1 << 20;

/// The files of the deploys of one organization on this host.
#[derive(Debug, Clone)]
pub struct DeployDir {
    dir: PathBuf,
}

impl DeployDir {
    /// Below the directory of an organization.
    #[must_use]
    pub fn of(org: &Path) -> Self {
        Self { dir: org.join("deploy") }
    }

    /// Makes what is missing.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be made.
    pub fn create(&self) -> Result<(), FileError> {
        file::create_private_dir(&self.dir)?;
        file::create_private_dir(&self.tx())?;
        let act = self.act_path();
        disk::own_file().create(0o600).read_write().open(&act).map(drop).map_err(FileError::io("write", &act))
    }

    /// What there is of single deploys.
    pub(super) fn tx(&self) -> PathBuf {
        self.dir.join("tx")
    }

    fn lock_path(&self) -> PathBuf {
        self.dir.join("lock")
    }

    fn act_path(&self) -> PathBuf {
        self.dir.join("act")
    }

    /// Held by the watcher of a deploy.
    #[must_use]
    pub fn watch_path(&self, txid: &str) -> PathBuf {
        self.tx().join(format!("{txid}.{WATCH}"))
    }

    fn record_path(&self, txid: &str) -> PathBuf {
        self.tx().join(format!("{txid}.json"))
    }

    /// Keeps other deploys out until the result is dropped, or this process ends.
    ///
    /// # Errors
    ///
    /// Fails with who holds it.
    pub fn hold(&self, holder: &Holder) -> Result<File, RecordError> {
        let path = self.lock_path();
        let fail = || FileError::io("lock", &path);
        let Some(mut held) = daemonize::try_lock_exclusive(&path).map_err(fail())? else {
            let unknown = Holder { by: "another process".to_owned(), pid: 0, txid: "unknown".to_owned(), since_ms: 0 };
            return Err(RecordError::Held { holder: self.read_holder().unwrap_or(unknown) });
        };
        let text = serde_json::to_vec(holder).unwrap_or_default();
        held.set_len(0).and_then(|()| held.write_all(&text)).map_err(fail())?;
        Ok(held)
    }

    /// Takes the room that putting a release back needs. It is written in place: what one that is killed had of it goes with
    /// [`end_reserve`](Self::end_reserve).
    ///
    /// # Errors
    ///
    /// Fails if there is not as much; then none of it is taken.
    pub fn reserve(&self) -> Result<(), FileError> {
        let path = self.reserve_path();
        let opened = disk::own_file().create(0o600).truncate().open(&path);
        let written = opened.and_then(|mut file| {
            file.write_all(&vec![0; RESERVE])?;
            // Only then are its blocks taken on every file system.
            file.sync_all()
        });
        written.map_err(|error| {
            self.end_reserve();
            FileError::io("write", &path)(error)
        })
    }

    /// Gives that room back. Where it was not taken, nothing is done.
    pub fn end_reserve(&self) {
        let _ = fs::remove_file(self.reserve_path());
    }

    /// True while that room is taken.
    #[must_use]
    pub fn has_reserve(&self) -> bool {
        self.reserve_path().exists()
    }

    fn reserve_path(&self) -> PathBuf {
        self.dir.join("reserve")
    }

    /// Who deploys now.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        daemonize::is_locked(&self.lock_path()).then(|| self.read_holder()).flatten()
    }

    fn read_holder(&self) -> Option<Holder> {
        serde_json::from_slice(&disk::read_own(self.lock_path()).ok()?).ok()
    }

    /// Keeps others from changing anything until the result is dropped.
    ///
    /// # Errors
    ///
    /// Fails if another process is at it for five seconds.
    pub fn act(&self) -> Result<File, FileError> {
        file::lock(&self.act_path())
    }

    /// Removes what one that was killed was writing. The caller holds the lock of [`act`](Self::act), and no deploy is beginning.
    pub fn remove_half_written(&self) {
        file::remove_stale_temporaries(&self.tx());
    }

    /// Begins a record.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn begin(&self, record: &Record) -> Result<(), RecordError> {
        self.write(record)?;
        self.forget_old();
        Ok(())
    }

    /// Takes a step: the journal is synced first, then the record, and then the caller does what the step asks for.
    ///
    /// # Errors
    ///
    /// Fails if there is no such step, or it cannot be written down; then it was not taken.
    pub fn advance(
        &self,
        record: &mut Record,
        event: Event,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Duty, RecordError> {
        let (to, duty) = step(record.state, event)?;
        if to == record.state {
            return Ok(duty);
        }
        let line = JournalLine {
            version: VERSION,
            at_ms: now.0,
            txid: record.txid.clone(),
            rid: record.rid.clone(),
            from: record.state,
            to,
            why: why.map(str::to_owned),
        };
        self.write_line(&line)?;
        let next = Record {
            state: to,
            at_ms: now.0,
            why: why.map(str::to_owned).or_else(|| record.why.clone()),
            ..record.clone()
        };
        self.write(&next)?;
        *record = next;
        Ok(duty)
    }

    /// The steps of a deploy, in their order. A line that was cut off by a crash is left out.
    ///
    /// # Errors
    ///
    /// Fails if the journal cannot be read.
    pub fn journal(&self, txid: &str) -> Result<Vec<JournalLine>, FileError> {
        let mut lines = Vec::new();
        for name in ["journal.1.jsonl", "journal.jsonl"] {
            let path = self.dir.join(name);
            match disk::read_own(&path) {
                Ok(bytes) => {
                    lines.extend(bytes.split(|byte| *byte == b'\n').filter_map(|it| serde_json::from_slice(it).ok()))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(FileError::io("read", &path)(source)),
            }
        }
        lines.retain(|line: &JournalLine| line.txid == txid);
        Ok(lines)
    }

    fn write_line(&self, line: &JournalLine) -> Result<(), FileError> {
        let path = self.dir.join("journal.jsonl");
        let fail = || FileError::io("append to", &path);
        if fs::metadata(&path).is_ok_and(|found| found.len() > MAX_JOURNAL) {
            fs::rename(&path, self.dir.join("journal.1.jsonl")).map_err(fail())?;
        }
        let text = serde_json::to_string(line).map_err(io::Error::other).map_err(fail())? + "\n";
        let mut journal = disk::own_file().append(0o600).open(&path).map_err(fail())?;
        journal.write_all(text.as_bytes()).and_then(|()| journal.sync_data()).map_err(fail())
    }

    pub(super) fn write(&self, record: &Record) -> Result<(), FileError> {
        let path = self.record_path(&record.txid);
        let text =
            serde_json::to_vec_pretty(record).map_err(io::Error::other).map_err(FileError::io("write", &path))?;
        file::write(&path, &text, Access::Private)
    }

    /// Removes what watchers and deploys that were killed left. Only under the lock of deploys.
    pub fn sweep(&self) {
        self.sweep_kept();
        if let Ok(_act) = self.act() {
            self.remove_half_written();
        }
        for entry in fs::read_dir(self.tx()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|it| it == WATCH) && !daemonize::is_locked(&path) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// The record of a deploy.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or it is not one that this version knows.
    pub fn read(&self, txid: &str) -> Result<Record, RecordError> {
        let path = self.record_path(txid);
        let bytes = match disk::read_own(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RecordError::Unknown(txid.to_owned())),
            Err(source) => return Err(FileError::io("read", &path)(source).into()),
        };
        let unreadable = |why: String| RecordError::Unreadable { path: path.clone(), why };
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if record.version == VERSION { Ok(record) } else { Err(unreadable(format!("version {}", record.version))) }
    }

    /// All records, the newest first.
    ///
    /// # Errors
    ///
    /// Fails if one is not one that this version knows.
    pub fn records(&self) -> Result<Vec<Record>, RecordError> {
        let mut all = self.txids().iter().map(|txid| self.read(txid)).collect::<Result<Vec<_>, _>>()?;
        all.order_by(|a, b| (b.at_ms, &b.txid).cmp(&(a.at_ms, &a.txid)));
        Ok(all)
    }

    /// The deploys that have not ended: what is put back by what finds them.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub fn unended(&self) -> Result<Vec<Record>, RecordError> {
        Ok(self.records()?.into_iter().filter(|record| !record.state.has_ended()).collect())
    }

    fn txids(&self) -> Vec<String> {
        let entries = fs::read_dir(self.tx()).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned())).collect()
    }

    /// Removes the records of deploys that ended long ago. One that stays does no harm.
    fn forget_old(&self) {
        let ended = self.records().unwrap_or_default().into_iter().filter(|record| record.state.has_ended());
        for record in ended.skip(KEPT) {
            let _ = fs::remove_file(self.record_path(&record.txid));
        }
    }

    /// The last deploy, if its old release could not be put back: no other begins until it is.
    #[must_use]
    pub fn stuck(&self) -> Option<Record> {
        let last = self.records().ok()?.into_iter().next()?;
        last.is_stuck().then_some(last)
    }

    /// Why no deploy may begin; none if one may.
    #[must_use]
    pub fn freeze(&self) -> Option<Freeze> {
        if let Some(Record { txid, why, at_ms, .. }) = self.stuck() {
            let why = format!("the old release could not be put back by {txid}: {}", why.unwrap_or_default());
            return Some(Freeze { why, by: "tetra".to_owned(), at_ms });
        }
        let path = self.dir.join("freeze.json");
        let bytes = disk::read_own(&path).ok()?;
        let unreadable = Freeze { why: format!("`{}` cannot be read", path.display()), by: String::new(), at_ms: 0 };
        Some(serde_json::from_slice(&bytes).unwrap_or(unreadable))
    }

    /// Lets no deploy begin, or lets them again: also where the old release could not be put back.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn set_freeze(&self, freeze: Option<&Freeze>) -> Result<(), FileError> {
        let path = self.dir.join("freeze.json");
        match freeze {
            Some(freeze) => {
                let text =
                    serde_json::to_vec(freeze).map_err(io::Error::other).map_err(FileError::io("write", &path))?;
                file::write(&path, &text, Access::Private)
            }
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::io("remove", &path)(error)),
                _ => self.stuck().map_or(Ok(()), |stuck| self.write(&Record { let_be: true, ..stuck })),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::deploy::machine::State;
    use crate::deploy::record::Before;

    fn record(txid: &str) -> Record {
        Record {
            version: VERSION,
            txid: txid.to_owned(),
            env: "dev".to_owned(),
            rid: "20261120T103045Z-1a2b3c4d".parse().expect("a name"),
            by: "ann@laptop".to_owned(),
            state: State::New,
            before: Before::Absent,
            ran: Vec::new(),
            stopped: Vec::new(),
            at_ms: 1,
            why: None,
            let_be: false,
            carried: Vec::new(),
        }
    }

    #[test]
    fn a_step_is_in_the_journal_and_in_the_record() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = DeployDir::of(dir.path());
        files.create().expect("made");
        let mut it = record("a");
        files.begin(&it).expect("written");
        let duty = files.advance(&mut it, Event::Advance(State::Locked), None, Timestamp(2)).expect("a step");
        assert_eq!((duty, it.state), (Duty::Work, State::Locked));
        assert!(files.advance(&mut it, Event::Commit, None, Timestamp(3)).is_err());
        files.advance(&mut it, Event::GiveUp, Some("no room"), Timestamp(4)).expect("a step");
        assert_eq!(files.read("a").expect("there"), it);
        assert_eq!(files.unended().expect("readable"), []);
        let journal = fs::read_to_string(dir.path().join("deploy/journal.jsonl")).expect("there");
        let last = r#"{"version":1,"at_ms":4,"txid":"a","rid":"20261120T103045Z-1a2b3c4d","from":"LOCKED","to":"ABORTED","why":"no room"}"#;
        assert_eq!(journal.lines().count(), 2);
        assert_eq!(journal.lines().last(), Some(last));
        assert!(matches!(files.read("b"), Err(RecordError::Unknown(_))));
    }

    #[test]
    fn a_lock_says_who_holds_it_and_ends_with_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = DeployDir::of(dir.path());
        files.create().expect("made");
        let holder = |txid: &str| Holder { by: "ann@laptop".into(), pid: 7, txid: txid.into(), since_ms: 1 };
        let held = files.hold(&holder("first")).expect("free");
        assert_eq!(files.holder(), Some(holder("first")));
        let refused = files.hold(&holder("second")).expect_err("held");
        assert_eq!(refused.to_string(), "ann@laptop deploys here: first (PID 7)");
        drop(held);
        assert_eq!(files.holder(), None);
        files.hold(&holder("second")).expect("free again");
    }

    #[test]
    fn what_was_being_written_by_one_that_was_killed_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = DeployDir::of(dir.path());
        files.create().expect("made");
        files.begin(&record("open")).expect("written");
        let half = files.tx().join(format!("{}cut", file::TEMPORARY_PREFIX));
        fs::write(&half, "{").expect("ours");
        files.sweep();
        assert!(!half.exists() && files.read("open").is_ok());
    }

    #[test]
    fn room_is_taken_in_place() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = DeployDir::of(dir.path());
        files.create().expect("made");
        fs::write(files.reserve_path(), "what one that was killed had of it").expect("ours");
        let inode = |path| fs::metadata(path).expect("there").ino();
        let before = inode(files.reserve_path());
        files.reserve().expect("there is room");
        assert_eq!(inode(files.reserve_path()), before);
        assert_eq!(fs::metadata(files.reserve_path()).expect("there").len(), RESERVE as u64);
        files.end_reserve();
        assert!(!files.has_reserve());
    }

    /// A look at who holds a lock takes it for a moment.
    #[test]
    fn a_look_at_the_lock_keeps_no_one_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = DeployDir::of(dir.path());
        files.create().expect("made");
        let me = Holder { by: "ann@laptop".into(), pid: 7, txid: "first".into(), since_ms: 1 };
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = files.holder();
                }
            });
            let refused = (0..2000).filter(|_| files.hold(&me).is_err()).count();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(refused, 0);
        });
    }

    #[test]
    fn old_records_go_and_those_that_have_not_ended_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = DeployDir::of(dir.path());
        files.create().expect("made");
        files.begin(&record("open")).expect("written");
        for index in 0..KEPT + 5 {
            files.begin(&Record { state: State::Reverted, ..record(&format!("t{index}")) }).expect("written");
        }
        assert_eq!(files.records().expect("readable").len(), KEPT + 1);
        assert_eq!(files.unended().expect("readable"), [record("open")]);
    }
}
