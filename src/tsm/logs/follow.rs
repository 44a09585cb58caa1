//! Lines of logs as they are written, through rotation, restarts and logs cut by hand.
//!
//! Lines of several streams are put into the order of time with a second look: what one look finds is given out after the next
//! look, which has everything that was written before it.

use std::collections::VecDeque;
use std::io::PipeReader;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use super::cursor::Cursor;
use super::{LogError, LogLine, LogSource, Query, merge};
use crate::supervise::events::EventReader;
use crate::sys::dir_watch::DirWatcher;
use crate::sys::{poll, signal};

/// Rows of logs, for as long as they are wanted.
pub struct Follower {
    cursors: Vec<Cursor>,
    /// Given out next.
    ready: VecDeque<LogLine>,
    /// Seen by the last look, waiting for the next one.
    pending: Vec<LogLine>,
    /// Of the directories of the logs.
    watch: DirWatcher,
    /// Of the directories above: one that is deleted and made again needs another watch.
    above: DirWatcher,
    end: FollowEnd,
    finished: bool,
    sources: Vec<LogSource>,
    search: Option<RecordSearch>,
}

/// What ends a [`Follower`] before its processes are deleted.
#[derive(Debug)]
pub enum FollowEnd {
    /// Ctrl-C, a signal that asks this program to end, or no reader of the standard output any more.
    Signal,
    /// The other end of this pipe was closed or written to.
    Closed(PipeReader),
}

impl FollowEnd {
    fn is_reached(&self) -> bool {
        match self {
            Self::Signal => signal::interrupted() || poll::stdout_reader_is_gone(),
            Self::Closed(pipe) => poll::wait_any(&[pipe.as_fd()], Duration::ZERO) == [true],
        }
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::Signal => signal::stop_fds().into_iter().chain(poll::stdout_with_reader()).collect(),
            Self::Closed(pipe) => vec![pipe.as_fd()],
        }
    }
}

/// How processes are found that are started later.
struct RecordSearch {
    /// Says when to look. None where it cannot be made; then it is looked after each [`POLL_INTERVAL`].
    events: Option<EventReader>,
    is_due: bool,
    /// All current sources; those that are new are followed from their beginning.
    find: Box<dyn FnMut() -> Vec<LogSource>>,
}

/// How long an unfinished line may be quiet before it is shown as it is.
const PARTIAL_LINE_DELAY: Duration = Duration::from_secs(1);

/// The longest wait where the kernel gives no watch: they are limited per user.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The longest wait otherwise; after it the wait is repeated.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

impl Follower {
    /// Begins with the lines that are wanted and goes on with what comes, wanted or not, until `end` or until all the processes are
    /// deleted.
    ///
    /// # Errors
    ///
    /// Fails if a log is there and cannot be read.
    pub fn start(sources: &[LogSource], query: &Query, end: FollowEnd) -> Result<Self, LogError> {
        // The watches come before the first look, so no change falls between the two.
        let mut follower = Self::watching(sources, end);
        let (mut cursors, mut ends) = (Vec::new(), Vec::new());
        for (index, source) in sources.iter().enumerate() {
            let (cursor, lines) = Cursor::at_end(index, &source.log, query)
                .map_err(|error| LogError { path: source.log.clone(), source: error })?;
            cursors.push(cursor);
            ends.push(lines);
        }
        follower.cursors = cursors;
        follower.ready = super::last_of_each(sources, ends, query.count).into();
        Ok(follower)
    }

    /// Goes on behind positions that [`Stretch::positions`] or [`LogLine::end`] said, one for each source.
    ///
    /// # Errors
    ///
    /// Fails if a log is there and cannot be read.
    pub fn resume(sources: &[LogSource], positions: &[u64], end: FollowEnd) -> Result<Self, LogError> {
        let mut follower = Self::watching(sources, end);
        let cursors = cursors_at(sources, positions)?.into_iter().enumerate().map(|(index, cursor)| {
            // A log that is shorter now was cut by hand: all of it is new.
            cursor.unwrap_or_else(|| Cursor::at_beginning(index, &sources[index].log))
        });
        follower.cursors = cursors.collect();
        Ok(follower)
    }

    fn watching(sources: &[LogSource], end: FollowEnd) -> Self {
        let mut dirs: Vec<&Path> = sources.iter().filter_map(|source| source.log.parent()).collect();
        dirs.dedup();
        let mut above: Vec<&Path> = dirs.iter().filter_map(|dir| dir.parent()).collect();
        above.dedup();
        Self {
            cursors: Vec::new(),
            ready: VecDeque::new(),
            pending: Vec::new(),
            watch: DirWatcher::on(dirs),
            above: DirWatcher::on(above),
            end,
            finished: false,
            sources: sources.to_vec(),
            search: None,
        }
    }

