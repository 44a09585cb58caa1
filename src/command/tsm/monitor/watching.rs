//! `tsm monitor NAME --triggers`: following what is said, and doing what the rules say about it.

use crate::base::fault::{Fault, Kind};
use crate::base::line;
use crate::base::redact;
use crate::command::Cx;
use crate::command::argument::ProcessTarget;
use crate::command::tsm::events::sources;
use crate::command::tsm::targets::Targets;
use crate::report::{Follow, Report, Row, Sentence, Tone, Value};
use crate::sys::signal;
use crate::tsm::events::firing::{Fired, Firing, LIMIT, MOST, Outcome};
use crate::tsm::events::{Event, trigger};
use crate::tsm::logs::{Follower, Query};

/// What triggers do from now on, until Ctrl-C.
pub(super) fn report(targets: &[ProcessTarget], cx: &mut Cx) -> Result<Report, Fault> {
    let path = cx.paths.triggers();
    let enabled: Vec<_> = trigger::read(&path)?.into_iter().filter(|trigger| trigger.enabled).collect();
    if enabled.is_empty() {
        return Err(Fault::new(Kind::Failed, format!("no trigger is enabled in `{}`", path.display()))
            .advise("`tsm triggers --help` shows how to write one"));
    }
    let mut targets = Targets::find(targets, cx)?;
    if let Some(fault) = targets.faults.pop() {
        return Err(fault);
    }
    let sources = sources(&targets.processes);
    let follower = Follower::start(&sources, &Query::last(0), signal::interrupted)?;
    Ok(Report::of(Follow { rows: Box::new(Watching { follower, firing: Firing::of(enabled) }) }))
}

struct Watching {
    follower: Follower,
    firing: Firing,
}

impl Iterator for Watching {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(fired) = self.firing.fired() {
                return Some(Ok(said(fired).into()));
            }
            let line = match self.follower.soon()? {
                Ok(Some(line)) => line,
                Ok(None) => continue,
                Err(error) => return Some(Err(error.into())),
            };
            if let Some(event) = Event::of(&line) {
                let process = self.follower.sources()[line.source].process.clone();
                self.firing.meet(&event, process.as_str(), &String::from_utf8_lossy(&line.bytes));
            }
        }
    }
}

fn said(fired: Fired) -> Sentence {
    let words = redact::redact(&fired.command);
    let command = line::join(&words);
    let (word, tone, text) = match &fired.outcome {
        Outcome::Code(0) => ("done", Tone::Good, format!("ran `{command}`")),
        Outcome::Code(code) => ("failed", Tone::Bad, format!("ran `{command}`, which failed with {code}")),
        Outcome::Skipped => ("skipped", Tone::Warn, format!("did not run `{command}`: {MOST} others run")),
        Outcome::TooLong => {
            ("too-long", Tone::Bad, format!("ended `{command}`, which took longer than {} s", LIMIT.as_secs()))
        }
        Outcome::NotRun(why) => ("not-run", Tone::Bad, format!("failed to run `{command}`: {why}")),
    };
    let code = match fired.outcome {
        Outcome::Code(code) => Value::from(code),
        Outcome::Skipped | Outcome::TooLong | Outcome::NotRun(_) => Value::Nothing,
    };
    Sentence::new(format!("{}: {text}", fired.pattern))
        .tone(tone)
        .with("trigger", fired.pattern)
        .with("command", Value::from(words))
        .with("outcome", word)
        .with("code", code)
}
