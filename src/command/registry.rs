//! The table of all commands, read from top to bottom, and how words find their row.

use super::{CommandSpec, Effect, foreign, spec};
use crate::base::fault::Fault;
use crate::base::suggest::{self, Strictness};
use crate::command::shell as own;
use crate::command::{daemon, env, org, secrets, tkm, tsm};

/// Every command there is. Order is the order of the help.
pub const COMMANDS: &[CommandSpec] = &[
    spec::<tsm::start::Start>(),
    spec::<tsm::stop::Stop>(),
    spec::<tsm::restart::Restart>(),
    spec::<tsm::reload::Reload>(),
    spec::<tsm::up::Up>(),
    spec::<tsm::scale::Scale>(),
    spec::<tsm::signal::SendSignal>(),
    spec::<tsm::delete::Delete>(),
    spec::<tsm::kill::Kill>(),
    spec::<tsm::list::List>(),
    spec::<tsm::info::Info>(),
    spec::<tsm::logs::Logs>(),
    spec::<tsm::logs::rotate::Rotate>(),
    spec::<tsm::logs::export::Export>(),
    spec::<tsm::logs::clean::Clean>(),
    spec::<tsm::monitor::Monitor>(),
    spec::<tsm::events::stream::Stream>(),
    spec::<tsm::events::analytics::Analytics>(),
    spec::<tsm::events::sessions::Sessions>(),
    spec::<tsm::events::users::Users>(),
    spec::<tsm::events::patterns::Patterns>(),
    spec::<tsm::events::journey::Journey>(),
    spec::<tsm::events::clicks::Clicks>(),
    spec::<tsm::events::click_perf::ClickPerf>(),
    spec::<tsm::events::triggers::Triggers>(),
    spec::<tsm::save::Save>(),
    spec::<tsm::import::Import>(),
    spec::<tsm::show::Show>(),
    spec::<tsm::services::Services>(),
    spec::<tsm::enable::Enable>(),
    spec::<tsm::disable::Disable>(),
    spec::<tsm::rm::Rm>(),
    spec::<tsm::startup::Startup>(),
    spec::<tsm::stack::Stacks>(),
    spec::<tsm::upgrade::Upgrade>(),
    spec::<tsm::why::Why>(),
    spec::<tsm::stats::Stats>(),
    spec::<tsm::env::Env>(),
    spec::<tsm::paths::Paths>(),
    spec::<tsm::ports::list::Ports>(),
    spec::<tsm::ports::get::Get>(),
    spec::<tsm::ports::owner::Owner>(),
    spec::<tsm::ports::set::Set>(),
    spec::<tsm::ports::allocate::Allocate>(),
    spec::<tsm::ports::remove::Remove>(),
    spec::<tsm::ports::validate::Validate>(),
    spec::<tsm::ports::conflicts::Conflicts>(),
    spec::<tsm::ports::import::Import>(),
    spec::<tsm::ports::export::Export>(),
    spec::<tsm::ports::scan_ports::ScanPorts>(),
    spec::<tsm::ports::ranges::Ranges>(),
    spec::<tsm::doctor::full::Doctor>(),
    spec::<tsm::doctor::healthcheck::HealthCheck>(),
    spec::<tsm::doctor::port::Port>(),
    spec::<tsm::doctor::kill::KillPort>(),
    spec::<tsm::doctor::env::CheckEnv>(),
    spec::<tsm::doctor::orphans::Orphans>(),
    spec::<tsm::doctor::clean::Clean>(),
    spec::<tsm::doctor::validate::ValidateCommand>(),
    spec::<tsm::doctor::reconcile::Reconcile>(),
    spec::<tsm::audit::Audit>(),
    spec::<tsm::patrol::Patrol>(),
    spec::<tsm::cleanup::Cleanup>(),
    spec::<tsm::nginx::generate::Generate>(),
    spec::<tsm::nginx::install::Install>(),
    spec::<tsm::nginx::uninstall::Uninstall>(),
    spec::<tsm::nginx::status::Status>(),
    spec::<tsm::tview::TView>(),
    spec::<org::init::Init>(),
    spec::<org::list::List>(),
    spec::<org::use_cmd::Use>(),
    spec::<org::env_list::EnvList>(),
    spec::<org::env_edit::EnvEdit>(),
    spec::<org::env_show::EnvShow>(),
    spec::<org::env_validate::EnvValidate>(),
    spec::<org::promote::Promote>(),
    spec::<org::apply::Apply>(),
    spec::<org::deploy::Deploy>(),
    spec::<org::deploy::status::DeployStatus>(),
    spec::<org::deploy::logs::DeployLogs>(),
    spec::<org::deploy::rollback::DeployRollback>(),
    spec::<org::deploy::recover::DeployRecover>(),
    spec::<org::deploy::freeze::DeployFreeze>(),
    spec::<org::deploy::unfreeze::DeployUnfreeze>(),
    spec::<org::diff::Diff>(),
    spec::<org::explain::Explain>(),
    spec::<org::status::Status>(),
    spec::<org::history::History>(),
    spec::<org::history_verify::Verify>(),
    spec::<org::history_prune::Prune>(),
    spec::<org::rollback::Rollback>(),
    spec::<org::profile::list::List>(),
    spec::<org::profile::show::ProfileShow>(),
    spec::<org::profile::new::New>(),
    spec::<org::profile::check::Check>(),
    spec::<env::init::Init>(),
    spec::<env::list::List>(),
    spec::<env::status::Status>(),
    spec::<env::show::Show>(),
    spec::<env::diff::Diff>(),
    spec::<env::validate::Validate>(),
    spec::<env::promote::Promote>(),
    spec::<env::templates::Templates>(),
    spec::<env::toml_show::TomlShow>(),
    spec::<env::toml_validate::TomlValidate>(),
    spec::<secrets::list::List>(),
    spec::<secrets::set::Set>(),
    spec::<secrets::edit::Edit>(),
    spec::<secrets::rm::Rm>(),
    spec::<secrets::scan::Scan>(),
    spec::<secrets::doctor::Doctor>(),
    spec::<secrets::seal::Seal>(),
    spec::<secrets::rekey::Rekey>(),
    spec::<daemon::install::Install>(),
    spec::<daemon::uninstall::Uninstall>(),
    spec::<daemon::enable::Enable>(),
    spec::<daemon::disable::Disable>(),
    spec::<daemon::start::Start>(),
    spec::<daemon::stop::Stop>(),
    spec::<daemon::restart::Restart>(),
    spec::<daemon::status::Status>(),
    spec::<daemon::logs::Logs>(),
    spec::<tkm::init::Init>(),
    spec::<tkm::host_add::HostAdd>(),
    spec::<tkm::bootstrap::Bootstrap>(),
    spec::<tkm::test::Test>(),
    spec::<tkm::ssh::Ssh>(),
    spec::<tkm::rotate::Rotate>(),
    spec::<tkm::revoke::Revoke>(),
    spec::<tkm::generate::Generate>(),
    spec::<tkm::list::List>(),
    spec::<tkm::status::Status>(),
    spec::<tkm::host_list::HostList>(),
    spec::<tkm::host_show::HostShow>(),
    spec::<tkm::host_rekey::HostRekey>(),
    spec::<tkm::host_rm::HostRm>(),
    spec::<tkm::host_import::HostImport>(),
    spec::<tkm::remote_list::RemoteList>(),
    spec::<tkm::remote_audit::RemoteAudit>(),
    spec::<tkm::remote_diff::RemoteDiff>(),
    spec::<tkm::remote_sync::RemoteSync>(),
    spec::<tkm::ca_init::CaInit>(),
    spec::<tkm::ca_sign::CaSign>(),
    spec::<tkm::ca_list::CaList>(),
    spec::<tkm::ca_revoke::CaRevoke>(),
    spec::<tkm::config::Config>(),
    spec::<tkm::audit::Audit>(),
    spec::<tkm::log::Log>(),
    spec::<tkm::deploy_list::DeployList>(),
    spec::<tkm::deploy_env::DeployEnv>(),
    spec::<tkm::deploy_service::DeployService>(),
    spec::<daemon::run::Run>(),
    spec::<daemon::sweep::Sweep>(),
    spec::<own::use_cmd::Use>(),
    spec::<own::select::Select>(),
    spec::<own::context::Context>(),
    spec::<own::directory::ChangeDirectory>(),
    spec::<own::directory::WorkingDirectory>(),
    spec::<own::directory::Clear>(),
    spec::<own::help::Help>(),
    spec::<own::help::TsmHelp>(),
    spec::<own::history::History>(),
    spec::<own::source::Source>(),
    spec::<own::watch::Watch>(),
    spec::<own::alias::Alias>(),
    spec::<own::alias::Unalias>(),
    spec::<own::abbr::Abbr>(),
    spec::<own::set::Set>(),
    spec::<own::config::Show>(),
    spec::<own::config::ConfigPath>(),
    spec::<own::config::Edit>(),
    spec::<own::setup::Setup>(),
    spec::<own::tour::Tour>(),
    spec::<own::version::Version>(),
    spec::<crate::command::serve::Serve>(),
    spec::<crate::command::agent::AgentCommand>(),
    spec::<crate::command::deploy_watch::DeployWatch>(),
    spec::<own::repl::Repl>(),
    spec::<own::complete::Complete>(),
    spec::<own::manual::Manual>(),
    spec::<own::exit::Exit>(),
];

