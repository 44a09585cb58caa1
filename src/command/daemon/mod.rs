//! `daemon`: tetra under systemd.

pub mod disable;
pub mod enable;
pub mod install;
pub mod logs;
pub mod restart;
pub mod run;
pub mod start;
pub mod status;
pub mod stop;
pub mod sweep;
pub mod uninstall;

use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::stated_default::StatedDefault;
use crate::command::{Cx, Effect, Prepared, Stage};
use crate::ops::unit::{InstalledUnit, find_unit};
use crate::report::{Block, Message, Report};
use crate::sys::systemctl::Manager;
use crate::sys::systemctl::Systemctl;

/// Which unit.
#[derive(Debug, clap::Args)]
struct UnitArgs {
    /// The environment of the unit
    #[arg(value_name = "@ENV", if_not_given = "that of the only unit that is installed")]
    env: Option<EnvName>,
    /// A unit of your own user manager
    #[arg(long)]
    user: bool,
}

impl UnitArgs {
    fn find(&self, cx: &Cx) -> Result<InstalledUnit, Fault> {
        find_unit(cx.host, self.env.as_ref(), self.user.then_some(Manager::User))
    }
}

/// A change of a unit that is installed.
struct UnitAction {
    unit: InstalledUnit,
    change: Change,
}

/// What is done to it.
struct Change {
    /// The words of `systemctl`, before the unit.
    words: &'static [&'static str],
    /// What was done, in one word.
    done: &'static str,
    /// What an operator should know afterwards.
    note: fn(&InstalledUnit, &Cx) -> Option<String>,
}

impl Change {
    /// Finds the unit; the change is carried out when it is run.
    fn prepare(self, args: &UnitArgs, effect: Effect, cx: &Cx) -> Result<Prepared, Fault> {
        let unit = args.find(cx)?;
        let environments: Vec<EnvRef> = vec![unit.environment()];
        let state = UnitAction { unit, change: self };
        Ok(Stage { effect, environments, state, plan: show, run }.ready())
    }
}

fn show(UnitAction { unit, change }: &UnitAction, _: &mut Cx) -> Result<Option<Report>, Fault> {
    Ok(Some(Report::of(Block::Text(format!("{} {}\n", change.words.join(" "), unit.name)))))
}

fn run(change: UnitAction, cx: &mut Cx) -> Result<Report, Fault> {
    let UnitAction { unit, change } = change;
    let systemctl = Systemctl { host: cx.host, manager: unit.manager };
    if change.words != ["disable"]
        && systemctl.properties(&unit.name, &["NeedDaemonReload"]).values().any(|it| it == "yes")
    {
        systemctl.call(&["daemon-reload"])?;
    }
    let words = [change.words, &["--", &unit.name]].concat();
    systemctl.call(&words).map_err(|error| with_advice(error.into(), &unit))?;
    let report = Report::of(message(change.done, &unit));
    Ok((change.note)(&unit, cx).into_iter().fold(report, Report::note))
}

/// Where the reason for a failure can be read.
fn with_advice(fault: Fault, unit: &InstalledUnit) -> Fault {
    match fault.advice {
        None => fault.with_advice(format!("`tsm daemon logs @{}` shows why", unit.env)),
        Some(_) => fault,
    }
}

fn message(done: &'static str, unit: &InstalledUnit) -> Message {
    Message::new(format!("{done} {}", unit.name))
        .with("unit", unit.name.as_str())
        .with("env", unit.env.as_str())
        .with("action", done)
}

/// Nothing more to say.
fn no_note(_: &InstalledUnit, _: &Cx) -> Option<String> {
    None
}
