//! The one road: a line to its outcome, whatever way it came in.

use std::io::{self, ErrorKind, IsTerminal};
use std::ops::Range;
use std::time::Duration;

use crate::base::fault::{Fault, Kind, Place};
use crate::base::line::{self, LexError, Statement, Word};
use crate::base::time::Span;
use crate::command::global::Globals;
use crate::report::{Console, Look, Next, Report, Screen};
use crate::sys::host::Call;
use crate::sys::signal;

use super::attempt::Attempt;
use super::monitor;
use super::output::{self, OutputError};
use super::prepare::{Prepared, prepare};
use super::repl;
use super::session::{Manner, Session};
use super::source::{Origin, Source};

/// How many scripts, aliases and repetitions may be inside each other.
pub const DEEPEST: usize = 16;

/// Said when somebody chooses on a command line.
const ENDS_HERE: &str =
    "chosen for this session, which ends here: `--org`, `--env`, TETRA_ORG and TETRA_ENV choose for one command";

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The exit code.
    pub code: u8,
    /// The session should end: `exit`, or nobody reads the output any more.
    pub leave: bool,
}

impl Outcome {
    /// The outcome of a fault.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self { code: kind.code(), leave: false }
    }

    /// Nobody reads the output any more: that is no failure, but nothing further makes sense.
    const UNREAD: Self = Self { code: 0, leave: true };

    /// Nothing further may run after this.
    #[must_use]
    pub fn stops(self, session: &Session) -> bool {
        self.leave || session_is_over(session) || (self.code != 0 && !session.settings.is_on("keep-going"))
    }
}

/// Runs a line that somebody typed, or the text after `-c`.
pub fn run_line(session: &mut Session, console: &mut dyn Console, line: &str, origin: &Origin) -> Outcome {
    run_text(session, console, Source { origin, text: line, first_line: 1 })
}

/// Runs the statements of a text in order, up to the first failure unless `keep-going` is on.
///
/// Nothing is run if the text makes no sense somewhere. The code is that of the first failure.
pub fn run_text(session: &mut Session, console: &mut dyn Console, source: Source) -> Outcome {
    let parsed = match line::lex(source.text) {
        Ok(parsed) => parsed,
        Err(error) => return malformed(session, console, source, error),
    };
    let places = if source.origin.is_script() || parsed.statements.len() > 1 { Places::All } else { Places::Words };
    within(session, |session| {
        let road = Road { source, places, statement: &(0..0) };
        let mut whole = Outcome::default();
        for statement in &parsed.statements {
            let outcome = road.statement(session, console, statement);
            if whole.code == 0 {
                whole.code = outcome.code;
            }
            whole.leave = outcome.leave;
            if outcome.stops(session) {
                break;
            }
        }
        whole
    })
}

/// Runs one command whose words somebody else split.
pub fn run_words(session: &mut Session, console: &mut dyn Console, words: &[String]) -> Outcome {
    let words: Vec<Word> = words.iter().map(|word| Word { text: word.clone(), span: 0..0, quoted: true }).collect();
    let source = Source { origin: &Origin::Words, text: "", first_line: 1 };
    let road = Road { source, places: Places::Words, statement: &(0..0) };
    within(session, |session| road.command(session, console, &words))
}

/// Runs one level deeper; an interruption decides the code.
fn within(session: &mut Session, run: impl FnOnce(&mut Session) -> Outcome) -> Outcome {
    if session.depth == 0 {
        signal::begin();
    }
    session.depth += 1;
    let mut outcome = run(session);
    session.depth -= 1;
    outcome.code = interruption(session).unwrap_or(outcome.code);
    session.last = outcome.code;
    outcome
}

fn malformed(session: &mut Session, console: &mut dyn Console, source: Source, error: LexError) -> Outcome {
    let span = error.span();
    let mut fault = Fault::from(error);
    fault.at = source.place(&span).map(Box::new);
    console.complain(&fault);
    session.last = fault.kind.code();
    Outcome::of(fault.kind)
}

/// 130 or 143 once somebody interrupted; 0 where the interruption was carried out in order.
#[must_use]
pub fn interruption(session: &Session) -> Option<u8> {
    let ended = signal::ended().map(|number| match signal::ends_in_order() {
        true => 0,
        false => u8::try_from(128 + number).unwrap_or(u8::MAX),
    });
    ended.or_else(|| session.host.interrupted().then(|| Kind::Interrupted.code()))
}

fn session_is_over(session: &Session) -> bool {
    interruption(session).is_some()
}

/// Which faults get a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Places {
    /// Every one: the operator cannot see otherwise which line is meant.
    All,
    /// Those that mean one word.
    Words,
}

/// The statement that is being run, and where it stands.
#[derive(Clone, Copy)]
struct Road<'a> {
    source: Source<'a>,
    places: Places,
    statement: &'a Range<usize>,
}

