//! The tour: shows a step, sees by the scratch directory whether it was done, and goes on.

use crate::base::fault::Fault;
use crate::command::shell::tour::steps::{Done, STEPS, Step, World};
use crate::command::{CommandSpec, Selection};
use crate::report::{Console, Fields, Message, Prose, Report, Tone, TourMove};

use super::nesting::{self, RunNested};
use super::outcome::LineOutcome;
use super::session::Session;

/// Commands that only move the tour, which are typed without `tour`.
pub(super) const MOVES: [&str; 3] = ["skip", "hint", "back"];

/// What leaves and moves the tour.
const KEYS: &str = "`hint`, `skip`, `back` and `quit` are there too";

/// Makes the session a tour.
pub(super) fn begin(session: &mut Session) {
    session.tour = Some(0);
    for word in MOVES {
        session.settings.aliases.insert(word.to_owned(), format!("tour {word}"));
    }
}

/// Shows the step of the tour, if the session is one.
pub(super) fn show(session: &Session, console: &mut dyn Console) {
    let Some(at) = session.tour else { return };
    let report = match STEPS.get(at) {
        Some(step) => {
            let selection = selection(session);
            let world = world(session, &selection);
            if let Err(error) = (step.prepare)(&world) {
                console.error(&error.into());
            }
            let report = step_report(step, at);
            match step.missing(&world) {
                Some(line) => report.note(format!("`{}` was removed; first type: {line}", step.process)),
                None => report,
            }
        }
        None => Report::of(Message::new("That was the tour.").tone(Tone::Good)).note(
            "try what you like: it is all in the scratch directory, which is removed when you leave\n\
             with `quit` or Ctrl-D",
        ),
    };
    // A terminal that takes no text is found by the prompt.
    let _ = console.show(report);
}

fn step_report(step: &Step, at: usize) -> Report {
    let title = format!("\nStep {} of {}: {}", at + 1, STEPS.len(), step.title);
    let keys = if at == 0 { format!("\n{KEYS}.") } else { String::new() };
    Report::of(Message::new(title).tone(Tone::Strong).wrapped())
        .and(Prose(format!("{}{keys}", step.intro)))
        .and(Fields::default().with("type", step.line))
}

/// Goes on if the commands were those of the step and it was done; says what is to be typed if they were, or if they failed.
pub(super) fn look(session: &mut Session, console: &mut dyn Console, commands: &[&CommandSpec], outcome: LineOutcome) {
    let Some(step) = session.tour.and_then(|at| STEPS.get(at)) else { return };
    let is_tried = commands.iter().any(|spec| spec.name == step.command);
    let done = is_tried
        && match step.done {
            Done::Succeeded => outcome.code == 0,
            Done::Made(made) => made(&world(session, &selection(session))),
        };
    if !done && !is_tried && outcome.code == 0 {
        // Something else that was tried out.
        return;
    }
    if !done {
        let missing = step.missing(&world(session, &selection(session)));
        console.note(&match missing {
            Some(line) => format!("the step needs `{}`, which was removed; first type: {line}", step.process),
            None => format!("the step is not done yet; type: {}", step.line),
        });
        return;
    }
    // A terminal that takes no text is found by the prompt.
    let _ = console.show(Report::of(Message::new(format!("Done: {}", step.after)).tone(Tone::Good).wrapped()));
    advance(session);
    show(session, console);
}

fn advance(session: &mut Session) {
    session.tour = session.tour.map(|at| (at + 1).min(STEPS.len()));
}

/// Moves the tour. A step that later ones need is run when it is skipped.
///
/// # Errors
///
/// Fails if the session is not that of a tour.
pub(super) fn go(
    session: &mut Session,
    console: &mut dyn Console,
    action: TourMove,
    run: RunNested,
) -> Result<LineOutcome, Fault> {
    let Some(at) = session.tour else {
        return Err(Fault::usage("this is not the tour").with_advice("`tetra tour` starts it"));
    };
    let step = STEPS.get(at);
    match action {
        TourMove::Begin => return Err(Fault::usage("already in the tour")),
        TourMove::Hint => {
            console.note(step.map_or("the tour is at its end: `quit` leaves it", |step| step.hint));
            if let Some(step) = step {
                console.note(&format!("type: {}", step.line));
            }
            return Ok(LineOutcome::default());
        }
        TourMove::Back => session.tour = Some(at.saturating_sub(1)),
        TourMove::Skip => {
            if let Some(step) = step.filter(|step| step.is_needed) {
                console.note(&format!("later steps need this one; the tour runs: {}", step.line));
                nesting::run_line(session, console, step.line, "tour", run);
            }
            advance(session);
        }
    }
    show(session, console);
    Ok(LineOutcome::default())
}

fn selection(session: &Session) -> Selection {
    session.selection().unwrap_or_default()
}

fn world<'a>(session: &'a Session, selection: &'a Selection) -> World<'a> {
    World { paths: &session.paths, selection, user: session.host.user() }
}
