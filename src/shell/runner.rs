//! Runs lines: statements, aliases, pipes, redirections and nested scripts.

use crate::base::fault::{Fault, FaultKind};
use crate::base::line::{self, LexError, Statement, Word};
use crate::report::{Console, Reader};
use crate::sys::host::Invocation;

use super::dispatch;
use super::nesting::{check_depth, stops, with_depth};
use super::outcome::{LineOutcome, Then};
use super::redirect::{self, RedirectError};
use super::session::{Session, SessionMode};
use super::source::{LocationPolicy, Position, ScriptOrigin, ScriptText};

/// Runs a line from the prompt or from `-c`.
pub fn run_line(session: &mut Session, console: &mut dyn Console, line: &str, origin: &ScriptOrigin) -> LineOutcome {
    run_text(session, console, ScriptText { origin, text: line, first_line: 1 })
}

/// Runs the statements of a text in order, up to the first failure unless `keep-going` is on.
///
/// Nothing is run if the text has a syntax error anywhere, or ends with a `\` that waits for another line; at the prompt an
/// empty line ends that. The code is that of the first failure.
pub fn run_text(session: &mut Session, console: &mut dyn Console, source: ScriptText) -> LineOutcome {
    let text = if source.origin.is_typed() { source.text } else { line::without_line_end(source.text) };
    let parsed = match line::lex(text) {
        Ok(parsed) => parsed,
        Err(error) => return report_syntax_error(session, console, source, error),
    };
    let policy = if source.origin.is_script() || parsed.statements.len() > 1 {
        LocationPolicy::All
    } else {
        LocationPolicy::Words
    };
    with_depth(session, |session| {
        let mut whole = LineOutcome::default();
        for (number, statement) in parsed.statements.iter().enumerate() {
            let at = Position { source, policy, statement: &statement.span };
            let mut outcome = run_statement(&at, session, console, statement);
            if outcome.then == Then::StartPrompt && number + 1 < parsed.statements.len() {
                let fault = Fault::usage("nothing can be run after the prompt in the same line or script")
                    .with_advice("make `tsm repl` its last command");
                outcome = at.report_fault(console, fault, None);
            }
            whole = whole.followed_by(outcome);
            if stops(session, outcome) {
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
    let at = Position { source, policy: LocationPolicy::Words, statement: &(0..0) };
    with_depth(session, |session| run_command(&at, session, console, &words))
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

fn run_statement(
    at: &Position,
    session: &mut Session,
    console: &mut dyn Console,
    statement: &Statement,
) -> LineOutcome {
    session.unused_change = None;
    if let Some(escape) = &statement.shell_escape {
        return run_shell_escape(at, session, console, &escape.text);
    }
    let run = |session: &mut Session, console: &mut dyn Console| match expand_alias(session, statement) {
        Some(line) => {
            let origin = ScriptOrigin::nested(&statement.words[0].text);
            run_nested(at, session, console, ScriptText { origin: &origin, text: &line, first_line: 1 })
        }
        None => run_command(at, session, console, &statement.words),
    };
    if let Some(pipe) = &statement.pipe {
        let cwd = session.host.cwd().to_owned();
        let outcome = session.with_programs(|session| {
            let run = |sink: &mut dyn Console| run(session, sink).ignoring_broken_pipe();
            redirect::run_piped(console, &pipe.text, &cwd, run)
        });
        return outcome.unwrap_or_else(|fault| at.report_fault(console, fault, Some(&pipe.span)));
    }
    if let Some(redirect) = &statement.redirect {
        return match redirect::open_file(session, redirect) {
            Ok(file) => run(session, &mut *console.to_sink(file, Reader::File)).ignoring_broken_pipe(),
            Err(error) => at.report_fault(console, error.into(), Some(&redirect.target.span)),
        };
    }
    run(session, console)
}

fn run_command(at: &Position, session: &mut Session, console: &mut dyn Console, words: &[Word]) -> LineOutcome {
    let mut run =
        |session: &mut Session, console: &mut dyn Console, source: ScriptText| run_nested(at, session, console, source);
    dispatch::run_command(at, session, console, words, &mut run)
}

/// `!cmd`: runs a system command with `sh -c`.
fn run_shell_escape(at: &Position, session: &mut Session, console: &mut dyn Console, text: &str) -> LineOutcome {
    if session.mode != SessionMode::Interactive && !session.settings.is_on("shell-escape") {
        let fault = Fault::new(FaultKind::Refused, "`!` runs system commands only at the prompt")
            .with_advice("run `set shell-escape on` first");
        return at.report_fault(console, fault, Some(at.statement));
    }
    let invocation = Invocation {
        program: "sh".to_owned(),
        arguments: vec!["-c".to_owned(), text.to_owned()],
        inherit_stdio: !console.is_recorded(),
        ends_at_second_interrupt: true,
        cwd: Some(session.host.cwd().to_owned()),
        ..Invocation::default()
    };
    match session.with_programs(|session| session.host.run(&invocation)) {
        Ok(finished) => {
            let shown = redirect::pass_on(console, &[finished.stdout, finished.stderr].concat());
            let code = u8::try_from(finished.exit_code & 0xff).unwrap_or(1);
            shown.map_or_else(|error| at.report_fault(console, error.into(), None), |()| LineOutcome::with_code(code))
        }
        Err(source) => at.report_fault(console, RedirectError::Shell { source }.into(), None),
    }
}

/// The expanded alias of the first word, followed by the other words of the statement.
fn expand_alias(session: &Session, statement: &Statement) -> Option<String> {
    let first = statement.words.first().filter(|word| !word.quoted)?;
    let line = session.settings.aliases.get(&first.text)?;
    let rest = line::join(statement.words[1..].iter().map(|word| &word.text));
    Some(format!("{line} {rest}").trim_end().to_owned())
}

/// Runs a text inside of this statement.
fn run_nested(at: &Position, session: &mut Session, console: &mut dyn Console, source: ScriptText) -> LineOutcome {
    let origin = source.origin.within(at.source.origin);
    match check_depth(session, origin.name()) {
        Ok(()) => run_text(session, console, ScriptText { origin: &origin, ..source }),
        Err(fault) => at.report_fault(console, fault, None),
    }
}
