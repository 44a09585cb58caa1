//! Where each host is, shown while it is worked on; and what Ctrl-C means meanwhile.

use std::time::{Duration, Instant};

use crate::base::plural::pluralize;
use crate::command::Cx;
use crate::deploy::machine::State;
use crate::ops::deploy::halt::{Halt, Stopped, Will};
use crate::ops::deploy::rollout::{Fleet, LAST_WORDS, OnSaying};
use crate::ops::deploy::saying::Saying;
use crate::ops::deploy::watched::{News, NewsFeed, watched};
use crate::report::{Console, Question, TargetState, UserAnswer};
use crate::sys::host::Host;
use crate::sys::signal;

/// How often signals are looked for.
const PULSE: Duration = Duration::from_millis(100);

/// What goes on is said again after this.
const BEAT: Duration = Duration::from_secs(5);

/// Shows where each host is.
pub(super) struct Progress<'a> {
    console: &'a mut dyn Console,
    clock: &'a dyn Host,
    halt: &'a Halt,
    targets: Vec<TargetState>,
    /// Since when each is where it is.
    since: Vec<Instant>,
    shown: Instant,
}

impl<'a> Progress<'a> {
    pub(super) fn new(cx: &'a mut Cx, halt: &'a Halt, names: impl Iterator<Item = String>) -> Self {
        let (console, clock) = (&mut *cx.console, cx.host);
        let targets: Vec<TargetState> = names.map(|name| TargetState::waiting(&name, clock.now())).collect();
        let now = Instant::now();
        Self { console, clock, halt, since: vec![now; targets.len()], targets, shown: now }
    }

    /// Of the hosts of a fleet, in their order.
    pub(super) fn of(cx: &'a mut Cx, halt: &'a Halt, fleet: &Fleet) -> Self {
        let names: Vec<String> = fleet.members().map(|member| member.host.name.to_string()).collect();
        Self::new(cx, halt, names.into_iter())
    }

    /// Does what changes nothing on a host: Ctrl-C ends it at once.
    pub(super) fn look<R: Send>(mut self, work: impl FnOnce(OnSaying) -> R + Send) -> R {
        watched(work, |feed| {
            while self.take(feed) {
                if signal::interrupted() {
                    self.halt.leave();
                }
            }
            self.console.end_progress();
        })
    }

    /// Does what changes hosts: Ctrl-C ends it before the first is armed, and asks from then on.
    pub(super) fn deploy<R: Send>(mut self, work: impl FnOnce(OnSaying) -> R + Send) -> R {
        let _guard = signal::ignore_sigint();
        watched(work, |feed| {
            while self.take(feed) {
                if signal::termination_signal().is_some() && self.halt.will() == Will::GoOn {
                    self.halt.revert();
                }
                match interrupts() {
                    0 => {}
                    1 => self.on_interrupt(feed),
                    _ => self.leave(),
                }
            }
            self.console.end_progress();
        })
    }

    fn on_interrupt(&mut self, feed: &NewsFeed) {
        if self.halt.will() != Will::GoOn {
            return self.leave();
        }
        if self.halt.stop() == Stopped::BeforeArmed {
            return self.say("interrupted before a host was switched: ending");
        }
        if !self.console.is_interactive() {
            return self.revert("interrupted: ");
        }
        self.console.end_progress();
        let hosts = pluralize(self.targets.len(), "host");
        let text =
            format!("not committed on {hosts} yet; Ctrl-C again ends at once: revert now (y) or keep waiting (n)?");
        let (console, targets, since, clock) = (&mut *self.console, &mut self.targets, &mut self.since, self.clock);
        let mut notes = Vec::new();
        let mut is_open = || loop {
            match feed.next(Duration::ZERO) {
                News::Said(index, Saying::State(text)) => {
                    since[index] = Instant::now();
                    targets[index].is_now(&text, clock.now());
                }
                News::Said(index, Saying::Note(text)) => notes.push(of_host(&targets[index], &text)),
                News::Quiet => return true,
                News::Over => return false,
            }
        };
        let answer = console.ask_while(&Question { text, expected: None }, &mut is_open);
        notes.iter().for_each(|note| console.note(note));
        match answer {
            Some(UserAnswer::Yes) => self.revert(""),
            // Ctrl-C is looked at next; it finds that this was the second one.
            Some(_) if signal::interrupted() => {
                self.halt.revert();
            }
            Some(_) => self.say("waiting on"),
            None => {}
        }
    }

    fn revert(&mut self, why: &str) {
        let what = if self.halt.revert() { "the old release is put back" } else { "too late: the release is final" };
        self.say(&format!("{why}{what}"));
    }

    /// Says once more where those are that are still worked on, and for how long.
    fn beat(&mut self) {
        for index in 0..self.targets.len() {
            if !is_over(&self.targets[index].state) {
                self.targets[index].is_still(self.since[index].elapsed(), self.clock.now());
                self.show(index);
            }
        }
    }

    fn show(&mut self, index: usize) {
        self.console.progress(&self.targets, Some(index));
        self.shown = Instant::now();
    }

    fn leave(&mut self) {
        self.say("ending at once: hosts that are not committed put the old release back by themselves");
        self.halt.leave();
    }

    fn say(&mut self, text: &str) {
        self.console.end_progress();
        self.console.note(text);
        self.console.progress(&self.targets, None);
    }

    /// Shows what comes next; false once there is nothing more.
    fn take(&mut self, feed: &NewsFeed) -> bool {
        match feed.next(PULSE) {
            News::Said(index, Saying::State(text)) => {
                self.since[index] = Instant::now();
                self.targets[index].is_now(&text, self.clock.now());
                self.show(index);
                true
            }
            News::Said(index, Saying::Note(text)) => {
                self.say(&of_host(&self.targets[index], &text));
                true
            }
            News::Quiet => {
                if self.shown.elapsed() >= BEAT {
                    self.beat();
                }
                true
            }
            News::Over => false,
        }
    }
}

/// What a host has to say beside where it is.
fn of_host(target: &TargetState, text: &str) -> String {
    format!("{}: {text}", target.name)
}

/// How often Ctrl-C was pressed since this was asked. The command ends with what became of the hosts, and not for that.
fn interrupts() -> usize {
    let interrupts = signal::interrupts();
    if interrupts > 0 {
        signal::reset();
    }
    interrupts
}

/// Nothing more is done with a host of which this was said.
fn is_over(text: &str) -> bool {
    let ends = [State::Committed, State::Aborted, State::Reverted, State::RevertFailed];
    LAST_WORDS.contains(&text) || ends.iter().any(|state| state.word() == text)
}
