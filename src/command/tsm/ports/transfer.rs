//! `tsm ports import` and `export`

use std::path::Path;

use super::processes;
use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::FilePath;
use crate::command::{Command, Cx, Effect};
use crate::disk;
use crate::report::{Block, Message, Report, Value};
use crate::sys::file::{self, Access};
use crate::tsm::ports::formats::{self, PortFormat};
use crate::tsm::ports::{edit, status};

/// Reserve the ports that a file lists
///
/// The table `ports` of a TOML file (also of an environment's), a JSON object, or an env file with NAME_PORT=N. What cannot be
/// taken over is said; the rest is.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The file
    file: FilePath,
}

impl Command for Import {
    const NAME: &'static str = "tsm ports import";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm ports import ports.toml"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let path = cx.host.cwd().join(&self.file.0);
        let text = disk::read_to_string(&path).map_err(|error| {
            let kind =
                if error.kind() == std::io::ErrorKind::NotFound { FaultKind::NotFound } else { FaultKind::Failed };
            Fault::new(kind, format!("failed to read `{}`: {error}", self.file.0))
        })?;
        let (claims, odd) = formats::read(&text, Path::new(&self.file.0))?;
        let processes = processes(cx)?;
        let mut report = Report::default();
        let (mut taken, mut left) = (Vec::new(), odd);
        for claim in claims {
            match edit::set(cx.paths, &processes, &claim.name, claim.port) {
                Ok(_) => taken.push(claim.name),
                Err(error @ edit::PortsError::File(_)) => return Err(error.into()),
                Err(error) => {
                    left.push(format!("`{}`: {error}", claim.name));
                    report.faults.push(error.into());
                }
            }
        }
        let text = format!("tsm: {} ports taken over from {}, {} left out", taken.len(), self.file.0, left.len());
        report.blocks.push(
            Message::new(text).with("imported", Value::from(taken)).with("left_out", Value::from(left.clone())).into(),
        );
        Ok(left.into_iter().fold(report, |report, line| report.note(format!("left out: {line}"))))
    }
}

/// Write the declared ports to a file, for other programs
///
/// `-` is the standard output. The form follows the ending of the file unless it is said.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The file, or `-`
    file: FilePath,
    /// The form; toml unless the file ends in .json or .env
    #[arg(value_enum)]
    form: Option<PortsFormatArg>,
}

/// A form, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PortsFormatArg {
    /// A table `ports`
    Toml,
    /// One object
    Json,
    /// Lines export NAME_PORT=N
    Env,
}

impl From<PortsFormatArg> for PortFormat {
    fn from(wanted: PortsFormatArg) -> Self {
        match wanted {
            PortsFormatArg::Toml => Self::Toml,
            PortsFormatArg::Json => Self::Json,
            PortsFormatArg::Env => Self::Env,
        }
    }
}

impl Command for Export {
    const NAME: &'static str = "tsm ports export";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm ports export ports.toml", "tsm ports export - env"];

    fn effect(&self) -> Effect {
        if self.file.0 == "-" { Effect::Read } else { Effect::Write }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let accounts = status::declared(cx.paths, &processes(cx)?)?;
        let claims: Vec<_> = accounts.into_iter().map(|account| account.claim).collect();
        let form = self.form.map_or_else(|| PortFormat::of(Path::new(&self.file.0)), PortFormat::from);
        let text = formats::format(&claims, form);
        if self.file.0 == "-" {
            return Ok(Report::of(Block::Text(text)));
        }
        file::write(&cx.host.cwd().join(&self.file.0), text.as_bytes(), Access::Shared)?;
        Ok(Report::of(
            Message::new(format!("tsm: {} ports written to {}", claims.len(), self.file.0))
                .with("file", &self.file.0)
                .with("ports", claims.len()),
        ))
    }
}
