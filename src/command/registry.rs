//! The table of all commands, read from top to bottom, and how words find their row.

use super::{Effect, Entry, entry};
use crate::base::fault::Fault;
use crate::base::near::{self, Care};
use crate::command::shell as own;
use crate::command::{env, org, secrets, tsm};

/// Every command there is. Order is the order of the help.
pub const COMMANDS: &[Entry] = &[
    entry::<tsm::start::Start>(),
    entry::<tsm::stop::Stop>(),
    entry::<tsm::restart::Restart>(),
    entry::<tsm::restart::Reload>(),
    entry::<tsm::up::Up>(),
    entry::<tsm::scale::Scale>(),
    entry::<tsm::signal::SendSignal>(),
    entry::<tsm::delete::Delete>(),
    entry::<tsm::kill::Kill>(),
    entry::<tsm::list::List>(),
    entry::<tsm::info::Info>(),
    entry::<tsm::logs::Logs>(),
    entry::<tsm::logs::rotate::Rotate>(),
    entry::<tsm::logs::export::Export>(),
    entry::<tsm::logs::clean::Clean>(),
    entry::<tsm::monitor::Monitor>(),
    entry::<tsm::events::stream::Stream>(),
    entry::<tsm::events::analytics::Analytics>(),
    entry::<tsm::events::sessions::Sessions>(),
    entry::<tsm::events::users::Users>(),
    entry::<tsm::events::patterns::Patterns>(),
    entry::<tsm::events::journey::Journey>(),
    entry::<tsm::events::clicks::Clicks>(),
    entry::<tsm::events::click_perf::ClickPerf>(),
    entry::<tsm::events::triggers::Triggers>(),
    entry::<tsm::save::Save>(),
    entry::<tsm::import::Import>(),
    entry::<tsm::show::Show>(),
    entry::<tsm::services::Services>(),
    entry::<tsm::enable::Enable>(),
    entry::<tsm::enable::Disable>(),
    entry::<tsm::rm::Rm>(),
    entry::<tsm::startup::Startup>(),
    entry::<tsm::stack::Stacks>(),
    entry::<tsm::upgrade::Upgrade>(),
    entry::<tsm::why::Why>(),
    entry::<tsm::stats::Stats>(),
    entry::<tsm::inside::Env>(),
    entry::<tsm::inside::Paths>(),
    entry::<tsm::ports::look::Ports>(),
    entry::<tsm::ports::assign::Get>(),
    entry::<tsm::ports::assign::Owner>(),
    entry::<tsm::ports::assign::Set>(),
    entry::<tsm::ports::assign::Allocate>(),
    entry::<tsm::ports::assign::Remove>(),
    entry::<tsm::ports::contest::Validate>(),
    entry::<tsm::ports::contest::Conflicts>(),
    entry::<tsm::ports::carry::Import>(),
    entry::<tsm::ports::carry::Export>(),
    entry::<tsm::ports::scan::ScanPorts>(),
    entry::<tsm::ports::scan::Ranges>(),
    entry::<tsm::doctor::full::Doctor>(),
    entry::<tsm::doctor::full::HealthCheck>(),
    entry::<tsm::doctor::port::Port>(),
    entry::<tsm::doctor::port::KillPort>(),
    entry::<tsm::doctor::env::CheckEnv>(),
    entry::<tsm::doctor::orphans::Orphans>(),
    entry::<tsm::doctor::full::Clean>(),
    entry::<tsm::doctor::validate::ValidateCommand>(),
    entry::<tsm::doctor::full::Reconcile>(),
    entry::<tsm::audit::Audit>(),
    entry::<tsm::patrol::Patrol>(),
    entry::<tsm::patrol::Cleanup>(),
    entry::<tsm::nginx::Generate>(),
    entry::<tsm::nginx::Install>(),
    entry::<tsm::nginx::Uninstall>(),
    entry::<tsm::nginx::Status>(),
    entry::<tsm::tview::TView>(),
    entry::<org::init::Init>(),
    entry::<org::list::List>(),
    entry::<org::choose::Use>(),
    entry::<org::env_list::EnvList>(),
    entry::<org::env_edit::EnvEdit>(),
    entry::<org::env_show::EnvShow>(),
    entry::<org::env_validate::EnvValidate>(),
    entry::<org::promote::Promote>(),
    entry::<org::apply::Apply>(),
    entry::<org::diff::Diff>(),
    entry::<org::explain::Explain>(),
    entry::<org::status::Status>(),
    entry::<org::history::History>(),
    entry::<org::history_verify::Verify>(),
    entry::<org::history_prune::Prune>(),
    entry::<org::rollback::Rollback>(),
    entry::<org::profile::List>(),
    entry::<org::profile::ProfileShow>(),
    entry::<org::profile::New>(),
    entry::<org::profile::Check>(),
    entry::<env::init::Init>(),
    entry::<env::list::List>(),
    entry::<env::status::Status>(),
    entry::<env::show::Show>(),
    entry::<env::diff::Diff>(),
    entry::<env::validate::Validate>(),
    entry::<env::promote::Promote>(),
    entry::<env::templates::Templates>(),
    entry::<env::toml_show::TomlShow>(),
    entry::<env::toml_validate::TomlValidate>(),
    entry::<secrets::list::List>(),
    entry::<secrets::set::Set>(),
    entry::<secrets::edit::Edit>(),
    entry::<secrets::rm::Rm>(),
    entry::<secrets::scan::Scan>(),
    entry::<secrets::doctor::Doctor>(),
    entry::<secrets::seal::Seal>(),
    entry::<secrets::rekey::Rekey>(),
    entry::<own::choose::Use>(),
    entry::<own::select::Select>(),
    entry::<own::context::Context>(),
    entry::<own::help::Help>(),
    entry::<own::help::TsmHelp>(),
    entry::<own::history::History>(),
    entry::<own::source::Source>(),
    entry::<own::watch::Watch>(),
    entry::<own::alias::Alias>(),
    entry::<own::set::Set>(),
    entry::<own::setup::Setup>(),
    entry::<own::version::Version>(),
    entry::<own::repl::Repl>(),
    entry::<own::complete::Complete>(),
    entry::<own::exit::Exit>(),
];

