//! Lines of several hosts as they come, in the order of time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::answer::{AnswerRecord, HostAnswer, record};
use super::merge::{log_row, time};
use crate::base::fault::{Fault, FaultKind};
use crate::ops::fleet::Fleet;
use crate::report::{Arrival, Report, RowStream, Rows, Value};
use crate::sys::line_stream::{self, LineStream};
use crate::tkm::agent::command::Stream;

/// So long a line is kept for an earlier one of another host to come before it.
const HOLD: Duration = Duration::from_millis(300);

/// How many lines may wait for their order. A host that is faster waits.
const QUEUE: usize = 1024;

/// What came of a host.
struct Arrived {
    host: String,
    line: Option<String>,
}

/// Follows on all hosts at the same time, until it is interrupted or none goes on.
pub(super) fn follow(fleet: &Fleet, words: &[String], variables: &BTreeMap<String, String>) -> Result<Report, Fault> {
    let (sender, receiver) = sync_channel(QUEUE);
    let (mut ready, mut lost_any) = (VecDeque::new(), false);
    for (host, problem) in fleet.hosts().iter().zip(problems(fleet, words, variables)) {
        let name = host.name.to_string();
        let stream = Stream::of(words);
        let session = || fleet.session(host, &stream, variables).map_err(|error| error.to_string());
        match problem.map_or_else(session, Err) {
            Ok(words) => {
                let lines = LineStream::start("ssh", &words)
                    .map_err(|error| Fault::new(FaultKind::Failed, format!("ssh: {error}")))?;
                let sender = sender.clone();
                let lines = lines.skip_while(move |line| *line != stream.begin).skip(1);
                std::thread::spawn(move || pass_on(&name, lines, &sender));
            }
            Err(why) => {
                lost_any = true;
                ready.push_back(Ok(lost(&name, &why)));
            }
        }
    }
    Ok(Report::of(RowStream {
        rows: Box::new(Merged { receiver, held: BTreeMap::new(), number: 0, ready, lost: lost_any }),
    }))
}

/// What keeps each host from going on, in their order: it cannot be reached, or has no process of that name. The same is asked once
/// without following, for a stream has no place to say it.
fn problems(fleet: &Fleet, words: &[String], variables: &BTreeMap<String, String>) -> Vec<Option<String>> {
    let mut once = words.to_vec();
    let at = once.iter().position(|word| word == "logs").map_or(once.len(), |at| at + 1);
    once.insert(at, "--nostream".to_owned());
    let answers = fleet.ask(&once, variables, |_, _| {});
    let hosts = fleet.hosts().iter().map(|host| host.name.to_string());
    let problem = |(host, answer)| HostAnswer::of(host, answer).faults.first().map(ToString::to_string);
    hosts.zip(answers).map(problem).collect()
}

fn pass_on(host: &str, lines: impl Iterator<Item = String>, to: &SyncSender<Arrived>) {
    let arrived = |line| Arrived { host: host.to_owned(), line };
    for line in lines {
        if to.send(arrived(Some(line))).is_err() {
            return;
        }
    }
    // The other end goes when the operator has seen enough.
    let _ = to.send(arrived(None));
}

/// A row that says that no more comes of a host.
fn lost(host: &str, why: &str) -> Box<dyn crate::report::Row> {
    log_row(host, vec![("line".to_owned(), format!("({why})").into()), ("error".to_owned(), why.into())])
}

/// Lines in the order of time, as far as they come within [`HOLD`].
struct Merged {
    receiver: Receiver<Arrived>,
    held: BTreeMap<(u64, u64), (Instant, String, AnswerRecord)>,
    number: u64,
    ready: VecDeque<Arrival>,
    /// A host has ended, and was not asked to.
    lost: bool,
}

impl Merged {
    fn keep(&mut self, Arrived { host, line }: Arrived) {
        let Some(line) = line else {
            // What the operator ended is not lost.
            if line_stream::is_enough() {
                return;
            }
            self.lost = true;
            self.ready.push_back(Ok(lost(&host, "the connection ended")));
            return;
        };
        let value =
            serde_json::from_str::<Value>(&line).unwrap_or(Value::Record(vec![("line".to_owned(), line.into())]));
        let record = record(value);
        self.number += 1;
        self.held.insert((time(&record), self.number), (Instant::now() + HOLD, host, record));
    }

    /// The first line in the order of time, if any has been kept long enough.
    fn release(&mut self, everything: End) -> bool {
        let now = Instant::now();
        let is_due = everything == End::Reached
            || self.held.len() >= QUEUE
            || self.held.values().any(|(until, ..)| *until <= now);
        if let Some((_, (_, host, record))) = is_due.then(|| self.held.pop_first()).flatten() {
            self.ready.push_back(Ok(log_row(&host, record)));
            return true;
        }
        false
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Reached,
}

impl Iterator for Merged {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Some(row);
            }
            if self.release(End::Open) {
                continue;
            }
            let arrived = match self.held.values().map(|(until, ..)| *until).min() {
                Some(until) => self.receiver.recv_timeout(until.saturating_duration_since(Instant::now())),
                None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match arrived {
                Ok(arrived) => self.keep(arrived),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if self.release(End::Reached) => {}
                Err(RecvTimeoutError::Disconnected) if std::mem::take(&mut self.lost) => {
                    return Some(Err(Fault::new(FaultKind::Unreachable, "no host goes on")));
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

impl Rows for Merged {}
