//! Runs lines: statements, aliases, pipes, redirections, nested scripts.

use std::io::{self, ErrorKind, IsTerminal};
use std::ops::Range;
use std::time::Duration;

use crate::base::fault::{Fault, FaultKind, Location};
use crate::base::line::{self, LexError, Statement, Word};
use crate::base::time::HumanDuration;
use crate::command::global::Globals;
use crate::report::{Console, FollowUp, OutputOptions, Report, Screen};
use crate::sys::host::Invocation;
use crate::sys::signal;

use super::execute::Execution;
use super::monitor;
use super::parse::{Parsed, parse};
use super::redirect::{self, RedirectError};
use super::repl;
use super::session::{Session, SessionMode};
use super::source::{ScriptOrigin, ScriptText};

/// The limit of nested scripts, aliases and `watch` runs.
pub const MAX_DEPTH: usize = 16;

/// Shown after a selection on a command line, which ends with it.
const SELECTION_ENDS_NOTE: &str =
    "the selection ends with this session; for a single command use `--org`, `--env`, TETRA_ORG or TETRA_ENV";

/// The result of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineOutcome {
    /// The exit code.
    pub code: u8,
    /// The session should end: `exit`, or the reader of the output is gone.
    pub exit: bool,
}

impl LineOutcome {
    /// The outcome of a fault.
    #[must_use]
    pub fn of(kind: FaultKind) -> Self {
        Self { code: kind.code(), exit: false }
    }

    /// The reader of the output is gone: not a failure, but nothing further is run.
    const BROKEN_PIPE: Self = Self { code: 0, exit: true };

    /// True if no further statement may run.
    #[must_use]
    pub fn stops(self, session: &Session) -> bool {
        self.exit || session_is_over(session) || (self.code != 0 && !session.settings.is_on("keep-going"))
    }
}

/// Runs a line from the prompt or from `-c`.
pub fn run_line(session: &mut Session, console: &mut dyn Console, line: &str, origin: &ScriptOrigin) -> LineOutcome {
    run_text(session, console, ScriptText { origin, text: line, first_line: 1 })
}

/// Runs the statements of a text in order, up to the first failure unless `keep-going` is on.
///
/// Nothing is run if the text has a syntax error anywhere. The code is that of the first failure.
pub fn run_text(session: &mut Session, console: &mut dyn Console, source: ScriptText) -> LineOutcome {
    let parsed = match line::lex(source.text) {
        Ok(parsed) => parsed,
        Err(error) => return report_syntax_error(session, console, source, error),
    };
    let places = if source.origin.is_script() || parsed.statements.len() > 1 {
        LocationPolicy::All
    } else {
        LocationPolicy::Words
    };
    with_depth(session, |session| {
        let road = Runner { source, location_policy: places, statement_span: &(0..0) };
        let mut whole = LineOutcome::default();
        for statement in &parsed.statements {
            let outcome = road.run_statement(session, console, statement);
            if whole.code == 0 {
                whole.code = outcome.code;
            }
            whole.exit = outcome.exit;
            if outcome.stops(session) {
                break;
            }
        }
        whole
    })
}

/// Runs one command from words that are already split.
pub fn run_words(session: &mut Session, console: &mut dyn Console, words: &[String]) -> LineOutcome {
    let words: Vec<Word> = words.iter().map(|word| Word { text: word.clone(), span: 0..0, quoted: true }).collect();
    let source = ScriptText { origin: &ScriptOrigin::Words, text: "", first_line: 1 };
    let road = Runner { source, location_policy: LocationPolicy::Words, statement_span: &(0..0) };
    with_depth(session, |session| road.run_command(session, console, &words))
}

/// Runs one nesting level deeper; an interruption determines the code.
fn with_depth(session: &mut Session, run: impl FnOnce(&mut Session) -> LineOutcome) -> LineOutcome {
    if session.depth == 0 {
        signal::reset();
    }
    session.depth += 1;
    let mut outcome = run(session);
    session.depth -= 1;
    outcome.code = interruption_code(session).unwrap_or(outcome.code);
    session.last_code = outcome.code;
    outcome
}