    /// Goes on for ever and also with what `find` finds later. It is asked when an event in the directory `events` says that
    /// something happened to a process.
    #[must_use]
    pub fn searching(mut self, events: &Path, find: impl FnMut() -> Vec<LogSource> + 'static) -> Self {
        self.search = Some(RecordSearch { events: EventReader::open(events).ok(), is_due: true, find: Box::new(find) });
        self
    }

    /// The sources that lines may be from until now.
    #[must_use]
    pub fn sources(&self) -> &[LogSource] {
        &self.sources
    }

    /// True if it found any.
    fn discover_sources(&mut self) -> bool {
        let known = self.sources.len();
        let Some(search) = &mut self.search else { return false };
        if !std::mem::replace(&mut search.is_due, search.events.is_none()) {
            return false;
        }
        for source in (search.find)() {
            if !self.sources.contains(&source) {
                self.cursors.push(Cursor::at_beginning(self.sources.len(), &source.log));
                if let Some(directory) = source.log.parent() {
                    self.watch.add(directory);
                }
                self.sources.push(source);
            }
        }
        self.sources.len() > known
    }

    /// Changes whenever something is read.
    fn progress(&self) -> u64 {
        self.cursors.iter().map(Cursor::position).fold(0, u64::wrapping_add)
    }

    /// Looks at every log once.
    fn poll(&mut self) -> Result<Vec<LogLine>, LogError> {
        let mut lines = Vec::new();
        for cursor in &mut self.cursors {
            cursor.read(&mut lines).map_err(|source| LogError { path: cursor.log.clone(), source })?;
        }
        Ok(lines)
    }