/// The groups with their one-line meaning. A bare group name prints the group's help.
pub const GROUPS: &[(&str, &str)] = &[
    ("tsm", "start, watch, log and stop processes"),
    ("org", "make environments from one local.toml"),
    ("env", "make, check and promote the env files of a project"),
    ("secrets", "keep private values, and find those that stand in the open"),
];

/// Groups that may also be called behind `tsm`.
pub const ALSO_BELOW_TSM: [&str; 2] = ["org", "daemon"];

/// The most words that name a command.
const LONGEST_NAME: usize = 3;

/// What the first words of a line lead to.
pub enum Found {
    /// A command and how many words name it.
    Command(&'static Entry, usize),
    /// A group and how many words name it, with or without words behind them that name no command.
    Group(&'static str, usize),
    /// Nothing of that name.
    Nothing,
}

/// Finds the command whose name or alias is the longest match of the first words.
#[must_use]
pub fn resolve<S: AsRef<str>>(words: &[S]) -> Found {
    let words: Vec<&str> = words.iter().take(LONGEST_NAME + 1).map(AsRef::as_ref).collect();
    if let ["tsm", group, ..] = words[..]
        && ALSO_BELOW_TSM.contains(&group)
        && let found @ (Found::Command(..) | Found::Group(..)) = resolve(&words[1..])
    {
        return match found {
            Found::Command(entry, count) => Found::Command(entry, count + 1),
            Found::Group(group, count) => Found::Group(group, count + 1),
            Found::Nothing => Found::Nothing,
        };
    }
    for count in (1..=words.len().min(LONGEST_NAME)).rev() {
        let wanted = words[..count].join(" ");
        if let Some(entry) = COMMANDS.iter().find(|entry| entry.name == wanted || entry.aliases.contains(&&*wanted)) {
            return Found::Command(entry, count);
        }
        if let Some(group) = COMMANDS.iter().find_map(|entry| group_of(entry.name, &wanted)) {
            return Found::Group(group, count);
        }
    }
    Found::Nothing
}

/// The first words of `name`, if they are `wanted` and others follow.
fn group_of(name: &'static str, wanted: &str) -> Option<&'static str> {
    name.strip_prefix(wanted)?.starts_with(' ').then(|| &name[..wanted.len()])
}

/// The commands of a group, in order.
pub fn members(group: &str) -> impl Iterator<Item = &'static Entry> {
    COMMANDS.iter().filter(move |entry| group_of(entry.name, group).is_some())
}

/// Says that there is no such command, and which one may have been meant.
#[must_use]
pub fn unknown<S: AsRef<str>>(words: &[S]) -> Fault {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let (given, near) = match resolve(&words) {
        Found::Group(group, depth) => {
            let verb = words.get(depth).copied().unwrap_or_default();
            let verb_of = |name: &'static str| name.strip_prefix(group)?.strip_prefix(' ');
            let verbs =
                members(group).flat_map(|entry| names(entry).filter_map(verb_of).map(|verb| (verb, entry.effect)));
            (format!("{group} {verb}"), meant(verb, verbs).map(|verb| format!("{group} {verb}")))
        }
        Found::Command(..) | Found::Nothing => {
            let first = words.first().copied().unwrap_or_default();
            (first.to_owned(), near_first(first, words.get(1).copied()))
        }
    };
    let fault = Fault::usage(format!("no command is called `{given}`"));
    match near {
        Some(near) => fault.advise(format!("did you mean `{near}`?")),
        None => fault.advise("`help` lists the commands"),
    }
}

/// The name that was most likely meant. The more a command does, the surer that must be: what is advised is typed without much
/// thought. Of names that are equally near the one that does least is taken.
fn meant(given: &str, candidates: impl Iterator<Item = (&'static str, Effect)>) -> Option<&'static str> {
    let chances = candidates.filter_map(|(name, effect)| {
        let care = match effect {
            Effect::Read => Care::Little,
            Effect::Write => Care::Some,
            Effect::Destroy => Care::Much,
        };
        Some((near::chance(given, name, care)?, effect, name))
    });
    chances.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).map(|(_, _, name)| name)
}

/// A command near to one that was given without its group, or with a slip in its first word.
fn near_first(first: &str, second: Option<&str>) -> Option<String> {
    let is_verb = |entry: &&Entry| entry.name.split_once(' ').is_some_and(|(_, verb)| verb == first);
    if let Some(entry) = COMMANDS.iter().find(is_verb) {
        return Some(entry.name.to_owned());
    }
    let least = |first: &str| {
        let inside = COMMANDS.iter().filter(|entry| entry.name.split(' ').next() == Some(first));
        inside.map(|entry| entry.effect).min().unwrap_or(Effect::Read)
    };
    let firsts = COMMANDS.iter().flat_map(names).filter_map(|name| name.split(' ').next());
    // What ends the session is no guess that costs nothing.
    let care = |first: &'static str| if first == "exit" { Effect::Destroy } else { least(first) };
    let firsts = firsts.map(|first| (first, care(first)));
    // A verb without its group is a guess already.
    let verbs = COMMANDS.iter();
    let verbs = verbs.filter_map(|entry| Some((entry.name.split_once(' ')?.1, entry.effect.max(Effect::Write))));
    let near = meant(first, firsts.chain(verbs))?;
    let stands_alone = COMMANDS.iter().flat_map(names).any(|name| name.split(' ').next() == Some(near));
    if let Some(verb) = COMMANDS.iter().find(|entry| !stands_alone && entry.name.ends_with(&format!(" {near}"))) {
        return Some(verb.name.to_owned());
    }
    let both = second.map(|second| format!("{near} {second}"));
    Some(
        both.filter(|both| matches!(resolve(&both.split(' ').collect::<Vec<_>>()), Found::Command(_, 2)))
            .unwrap_or_else(|| near.to_owned()),
    )
}

/// The name of a command and its other names.
fn names(entry: &'static Entry) -> impl Iterator<Item = &'static str> {
    std::iter::once(entry.name).chain(entry.aliases.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(line: &str) -> String {
        unknown(&line.split(' ').collect::<Vec<_>>()).advice.expect("there is always advice")
    }

    #[test]
    fn advice_names_what_was_meant() {
        for (line, meant) in [
            ("tsm strat", "tsm start"),
            ("tsm delte x", "tsm delete"),
            ("tsm lst", "tsm list"),
            ("restart web", "tsm restart"),
            ("slect api", "select"),
            ("org envv list", "org env"),
            ("tsm statup", "tsm startup"),
        ] {
            assert!(advice(line).contains(&format!("`{meant}")), "{line}: {}", advice(line));
        }
    }

    #[test]
    fn advice_never_leads_to_more_than_was_typed() {
        for (line, never) in [
            ("clear", "clean"),
            ("tsm deploy", "del"),
            ("tsm unstartup", "startup"),
            ("export TETRA_ORG=x", "mean"),
            ("tsm cat", "del"),
            ("tsm clear", "clean"),
            ("tsm skill", "kill"),
            ("org rollforward", "rollback"),
        ] {
            assert!(!advice(line).contains(never), "{line}: {}", advice(line));
        }
        for entry in COMMANDS.iter().filter(|entry| entry.effect == Effect::Destroy) {
            let (group, verb) = entry.name.rsplit_once(' ').expect("only commands of groups destroy");
            for other in [format!("un{verb}"), verb[..2].to_owned(), format!("{}x{}", &verb[..1], &verb[2..])] {
                if other == verb {
                    continue;
                }
                let said = advice(&format!("{group} {other}"));
                assert!(!said.contains(&format!("`{}`", entry.name)), "{group} {other}: {said}");
            }
        }
    }
}
