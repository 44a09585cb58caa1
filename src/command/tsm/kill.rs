//! `tsm kill`

use super::process_args::{NO_PROCESSES, label, precision};
use clap::builder::TypedValueParser;

use crate::base::fault::Fault;
use crate::base::plural::pluralize;
use crate::base::redact;
use crate::command::argument::{ProcessId, ProcessPid, ProcessTarget, UsedPort};
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::report::{Message, Report, Table, Tone, Value};
use crate::sys::pidfd::KillSignal;
use crate::tsm::control::StopResult;
use crate::tsm::kill::{self, KillMatch, KillTarget};
use crate::tsm::store::{Process, ProcessStore};

/// End processes at once and remove them, also pids and ports that tsm does not manage
///
/// SIGTERM, two seconds later SIGKILL. A number is an id, then a pid, then a port: first of tsm's processes, then of others.
/// This program, its ancestors and supervisors are never ended. A process whose directory was removed is still found by its name.
#[derive(Debug, clap::Args)]
pub struct Kill {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all of tsm's processes
    targets: Vec<ProcessTarget>,
    /// The process that listens on this port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..).map(UsedPort))]
    port: Vec<UsedPort>,
    /// The process of this name, or whose name begins with it
    #[arg(long, value_name = "NAME")]
    name: Vec<ProcessTarget>,
    /// The process with this id
    #[arg(long, value_name = "ID")]
    id: Vec<ProcessId>,
    /// The process with this pid
    #[arg(long, value_name = "PID")]
    pid: Vec<ProcessPid>,
    /// SIGKILL at once
    #[arg(short, long)]
    force: bool,
}

impl Command for Kill {
    const NAME: &'static str = "tsm kill";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] =
        &["tsm kill 0", "tsm kill --port 3000", "tsm kill --force api", "tsm kill *"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let (matches, faults) = self.find(&ProcessStore::open(cx.paths).all()?, cx)?;
        let environments = matches.iter().filter_map(managed).flat_map(Process::environments).collect();
        let signal = if self.force { KillSignal::Kill } else { KillSignal::Term };
        let state = Victims { matches, faults, signal };
        // Where nothing is meant, nothing has to be asked.
        let effect = if state.matches.is_empty() { Effect::Read } else { Self::EFFECT };
        Ok(Stage { effect, environments, state, plan: show, run }.ready())
    }
}

/// What will be ended, and what was named and is not there.
struct Victims {
    matches: Vec<KillMatch>,
    faults: Vec<Fault>,
    signal: KillSignal,
}

fn show(victims: &Victims, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
    let mut table = Table::new(&[("id", "ID"), ("name", "NAME"), ("pid", "PID"), ("command", "COMMAND")]);
    for victim in &victims.matches {
        let process = managed(victim);
        table.row(vec![
            Value::from(process.and_then(Process::id)).into(),
            Value::from(process.map(|process| process.name.as_str())).into(),
            Value::from(victim.pid()).into(),
            command(victim).into(),
        ]);
    }
    Ok(Some(Report::of(table)))
}

fn run(victims: Victims, cx: &mut Cx) -> Result<Report, Fault> {
    let Victims { mut matches, faults, signal } = victims;
    let mut all = ProcessStore::open(cx.paths).all()?;
    let context = cx.operation();
    context.with_control(|control| control.reconcile(&mut all));
    for victim in &mut matches {
        // One whose state is unknown is refused below, also if it could be read by now.
        if let KillMatch::Managed(process) = victim
            && (process.live.stalled || process.live.needs_supervisor())
        {
            process.refresh();
        }
    }
    let answers = context.with_control(|control| control.kill(&matches, signal));
    let mut report = Report::each(Vec::<Message>::new());
    report.faults = faults;
    for (victim, answer) in matches.iter().zip(answers) {
        match answer {
            Ok(ended) => report = report.and(result_message(victim, &ended)),
            Err(error) => report.faults.push(error.into()),
        }
    }
    let (done, failed) = (report.blocks.len(), report.faults.len());
    Ok(match done + failed {
        0 => report.note(NO_PROCESSES),
        1 => report,
        _ => report.note(format!("killed {}", pluralize(done, "process"))),
    })
}

impl Kill {
    /// All that are meant, and a fault for each word that means none.
    fn find(&self, all: &[Process], cx: &Cx) -> Result<(Vec<KillMatch>, Vec<Fault>), Fault> {
        let words = self.targets.iter().map(|target| KillTarget::Word(target.0.clone()));
        let mut aims: Vec<KillTarget> = words.collect();
        aims.extend(self.port.iter().map(|port| KillTarget::Port(port.0)));
        aims.extend(self.name.iter().map(|name| KillTarget::Name(name.0.clone())));
        aims.extend(self.id.iter().map(|id| KillTarget::Id(id.0)));
        aims.extend(self.pid.iter().map(|pid| KillTarget::Pid(pid.0)));
        if aims.is_empty() {
            let selected = cx.selection.process.as_ref().ok_or_else(|| {
                Fault::usage("no target is named, and no process is selected")
                    .with_advice("name one, or use --port, --name, --id or --pid")
            })?;
            aims.push(KillTarget::Name(selected.as_str().to_owned()));
        }
        let (mut victims, mut faults) = (Vec::<KillMatch>::new(), Vec::new());
        for aim in &aims {
            let found =
                kill::find(aim, all, precision(cx)).or_else(|error| match kill::find_unrecorded(aim, cx.paths) {
                    lost if lost.is_empty() => Err(error),
                    lost => Ok(lost),
                });
            match found {
                Ok(found) => victims.extend(found.into_iter().filter(|it| !it.is_among(&victims)).collect::<Vec<_>>()),
                Err(error) => faults.push(error.into()),
            }
        }
        if victims.is_empty() && faults.len() == 1 {
            return Err(faults.remove(0));
        }
        Ok((victims, faults))
    }
}

fn managed(victim: &KillMatch) -> Option<&Process> {
    match victim {
        KillMatch::Managed(process) => Some(process),
        KillMatch::Unmanaged { .. } => None,
    }
}

fn command(victim: &KillMatch) -> String {
    match victim {
        KillMatch::Managed(process) => redact::text(&process.meta.command),
        KillMatch::Unmanaged { command, .. } => command.clone(),
    }
}

fn result_message(victim: &KillMatch, ended: &StopResult) -> Message {
    let forced = matches!(ended, StopResult::Stopped { forced: true, .. });
    let text = match victim {
        KillMatch::Managed(process) => format!("killed {}", label(process)),
        KillMatch::Unmanaged { pid, command, .. } => format!("killed pid {pid} ({command})"),
    };
    let process = managed(victim);
    Message::new(text)
        .tone(Tone::Plain)
        .with("id", Value::from(process.and_then(Process::id)))
        .with("name", Value::from(process.map(|process| process.name.as_str())))
        .with("pid", Value::from(victim.pid()))
        .with("action", "killed")
        .with("forced", forced)
}