impl Road<'_> {
    fn statement(&self, session: &mut Session, console: &mut dyn Console, statement: &Statement) -> Outcome {
        let road = Road { statement: &statement.span, ..*self };
        if let Some(escape) = &statement.escape {
            return road.escape(session, console, &escape.text);
        }
        let run = |session: &mut Session, console: &mut dyn Console| match road.alias(session, statement) {
            Some(line) => road.inner(session, console, &line, &statement.words[0].text),
            None => road.command(session, console, &statement.words),
        };
        if let Some(pipe) = &statement.pipe {
            let cwd = session.host.cwd().to_owned();
            let outcome = output::piped(console, (&pipe.text, &cwd), |sink| read_by_another(run(session, sink)));
            return outcome.unwrap_or_else(|fault| road.complain(console, fault, Some(&pipe.span)));
        }
        if let Some(redirect) = &statement.redirect {
            return match output::file(session, redirect) {
                Ok(file) => read_by_another(run(session, &mut *console.to_sink(file))),
                Err(error) => road.complain(console, error.into(), Some(&redirect.target.span)),
            };
        }
        run(session, console)
    }

    /// `!cmd`: a program of the system.
    fn escape(&self, session: &mut Session, console: &mut dyn Console, text: &str) -> Outcome {
        if session.manner != Manner::Prompt && !session.settings.is_on("shell-escape") {
            let fault = Fault::new(Kind::Refused, "`!` runs programs of the system only at the prompt")
                .advise("`set shell-escape on` before it allows it here");
            return self.complain(console, fault, Some(self.statement));
        }
        let arguments = vec!["-c".to_owned(), text.to_owned()];
        let call = Call {
            program: "sh".to_owned(),
            arguments,
            terminal: true,
            cwd: Some(session.host.cwd().to_owned()),
            ..Call::default()
        };
        match session.host.run(&call) {
            Ok(finished) => Outcome { code: u8::try_from(finished.code & 0xff).unwrap_or(1), leave: false },
            Err(source) => self.complain(console, OutputError::Shell { source }.into(), None),
        }
    }

    /// The line that the first word stands for, with the other words of the statement behind it.
    fn alias(&self, session: &Session, statement: &Statement) -> Option<String> {
        let first = statement.words.first().filter(|word| !word.quoted)?;
        let line = session.settings.aliases.get(&first.text)?;
        let rest = line::join(statement.words[1..].iter().map(|word| &word.text));
        Some(format!("{line} {rest}").trim_end().to_owned())
    }

    /// Runs a text inside this statement.
    fn inner(&self, session: &mut Session, console: &mut dyn Console, text: &str, name: &str) -> Outcome {
        let origin = Origin::Inner(name.to_owned());
        self.nested(session, console, Source { origin: &origin, text, first_line: 1 })
    }

    fn nested(&self, session: &mut Session, console: &mut dyn Console, source: Source) -> Outcome {
        if session.depth >= DEEPEST {
            let what = format!("`{}` goes more than {DEEPEST} deep", source.origin.name());
            let fault = Fault::new(Kind::Failed, what).advise("look for one that calls itself");
            return self.complain(console, fault, None);
        }
        run_text(session, console, source)
    }

    /// The text of a word; a `~` that begins it without quotes is the home directory, as in a shell.
    fn expanded(&self, session: &Session, word: &Word) -> String {
        let written = self.source.text.get(word.span.clone()).unwrap_or_default();
        let below = word.text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (below, session.host.variable("HOME")) {
            (Some(below), Some(home)) if written.starts_with('~') => format!("{home}{below}"),
            _ => word.text.clone(),
        }
    }

    fn command(&self, session: &mut Session, console: &mut dyn Console, words: &[Word]) -> Outcome {
        let texts: Vec<String> = words.iter().map(|word| self.expanded(session, word)).collect();
        let mut globals = Globals::default();
        let prepared = prepare(&texts, &mut globals, console.width());
        let mut styled = (globals.look != Look::default()).then(|| console.restyled(&globals.look));
        let console: &mut dyn Console = match &mut styled {
            Some(styled) => &mut **styled,
            None => console,
        };
        match prepared {
            Ok(Prepared::Show(report)) => self.show(session, console, report),
            Ok(Prepared::Command(entry, ready)) => {
                let deed = Attempt { entry, words: &texts, globals: &globals };
                match deed.run(session, console, ready) {
                    Ok(report) if report.next.runs() => {
                        let before = session.enter(&globals);
                        let outcome = self.show(session, console, report);
                        session.restore(before);
                        outcome
                    }
                    Ok(report) => self.show(session, console, report),
                    Err(fault) => self.complain(console, fault, None),
                }
            }
            Err(misled) => {
                let word = misled.word.and_then(|index| words.get(index));
                self.complain(console, *misled.fault, Some(word.map_or(self.statement, |word| &word.span)))
            }
        }
    }

    /// Shows a report and does what it leads to.
    fn show(&self, session: &mut Session, console: &mut dyn Console, mut report: Report) -> Outcome {
        let next = std::mem::take(&mut report.next);
        let code = report.exit_code();
        let place = self.place(None);
        let placed = |fault: Fault| match &place {
            Some(place) => fault.at(place.clone()),
            None => fault,
        };
        report.faults = report.faults.into_iter().map(placed).collect();
        if !(report.blocks.is_empty() && report.faults.is_empty() && !matches!(next, Next::Nothing)) {
            match console.show(report) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Outcome::UNREAD,
                Err(source) => return self.complain(console, OutputError::Write { source }.into(), None),
            }
        }
        let outcome = self.follow(session, console, next);
        Outcome { code: if code == 0 { outcome.code } else { code }, ..outcome }
    }

    fn follow(&self, session: &mut Session, console: &mut dyn Console, next: Next) -> Outcome {
        match next {
            Next::Nothing => {}
            Next::Choose(choice) => {
                session.choose(choice);
                if *self.source.origin == Origin::Words {
                    console.note(ENDS_HERE);
                }
            }
            Next::Back => session.back(),
            Next::Set { key, value } => {
                session.settings.values.insert(key, value);
            }
            Next::Alias { name, line: Some(line) } => {
                session.settings.aliases.insert(name, line);
            }
            Next::Alias { name, line: None } => {
                session.settings.aliases.remove(&name);
            }
            Next::Leave => return Outcome { code: 0, leave: true },
            Next::Prompt => return self.prompt(session, console),
            Next::Run { name, text } => {
                let origin = Origin::File(name);
                return self.nested(session, console, Source { origin: &origin, text: &text, first_line: 1 });
            }
            Next::Repeat { line, every, times } => return self.repeat(session, console, &line, (every, times)),
            Next::Screen(screen) => return self.screen(session, console, screen),
        }
        Outcome::default()
    }

    fn prompt(&self, session: &mut Session, console: &mut dyn Console) -> Outcome {
        if session.manner == Manner::Prompt {
            return self.complain(console, Fault::usage("this is the prompt already"), None);
        }
        if !(console.is_terminal() && io::stdin().is_terminal()) {
            let fault = Fault::usage("the prompt needs a terminal").advise("`tetra` on a terminal begins it");
            return self.complain(console, fault, None);
        }
        // The prompt's lines are no part of this one: each begins anew.
        let depth = std::mem::take(&mut session.depth);
        let code = repl::run(session, console);
        session.depth = depth;
        session.manner = Manner::Batch;
        Outcome { code, leave: false }
    }

    fn screen(&self, session: &mut Session, console: &mut dyn Console, screen: Screen) -> Outcome {
        if !(console.is_terminal() && io::stdin().is_terminal()) {
            return self.complain(console, Fault::new(Kind::Failed, "a full screen needs a terminal"), None);
        }
        let mut run = |session: &mut Session, console: &mut dyn Console, line: &str| {
            self.inner(session, console, line, "monitor")
        };
        match monitor::show(session, console, screen, &mut run) {
            Ok(()) => Outcome::default(),
            Err(fault) => self.complain(console, fault, None),
        }
    }

    fn repeat(
        &self,
        session: &mut Session,
        console: &mut dyn Console,
        line: &str,
        (every, times): (Duration, Option<u64>),
    ) -> Outcome {
        let times = times.unwrap_or(u64::MAX);
        let mut outcome = Outcome::default();
        for run in 1..=times {
            if console.is_terminal() {
                console.clear();
                console.note(&format!("every {}, run {run}: {line}", Span(every)));
            }
            outcome = self.inner(session, console, line, "watch");
            if outcome.leave || session_is_over(session) || (run < times && !session.host.pause(every)) {
                break;
            }
        }
        outcome
    }

    fn complain(&self, console: &mut dyn Console, fault: Fault, span: Option<&Range<usize>>) -> Outcome {
        let fault = match self.place(span) {
            Some(place) => fault.at(place),
            None => fault,
        };
        console.complain(&fault);
        Outcome::of(fault.kind)
    }

    fn place(&self, span: Option<&Range<usize>>) -> Option<Place> {
        match span {
            Some(span) => self.source.place(span),
            None if self.places == Places::All => self.source.place(self.statement),
            None => None,
        }
    }
}

/// A command whose output went elsewhere, where the reader ended early: no reason to end the session.
fn read_by_another(outcome: Outcome) -> Outcome {
    if outcome == Outcome::UNREAD { Outcome::default() } else { outcome }
}
