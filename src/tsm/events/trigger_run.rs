//! Triggers at work: a bounded number of programs, each with a limited time.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::ReportedEvent;
use super::trigger::Trigger;
use crate::sys::child::{self, ChildExit};
use crate::sys::child_variables;

/// How many programs run at the same time.
pub const MAX_CONCURRENT: usize = 10;

/// How long one may take.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the programs of triggers. When it is dropped, those that still run are ended.
pub struct TriggerRunner {
    triggers: Vec<Trigger>,
    running: Vec<JoinHandle<()>>,
    cancelled: Arc<AtomicBool>,
    done: (Sender<TriggerRun>, Receiver<TriggerRun>),
}

/// What became of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerRun {
    /// The pattern that was met.
    pub pattern: String,
    /// The words that were run.
    pub command: Vec<String>,
    /// How it went.
    pub outcome: TriggerOutcome,
}

/// How the program of a trigger went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerOutcome {
    /// It was not run, because [`MAX_CONCURRENT`] others did.
    Skipped,
    /// It ended with this code; 128 + n for a signal.
    Exited(i32),
    /// It took longer than [`RUN_TIMEOUT`] and was killed.
    TimedOut,
    /// It could not be started.
    NotRun(String),
}

impl TriggerRunner {
    /// Is ready to run the programs of these triggers.
    #[must_use]
    pub fn of(triggers: Vec<Trigger>) -> Self {
        Self { triggers, running: Vec::new(), cancelled: Arc::default(), done: channel() }
    }

    /// Starts what waits for an event of a process, whose line is `text`. Does not wait; see [`TriggerRunner::next_finished`].
    pub fn start(&mut self, event: &ReportedEvent, process: &str, text: &str) {
        for trigger in self.triggers.iter().filter(|trigger| trigger.matches_event(event, text)) {
            self.running.retain(|thread| !thread.is_finished());
            let command = trigger.words(event, process);
            let fired = TriggerRun { pattern: trigger.pattern.clone(), command, outcome: TriggerOutcome::Skipped };
            let input = format!("{}\n", event.to_json(process));
            let (done, given_up) = (self.done.0.clone(), Arc::clone(&self.cancelled));
            if self.running.len() >= MAX_CONCURRENT {
                let _ = done.send(fired);
                continue;
            }
            let work = move || {
                let outcome = run(&fired.command, input.as_bytes(), &given_up);
                let _ = done.send(TriggerRun { outcome, ..fired });
            };
            self.running.push(std::thread::spawn(work));
        }
    }

    /// True if no program runs.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running.iter().all(JoinHandle::is_finished)
    }

    /// The next trigger that came to its end, if one did.
    pub fn next_finished(&mut self) -> Option<TriggerRun> {
        self.done.1.try_recv().ok()
    }
}

fn run(words: &[String], input: &[u8], given_up: &AtomicBool) -> TriggerOutcome {
    let mut command = Command::new(&words[0]);
    child_variables::apply(command.args(&words[1..]));
    match child::run_with_timeout(command, input, RUN_TIMEOUT, &|| given_up.load(Ordering::Relaxed)) {
        Ok(ChildExit::Code(code)) => TriggerOutcome::Exited(code),
        Ok(ChildExit::Killed) => TriggerOutcome::TimedOut,
        Err(error) => TriggerOutcome::NotRun(error.to_string()),
    }
}

impl Drop for TriggerRunner {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        for thread in self.running.drain(..) {
            let _ = thread.join();
        }
    }
}
