//! `tsm doctor kill`

use clap::builder::TypedValueParser;

use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::UsedPort;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::report::{Message, Question, Report, Table, UserAnswer};
use crate::sys::pidfd::KillSignal;
use crate::tsm::control::StopResult;
use crate::tsm::kill::{self, KillMatch, KillTarget};
use crate::tsm::resolve::Precision;
use crate::tsm::store::ProcessStore;

/// Kill the process listening on a port
///
/// Asks first, with pid and command. SIGTERM, two seconds later SIGKILL. A managed process is refused: `tsm stop` ends it.
#[derive(Debug, clap::Args)]
pub struct KillPort {
    /// The port
    #[arg(value_parser = clap::value_parser!(u16).range(1..).map(UsedPort))]
    port: UsedPort,
    /// SIGKILL at once
    #[arg(short, long)]
    force: bool,
}

impl Command for KillPort {
    const NAME: &'static str = "tsm doctor kill";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor kill 3000"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let state = Holders { victims: self.unmanaged_holders(cx)?, wanted: self };
        // A managed process, which belongs to an environment, is refused.
        Ok(Stage { effect: Self::EFFECT, environments: Vec::new(), state, plan: Holders::show, run: Holders::kill }
            .ready())
    }
}

/// What listens on the port.
struct Holders {
    wanted: KillPort,
    victims: Vec<KillMatch>,
}

impl Holders {
    fn show(&self, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let mut table = Table::new(&[("pid", "PID"), ("command", "COMMAND")]);
        for (pid, command) in self.victims.iter().filter_map(pid_and_name) {
            table.row(vec![pid.into(), command.into()]);
        }
        Ok(Some(Report::of(table)))
    }

    fn kill(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Self { wanted: KillPort { port, force }, victims } = self;
        let who: Vec<String> =
            victims.iter().filter_map(pid_and_name).map(|(pid, it)| format!("PID {pid} ({it})")).collect();
        let who = who.join(" and ");
        let refuse =
            |why: &str| Fault::new(FaultKind::Refused, format!("{who} on port {} was not killed: {why}", port.0));
        if !cx.yes {
            let question = format!("Kill {who}, which listens on port {}?", port.0);
            match cx.console.ask(&Question { text: question, expected: None }) {
                UserAnswer::Yes => {}
                UserAnswer::No => return Err(refuse("it was not confirmed")),
                UserAnswer::NotInteractive => {
                    return Err(refuse("confirmation needed, and stdin is not a terminal").with_advice("pass --yes"));
                }
            }
        }
        let push = if force { KillSignal::Kill } else { KillSignal::Term };
        let answers = cx.operation().with_control(|control| control.kill(&victims, push));
        let mut report = Report::each(Vec::<Message>::new());
        for (victim, answer) in victims.iter().zip(answers) {
            let Some((pid, command)) = pid_and_name(victim) else { continue };
            match answer {
                Ok(ended) => {
                    let forced = matches!(ended, StopResult::Stopped { forced: true, .. });
                    let text = format!("killed pid {pid} ({command}), which listened on port {}", port.0);
                    let said = Message::new(text).with("port", port.0).with("pid", pid).with("command", command);
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
        let victims = kill::find(&KillTarget::Port(self.port.0), &all, Precision::Exact)?;
        let managed = victims.iter().find_map(|victim| match victim {
            KillMatch::Managed(process) => Some(process.name.clone()),
            KillMatch::Unmanaged { .. } => None,
        });
        match managed {
            Some(name) => {
                let message = format!("port {} belongs to `{name}`, which tsm manages", self.port.0);
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
