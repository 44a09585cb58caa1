//! `tsm logs clean`

use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::tsm::process_args::Targets;
use crate::command::{Command, Cx, Effect, Prepared};
use crate::report::{Message, Report, Value};
use crate::tsm::logs::rotate;

/// Remove the rotated parts of logs
///
/// The logs that are being written stay; `tsm logs rotate` before it removes nearly all that was said.
#[derive(Debug, clap::Args)]
pub struct Clean {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all
    #[arg(if_not_given = SELECTED_PROCESS)]
    targets: Vec<ProcessTarget>,
}

impl Command for Clean {
    const NAME: &'static str = "tsm logs clean";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm logs clean api", "tsm logs clean *"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        Ok(Targets::find_exact(&self.targets, cx)?.stage(Self::EFFECT, clean))
    }
}

fn clean(targets: Targets, _cx: &mut Cx) -> Result<Report, Fault> {
    let mut report = Report::each(Vec::<Message>::new());
    report.faults = targets.faults;
    for process in &targets.processes {
        let cleaned = match rotate::clean(process) {
            Ok(cleaned) => cleaned,
            Err(error) => {
                report.faults.push(error.into());
                continue;
            }
        };
        let name = &process.name;
        let text = match cleaned.parts {
            0 => format!("`{name}` has no rotated logs"),
            1 => format!("removed 1 rotated log of `{name}`"),
            parts => format!("removed {parts} rotated logs of `{name}`"),
        };
        let sentence = Message::new(text)
            .with("name", name.as_str())
            .with("parts", cleaned.parts)
            .with("bytes", Value::Bytes(cleaned.bytes));
        report = report.and(sentence);
    }
    Ok(report)
}
