//! A line that was typed at a prompt: run, and seen by the tour if there is one.

use crate::base::fault::{Fault, FaultKind};
use crate::base::line;
use crate::base::redact::{self, MASK};
use crate::command::registry::{self, CommandMatch};
use crate::command::{CommandSpec, Effect};
use crate::report::Console;

use super::outcome::LineOutcome;
use super::session::Session;
use super::source::ScriptOrigin;
use super::{runner, short_form, tour};

/// Commands that change the machine outside of the scratch directory.
const OUTSIDE: [&str; 3] = ["daemon ", "setup", "tsm nginx "];

/// Runs a line of the prompt, and looks whether it was what the tour waits for.
pub(super) fn run(session: &mut Session, console: &mut dyn Console, line: &str) -> LineOutcome {
    if redact::is_masked(line) {
        let message = format!("this line has `{MASK}` in the place of a secret: the history does not keep secrets");
        let fault = Fault::new(FaultKind::Refused, message)
            .with_advice("type the secret in its place; a line that begins with a blank is not stored at all");
        return refuse(session, console, &fault);
    }
    if session.tour.is_none() {
        return runner::run_line(session, console, line, &ScriptOrigin::Prompt);
    }
    let commands = commands_of(line);
    if let Some(spec) = commands.iter().find(|spec| changes_machine(spec)) {
        let fault =
            Fault::new(FaultKind::Refused, format!("`{}` changes this machine, which the tour does not", spec.name))
                .with_advice("leave the tour with `quit` first");
        return refuse(session, console, &fault);
    }
    let outcome = runner::run_line(session, console, line, &ScriptOrigin::Prompt);
    let moved = tour::MOVES.iter().any(|word| line.trim() == *word);
    if !outcome.exits() && !moved && commands.iter().all(|spec| spec.name != "tour") {
        tour::look(session, console, &commands, outcome);
    }
    outcome
}

fn refuse(session: &mut Session, console: &mut dyn Console, fault: &Fault) -> LineOutcome {
    console.error(fault);
    session.last_code = fault.kind.code();
    LineOutcome::of(fault.kind)
}

fn changes_machine(spec: &CommandSpec) -> bool {
    spec.effect != Effect::Read && OUTSIDE.iter().any(|outer| spec.name.starts_with(outer))
}

/// The commands in a line.
fn commands_of(line: &str) -> Vec<&'static CommandSpec> {
    let Ok(line) = line::lex(line) else { return Vec::new() };
    let command = |statement: &line::Statement| {
        let words = short_form::expand(&statement.words);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        match registry::resolve(&texts) {
            CommandMatch::Command(found, _) => Some(found),
            _ => None,
        }
    };
    line.statements.iter().filter_map(command).collect()
}
