//! `complete`

use std::path::PathBuf;

use crate::base::fault::Fault;
use crate::base::line;
use crate::command::complete::{CompletionContext, CompletionShell, DiskSource, for_shell};
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Report};

/// Print completions for a command line
///
/// For the completion functions of shells: one line for each candidate, with value, TAB, description.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Complete {
    /// The shell that completes
    #[arg(long, value_enum, default_value = "fish")]
    pub shell: CompletionShell,
    /// The word breaks of bash (COMP_WORDBREAKS)
    #[arg(long, default_value = "", value_name = "CHARACTERS")]
    pub breaks: String,
    /// The line up to the cursor, instead of words
    #[arg(long, conflicts_with = "words", allow_hyphen_values = true)]
    pub line: Option<String>,
    /// The words up to the cursor, the name of the program first
    #[arg(last = true)]
    pub words: Vec<String>,
}

impl Command for Complete {
    const NAME: &'static str = "complete";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["complete -- tetra se", "complete --shell zsh -- tsm ''"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let line = self.line.unwrap_or_else(|| line::join(&self.words));
        let live = DiskSource {
            paths: cx.paths.clone(),
            selection: cx.selection.clone(),
            cwd: cx.host.cwd().to_owned(),
            home: PathBuf::from(cx.host.variable("HOME").unwrap_or("/")),
            aliases: Vec::new(),
            abbreviations: Vec::new(),
            programs: cx.host.variable("PATH").unwrap_or_default().to_owned(),
            variables: Vec::new(),
        };
        let answer = for_shell(self.shell, &line, &self.breaks, &CompletionContext::full(&live));
        Ok(if answer.is_empty() { Report::default() } else { Report::of(Block::Text(answer)) })
    }
}