/// The groups with their one-line meaning. A bare group name prints the group's help.
pub const GROUPS: &[(&str, &str)] = &[
    ("tsm", "start, watch, log and stop processes"),
    ("org", "make environments from one local.toml"),
    ("env", "make, check and promote the env files of a project"),
    ("secrets", "keep private values, and find those in plain text"),
    ("tkm", "make, pin and install SSH keys"),
    ("config", "settings of the shell, and where they come from"),
    ("daemon", "run an environment under systemd, also at boot"),
];

/// Groups inside of groups that are no commands themselves.
pub const SUBGROUPS: &[(&str, &str)] = &[
    ("org env", "List, edit, show and check environments"),
    ("org profile", "Rules that make an environment from local.toml"),
    ("env toml", "Show and check tetra.toml"),
    ("tsm nginx", "Put nginx in front of a process"),
    ("tkm host", "List, add, pin and remove hosts"),
    ("tkm ca", "Sign keys for a while, and have hosts let in what was signed"),
    ("tkm remote", "Compare the keys that hosts let in with those of the store"),
    ("tkm deploy", "List what can be deployed, and test the way there"),
];

/// Groups that may also be called behind `tsm`.
pub const TSM_SUBGROUPS: [&str; 2] = ["org", "daemon"];

/// The most words that name a command.
const MAX_NAME_WORDS: usize = 3;