fn report_syntax_error(
    session: &mut Session,
    console: &mut dyn Console,
    source: ScriptText,
    error: LexError,
) -> LineOutcome {
    let span = error.span();
    let mut fault = Fault::from(error);
    fault.at = source.location(&span).map(Box::new);
    console.error(&fault);
    session.last_code = fault.kind.code();
    LineOutcome::of(fault.kind)
}

/// 128 + n after a signal; 0 if the signal asked for an orderly end that succeeded.
#[must_use]
pub fn interruption_code(session: &Session) -> Option<u8> {
    let ended = signal::termination_signal().map(|number| match signal::exits_gracefully() {
        true => 0,
        false => u8::try_from(128 + number).unwrap_or(u8::MAX),
    });
    ended.or_else(|| session.host.interrupted().then(|| FaultKind::Interrupted.code()))
}

fn session_is_over(session: &Session) -> bool {
    interruption_code(session).is_some()
}

/// Which faults get a location.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LocationPolicy {
    /// All: in a script it is not visible otherwise which line failed.
    All,
    /// Only those about one word.
    Words,
}

/// The statement that is being run, and its position.
#[derive(Clone, Copy)]
struct Runner<'a> {
    source: ScriptText<'a>,
    location_policy: LocationPolicy,
    statement_span: &'a Range<usize>,
}

