//! `tsm why`

use super::list::last_exit;
use super::process_args::Targets;
use crate::base::fault::Fault;
use crate::base::redact;
use crate::base::time::HumanDuration;
use crate::command::argument::ProcessTarget;
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Fields, JsonShape, Report, Tone, Value};
use crate::supervise::meta::ProcessStatus;
use crate::tsm::store::Process;
use crate::tsm::why::{Diagnosis, diagnose};

/// Explain why a process ended
///
/// Its exit code or signal in words, who asked for it, what the kernel says about memory, who has its port, what its last lines mean,
/// and what happened in which order. Looks only.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// Id, name, the beginning or a part of a name, pid or port
    #[arg(if_not_given = SELECTED_PROCESS)]
    targets: Vec<ProcessTarget>,
}

impl Command for Why {
    const NAME: &'static str = "tsm why";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm why api", "tsm why api --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let targets = Targets::find_read_only(&self.targets, cx)?;
        let mut blocks = Vec::new();
        for process in &targets.processes {
            let diagnosis = diagnose(process, cx.paths, cx.host.now())?;
            blocks.push(fields(process, &diagnosis, cx));
        }
        let shape = if targets.several { JsonShape::Many } else { JsonShape::One };
        Ok(Report { json_shape: shape, faults: targets.faults, ..Report::each(blocks) })
    }
}

fn fields(process: &Process, diagnosis: &Diagnosis, cx: &Cx) -> Fields {
    let meta = &process.meta;
    let tone = match process.status() {
        ProcessStatus::Online => Tone::Good,
        ProcessStatus::Stopped => Tone::Plain,
        ProcessStatus::Crashed => Tone::Bad,
        ProcessStatus::Unknown => Tone::Warn,
    };
    let mut fields = Fields::titled(diagnosis.verdict.as_str())
        .json_only("name", process.name.as_str())
        .json_only("verdict", diagnosis.verdict.as_str())
        .with("state", Cell::from(process.live.state.as_str()).tone(tone))
        .json_only("exit", last_exit(process))
        .with("restarts", meta.restarts)
        .json_only("unstable_restarts", meta.unstable_restarts);
    let causes = diagnosis.causes.iter().map(|cause| {
        let advice = cause.advice.as_ref().map(|advice| format!(" → {advice}")).unwrap_or_default();
        format!("{}{advice}", redact::text(&cause.what))
    });
    fields = lines(fields, "cause", causes);
    let now = cx.host.now();
    let events = diagnosis.timeline.iter().map(|event| {
        let span = if event.at > now { event.at.since(now) } else { now.since(event.at) };
        format!(
            "{} {}: {}",
            HumanDuration(span),
            if event.at > now { "ahead" } else { "ago" },
            redact::text(&event.what)
        )
    });
    fields = lines(fields, "timeline", events);
    fields = lines(fields, "last lines", diagnosis.last_lines.iter().cloned());
    let causes = diagnosis.causes.iter().map(|cause| {
        let what = ("what".to_owned(), Value::from(redact::text(&cause.what)));
        Value::Record(vec![what, ("advice".to_owned(), Value::from(cause.advice.as_deref()))])
    });
    let events = diagnosis.timeline.iter().map(|event| {
        Value::Record(vec![("at".to_owned(), event.at.into()), ("what".to_owned(), redact::text(&event.what).into())])
    });
    fields
        .json_only("causes", Value::List(causes.collect()))
        .json_only("timeline", Value::List(events.collect()))
        .json_only("last_lines", Value::from(diagnosis.last_lines.clone()))
}

/// Lines below each other, for people only; the first has the title.
fn lines(mut fields: Fields, title: &str, lines: impl Iterator<Item = String>) -> Fields {
    let mut title = title.to_owned();
    for line in lines {
        fields = fields.text_only(std::mem::take(&mut title), line);
    }
    fields
}
