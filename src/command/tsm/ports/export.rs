//! `tsm ports export`

use std::path::Path;

use super::processes;
use crate::base::fault::Fault;
use crate::command::argument::FilePath;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Message, Report, Value};
use crate::sys::file::{self, Access};
use crate::tsm::ports::formats::{self, PortFormat};
use crate::tsm::ports::status;

/// Write the declared ports to a file, for other programs
///
/// `-` is the standard output. The form follows the ending of the file unless it is said.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The file, or `-`
    file: FilePath,
    /// The form
    #[arg(value_enum, if_not_given = "toml, unless the file ends in .json or .env")]
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
            let data = [("file", "-".into()), ("ports", claims.len().into()), ("text", text.as_str().into())];
            let data = Value::Record(data.map(|(key, value): (&str, Value)| (key.to_owned(), value)).into());
            return Ok(Report::of(Block::TextWithData { text, data }));
        }
        file::write(&cx.host.cwd().join(&self.file.0), text.as_bytes(), Access::Shared)?;
        Ok(Report::of(
            Message::new(format!("exported {} ports to {}", claims.len(), self.file.0))
                .with("file", &self.file.0)
                .with("ports", claims.len())
                .with("text", Value::Null),
        ))
    }
}
