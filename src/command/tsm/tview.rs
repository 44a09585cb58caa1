//! `tsm tview`

use super::list::status_word;
use crate::base::fault::Fault;
use crate::base::line;
use crate::base::sort::SortExt;
use crate::command::registry::{CommandMatch, commands_of, resolve};
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::supervise::meta::ProcessStatus;
use crate::tsm::store::{Process, ProcessStore};

/// List available actions as JSON
///
/// For other user interfaces. `services`: actions on each definition; `manage`: actions on each process in its present state;
/// `status`: actions that only read; `commands`: every command of tsm. Each comes with its effect, so that an interface knows where to ask first.
#[derive(Debug, clap::Args)]
pub struct TView {
    /// Which actions
    #[arg(value_enum, if_not_given = "all")]
    group: Option<ActionGroup>,
}

/// A group of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ActionGroup {
    /// Actions on service definitions
    Services,
    /// Actions that only read
    Status,
    /// Actions on processes
    Manage,
    /// Every command
    Commands,
}

/// One action.
struct ViewAction {
    group: ActionGroup,
    title: String,
    target: Option<String>,
    words: Vec<String>,
}

impl Command for TView {
    const NAME: &'static str = "tsm tview";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm tview --json", "tsm tview status"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut actions = services(cx);
        actions.extend(status_actions());
        actions.extend(ProcessStore::open(cx.paths).all()?.iter().flat_map(manage));
        actions.extend(commands());
        let mut table = Table::new(&[
            ("group", "GROUP"),
            ("target", "TARGET"),
            ("title", "TITLE"),
            ("command", "COMMAND"),
            ("effect", "EFFECT"),
        ]);
        for action in actions.iter().filter(|action| self.group.is_none_or(|group| group == action.group)) {
            let effect = match resolve(&action.words) {
                CommandMatch::Command(entry, _) => Some(entry.effect.word()),
                CommandMatch::Group(..) | CommandMatch::Nothing => None,
            };
            table.row(vec![
                action.group.word().into(),
                Value::from(action.target.as_deref()).into(),
                action.title.as_str().into(),
                Cell::from(line::join(&action.words)).tone(Tone::Strong),
                Value::from(effect).into(),
            ]);
        }
        Ok(Report::of(table))
    }
}

impl ActionGroup {
    fn word(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Status => "status",
            Self::Manage => "manage",
            Self::Commands => "commands",
        }
    }
}

fn action(group: ActionGroup, title: &str, words: &[&str]) -> ViewAction {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    ViewAction { group, title: title.to_owned(), target: None, words }
}

fn with_target(target: &str, action: ViewAction) -> ViewAction {
    ViewAction { target: Some(target.to_owned()), ..action }
}

/// Starting each definition.
fn services(cx: &Cx) -> Vec<ViewAction> {
    let entries = std::fs::read_dir(cx.paths.services_available()).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".tsm")?.to_owned())).collect();
    names.order();
    names
        .iter()
        .map(|name| with_target(name, action(ActionGroup::Services, "start", &["tsm", "start", name])))
        .collect()
}

/// What shows how things are.
fn status_actions() -> Vec<ViewAction> {
    [
        ("processes", &["tsm", "list", "all", "--json"][..]),
        ("services", &["tsm", "list", "available", "--json"]),
        ("use", &["tsm", "stats", "--json"]),
        ("ports", &["tsm", "ports", "scan", "--json"]),
        ("health", &["tsm", "doctor", "healthcheck", "--json"]),
    ]
    .iter()
    .map(|(title, words)| action(ActionGroup::Status, title, words))
    .collect()
}

/// The actions on a process as it is now.
fn manage(process: &Process) -> Vec<ViewAction> {
    let name = process.name.as_str();
    let verbs: &[&str] = match process.status() {
        ProcessStatus::Online => &["stop", "restart", "logs", "info", "env", "why"],
        ProcessStatus::Crashed => &["restart", "why", "logs", "info", "delete"],
        ProcessStatus::Stopped => &["start", "logs", "info", "why", "delete"],
        ProcessStatus::Unknown => &["info", "why"],
    };
    let title = |verb: &str| format!("{verb} ({})", status_word(process.status()));
    verbs
        .iter()
        .map(|verb| with_target(name, action(ActionGroup::Manage, &title(verb), &["tsm", verb, name])))
        .collect()
}

/// Every command that is for people.
fn commands() -> Vec<ViewAction> {
    let rows = commands_of("tsm").filter(|entry| !entry.is_hidden());
    rows.map(|entry| {
        let words: Vec<&str> = entry.name.split(' ').collect();
        action(ActionGroup::Commands, &entry.summary(), &words)
    })
    .collect()
}
