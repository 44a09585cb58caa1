//! `tour`

mod scratch;
pub mod steps;

use std::io;

use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report, TourMove};
use scratch::Scratch;

/// Learn the main commands in ten minutes, in a scratch directory
///
/// At a prompt of its own it says what to type, and goes on when that was done. Everything is in a private temporary directory with a
/// TETRA_DIR of its own: your processes, organizations, settings and history are not touched. At the end, also after Ctrl-D, what was
/// started there is stopped and the directory is removed. `hint`, `skip`, `back` and `quit` are commands of the tour.
#[derive(Debug, clap::Args)]
pub struct Tour {
    /// In the tour: the next step (`skip`), a hint, or the step before (`back`)
    #[arg(value_parser = ["skip", "hint", "back"], hide = true)]
    step: Option<String>,
    /// Start the prompt of the tour, in its directory
    #[arg(long, hide = true, conflicts_with = "step")]
    inside: bool,
}

impl Command for Tour {
    const NAME: &'static str = "tour";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tour"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let action = match self.step.as_deref() {
            Some("skip") => TourMove::Skip,
            Some("hint") => TourMove::Hint,
            Some(_) => TourMove::Back,
            None if self.inside && scratch::contains(cx.paths.home()) => {
                scratch::occupy(cx.paths.home()).map_err(not_created)?;
                TourMove::Begin
            }
            None if self.inside => return Err(Fault::usage("`--inside` is for the directory of a tour only")),
            None => return tour(cx),
        };
        Ok(Report::then(FollowUp::Tour(action)))
    }
}

/// Runs a prompt as a child in a scratch directory, and removes what came of it.
fn tour(cx: &mut Cx) -> Result<Report, Fault> {
    if scratch::contains(cx.paths.home()) {
        return Err(
            Fault::usage("already in the tour").with_advice("`hint` shows what to type, `quit` leaves the tour")
        );
    }
    if !cx.console.is_terminal() || !cx.console.is_interactive() {
        return Err(
            Fault::needs_terminal("the tour").with_advice("run `tetra tour` in a terminal; `help` lists the commands")
        );
    }
    for removed in scratch::remove_abandoned(cx.host) {
        match removed {
            Ok(place) => {
                cx.console.note(&format!("removed {}, which a tour that was killed had left behind", place.display()));
            }
            Err(fault) => cx.console.note(&format!("warning: {fault}")),
        }
    }
    let scratch = Scratch::create().map_err(not_created)?;
    let finished = scratch.run(cx.host, cx.settings).map_err(|error| {
        Fault::new(FaultKind::Failed, format!("failed to start `{}`: {error}", cx.host.program().display()))
    })?;
    let place = scratch.remove(cx.host)?.display().to_string();
    let report = Report::default().note(format!("left the tour, stopped what ran in it, and removed {place}"));
    Ok(Report { code: u8::try_from(finished.exit_code).ok(), ..report })
}

fn not_created(error: io::Error) -> Fault {
    Fault::new(FaultKind::Failed, format!("failed to create a directory: {error}"))
}
