//! `tsm ports import`

use std::path::Path;

use super::processes;
use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::FilePath;
use crate::command::{Command, Cx, Effect};
use crate::disk;
use crate::report::{Message, Report, Value};
use crate::tsm::ports::{edit, formats};

/// Reserve the ports that a file lists
///
/// The table `ports` of a TOML file (also of an environment's), a JSON object, or an env file with NAME_PORT=N. What cannot be
/// imported is listed.
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
        let text = format!("imported {} ports from {}, skipped {}", taken.len(), self.file.0, left.len());
        report.blocks.push(
            Message::new(text).with("imported", Value::from(taken)).with("left_out", Value::from(left.clone())).into(),
        );
        Ok(left.into_iter().fold(report, |report, line| report.note(format!("skipped: {line}"))))
    }
}