impl Runner<'_> {
    fn run_statement(&self, session: &mut Session, console: &mut dyn Console, statement: &Statement) -> LineOutcome {
        let road = Runner { statement_span: &statement.span, ..*self };
        if let Some(escape) = &statement.shell_escape {
            return road.run_shell_escape(session, console, &escape.text);
        }
        let run = |session: &mut Session, console: &mut dyn Console| match road.expand_alias(session, statement) {
            Some(line) => road.run_inner(session, console, &line, &statement.words[0].text),
            None => road.run_command(session, console, &statement.words),
        };
        if let Some(pipe) = &statement.pipe {
            let cwd = session.host.cwd().to_owned();
            let outcome =
                redirect::run_piped(console, (&pipe.text, &cwd), |sink| ignore_broken_pipe(run(session, sink)));
            return outcome.unwrap_or_else(|fault| road.report_fault(console, fault, Some(&pipe.span)));
        }
        if let Some(redirect) = &statement.redirect {
            return match redirect::open_file(session, redirect) {
                Ok(file) => ignore_broken_pipe(run(session, &mut *console.to_sink(file))),
                Err(error) => road.report_fault(console, error.into(), Some(&redirect.target.span)),
            };
        }
        run(session, console)
    }

    /// `!cmd`: runs a system command with `sh -c`.
    fn run_shell_escape(&self, session: &mut Session, console: &mut dyn Console, text: &str) -> LineOutcome {
        if session.mode != SessionMode::Interactive && !session.settings.is_on("shell-escape") {
            let fault = Fault::new(FaultKind::Refused, "`!` runs system commands only at the prompt")
                .with_advice("run `set shell-escape on` first");
            return self.report_fault(console, fault, Some(self.statement_span));
        }
        let arguments = vec!["-c".to_owned(), text.to_owned()];
        let call = Invocation {
            program: "sh".to_owned(),
            arguments,
            inherit_stdio: true,
            cwd: Some(session.host.cwd().to_owned()),
            ..Invocation::default()
        };
        match session.host.run(&call) {
            Ok(finished) => LineOutcome { code: u8::try_from(finished.exit_code & 0xff).unwrap_or(1), exit: false },
            Err(source) => self.report_fault(console, RedirectError::Shell { source }.into(), None),
        }
    }

    /// The expanded alias of the first word, followed by the other words of the statement.
    fn expand_alias(&self, session: &Session, statement: &Statement) -> Option<String> {
        let first = statement.words.first().filter(|word| !word.quoted)?;
        let line = session.settings.aliases.get(&first.text)?;
        let rest = line::join(statement.words[1..].iter().map(|word| &word.text));
        Some(format!("{line} {rest}").trim_end().to_owned())
    }

    /// Runs a text inside this statement.
    fn run_inner(&self, session: &mut Session, console: &mut dyn Console, text: &str, name: &str) -> LineOutcome {
        let origin = ScriptOrigin::Nested(name.to_owned());
        self.run_nested(session, console, ScriptText { origin: &origin, text, first_line: 1 })
    }

    fn run_nested(&self, session: &mut Session, console: &mut dyn Console, source: ScriptText) -> LineOutcome {
        if session.depth >= MAX_DEPTH {
            let what = format!("`{}` is nested more than {MAX_DEPTH} levels deep", source.origin.name());
            let fault = Fault::new(FaultKind::Failed, what).with_advice("a script or an alias probably calls itself");
            return self.report_fault(console, fault, None);
        }
        run_text(session, console, source)
    }

    /// The text of a word; an unquoted leading `~` is expanded to the home directory.
    fn expand_tilde(&self, session: &Session, word: &Word) -> String {
        let written = self.source.text.get(word.span.clone()).unwrap_or_default();
        let below = word.text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (below, session.host.variable("HOME")) {
            (Some(below), Some(home)) if written.starts_with('~') => format!("{home}{below}"),
            _ => word.text.clone(),
        }
    }

    fn run_command(&self, session: &mut Session, console: &mut dyn Console, words: &[Word]) -> LineOutcome {
        let texts: Vec<String> = words.iter().map(|word| self.expand_tilde(session, word)).collect();
        let mut globals = Globals::default();
        let prepared = parse(&texts, &mut globals, console.width());
        let mut styled = (globals.output != OutputOptions::default()).then(|| console.with_options(&globals.output));
        let console: &mut dyn Console = match &mut styled {
            Some(styled) => &mut **styled,
            None => console,
        };
        match prepared {
            Ok(Parsed::Show(report)) => self.show_report(session, console, report),
            Ok(Parsed::Command(entry, ready)) => {
                let deed = Execution { spec: entry, words: &texts, globals: &globals };
                match deed.run(session, console, ready) {
                    Ok(report) if report.follow_up.runs_lines() => {
                        let before = session.push_globals(&globals);
                        let outcome = self.show_report(session, console, report);
                        session.pop_globals(before);
                        outcome
                    }
                    Ok(report) => self.show_report(session, console, report),
                    Err(fault) => self.report_fault(console, fault, None),
                }
            }
            Err(misled) => {
                let word = misled.word.and_then(|index| words.get(index));
                self.report_fault(console, *misled.fault, Some(word.map_or(self.statement_span, |word| &word.span)))
            }
        }
    }

    /// Shows a report and carries out its follow-up.
    fn show_report(&self, session: &mut Session, console: &mut dyn Console, mut report: Report) -> LineOutcome {
        let next = std::mem::take(&mut report.follow_up);
        let code = report.exit_code();
        let place = self.location(None);
        let placed = |fault: Fault| match &place {
            Some(place) => fault.at(place.clone()),
            None => fault,
        };
        report.faults = report.faults.into_iter().map(placed).collect();
        if !(report.blocks.is_empty() && report.faults.is_empty() && !matches!(next, FollowUp::Nothing)) {
            match console.show(report) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return LineOutcome::BROKEN_PIPE,
                Err(source) => return self.report_fault(console, RedirectError::Write { source }.into(), None),
            }
        }
        let outcome = self.run_follow_up(session, console, next);
        LineOutcome { code: if code == 0 { outcome.code } else { code }, ..outcome }
    }

    fn run_follow_up(&self, session: &mut Session, console: &mut dyn Console, next: FollowUp) -> LineOutcome {
        match next {
            FollowUp::Nothing => {}
            FollowUp::ChangeSelection(choice) => {
                session.change_selection(choice);
                if *self.source.origin == ScriptOrigin::Words {
                    console.note(SELECTION_ENDS_NOTE);
                }
            }
            FollowUp::PreviousSelection => session.select_previous(),
            FollowUp::Set { key, value } => {
                session.settings.values.insert(key, value);
            }
            FollowUp::Alias { name, line: Some(line) } => {
                session.settings.aliases.insert(name, line);
            }
            FollowUp::Alias { name, line: None } => {
                session.settings.aliases.remove(&name);
            }
            FollowUp::Exit => return LineOutcome { code: 0, exit: true },
            FollowUp::StartPrompt => return self.run_prompt(session, console),
            FollowUp::RunScript { name, text } => {
                let origin = ScriptOrigin::File(name);
                return self.run_nested(session, console, ScriptText { origin: &origin, text: &text, first_line: 1 });
            }
            FollowUp::Repeat { line, every, times } => {
                return self.run_repeated(session, console, &line, (every, times));
            }
            FollowUp::Screen(screen) => return self.run_screen(session, console, screen),
        }
        LineOutcome::default()
    }

    fn run_prompt(&self, session: &mut Session, console: &mut dyn Console) -> LineOutcome {
        if session.mode == SessionMode::Interactive {
            return self.report_fault(console, Fault::usage("already at the prompt"), None);
        }
        if !(console.is_terminal() && io::stdin().is_terminal()) {
            let fault = Fault::usage("the prompt needs a terminal").with_advice("run `tetra` in a terminal");
            return self.report_fault(console, fault, None);
        }
        // The lines of the prompt are not nested in this one.
        let depth = std::mem::take(&mut session.depth);
        let code = repl::run(session, console);
        session.depth = depth;
        session.mode = SessionMode::Batch;
        LineOutcome { code, exit: false }
    }

    fn run_screen(&self, session: &mut Session, console: &mut dyn Console, screen: Screen) -> LineOutcome {
        if !(console.is_terminal() && io::stdin().is_terminal()) {
            return self.report_fault(
                console,
                Fault::new(FaultKind::Failed, "the full-screen view needs a terminal"),
                None,
            );
        }
        let mut run = |session: &mut Session, console: &mut dyn Console, line: &str| {
            self.run_inner(session, console, line, "monitor")
        };
        match monitor::show(session, console, screen, &mut run) {
            Ok(()) => LineOutcome::default(),
            Err(fault) => self.report_fault(console, fault, None),
        }
    }

    fn run_repeated(
        &self,
        session: &mut Session,
        console: &mut dyn Console,
        line: &str,
        (every, times): (Duration, Option<u64>),
    ) -> LineOutcome {
        let times = times.unwrap_or(u64::MAX);
        let mut outcome = LineOutcome::default();
        for run in 1..=times {
            if console.is_terminal() {
                console.clear();
                console.note(&format!("every {}, run {run}: {line}", HumanDuration(every)));
            }
            outcome = self.run_inner(session, console, line, "watch");
            if outcome.exit || session_is_over(session) || (run < times && !session.host.sleep(every)) {
                break;
            }
        }
        outcome
    }

    fn report_fault(&self, console: &mut dyn Console, fault: Fault, span: Option<&Range<usize>>) -> LineOutcome {
        let fault = match self.location(span) {
            Some(place) => fault.at(place),
            None => fault,
        };
        console.error(&fault);
        LineOutcome::of(fault.kind)
    }

    fn location(&self, span: Option<&Range<usize>>) -> Option<Location> {
        match span {
            Some(span) => self.source.location(span),
            None if self.location_policy == LocationPolicy::All => self.source.location(self.statement_span),
            None => None,
        }
    }
}

/// Redirected output whose reader ended early does not end the session.
fn ignore_broken_pipe(outcome: LineOutcome) -> LineOutcome {
    if outcome == LineOutcome::BROKEN_PIPE { LineOutcome::default() } else { outcome }
}
