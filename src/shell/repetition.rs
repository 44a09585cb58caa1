//! A line that is run again and again.

use std::cell::RefCell;
use std::rc::Rc;

use crate::base::fault::{Fault, FaultKind};
use crate::base::time::HumanDuration;
use crate::ops::repeat::Pace;
use crate::report::{Console, OutputOptions, Reader, Until, Watch};

use super::nesting::{RunNested, interruption_code, run_line};
use super::outcome::{LineOutcome, Then};
use super::redirect::{MemorySink, RedirectError};
use super::session::Session;

/// What is run how often.
pub(super) struct Repetition {
    pub line: String,
    /// Unlimited if none.
    pub times: Option<u64>,
    /// Each run is shown in the place of the one before.
    pub watch: Option<Watch>,
}

/// What the runs wrote.
#[derive(Default)]
struct Outputs {
    first: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
}

impl Repetition {
    /// Runs the line until its number of times is over, it ends the session, what it waits for is there, or a signal arrives.
    pub(super) fn run(
        &self,
        session: &mut Session,
        console: &mut dyn Console,
        mut pace: Pace,
        run: RunNested,
    ) -> LineOutcome {
        let mut console = console.with_options(&OutputOptions { unpaged: true, ..OutputOptions::default() });
        let console = &mut *console;
        let times = self.times.unwrap_or(u64::MAX);
        let (mut outcome, mut outputs) = (LineOutcome::default(), Outputs::default());
        for number in 1..=times {
            let title = self.title(number, &pace, session, console);
            session.has_misread = false;
            let mut is_reached = false;
            match self.watch {
                // Without a terminal nothing is drawn over, and errors stay on stderr.
                Some(watch) if console.is_terminal() || watch.until == Some(Until::Change) => {
                    outcome = match self.run_recorded(session, console, run, &title, &mut outputs) {
                        Ok(outcome) => outcome,
                        Err(ended) => return ended,
                    };
                    is_reached = outputs.reach(watch.until, outcome);
                }
                Some(watch) => {
                    outcome = run_line(session, console, &self.line, "watch", run);
                    is_reached = outputs.reach(watch.until, outcome);
                }
                None => {
                    if console.is_terminal() {
                        console.clear();
                        console.note(&title);
                    }
                    outcome = run_line(session, console, &self.line, "watch", run);
                }
            }
            if is_reached {
                return LineOutcome { code: 0, ..outcome };
            }
            // What is written wrongly fails the next time too.
            let is_wrong = self.watch.is_some() && session.has_misread;
            if is_wrong || outcome.then != Then::Continue || interruption_code(session).is_some() {
                return outcome;
            }
            if number < times && !pace.wait(session.host.as_ref()) {
                return outcome;
            }
        }
        match self.watch.and_then(|watch| watch.until) {
            Some(_) => self.report_unreached(console),
            None => outcome,
        }
    }

    fn title(&self, number: u64, pace: &Pace, session: &Session, console: &dyn Console) -> String {
        let now = jiff::Timestamp::from_millisecond(i64::try_from(session.host.now().0).unwrap_or(i64::MAX));
        let now = now.unwrap_or_default().to_zoned(console.zone());
        format!("{} every {}, run {number}: {}", now.strftime("%H:%M:%S"), HumanDuration(pace.every), self.line)
    }

    /// Runs the line once, and shows what it wrote when it has ended.
    fn run_recorded(
        &self,
        session: &mut Session,
        console: &mut dyn Console,
        run: RunNested,
        title: &str,
        outputs: &mut Outputs,
    ) -> Result<LineOutcome, LineOutcome> {
        let written = Rc::new(RefCell::new(Vec::new()));
        let mut recorder = console.to_sink(Box::new(MemorySink(Rc::clone(&written))), Reader::Operator);
        let outcome = run_line(session, &mut *recorder, &self.line, "watch", run);
        drop(recorder);
        let written = written.take();
        if outputs.last.is_none() && console.is_terminal() {
            console.clear();
        }
        let shown = console.show_frame(title, &written, outputs.last.as_deref());
        outputs.first.get_or_insert_with(|| written.clone());
        outputs.last = Some(written);
        match shown {
            Ok(()) => Ok(outcome),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(LineOutcome::BROKEN_PIPE),
            Err(source) => {
                let fault = Fault::from(RedirectError::Write { source });
                console.error(&fault);
                Err(LineOutcome::of(fault.kind))
            }
        }
    }

    fn report_unreached(&self, console: &mut dyn Console) -> LineOutcome {
        let times = self.times.unwrap_or(u64::MAX);
        let fault =
            Fault::new(FaultKind::CheckFailed, format!("what `--until` waits for did not happen in {times} runs"));
        console.error(&fault);
        LineOutcome::of(fault.kind)
    }
}

impl Outputs {
    /// True if the last run is what is waited for.
    fn reach(&self, until: Option<Until>, outcome: LineOutcome) -> bool {
        match until {
            Some(Until::Change) => self.first != self.last,
            Some(Until::Code(code)) => outcome.code == code,
            None => false,
        }
    }
}