    /// Looks, and gives out what the look before this one saw, in order.
    fn step(&mut self) -> Result<(), LogError> {
        if self.pending.is_empty() {
            self.pending = self.poll()?;
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let newest = self.pending.iter().filter_map(|line| line.unix_ns).max();
        let fresh = self.poll()?;
        let mut runs: Vec<Vec<LogLine>> = self.cursors.iter().map(|_| Vec::new()).collect();
        let mut later = Vec::new();
        let mut cut: Vec<bool> = vec![false; self.cursors.len()];
        for line in self.pending.drain(..) {
            runs[line.source].push(line);
        }
        for line in fresh {
            cut[line.source] |= line.unix_ns > newest;
            if cut[line.source] { later.push(line) } else { runs[line.source].push(line) }
        }
        self.pending = later;
        self.ready.extend(merge::by_time(runs));
        Ok(())
    }

    fn finish(&mut self) {
        self.finished = true;
        let held = std::mem::take(&mut self.pending);
        self.ready.extend(held);
        let rest = self.cursors.iter_mut().filter_map(Cursor::take_unfinished);
        self.ready.extend(rest);
    }

    /// Shows unfinished lines that have been quiet for long.
    fn flush_partial_lines(&mut self) {
        let is_quiet = |cursor: &&mut Cursor| cursor.unfinished_for().is_some_and(|time| time >= PARTIAL_LINE_DELAY);
        let quiet = self.cursors.iter_mut().filter(is_quiet);
        self.ready.extend(quiet.filter_map(Cursor::take_unfinished));
    }

    /// Waits until there may be something new, at most for `limit`.
    fn wait(&mut self, limit: Duration) {
        let partial = self.cursors.iter().filter_map(Cursor::unfinished_for).max();
        let mut limit = partial.map_or(limit, |time| limit.min(PARTIAL_LINE_DELAY.saturating_sub(time)));
        let events = self.search.as_ref().map(|search| search.events.as_ref());
        if self.watch.descriptor().is_none() || matches!(events, Some(None)) {
            limit = limit.min(POLL_INTERVAL);
        }
        let mut fds = self.end.descriptors();
        let above = fds.len();
        fds.extend(self.above.descriptor());
        let is_above = above..fds.len();
        fds.extend(self.watch.descriptor());
        fds.extend(events.flatten().map(AsFd::as_fd));
        let ready = poll::wait_any(&fds, limit);
        self.watch.forget();
        if ready.get(is_above).is_some_and(|ready| ready.contains(&true)) {
            self.above.forget();
            for dir in self.sources.iter().filter_map(|source| source.log.parent()).filter(|dir| dir.is_dir()) {
                self.watch.add(dir);
            }
        }
        if let Some(search) = &mut self.search {
            let batch = search.events.as_mut().map(EventReader::read);
            search.is_due |= batch.is_none_or(|batch| batch.is_ok_and(|it| it.lost || !it.events.is_empty()));
        }
    }

    fn all_deleted(&self) -> bool {
        !self.cursors.iter().any(|cursor| cursor.log.parent().is_some_and(Path::is_dir))
    }
}

impl Follower {
    /// True if the next line is there already.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next line if one comes within `limit`; no answer once it is over.
    pub fn poll_next(&mut self, limit: Duration) -> Option<Result<Option<LogLine>, LogError>> {
        if let Some(line) = self.ready.pop_front() {
            return Some(Ok(Some(line)));
        }
        if self.finished {
            return None;
        }
        if self.end.is_reached() {
            self.finish();
            return Some(Ok(None));
        }
        let before = self.progress();
        if let Err(error) = self.step() {
            self.finished = true;
            return Some(Err(error));
        }
        if self.ready.is_empty() && self.pending.is_empty() {
            self.flush_partial_lines();
            if !self.discover_sources() && self.ready.is_empty() && self.progress() == before {
                if self.search.is_none() && self.all_deleted() {
                    self.finish();
                } else {
                    self.wait(limit);
                }
            }
        }
        Some(Ok(self.ready.pop_front()))
    }
}

impl Iterator for Follower {
    type Item = Result<LogLine, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.poll_next(LONGEST_WAIT)? {
                Ok(Some(line)) => return Some(Ok(line)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn cursors_at(sources: &[LogSource], positions: &[u64]) -> Result<Vec<Option<Cursor>>, LogError> {
    let cursor = |(index, (source, position)): (usize, (&LogSource, &u64))| {
        Cursor::at_position(index, &source.log, *position)
            .map_err(|error| LogError { path: source.log.clone(), source: error })
    };
    sources.iter().zip(positions).enumerate().map(cursor).collect()
}

/// Lines, and where their streams go on.
#[derive(Debug)]
pub struct Stretch {
    /// In the order of time.
    pub lines: Vec<LogLine>,
    /// How many bytes each source had behind them.
    pub positions: Vec<u64>,
}

/// The last lines of the sources that are wanted, as far as they are finished, and the positions behind them, one for each source: with these
/// [`Follower::resume`] and [`since`] go on without losing or doubling a line.
///
/// # Errors
///
/// Fails if a log is there and cannot be read.
pub fn tail(sources: &[LogSource], query: &Query, is_wanted: impl Fn(&LogSource) -> bool) -> Result<Stretch, LogError> {
    let (mut ends, mut positions) = (Vec::new(), Vec::new());
    for (index, source) in sources.iter().enumerate() {
        let nothing = Query::last(0);
        let query = if is_wanted(source) { query } else { &nothing };
        let (cursor, lines) = Cursor::at_end(index, &source.log, query)
            .map_err(|error| LogError { path: source.log.clone(), source: error })?;
        ends.push(lines);
        positions.push(cursor.position());
    }
    Ok(Stretch { lines: super::last_of_each(sources, ends, query.count), positions })
}

/// The lines that were finished behind these positions until now, and the positions behind them. None if there are more than
/// `most` bytes of them, or if a log has less than the position says.
///
/// # Errors
///
/// Fails if a log is there and cannot be read.
pub fn since(sources: &[LogSource], positions: &[u64], most: u64) -> Result<Option<Stretch>, LogError> {
    let mut runs = Vec::new();
    let mut ends = Vec::new();
    let mut size = 0;
    for (cursor, begin) in cursors_at(sources, positions)?.into_iter().zip(positions) {
        let Some(mut cursor) = cursor else { return Ok(None) };
        let mut lines = Vec::new();
        loop {
            let before = cursor.position();
            cursor.read(&mut lines).map_err(|source| LogError { path: cursor.log.clone(), source })?;
            if cursor.position() <= before {
                break;
            }
            if size + cursor.position().saturating_sub(*begin) > most {
                return Ok(None);
            }
        }
        size += cursor.position().saturating_sub(*begin);
        ends.push(cursor.position());
        runs.push(lines);
    }
    Ok(Some(Stretch { lines: merge::by_time(runs), positions: ends }))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{PipeWriter, Read, Write};

    use super::*;
    use crate::supervise::events::{self, Event, EventKind};
    use crate::supervise::index;
    use crate::tsm::logs::StreamKind;
    use crate::tsm::logs::rotated_log::part_path;

    struct Fixture {
        _directory: tempfile::TempDir,
        sources: Vec<LogSource>,
        /// Written to and read from to end followers and to let them go on.
        end: (PipeReader, PipeWriter),
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            fs::create_dir_all(directory.path().join("processes/api")).expect("made");
            let source = |stream, file: &str| LogSource {
                process: "api".parse().expect("a name"),
                stream,
                log: directory.path().join("processes/api").join(file),
            };
            let sources = vec![source(StreamKind::Out, "current.out"), source(StreamKind::Err, "current.err")];
            Self { _directory: directory, sources, end: std::io::pipe().expect("a pipe") }
        }

        fn log(&self) -> &Path {
            &self.sources[0].log
        }

        fn follow(&self, count: usize) -> Follower {
            Follower::start(&self.sources, &Query::last(count), self.follow_end()).expect("a follower")
        }

        fn follow_end(&self) -> FollowEnd {
            FollowEnd::Closed(self.end.0.try_clone().expect("a descriptor"))
        }

        /// Everything that is there to be read now.
        fn rest(&self, follower: &mut Follower) -> Vec<String> {
            for _ in 0..4 {
                follower.step().expect("a step");
            }
            let (mut reader, mut writer) = (&self.end.0, &self.end.1);
            writer.write_all(b"x").expect("written");
            let rest = texts(follower);
            reader.read_exact(&mut [0]).expect("read");
            follower.finished = false;
            rest
        }

        fn append(&self, text: &str) {
            append(self.log(), text);
        }

        fn rotate(&self, keep: u32) {
            for number in (0..keep).rev() {
                let _ = fs::rename(part_path(self.log(), number), part_path(self.log(), number + 1));
            }
            File::create(self.log()).expect("a new log");
        }
    }

    fn append(log: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(log).expect("a log");
        file.write_all(text.as_bytes()).expect("written");
    }

    fn texts(lines: &mut Follower) -> Vec<String> {
        lines.map(|line| String::from_utf8_lossy(&line.expect("a line").bytes).into_owned()).collect()
    }

    #[test]
    fn begins_with_the_last_lines_and_goes_on() {
        let scene = Fixture::new();
        scene.append("1\n2\n3\n");
        let mut follower = scene.follow(2);
        assert_eq!(scene.rest(&mut follower), ["2", "3"]);
        scene.append("4\n");
        assert_eq!(scene.rest(&mut follower), ["4"]);
        assert!(scene.rest(&mut follower).is_empty());
    }

    #[test]
    fn a_log_that_appears_later_is_read_from_its_beginning() {
        let scene = Fixture::new();
        let mut follower = scene.follow(5);
        assert!(scene.rest(&mut follower).is_empty());
        scene.append("1\n");
        assert_eq!(scene.rest(&mut follower), ["1"]);
    }

    #[test]
    fn rotation_loses_and_doubles_nothing_however_many_come_between_two_looks() {
        let scene = Fixture::new();
        scene.append("1\n");
        let mut follower = scene.follow(9);
        let mut seen = scene.rest(&mut follower);
        let mut next = 2;
        for rotations in [1, 0, 3, 2, 5, 1] {
            for _ in 0..rotations {
                scene.append(&format!("{next}\n{}\n", next + 1));
                next += 2;
                scene.rotate(6);
            }
            scene.append(&format!("{next}\n"));
            next += 1;
            seen.extend(scene.rest(&mut follower));
        }
        let wanted: Vec<String> = (1..next).map(|number| number.to_string()).collect();
        assert_eq!(seen, wanted);
    }

    #[test]
    fn what_was_rotated_away_is_missing_and_the_rest_goes_on() {
        let scene = Fixture::new();
        scene.append("1\n");
        let mut follower = scene.follow(9);
        assert_eq!(scene.rest(&mut follower), ["1"]);
        for number in 2..=5 {
            scene.rotate(2);
            scene.append(&format!("{number}\n"));
        }
        assert_eq!(scene.rest(&mut follower), ["3", "4", "5"]);
    }

    #[test]
    fn a_log_cut_by_hand_is_followed_from_its_new_beginning() {
        let scene = Fixture::new();
        scene.append("1\n2\n3\n");
        let mut follower = scene.follow(1);
        assert_eq!(scene.rest(&mut follower), ["3"]);
        File::create(scene.log()).expect("cut");
        assert!(scene.rest(&mut follower).is_empty());
        scene.append("4\n");
        assert_eq!(scene.rest(&mut follower), ["4"]);
    }

    #[test]
    fn a_line_in_two_pieces_is_one_line() {
        let scene = Fixture::new();
        scene.append("be");
        let mut follower = scene.follow(5);
        follower.step().expect("a step");
        scene.append("gin");
        follower.step().expect("a step");
        scene.append("ning\n");
        assert_eq!(scene.rest(&mut follower), ["beginning"]);
    }

    #[test]
    fn an_unfinished_line_is_shown_at_the_end_and_when_it_stays_quiet() {
        let scene = Fixture::new();
        scene.append("Password: ");
        let mut follower = scene.follow(5);
        assert_eq!(follower.next().map(|line| line.expect("a line").complete), Some(false), "after a quiet second");
        scene.append("more");
        assert_eq!(scene.rest(&mut follower), ["more"]);
    }

    #[test]
    fn both_streams_come_in_the_order_of_time() {
        let scene = Fixture::new();
        let err = &scene.sources[1].log;
        let mark = |log: &Path, offset: u64, time: i64| {
            let bytes = [offset.to_le_bytes(), time.to_le_bytes()].concat();
            fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(index::path(log))
                .and_then(|mut file| file.write_all(&bytes))
                .expect("a mark");
        };
        let mut follower = scene.follow(5);
        mark(scene.log(), 0, 10);
        scene.append("1\n");
        mark(err, 0, 20);
        append(err, "2\n");
        mark(scene.log(), 2, 30);
        scene.append("3\n");
        assert_eq!(scene.rest(&mut follower), ["1", "2", "3"]);
        mark(err, 2, 40);
        append(err, "4\n");
        mark(scene.log(), 4, 50);
        scene.append("5\n");
        assert_eq!(scene.rest(&mut follower), ["4", "5"]);
    }

    #[test]
    fn what_is_found_later_is_followed_from_its_beginning() {
        let scene = Fixture::new();
        scene.append("1\n");
        let (out, err) = (scene.sources[..1].to_vec(), scene.sources.clone());
        let follower = Follower::start(&out, &Query::last(9), scene.follow_end()).expect("a follower");
        let events = scene._directory.path().join("events");
        let mut found = vec![out.clone(), err];
        let mut follower = follower.searching(&events, move || found.remove(0));
        assert_eq!(scene.rest(&mut follower), ["1"]);
        append(&scene.sources[1].log, "2\n3\n");
        let nothing = follower.poll_next(Duration::ZERO).expect("not over").expect("read");
        assert_eq!(nothing.map(|line| line.bytes), None, "before an event");
        let kind = EventKind::Started { restarts: 0 };
        let event = Event { v: events::VERSION, at_ms: 0, id: 0, name: "api".to_owned(), pid: 1, kind };
        events::send(scene.log().parent().expect("a directory"), &event);
        let next = |follower: &mut Follower| follower.next().expect("a line").expect("read").bytes;
        assert_eq!([next(&mut follower), next(&mut follower)], [b"2", b"3"]);
        assert_eq!(follower.sources(), scene.sources);
    }

    #[test]
    fn a_process_that_is_deleted_and_made_again_is_followed_beside_another_one() {
        let scene = Fixture::new();
        let other = scene._directory.path().join("processes/web/current.out");
        fs::create_dir(other.parent().expect("a directory")).expect("made");
        let mut sources = scene.sources.clone();
        sources.push(LogSource { process: "web".parse().expect("a name"), stream: StreamKind::Out, log: other });
        let mut follower = Follower::start(&sources, &Query::last(9), scene.follow_end()).expect("a follower");
        let dir = scene.log().parent().expect("a directory");
        let poll = |follower: &mut Follower| follower.poll_next(Duration::ZERO).expect("not over").expect("read");
        fs::remove_dir(dir).expect("deleted");
        while follower.above.descriptor().is_some_and(|fd| poll::wait_any(&[fd], Duration::ZERO) == [true]) {
            assert_eq!(poll(&mut follower).map(|line| line.bytes), None);
        }
        fs::create_dir(dir).expect("made");
        assert_eq!(poll(&mut follower).map(|line| line.bytes), None);
        scene.append("1\n");
        assert_eq!(follower.next().expect("a line").expect("read").bytes, b"1");
    }

    #[test]
    fn ends_when_the_process_is_deleted() {
        let scene = Fixture::new();
        scene.append("1\nlast");
        let mut follower = scene.follow(5);
        let dir = scene.log().parent().expect("a directory").to_owned();
        fs::remove_dir_all(dir).expect("deleted");
        assert_eq!(texts(&mut follower), ["1", "last"]);
    }
}
