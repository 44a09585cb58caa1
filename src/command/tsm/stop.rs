//! `tsm stop`

use super::process_args::{ProcessArgs, Targets, label};
use crate::base::fault::Fault;
use crate::base::plural::pluralize;
use crate::command::{Command, Cx, Effect, Prepared};
use crate::report::{Message, Report, Tone, Value};
use crate::sys::net;
use crate::tsm::control::{ControlError, StopResult};
use crate::tsm::exit_text;
use crate::tsm::store::Process;

/// Stop processes and everything they started
///
/// First politely (SIGTERM), after their kill timeout by force. They keep their id and their logs; `tsm start NAME` starts them
/// again. Ctrl-C ends the waiting, not the stopping.
#[derive(Debug, clap::Args)]
pub struct Stop {
    #[command(flatten)]
    processes: ProcessArgs,
}

impl Command for Stop {
    const NAME: &'static str = "tsm stop";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm stop 0", "tsm stop devpages", "tsm stop api web", "tsm stop *"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        Ok(self.processes.find_exact(cx)?.stage(Self::EFFECT, stop))
    }
}

fn stop(mut targets: Targets, cx: &mut Cx) -> Result<Report, Fault> {
    targets.reconcile(cx);
    let results = cx.operation().with_control(|control| control.stop(&targets.refs()));
    let mut report = Report::each(Vec::<Message>::new());
    report.faults = std::mem::take(&mut targets.faults);
    let mut stopped = 0;
    for (process, result) in targets.processes.iter().zip(results) {
        // Of all, those that did not run are of no interest.
        if targets.all && matches!(result, Ok(StopResult::WasNotRunning { .. })) {
            continue;
        }
        let ended = result.is_ok();
        stopped += usize::from(matches!(result, Ok(StopResult::Stopped { .. })));
        report = add_result(report, process, result, "stopped");
        if ended {
            report = port_note(process)
                .into_iter()
                .chain(exit_text::describe_lost_output(process))
                .fold(report, Report::note);
        }
    }
    Ok(if targets.all { report.note(format!("stopped {}", pluralize(stopped, "process"))) } else { report })
}

/// Adds what came of a process that was to end.
pub(super) fn add_result(
    mut report: Report,
    process: &Process,
    result: Result<StopResult, ControlError>,
    done: &'static str,
) -> Report {
    match result {
        Ok(ended) => report.and(result_message(process, &ended, done)),
        Err(error) => {
            report.faults.push(error.into());
            report
        }
    }
}

/// What became of a process that was to end.
fn result_message(process: &Process, ended: &StopResult, done: &'static str) -> Message {
    let label = label(process);
    let (text, tone, forced) = match ended {
        StopResult::Stopped { forced: false, survivors, .. } if survivors.is_empty() => {
            (format!("{done} {label}"), Tone::Plain, false)
        }
        StopResult::Stopped { forced: true, survivors, .. } if survivors.is_empty() => {
            (format!("{done} {label}, killed after its kill timeout"), Tone::Warn, true)
        }
        StopResult::Stopped { forced, survivors, .. } => {
            let pids: Vec<String> = survivors.iter().map(ToString::to_string).collect();
            (format!("{done} {label}, but could not kill pid {}", pids.join(", ")), Tone::Bad, *forced)
        }
        StopResult::WasNotRunning { .. } if done == "deleted" => (format!("{done} {label}"), Tone::Plain, false),
        StopResult::WasNotRunning { .. } => (format!("{label} is not running"), Tone::Dim, false),
    };
    let was_running = matches!(ended, StopResult::Stopped { .. });
    Message::new(text)
        .tone(tone)
        .with("id", Value::from(process.id()))
        .with("name", process.name.as_str())
        .with("action", done)
        .with("was_running", was_running)
        .with("forced", forced)
}

/// Who still listens on the port that should be free now.
fn port_note(process: &Process) -> Option<String> {
    let port = process.meta.port.filter(|_| !process.meta.run.port_guessed)?;
    let listener = net::listening_on(port).into_iter().next()?;
    let holder = net::owner(listener.inode).map(|owner| format!("pid {} ({})", owner.pid, owner.command));
    let holder = holder.unwrap_or_else(|| format!("a process of user {}", net::user_name(listener.uid)));
    Some(format!("port {port} is still held by {holder}"))
}
