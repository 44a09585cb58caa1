//! `tsm doctor port` and `kill`

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::base::redact;
use crate::command::tsm::info::drop_empty;
use crate::command::{Command, Cx, Effect};
use crate::report::{Answer, Cell, Fields, Message, Question, Report, Table, Tone, Value};
use crate::sys::pidfd::KillSignal;
use crate::tsm::conflict::{self, Conflict, Holder};
use crate::tsm::control::StopResult;
use crate::tsm::kill::{self, KillMatch, KillTarget};
use crate::tsm::ports::read;
use crate::tsm::resolve::Precision;
use crate::tsm::store::ProcessStore;

/// Say whether a port is free, and who has it
///
/// Exit code 3 if somebody has it: listens on it, or is managed and has claimed it.
#[derive(Debug, clap::Args)]
pub struct Port {
    /// The port
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

impl Command for Port {
    const NAME: &'static str = "tsm doctor port";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor port 3000"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let all = ProcessStore::open(cx.paths).all()?;
        let found = conflict::find(self.port, &all);
        let reserved: Vec<String> =
            read(cx.paths)?.into_iter().filter(|claim| claim.port == self.port).map(|claim| claim.name).collect();
        let (pid, command, managed, user) = match found.as_ref().map(|found| &found.holder) {
            Some(Holder::Process { pid, command, managed }) => {
                (Some(*pid), Some(command.as_str()), managed.as_deref(), None)
            }
            Some(Holder::Claimed { name, pid, command }) => (*pid, Some(command.as_str()), Some(name.as_str()), None),
            Some(Holder::Hidden { user }) => (None, None, None, Some(user.clone())),
            None => (None, None, None, None),
        };
        let user = user.or_else(|| pid.map(|pid| crate::sys::net::describe(pid).user));
        let status = match &found {
            Some(_) => Cell::from("used").text("in use").tone(Tone::Bad),
            None => Cell::from("free").tone(Tone::Good),
        };
        let fields = Fields::titled(format!("Port {}", self.port))
            .json_only("port", self.port)
            .with("status", status)
            .with("tsm", Value::from(managed))
            .with("pid", Value::from(pid))
            .with("user", Value::from(user))
            .with("command", Value::from(command.map(redact::text)))
            .with("reserved_for", Value::from(reserved))
            .with("advice", Value::from(found.as_ref().map(advice)));
        Ok(Report { check_failed: found.is_some(), ..Report::of(drop_empty(fields)) })
    }
}

fn advice(conflict: &Conflict) -> String {
    match &conflict.holder {
        Holder::Process { managed: None, pid, .. } => format!("tsm doctor kill {}, or kill {pid}", conflict.port),
        _ => conflict.suggestion(),
    }
}

/// End whoever listens on a port, unless tsm manages it
///
/// Asks first, with pid and command. SIGTERM, two seconds later SIGKILL. A managed process is refused: `tsm stop` ends it.
#[derive(Debug, clap::Args)]
pub struct KillPort {
    /// The port
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// SIGKILL at once
    #[arg(short, long)]
    force: bool,
}

impl Command for KillPort {
    const NAME: &'static str = "tsm doctor kill";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor kill 3000"];

    fn environments(&self, _cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        // Whoever is managed, and so belongs to an environment, is refused.
        Ok(Vec::new())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let mut table = Table::new(&[("pid", "PID"), ("command", "COMMAND")]);
        for (pid, command) in self.unmanaged_holders(cx)?.iter().filter_map(pid_and_name) {
            table.row(vec![pid.into(), command.into()]);
        }
        Ok(Some(Report::of(table)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let victims = self.unmanaged_holders(cx)?;
        let who: Vec<String> =
            victims.iter().filter_map(pid_and_name).map(|(pid, it)| format!("PID {pid} ({it})")).collect();
        let who = who.join(" and ");
        let refuse =
            |why: &str| Fault::new(FaultKind::Refused, format!("{who} on port {} was not ended: {why}", self.port));
        if !cx.yes {
            let question = format!("Kill {who}, which listens on port {}?", self.port);
            match cx.console.ask(&Question { text: question, expected: None }) {
                Answer::Yes => {}
                Answer::No => return Err(refuse("it was not confirmed")),
                Answer::NotInteractive => {
                    return Err(
                        refuse("there is nobody to ask").with_advice("`tsm doctor kill --yes …` if it is meant")
                    );
                }
            }
        }
        let push = if self.force { KillSignal::Kill } else { KillSignal::Term };
        let answers = cx.operation().with_control(|control| control.kill(&victims, push));
        let mut report = Report::each(Vec::<Message>::new());
        for (victim, answer) in victims.iter().zip(answers) {
            let Some((pid, command)) = pid_and_name(victim) else { continue };
            match answer {
                Ok(ended) => {
                    let forced = matches!(ended, StopResult::Stopped { forced: true, .. });
                    let text = format!("tsm: killed PID {pid} ({command}); port {} is free", self.port);
                    let said = Message::new(text).with("port", self.port).with("pid", pid).with("command", command);
                    report = report.and(said.with("action", "killed").with("forced", forced));
                }
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(report)
    }
}

impl KillPort {
    /// Who listens on the port; refuses if one of them is managed.
    fn unmanaged_holders(&self, cx: &Cx) -> Result<Vec<KillMatch>, Fault> {
        let all = ProcessStore::open(cx.paths).all()?;
        let victims = kill::find(&KillTarget::Port(self.port), &all, Precision::Exact)?;
        let managed = victims.iter().find_map(|victim| match victim {
            KillMatch::Managed(process) => Some(process.name.clone()),
            KillMatch::Unmanaged { .. } => None,
        });
        match managed {
            Some(name) => {
                let message = format!("port {} belongs to `{name}`, which tsm manages", self.port);
                Err(Fault::new(FaultKind::Refused, message).with_advice(format!("tsm stop {name}")))
            }
            None => Ok(victims),
        }
    }
}

/// Pid and command of a stranger.
fn pid_and_name(victim: &KillMatch) -> Option<(u32, String)> {
    match victim {
        KillMatch::Unmanaged { pid, command, .. } => Some((*pid, command.clone())),
        KillMatch::Managed(_) => None,
    }
}
