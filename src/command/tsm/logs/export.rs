//! `tsm logs export`

use super::{LogFilter, absolute, sources};
use crate::base::fault::Fault;
use crate::command::argument::{FilePath, ProcessTarget};
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::tsm::process_args::Targets;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Value};
use crate::tsm::logs::export::{self, ExportTarget, LogFormat};

/// Write logs into a file, in the order of time, each line with its time
///
/// The file holds what all parts of both streams say, and of several processes all in one. Only its owner may read it. Files
/// that end in .json, .jsonl or .ndjson get one JSON object a line.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all
    #[arg(if_not_given = SELECTED_PROCESS)]
    targets: Vec<ProcessTarget>,
    /// The file
    #[arg(long, value_name = "FILE")]
    to: FilePath,
    /// How lines are written
    #[arg(long, value_enum, value_name = "FORMAT", if_not_given = "by the ending of the file")]
    format: Option<ExportFormatArg>,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    wanted: LogFilter,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ExportFormatArg {
    /// Time, process, stream and line
    Text,
    /// One JSON object a line
    Json,
}

impl Command for Export {
    const NAME: &'static str = "tsm logs export";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["tsm logs export api --to api.log", "tsm logs export * --since 1h --to all.jsonl"];

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Targets::find_read_only(&self.targets, cx)?.plan_of_found().map(Some)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let targets = Targets::find(&self.targets, cx)?;
        let path = absolute(&self.to.0, cx);
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let format = match self.format {
            Some(ExportFormatArg::Json) => LogFormat::Json,
            Some(ExportFormatArg::Text) => LogFormat::Text,
            None if ["json", "jsonl", "ndjson"].contains(&ending) => LogFormat::Json,
            None => LogFormat::Text,
        };
        let sources = sources(&targets.processes, &self.wanted.streams());
        let target = ExportTarget { path: &path, format, replaces: self.force };
        let exported = export::export(&sources, &self.wanted.query(cx), &target, &|| cx.host.interrupted())?;
        let names: Vec<String> = targets.processes.iter().map(|process| process.name.to_string()).collect();
        let lines = if exported.lines == 1 { "1 line".to_owned() } else { format!("{} lines", exported.lines) };
        let mut report = Report::of(
            Message::new(format!("wrote {lines} to `{}`", path.display()))
                .with("file", path.to_string_lossy().as_ref())
                .with("lines", exported.lines)
                .with("bytes", Value::Bytes(exported.bytes))
                .with("processes", Value::from(names)),
        );
        report.faults = targets.faults;
        Ok(report)
    }
}
