//! Logs that are followed: one thread for each process, however many follow it.
//!
//! A follower names the place that it has come to by how many bytes both streams had (`Last-Event-ID: 120.0`), so that neither a
//! lost connection nor a rotation loses or doubles a line.

use std::collections::HashMap;
use std::io::{self, PipeReader, PipeWriter};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use hyper::body::Bytes;
use regex::bytes::Regex;
use tokio::sync::mpsc::{Receiver, Sender};

use super::desk::find;
use super::follow::{self, KEEP_ALIVE, frame};
use super::logs::{BOTH, LogQuery};
use super::{LineWriter, Views};
use crate::base::fault::{Fault, FaultKind};
use crate::sys::paths::Paths;
use crate::tsm::logs::{self, FollowEnd, Follower, LogLine, LogSource, StreamKind, Stretch};

/// So many logs are followed at once.
const MAX_FEEDS: usize = 64;

/// Of more than this a follower that comes back gets the last lines only, in bytes.
const MAX_MISSED: u64 = 256 * 1024;

/// Longer lines are cut, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// How often a follower may find that lines came while it looked.
const MAX_TRIES: usize = 100;

/// All logs that are followed.
pub(super) struct LogFeeds {
    paths: Paths,
    views: Views,
    open: Mutex<Option<HashMap<String, Arc<LogFeed>>>>,
}

/// The log of one process.
struct LogFeed {
    name: String,
    sources: Vec<LogSource>,
    state: Mutex<FeedState>,
}

struct FeedState {
    followers: Vec<LogFollower>,
    /// Ends the wait of the thread of this log when it is dropped.
    wait: Option<PipeWriter>,
    /// The positions behind the last line that was sent, one for each source.
    sent: Vec<u64>,
}

struct LogFollower {
    sender: Sender<Bytes>,
    streams: Vec<StreamKind>,
    grep: Option<Regex>,
    /// What is before these positions it has already.
    from: Vec<u64>,
}

