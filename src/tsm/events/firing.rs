//! Triggers at work: a bounded number of programs, each with a limited time.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Event;
use super::trigger::Trigger;
use crate::sys::child::{self, Ended};

/// How many programs run at the same time.
pub const MOST: usize = 10;

/// How long one may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Runs the programs of triggers. When it is dropped, those that still run are ended.
pub struct Firing {
    triggers: Vec<Trigger>,
    running: Vec<JoinHandle<()>>,
    given_up: Arc<AtomicBool>,
    done: (Sender<Fired>, Receiver<Fired>),
}

/// What became of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// The pattern that was met.
    pub pattern: String,
    /// The words that were run.
    pub command: Vec<String>,
    /// How it went.
    pub outcome: Outcome,
}

/// How the program of a trigger went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was not run, because [`MOST`] others did.
    Skipped,
    /// It ended with this code; 128 + n for a signal.
    Code(i32),
    /// It took longer than [`LIMIT`] and was killed.
    TooLong,
    /// It could not be started.
    NotRun(String),
}

impl Firing {
    /// Is ready to run the programs of these triggers.
    #[must_use]
    pub fn of(triggers: Vec<Trigger>) -> Self {
        Self { triggers, running: Vec::new(), given_up: Arc::default(), done: channel() }
    }

    /// Starts what waits for an event of a process, whose line is `text`. Does not wait; see [`Firing::fired`].
    pub fn meet(&mut self, event: &Event, process: &str, text: &str) {
        for trigger in self.triggers.iter().filter(|trigger| trigger.waits_for(event, text)) {
            self.running.retain(|thread| !thread.is_finished());
            let command = trigger.words(event, process);
            let fired = Fired { pattern: trigger.pattern.clone(), command, outcome: Outcome::Skipped };
            let input = format!("{}\n", event.to_json(process));
            let (done, given_up) = (self.done.0.clone(), Arc::clone(&self.given_up));
            if self.running.len() >= MOST {
                let _ = done.send(fired);
                continue;
            }
            let work = move || {
                let outcome = run(&fired.command, input.as_bytes(), &given_up);
                let _ = done.send(Fired { outcome, ..fired });
            };
            self.running.push(std::thread::spawn(work));
        }
    }

    /// The next trigger that came to its end, if one did.
    pub fn fired(&mut self) -> Option<Fired> {
        self.done.1.try_recv().ok()
    }

    /// True while a program runs.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.running.iter().any(|thread| !thread.is_finished())
    }
}

fn run(words: &[String], input: &[u8], given_up: &AtomicBool) -> Outcome {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    match child::run_within(command, input, LIMIT, &|| given_up.load(Ordering::Relaxed)) {
        Ok(Ended::Code(code)) => Outcome::Code(code),
        Ok(Ended::Killed) => Outcome::TooLong,
        Err(error) => Outcome::NotRun(error.to_string()),
    }
}

impl Drop for Firing {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        for thread in self.running.drain(..) {
            let _ = thread.join();
        }
    }
}
