//! `tsm doctor port` and `kill`

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, Kind};
use crate::base::redact;
use crate::command::tsm::info::without_blanks;
use crate::command::tsm::targets::control;
use crate::command::{Command, Cx, Effect};
use crate::report::{Answer, Ask, Cell, Fields, Report, Sentence, Table, Tone, Value};
use crate::sys::pidfd::Push;
use crate::tsm::conflict::{self, Conflict, Holder};
use crate::tsm::control::Ended;
use crate::tsm::kill::{self, Aim, Victim};
use crate::tsm::ports::read;
use crate::tsm::resolve::Precision;
use crate::tsm::store::Store;

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
        let all = Store::open(cx.paths).all()?;
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
            .hidden("port", self.port)
            .with("status", status)
            .with("tsm", Value::from(managed))
            .with("pid", Value::from(pid))
            .with("user", Value::from(user))
            .with("command", Value::from(command.map(redact::text)))
            .with("reserved_for", Value::from(reserved))
            .with("advice", Value::from(found.as_ref().map(advice)));
        Ok(Report { says_no: found.is_some(), ..Report::of(without_blanks(fields)) })
    }
}

fn advice(conflict: &Conflict) -> String {
    match &conflict.holder {
        Holder::Process { managed: None, pid, .. } => format!("tsm doctor kill {}, or kill {pid}", conflict.port),
        _ => conflict.way_out(),
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

    fn touches(&self, _cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        // Whoever is managed, and so belongs to an environment, is refused.
        Ok(Vec::new())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let mut table = Table::new(&[("pid", "PID"), ("command", "COMMAND")]);
        for (pid, command) in self.strangers(cx)?.iter().filter_map(named) {
            table.row(vec![pid.into(), command.into()]);
        }
        Ok(Some(Report::of(table)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let victims = self.strangers(cx)?;
        let who: Vec<String> = victims.iter().filter_map(named).map(|(pid, it)| format!("PID {pid} ({it})")).collect();
        let who = who.join(" and ");
        let refuse = |why: &str| Fault::new(Kind::Refused, format!("{who} on port {} was not ended: {why}", self.port));
        if !cx.yes {
            let question = format!("Kill {who}, which listens on port {}?", self.port);
            match cx.console.ask(&Ask { question, word: None }) {
                Answer::Yes => {}
                Answer::No => return Err(refuse("it was not confirmed")),
                Answer::Nobody => {
                    return Err(refuse("there is nobody to ask").advise("`tsm doctor kill --yes …` if it is meant"));
                }
            }
        }
        let push = if self.force { Push::Force } else { Push::Polite };
        let interrupted = || cx.host.interrupted();
        let answers = control(cx, &interrupted).kill(&victims, push);
        let mut report = Report::each(Vec::<Sentence>::new());
        for (victim, answer) in victims.iter().zip(answers) {
            let Some((pid, command)) = named(victim) else { continue };
            match answer {
                Ok(ended) => {
                    let forced = matches!(ended, Ended::Stopped { forced: true, .. });
                    let text = format!("tsm: killed PID {pid} ({command}); port {} is free", self.port);
                    let said = Sentence::new(text).with("port", self.port).with("pid", pid).with("command", command);
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
    fn strangers(&self, cx: &Cx) -> Result<Vec<Victim>, Fault> {
        let all = Store::open(cx.paths).all()?;
        let victims = kill::find(&Aim::Port(self.port), &all, Precision::Whole)?;
        let managed = victims.iter().find_map(|victim| match victim {
            Victim::Managed(process) => Some(process.name.clone()),
            Victim::Stranger { .. } => None,
        });
        match managed {
            Some(name) => {
                let message = format!("port {} belongs to `{name}`, which tsm manages", self.port);
                Err(Fault::new(Kind::Refused, message).advise(format!("tsm stop {name}")))
            }
            None => Ok(victims),
        }
    }
}

/// Pid and command of a stranger.
fn named(victim: &Victim) -> Option<(u32, String)> {
    match victim {
        Victim::Stranger { pid, command, .. } => Some((*pid, command.clone())),
        Victim::Managed(_) => None,
    }
}
