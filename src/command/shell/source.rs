//! `source`

use std::io;
use std::path::Path;

use crate::base::fault::{Fault, FaultKind, UserFacingError};
use crate::command::argument::FilePath;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report};
use crate::sys::script_file;

/// Run the commands of a file here
///
/// One command a line, as at the prompt. Stops at the first failure.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// The file
    pub file: FilePath,
}

impl Command for Source {
    const NAME: &'static str = "source";
    const ALIASES: &'static [&'static str] = &["."];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &[];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let text = read(&cx.host.cwd().join(&self.file.0), &self.file.0)?;
        Ok(Report::then(FollowUp::RunScript { name: self.file.0, text }))
    }
}

/// The file is not a usable script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It cannot be read.
    #[error("failed to read the script `{name}`")]
    Read {
        /// As typed.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It is written for another shell.
    #[error("`{name}` is a script for another shell")]
    Foreign {
        /// As typed.
        name: String,
    },
}

impl UserFacingError for ScriptError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => FaultKind::NotFound,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::Interrupted => FaultKind::Interrupted,
            Self::Read { .. } => FaultKind::Failed,
            Self::Foreign { .. } => FaultKind::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::Foreign { name } => {
                let name = Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
                Some(if name == "tetra.sh" {
                    "it is for bash and zsh; tetra provides the same commands itself".to_owned()
                } else {
                    "tetra scripts contain tetra commands, one a line".to_owned()
                })
            }
        }
    }
}

/// The text of a script.
///
/// # Errors
///
/// Fails if it cannot be read as text, or is written for another shell.
pub fn read(path: &Path, name: &str) -> Result<String, ScriptError> {
    let unreadable = |source| ScriptError::Read { name: name.to_owned(), source };
    let text = script_file::read(path).map_err(unreadable)?;
    let text =
        String::from_utf8(text).map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let foreign_name = matches!(path.extension().and_then(|it| it.to_str()), Some("sh" | "bash" | "zsh" | "fish"));
    let first = text.lines().next().unwrap_or_default();
    let says_tetra = first.starts_with("#!") && first.contains("tetra");
    if !says_tetra && (foreign_name || first.starts_with("#!")) {
        return Err(ScriptError::Foreign { name: name.to_owned() });
    }
    Ok(text)
}