impl LogFollower {
    /// Sends a line if it is wanted; false if the follower is gone or too slow.
    fn send(&mut self, line: &LogLine, stream: StreamKind, piece: &Bytes) -> bool {
        if line.end <= self.from[line.source] {
            return !self.sender.is_closed();
        }
        // From now on every line is new to it, also after the log was cut by hand.
        self.from[line.source] = 0;
        let is_wanted =
            self.streams.contains(&stream) && self.grep.as_ref().is_none_or(|grep| grep.is_match(&line.bytes));
        if is_wanted { self.sender.try_send(piece.clone()).is_ok() } else { !self.sender.is_closed() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LogFeeds {
    pub(super) fn new(paths: Paths, views: Views) -> Arc<Self> {
        Arc::new(Self { paths, views, open: Mutex::new(Some(HashMap::new())) })
    }

    /// A stream of the lines that come, after those that are asked for or that came since the place `last`. Reads files.
    pub(super) fn follow(
        self: &Arc<Self>,
        name: &str,
        query: &LogQuery,
        last: Option<&str>,
    ) -> Result<Receiver<Bytes>, Fault> {
        let sources = LogSource::of(&find(&self.paths, name)?, &BOTH);
        let mut writer = (self.views.log_lines)(&sources);
        let (mut missed, mut from) = self.missed(&sources, query, last, &mut writer)?;
        for _ in 0..MAX_TRIES {
            let mut open = lock(&self.open);
            let Some(feeds) = open.as_mut() else { break };
            let feed = feeds.get(name).map(Arc::clone);
            let sent = feed.as_ref().map(|feed| lock(&feed.state).sent.clone());
            if sent.is_some_and(|sent| sent.iter().zip(&from).any(|(sent, from)| sent > from)) {
                // Others are further: what they got meanwhile is read as well.
                drop(open);
                if let Some(more) = logs::since(&sources, &from, MAX_MISSED)? {
                    from.clone_from(&more.positions);
                    missed.push_str(&frames(more, &sources, query, &mut writer));
                }
                continue;
            }
            let (sender, receiver) = follow::open(&missed);
            let follower =
                LogFollower { sender, streams: query.streams.clone(), grep: query.grep.clone(), from: from.clone() };
            match feed {
                Some(feed) => lock(&feed.state).followers.push(follower),
                None if is_full(feeds) => {
                    return Err(Fault::new(FaultKind::Failed, format!("more than {MAX_FEEDS} logs are followed")));
                }
                None => {
                    let state = Mutex::new(FeedState { followers: vec![follower], wait: None, sent: from });
                    let feed = Arc::new(LogFeed { name: name.to_owned(), sources, state });
                    feeds.insert(name.to_owned(), Arc::clone(&feed));
                    let all = Arc::clone(self);
                    let started = thread::Builder::new().name("follow".to_owned()).spawn(move || all.run(&feed));
                    if let Err(error) = started {
                        feeds.remove(name);
                        return Err(Fault::new(FaultKind::Failed, format!("failed to start a thread: {error}")));
                    }
                }
            }
            return Ok(receiver);
        }
        Err(Fault::new(FaultKind::Failed, "the log is written faster than it can be read"))
    }

    /// What a new follower gets first, and the positions behind it.
    fn missed(
        &self,
        sources: &[LogSource],
        query: &LogQuery,
        last: Option<&str>,
        writer: &mut LineWriter,
    ) -> Result<(String, Vec<u64>), Fault> {
        if let Some(last) = last {
            let positions = parse_id(last, sources.len());
            let missed = positions.map(|positions| logs::since(sources, &positions, MAX_MISSED)).transpose()?.flatten();
            if let Some(missed) = missed {
                let positions = missed.positions.clone();
                return Ok((frames(missed, sources, query, writer), positions));
            }
        }
        let tail = logs::tail(sources, &query.to_query(), |source| query.streams.contains(&source.stream))?;
        let lost = if last.is_some() { frame(Some("lost"), None, "{}") } else { String::new() };
        let positions = tail.positions.clone();
        Ok((lost + &frames(tail, sources, query, writer), positions))
    }

    /// Sends lines as they come, for as long as anyone follows.
    fn run(self: &Arc<Self>, feed: &Arc<LogFeed>) {
        let mut writer = (self.views.log_lines)(&feed.sources);
        loop {
            let wait = feed.begin_wait().ok();
            let lines =
                wait.and_then(|(sent, end)| Follower::resume(&feed.sources, &sent, FollowEnd::Closed(end)).ok());
            let mut is_gone = lines.is_none();
            for line in lines.into_iter().flatten() {
                match line {
                    // A line that is shown unfinished because all followers left is read again by the next one.
                    Ok(_) if feed.is_idle() => break,
                    Ok(line) => feed.send(&line, &mut writer),
                    Err(_) => is_gone = true,
                }
            }
            is_gone |= !feed.sources.iter().any(|source| source.log.parent().is_some_and(Path::is_dir));
            let mut open = lock(&self.open);
            if is_gone || feed.is_idle() {
                if let Some(feeds) =
                    open.as_mut().filter(|it| it.get(&feed.name).is_some_and(|it| Arc::ptr_eq(it, feed)))
                {
                    feeds.remove(&feed.name);
                }
                lock(&feed.state).followers.clear();
                return;
            }
        }
    }

    /// Drops clients that have disconnected.
    pub(super) fn keep_alive(&self) {
        for feed in lock(&self.open).iter().flat_map(HashMap::values) {
            let mut state = lock(&feed.state);
            state.followers.retain(|follower| follower.sender.try_send(KEEP_ALIVE).is_ok());
            state.end_if_idle();
        }
    }

    /// Ends all streams.
    pub(super) fn close(&self) {
        for feed in lock(&self.open).take().iter().flat_map(HashMap::values) {
            let mut state = lock(&feed.state);
            state.followers.clear();
            state.end_if_idle();
        }
    }
}

/// True if no more logs can be followed.
fn is_full(feeds: &mut HashMap<String, Arc<LogFeed>>) -> bool {
    if feeds.len() >= MAX_FEEDS {
        feeds.retain(|_, feed| !lock(&feed.state).end_if_idle());
    }
    feeds.len() >= MAX_FEEDS
}

impl FeedState {
    /// Ends the wait of the thread if all followers are gone, and says whether they are.
    fn end_if_idle(&mut self) -> bool {
        self.followers.retain(|follower| !follower.sender.is_closed());
        if self.followers.is_empty() {
            self.wait = None;
        }
        self.followers.is_empty()
    }
}

impl LogFeed {
    /// The positions to go on behind, and what ends the wait for more.
    fn begin_wait(&self) -> io::Result<(Vec<u64>, PipeReader)> {
        let (reader, writer) = io::pipe()?;
        let mut state = lock(&self.state);
        state.wait = Some(writer);
        // They may have left since it was looked last.
        state.end_if_idle();
        Ok((state.sent.clone(), reader))
    }

    fn is_idle(&self) -> bool {
        lock(&self.state).followers.iter().all(|follower| follower.sender.is_closed())
    }

    fn send(&self, line: &LogLine, writer: &mut LineWriter) {
        let mut state = lock(&self.state);
        state.sent[line.source] = line.end;
        let stream = self.sources[line.source].stream;
        let mut text = String::new();
        if line.removed_before > 0 {
            let data = format!("{{\"stream\":\"{}\",\"bytes\":{}}}", stream.as_str(), line.removed_before);
            text = frame(Some("lost"), None, &data);
        }
        text.push_str(&frame(None, Some(&id(&state.sent)), &writer(cut(line.clone()))));
        let piece = Bytes::from(text);
        state.followers.retain_mut(|follower| follower.send(line, stream, &piece));
    }
}

/// Lines that are sent at once; the last one has the place behind all of them.
fn frames(stretch: Stretch, sources: &[LogSource], query: &LogQuery, writer: &mut LineWriter) -> String {
    let is_wanted = |line: &LogLine| {
        query.streams.contains(&sources[line.source].stream)
            && query.grep.as_ref().is_none_or(|grep| grep.is_match(&line.bytes))
    };
    let lines: Vec<String> = stretch.lines.into_iter().filter(is_wanted).map(|line| writer(cut(line))).collect();
    let last = lines.len().saturating_sub(1);
    let place = id(&stretch.positions);
    let pieces = lines.iter().enumerate().map(|(at, line)| frame(None, (at == last).then_some(&*place), line));
    pieces.collect()
}

fn cut(mut line: LogLine) -> LogLine {
    if line.bytes.len() > MAX_LINE {
        line.bytes.truncate(MAX_LINE);
        line.complete = false;
    }
    line
}

fn id(positions: &[u64]) -> String {
    positions.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

fn parse_id(id: &str, count: usize) -> Option<Vec<u64>> {
    let positions: Vec<u64> = id.split('.').map(|it| it.parse().ok()).collect::<Option<_>>()?;
    (positions.len() == count).then_some(positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_by_the_positions_of_both_streams() {
        assert_eq!(id(&[120, 0]), "120.0");
        assert_eq!(parse_id("120.0", 2), Some(vec![120, 0]));
        for wrong in ["", "120", "1.2.3", "a.b", "-1.2", "1."] {
            assert_eq!(parse_id(wrong, 2), None, "{wrong}");
        }
    }
}
