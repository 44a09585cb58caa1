//! `context`

use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Fields, Report};

/// Show the active organization, environment and process
///
/// `help context` explains how they are determined.
#[derive(Debug, clap::Args)]
pub struct Context {}

impl Command for Context {
    const NAME: &'static str = "context";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["context", "context --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let chosen = cx.selection;
        let fields = Fields::default()
            .with("org", chosen.org.as_ref().map(|it| it.as_str().to_owned()))
            .with("env", chosen.env.as_ref().map(|it| it.as_str().to_owned()))
            .with("process", chosen.process.as_ref().map(|it| it.as_str().to_owned()))
            .with("dir", cx.paths.home().display().to_string());
        Ok(Report::of(fields))
    }
}
