//! One command: parsed, executed, shown, and its follow-up.

use std::io::ErrorKind;

use crate::base::fault::Fault;
use crate::base::home;
use crate::base::line::Word;
use crate::base::redact::Redactor;
use crate::base::time::Timestamp;
use crate::command::global::Globals;
use crate::report::theme::Theme;
use crate::report::{Console, FollowUp, OutputOptions, Report};

use super::execute::Execution;
use super::follow_up;
use super::nesting::RunNested;
use super::outcome::LineOutcome;
use super::parse::{Parsed, parse};
use super::redirect::RedirectError;
use super::session::Session;
use super::source::{Position, ScriptOrigin};
use super::{idle, short_form, variables};

/// Runs the command of `words` at a position; nested lines are run by `run`.
pub(super) fn run_command(
    at: &Position,
    session: &mut Session,
    console: &mut dyn Console,
    words: &[Word],
    run: RunNested,
) -> LineOutcome {
    let expanded;
    let is_prompt = *at.source.origin == ScriptOrigin::Prompt;
    let words = if at.source.origin.is_typed() {
        expanded = short_form::expand(words);
        &expanded[..]
    } else {
        words
    };
    let with_values;
    let words = match is_prompt.then(|| variables::expand(session, words)).transpose() {
        Ok(Some(Some(values))) => {
            console.note(&variables::shown(&values));
            with_values = values;
            &with_values[..]
        }
        Ok(_) => words,
        Err((number, fault)) => return at.report_fault(console, fault, words.get(number).map(|word| &word.span)),
    };
    let texts: Vec<String> = words.iter().map(|word| expand_tilde(at, session, word)).collect();
    let redactor = Redactor::of(&texts);
    let redacted = |fault: Fault| fault.without_secrets(|text| redactor.redacted(text));
    let mut globals = Globals::default();
    let parsed = parse(&texts, &mut globals, console.width());
    let mut with_options = {
        // A script goes on by itself.
        let theme = Some(session.theme()).filter(|theme| *theme != Theme::default());
        let answer_limit = idle::answer_limit(session, &globals);
        let output = OutputOptions { unpaged: at.source.origin.is_script(), theme, answer_limit, ..globals.output };
        (output != OutputOptions::default()).then(|| console.with_options(&output))
    };
    let console: &mut dyn Console = match &mut with_options {
        Some(with_options) => &mut **with_options,
        None => console,
    };
    let began = session.host.now();
    let result = match parsed {
        Ok(Parsed::Show(report)) => Ok(report),
        Ok(Parsed::Command(spec, command)) => {
            let execution = Execution { spec, words: &texts, globals: &globals, origin: at.source.origin };
            execution.where_it_runs(session, command).and_then(|command| execution.run(session, console, command))
        }
        Err(error) => {
            session.has_misread = true;
            let word = error.word.and_then(|index| words.get(index)).map_or(at.statement, |word| &word.span);
            return at.report_fault(console, redacted(*error.fault), Some(word));
        }
    };
    let result = result
        .map(|report| Report { faults: report.faults.into_iter().map(redacted).collect(), ..report })
        .map_err(redacted);
    remember_answers(session, began, &result);
    match result {
        Ok(report) if report.follow_up.runs_lines() => {
            let saved = session.push_globals(&globals);
            let outcome = show_report(at, session, console, report, run);
            session.pop_globals(saved);
            outcome
        }
        Ok(report) => show_report(at, session, console, report, run),
        Err(fault) => at.report_fault(console, fault, None),
    }
}

/// Remembers which ends of processes the result of a command tells of.
fn remember_answers(session: &Session, began: Timestamp, result: &Result<Report, Fault>) {
    let faults = match result {
        Ok(report) => &report.faults[..],
        Err(fault) => std::slice::from_ref(fault),
    };
    for process in faults.iter().filter_map(|fault| fault.ended_process.as_deref()) {
        session.answers.add(process, began, session.host.now());
    }
}

/// The text of a word; an unquoted leading `~` is expanded to the home directory.
fn expand_tilde(at: &Position, session: &Session, word: &Word) -> String {
    let written = at.source.text.get(word.span.clone()).unwrap_or_default();
    let home = session.host.variable("HOME").filter(|_| written.starts_with('~'));
    home::expand(&word.text, home)
}

/// Shows a report and carries out its follow-up.
fn show_report(
    at: &Position,
    session: &mut Session,
    console: &mut dyn Console,
    mut report: Report,
    run: RunNested,
) -> LineOutcome {
    let follow_up = std::mem::take(&mut report.follow_up);
    if let Some(names) = variables::names(&report) {
        session.last_names = names;
    }
    let code = report.exit_code();
    let location = at.location(None);
    let located = |fault: Fault| match &location {
        Some(location) => fault.at(location.clone()),
        None => fault,
    };
    report.faults = report.faults.into_iter().map(located).collect();
    if !(report.blocks.is_empty() && report.faults.is_empty() && !matches!(follow_up, FollowUp::Nothing)) {
        match console.show(report) {
            Ok(()) => {}
            // What was done was done.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                return LineOutcome { code, ..LineOutcome::BROKEN_PIPE };
            }
            Err(source) => return at.report_fault(console, RedirectError::Write { source }.into(), None),
        }
    }
    let outcome = follow_up::carry_out(session, console, follow_up, at.source.origin, run)
        .unwrap_or_else(|fault| at.report_fault(console, fault, None));
    LineOutcome { code: if code == 0 { outcome.code } else { code }, ..outcome }
}
