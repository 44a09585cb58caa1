//! Events that processes report in their logs: `tsm stream`, `tsm analytics` and what else is learned from them.

pub mod analytics;
pub mod click_perf;
pub mod clicks;
pub mod journey;
pub mod patterns;
pub mod sessions;
pub mod stream;
pub mod triggers;
pub mod users;

use std::time::Duration;

use super::process_args::Targets;
use crate::base::fault::Fault;
use crate::base::time::HumanDuration;
use crate::base::time_spec::TimeSpec;
use crate::command::Cx;
use crate::command::argument::ProcessTarget;
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::report::Value;
use crate::tsm::events::ReportedEvent;
use crate::tsm::logs::export::ExportError;
use crate::tsm::logs::{self, LogSource, Query, StreamKind};
use crate::tsm::store::Process;

/// What people see where there are no events.
const NO_EVENTS: &str = "No events found. Processes report them as lines: TETRA:CATEGORY:EVENT {json}";

/// Whose events, and since when.
#[derive(Debug, clap::Args)]
struct EventArgs {
    /// Id, name, the beginning or a part of a name, pid or port
    #[arg(if_not_given = SELECTED_PROCESS)]
    target: Option<ProcessTarget>,
    /// Only from then on: 10m, 14:05, 2026-11-20, 2026-11-20T14:05:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<TimeSpec>,
}

impl EventArgs {
    fn processes(&self, cx: &Cx) -> Result<Vec<Process>, Fault> {
        let words: Vec<ProcessTarget> = self.target.iter().cloned().collect();
        let mut targets = Targets::find(&words, cx)?;
        match targets.faults.pop() {
            Some(fault) => Err(fault),
            None => Ok(targets.processes),
        }
    }

    /// Everything that was reported since `--since`, or in the last `window`.
    fn events(&self, cx: &Cx, window: Option<HumanDuration>) -> Result<Vec<ReportedEvent>, Fault> {
        let window = window.map(TimeSpec::Ago);
        let since = self.since.as_ref().or(window.as_ref());
        let since = since.map(|since| since.resolve(cx.host.now(), &cx.console.zone()));
        let since_ns = since.map(|since| i64::try_from(since.0).unwrap_or(i64::MAX).saturating_mul(1_000_000));
        let query = Query { since_ns, ..Query::default() };
        let mut events = Vec::new();
        for line in logs::stream(&sources(&self.processes(cx)?), &query)? {
            events.extend(ReportedEvent::parse(&line.map_err(|source| ExportError::Read { source })?));
        }
        Ok(events)
    }
}

/// Both logs of each process.
pub(super) fn sources(processes: &[Process]) -> Vec<LogSource> {
    let both = |process: &Process| {
        let source = |stream, log| LogSource { process: process.name.clone(), stream, log };
        [source(StreamKind::Out, process.out_log()), source(StreamKind::Err, process.err_log())]
    };
    processes.iter().flat_map(both).collect()
}

/// A short time as people compare them.
fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// Any JSON as data of a report.
fn data(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(it) => Value::Bool(*it),
        Json::Number(it) => it.as_i64().map_or_else(|| it.as_f64().map_or(Value::Null, Value::Float), Value::Int),
        Json::String(it) => Value::Text(it.clone()),
        Json::Array(it) => Value::List(it.iter().map(data).collect()),
        Json::Object(it) => Value::Record(it.iter().map(|(key, it)| (key.clone(), data(it))).collect()),
    }
}