/// What the first words of a line lead to.
pub enum CommandMatch {
    /// A command and how many words name it.
    Command(&'static CommandSpec, usize),
    /// A group and how many words name it, with or without words behind them that name no command.
    Group(&'static str, usize),
    /// Nothing of that name.
    Nothing,
}

/// Finds the command whose name or alias is the longest match of the first words.
#[must_use]
pub fn resolve<S: AsRef<str>>(words: &[S]) -> CommandMatch {
    let words: Vec<&str> = words.iter().take(MAX_NAME_WORDS + 1).map(AsRef::as_ref).collect();
    if let ["tsm", group, ..] = words[..]
        && TSM_SUBGROUPS.contains(&group)
        && let found @ (CommandMatch::Command(..) | CommandMatch::Group(..)) = resolve(&words[1..])
    {
        return match found {
            CommandMatch::Command(entry, count) => CommandMatch::Command(entry, count + 1),
            CommandMatch::Group(group, count) => CommandMatch::Group(group, count + 1),
            CommandMatch::Nothing => CommandMatch::Nothing,
        };
    }
    for count in (1..=words.len().min(MAX_NAME_WORDS)).rev() {
        let wanted = words[..count].join(" ");
        if let Some(entry) = COMMANDS.iter().find(|entry| entry.name == wanted || entry.aliases.contains(&&*wanted)) {
            return CommandMatch::Command(entry, count);
        }
        if let Some(group) = COMMANDS.iter().find_map(|entry| group_of(entry.name, &wanted)) {
            return CommandMatch::Group(group, count);
        }
    }
    CommandMatch::Nothing
}

/// The first words of `name`, if they are `wanted` and others follow.
fn group_of(name: &'static str, wanted: &str) -> Option<&'static str> {
    name.strip_prefix(wanted)?.starts_with(' ').then(|| &name[..wanted.len()])
}

/// The commands of a group, in order.
pub fn commands_of(group: &str) -> impl Iterator<Item = &'static CommandSpec> {
    COMMANDS.iter().filter(move |entry| group_of(entry.name, group).is_some())
}

/// The error for an unknown command, with the one that may have been meant.
#[must_use]
pub fn unknown<S: AsRef<str>>(words: &[S]) -> Fault {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    if let Some(fault) = foreign::answer(&words) {
        return fault;
    }
    let (given, near) = match resolve(&words) {
        CommandMatch::Group(group, depth) => {
            let verb = words.get(depth).copied().unwrap_or_default();
            let verb_of = |name: &'static str| name.strip_prefix(group)?.strip_prefix(' ');
            let verbs =
                commands_of(group).flat_map(|entry| names(entry).filter_map(verb_of).map(|verb| (verb, entry.effect)));
            (format!("{group} {verb}"), closest(verb, verbs, Effect::Read).map(|verb| format!("{group} {verb}")))
        }
        CommandMatch::Command(..) | CommandMatch::Nothing => {
            let first = words.first().copied().unwrap_or_default();
            (first.to_owned(), suggest_command(first, words.get(1).copied()))
        }
    };
    let fault = Fault::usage(format!("unknown command `{given}`"));
    if given == "export" {
        return fault
            .with_advice("`use ORG` and `use @ENV` choose the context of this session; `help context` says more");
    }
    match near {
        Some(near) => fault.with_advice(format!("did you mean `{near}`?")),
        None => fault.with_advice("`help` lists the commands"),
    }
}

/// The name that was most likely meant. The more a command does, the surer that must be: what is advised is typed without much
/// thought, and `least` is how much is taken for granted. One that does more than another is not meant if that one is as near, nor is one if another that does no more is nearer.
fn closest(
    given: &str,
    candidates: impl Iterator<Item = (&'static str, Effect)>,
    least: Effect,
) -> Option<&'static str> {
    /// What is further away was not meant by a slip.
    const SLIPS: usize = 2;
    let all: Vec<_> = candidates.map(|(name, effect)| (name, effect, suggest::letters_apart(given, name))).collect();
    let near: Vec<_> = all.iter().filter(|(.., apart)| *apart <= SLIPS).collect();
    let chances = all.iter().filter_map(|&(name, effect, apart)| {
        let care = match effect.max(least) {
            Effect::Read => Strictness::Lenient,
            Effect::Own | Effect::Write => Strictness::Normal,
            Effect::Destroy => Strictness::Strict,
        };
        let score = suggest::suggestion_score(given, name, care)?;
        let is_better = |other: &&&(&str, Effect, usize)| {
            (other.1 < effect && other.2 <= apart) || (other.1 <= effect && other.2 < apart && !name.starts_with(given))
        };
        near.iter().find(is_better).is_none().then_some((score, effect, name))
    });
    chances.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).map(|(_, _, name)| name)
}

/// A command near to one that was given without its group, or with a slip in its first word.
fn suggest_command(first: &str, second: Option<&str>) -> Option<String> {
    // What destroys something is not named by the last of its words alone.
    let is_deep = |entry: &CommandSpec| entry.effect == Effect::Destroy && entry.name.split(' ').count() > 2;
    let is_verb = |entry: &&CommandSpec| entry.name.ends_with(&format!(" {first}")) && !is_deep(entry);
    if let Some(entry) = COMMANDS.iter().filter(is_verb).min_by_key(|entry| entry.effect) {
        return Some(entry.name.to_owned());
    }
    let mut least = std::collections::BTreeMap::<&str, Effect>::new();
    for entry in COMMANDS {
        let found = least.entry(entry.name.split(' ').next().unwrap_or_default()).or_insert(entry.effect);
        *found = entry.effect.min(*found);
    }
    // A wrong guess at what ends the session has a cost.
    least.insert("exit", Effect::Destroy);
    let firsts = COMMANDS.iter().flat_map(names).filter_map(|name| name.split(' ').next());
    let firsts = firsts.map(|first| (first, least.get(first).copied().unwrap_or(Effect::Read)));
    let verbs = COMMANDS.iter().filter(|entry| !is_deep(entry));
    let verbs = verbs.filter_map(|entry| Some((entry.name.rsplit_once(' ')?.1, entry.effect)));
    // A verb without its group is a guess already.
    let near = closest(first, firsts.chain(verbs), Effect::Write)?;
    let stands_alone = COMMANDS.iter().flat_map(names).any(|name| name.split(' ').next() == Some(near));
    let is_near = |entry: &&CommandSpec| !stands_alone && entry.name.ends_with(&format!(" {near}"));
    if let Some(verb) = COMMANDS.iter().filter(is_near).min_by_key(|entry| entry.effect) {
        return Some(verb.name.to_owned());
    }
    let both = second.map(|second| format!("{near} {second}"));
    Some(
        both.filter(|both| matches!(resolve(&both.split(' ').collect::<Vec<_>>()), CommandMatch::Command(_, 2)))
            .unwrap_or_else(|| near.to_owned()),
    )
}

/// The name of a command and its other names.
fn names(entry: &'static CommandSpec) -> impl Iterator<Item = &'static str> {
    std::iter::once(entry.name).chain(entry.aliases.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
    fn a_variable_of_a_shell_leads_to_what_is_chosen_here() {
        assert!(advice("export TETRA_ORG=x").contains("`use ORG`"), "{}", advice("export TETRA_ORG=x"));
    }

    /// Slips of a letter in every verb, and of two that are left out or have changed places.
    #[test]
    fn a_slip_never_leads_to_more_than_the_verb() {
        let effect = |name: &str| COMMANDS.iter().find(|entry| names(entry).any(|it| it == name)).map(|it| it.effect);
        let (mut looked_at, mut more) = (0, BTreeSet::new());
        for entry in COMMANDS {
            let Some((group, verb)) = entry.name.rsplit_once(' ') else { continue };
            let once = edits(verb, "s");
            let twice: BTreeSet<String> = edits(verb, "").iter().flat_map(|edit| edits(edit, "")).collect();
            for typed in once.iter().chain(twice.iter().step_by(11)).filter(|typed| !typed.is_empty()) {
                for line in [format!("{group} {typed}"), typed.clone()] {
                    let words: Vec<&str> = line.split(' ').collect();
                    if matches!(resolve(&words), CommandMatch::Command(..)) {
                        continue;
                    }
                    let said = advice(&line);
                    let Some(leads) = said.strip_prefix("did you mean `").and_then(|it| it.strip_suffix("`?")) else {
                        continue;
                    };
                    looked_at += 1;
                    let Some(does) = effect(leads) else { continue };
                    let meant = leads.rsplit(' ').next().expect("a word");
                    let nearer = suggest::letters_apart(typed, meant) < suggest::letters_apart(typed, verb);
                    let is_slip = nearer && (does < Effect::Destroy || suggest::is_typo(typed, meant));
                    // The same verb without its group is a command of its own.
                    if does > entry.effect && !is_slip && meant != verb {
                        more.insert(format!("`{line}`, which was `{}`: {said}", entry.name));
                    }
                }
            }
        }
        assert!(more.is_empty(), "{more:#?}");
        assert!(looked_at > 1000, "{looked_at}");
    }

    /// The word with a letter less, two letters changed, a letter more, and another letter.
    fn edits(word: &str, letters: &str) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..=word.len() {
            let (begin, end) = word.split_at(at);
            found.extend(end.get(1..).map(|end| format!("{begin}{end}")));
            found.extend(end.get(2..).map(|rest| format!("{begin}{}{}{rest}", &end[1..2], &end[..1])));
            found.extend(letters.chars().map(|letter| format!("{begin}{letter}{end}")));
            found.extend(letters.chars().filter_map(|letter| Some(format!("{begin}{letter}{}", end.get(1..)?))));
        }
        found
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
