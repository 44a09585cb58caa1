//! `tsm logs rotate`

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::tsm::process_args::Targets;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Value};
use crate::tsm::logs::rotate::{self, Rotated};
use crate::tsm::store::Process;

/// Rotate the logs of processes: begin new files, and keep the old ones as parts
///
/// `tsm logs` still shows what is in them. As with the rotation that happens by itself, the oldest part is dropped when there are as
/// many as are kept. Empty logs stay as they are.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all
    #[arg(if_not_given = SELECTED_PROCESS)]
    targets: Vec<ProcessTarget>,
}

impl Command for Rotate {
    const NAME: &'static str = "tsm logs rotate";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm logs rotate api", "tsm logs rotate *"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::find_read_only(&self.targets, cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Targets::find_read_only(&self.targets, cx)?.plan_of_found().map(Some)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let targets = Targets::find(&self.targets, cx)?;
        let mut report = Report::each(Vec::<Message>::new());
        report.faults = targets.faults;
        for process in &targets.processes {
            match rotate::rotate(process) {
                Ok(rotated) => report = report.and(result_message(process, &rotated)),
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(report)
    }
}

fn result_message(process: &Process, rotated: &[Rotated]) -> Message {
    let name = &process.name;
    let words: Vec<&str> = rotated.iter().map(|it| it.stream.as_str()).collect();
    let dropped = rotated.iter().any(|it| it.dropped);
    let text = match &words[..] {
        [] => format!("`{name}` has no output; nothing was rotated"),
        words => format!("rotated {} of `{name}`", words.join(" and ")),
    };
    let text = if dropped { format!("{text}; the oldest part was dropped") } else { text };
    let part = |it: &Rotated| {
        Value::Record(vec![
            ("stream".to_owned(), it.stream.as_str().into()),
            ("bytes".to_owned(), Value::Bytes(it.bytes)),
            ("part".to_owned(), it.part.to_string_lossy().as_ref().into()),
            ("dropped".to_owned(), it.dropped.into()),
        ])
    };
    Message::new(text).with("name", name.as_str()).with("rotated", Value::List(rotated.iter().map(part).collect()))
}
