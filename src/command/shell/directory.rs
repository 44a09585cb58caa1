//! `cd`, `pwd`, `clear`

use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::DirectoryPath;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Message, Report};

/// Change the directory of this session
///
/// Without an argument to the home directory, `cd -` to the one before. What is started from now on runs there, and relative paths
/// begin there.
#[derive(Debug, clap::Args)]
pub struct ChangeDirectory {
    /// The directory, or `-`
    #[arg(value_name = "DIRECTORY")]
    directory: Option<DirectoryPath>,
}

impl Command for ChangeDirectory {
    const NAME: &'static str = "cd";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["cd", "cd ..", "cd -"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let to = match self.directory {
            Some(DirectoryPath(path)) if path == "-" => return Ok(Report::then(FollowUp::PreviousDirectory)),
            Some(DirectoryPath(path)) => cx.host.cwd().join(path),
            None => match cx.host.variable("HOME") {
                Some(home) => home.into(),
                None => return Err(Fault::usage("HOME is not set").with_advice("name the directory: `cd DIRECTORY`")),
            },
        };
        if to.exists() && !to.is_dir() {
            return Err(Fault::new(FaultKind::NotFound, format!("`{}` is not a directory", to.display())));
        }
        Ok(Report::then(FollowUp::ChangeDirectory(to)))
    }
}

/// Show the directory of this session
#[derive(Debug, clap::Args)]
pub struct WorkingDirectory {}

impl Command for WorkingDirectory {
    const NAME: &'static str = "pwd";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["pwd"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let path = cx.host.cwd().display().to_string();
        Ok(Report::of(Message::new(path.clone()).with("path", path)))
    }
}

/// Clear the screen
///
/// Ctrl-L does the same while a line is typed, and keeps the line. Without a terminal nothing is written.
#[derive(Debug, clap::Args)]
pub struct Clear {}

impl Command for Clear {
    const NAME: &'static str = "clear";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["clear"];

    fn run(self, _cx: &mut Cx) -> Result<Report, Fault> {
        Ok(Report::then(FollowUp::ClearScreen))
    }
}
