//! `tsm monitor NAME --triggers`: following what is said, and doing what the rules say about it.

use std::time::Duration;

use crate::base::fault::{Fault, FaultKind};
use crate::base::line;
use crate::base::redact;
use crate::command::Cx;
use crate::command::argument::ProcessTarget;
use crate::command::tsm::events::sources;
use crate::command::tsm::process_args::Targets;
use crate::report::{Arrival, Message, Report, RowStream, Tone, Value};
use crate::tsm::events::trigger_run::{MAX_CONCURRENT, RUN_TIMEOUT, TriggerOutcome, TriggerRun, TriggerRunner};
use crate::tsm::events::{ReportedEvent, trigger};
use crate::tsm::logs::{FollowEnd, Follower, Query};

/// The pause between two looks whether a program of a trigger has ended.
const RESULT_INTERVAL: Duration = Duration::from_millis(100);

/// The longest wait while none runs; after it the wait is repeated.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What triggers do from now on, until Ctrl-C.
pub(super) fn report(targets: &[ProcessTarget], cx: &mut Cx) -> Result<Report, Fault> {
    let path = cx.paths.triggers();
    let enabled: Vec<_> = trigger::read(&path)?.into_iter().filter(|trigger| trigger.enabled).collect();
    if enabled.is_empty() {
        return Err(Fault::new(FaultKind::Failed, format!("no trigger is enabled in `{}`", path.display()))
            .with_advice("`tsm triggers --help` shows how to write one"));
    }
    let mut targets = Targets::find(targets, cx)?;
    if let Some(fault) = targets.faults.pop() {
        return Err(fault);
    }
    let sources = sources(&targets.processes);
    let follower = Follower::start(&sources, &Query::last(0), FollowEnd::Signal)?;
    Ok(Report::of(RowStream::of(TriggerFollow { follower, firing: TriggerRunner::of(enabled) })))
}

struct TriggerFollow {
    follower: Follower,
    firing: TriggerRunner,
}

impl Iterator for TriggerFollow {
    type Item = Arrival;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Asked first: a program that has ended by now has left its result.
            let limit = if self.firing.is_idle() { LONGEST_WAIT } else { RESULT_INTERVAL };
            if let Some(fired) = self.firing.next_finished() {
                return Some(Ok(result_message(fired).into()));
            }
            let line = match self.follower.poll_next(limit)? {
                Ok(Some(line)) => line,
                Ok(None) => continue,
                Err(error) => return Some(Err(error.into())),
            };
            if let Some(event) = ReportedEvent::parse(&line) {
                let process = self.follower.sources()[line.source].process.clone();
                self.firing.start(&event, process.as_str(), &String::from_utf8_lossy(&line.bytes));
            }
        }
    }
}

fn result_message(fired: TriggerRun) -> Message {
    let words = redact::redact(&fired.command);
    let command = line::join(&words);
    let (word, tone, text) = match &fired.outcome {
        TriggerOutcome::Exited(0) => ("done", Tone::Good, format!("ran `{command}`")),
        TriggerOutcome::Exited(code) => ("failed", Tone::Bad, format!("ran `{command}`, which failed with {code}")),
        TriggerOutcome::Skipped => {
            ("skipped", Tone::Warn, format!("did not run `{command}`: {MAX_CONCURRENT} others run"))
        }
        TriggerOutcome::TimedOut => {
            ("too-long", Tone::Bad, format!("ended `{command}`, which took longer than {} s", RUN_TIMEOUT.as_secs()))
        }
        TriggerOutcome::NotRun(why) => ("not-run", Tone::Bad, format!("failed to run `{command}`: {why}")),
    };
    let code = match fired.outcome {
        TriggerOutcome::Exited(code) => Value::from(code),
        TriggerOutcome::Skipped | TriggerOutcome::TimedOut | TriggerOutcome::NotRun(_) => Value::Null,
    };
    Message::new(format!("{}: {text}", fired.pattern))
        .tone(tone)
        .with("trigger", fired.pattern)
        .with("command", Value::from(words))
        .with("outcome", word)
        .with("code", code)
}
