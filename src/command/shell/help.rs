//! `help`, `tsm help`

use crate::base::fault::Fault;
use crate::base::suggest::closest_match;
use crate::command::argument::HelpWord;
use crate::command::help::{self, HelpDetail, Listing, TOPICS, topic};
use crate::command::registry::{self, CommandMatch};
use crate::command::{Command, Cx, Effect, short_form};
use crate::report::{Prose, Report, Table};

/// Show help for a command
///
/// Without arguments it lists the commands by what one wants to do, `help all` every one. `help search WORD` finds commands, options,
/// topics and settings by a word of their text. `help topics` lists the topics.
#[derive(Debug, clap::Args)]
pub struct Help {
    /// A command, a group or a topic
    #[arg(value_name = "COMMAND|TOPIC")]
    pub words: Vec<HelpWord>,
}

impl Command for Help {
    const NAME: &'static str = "help";
    const ALIASES: &'static [&'static str] = &["?"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["help", "help use", "help services", "help topics", "help search memory", "help all"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        about(&self.words, cx)
    }
}

/// Show help for a tsm command
#[derive(Debug, clap::Args)]
pub struct TsmHelp {
    /// A tsm command or a topic
    #[arg(value_name = "COMMAND|TOPIC")]
    pub words: Vec<HelpWord>,
}

impl Command for TsmHelp {
    const NAME: &'static str = "tsm help";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm help", "tsm help exit-codes"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut words = vec![HelpWord("tsm".to_owned())];
        words.extend(self.words.iter().cloned());
        match about(&words, cx) {
            // A topic, or a command outside of tsm.
            Err(fault) => about(&self.words, cx).map_err(|_| fault),
            found => found,
        }
    }
}

fn about(words: &[HelpWord], cx: &Cx) -> Result<Report, Fault> {
    let words: Vec<&str> = words.iter().map(|word| word.0.as_str()).collect();
    if words.is_empty() {
        return Ok(Report::of(help::of_all(Listing::Folded)));
    }
    match words[..] {
        ["all"] => return Ok(Report::of(help::of_all(Listing::Whole))),
        ["topics" | "topic"] => return Ok(Report::of(Prose(help::list_of_topics()))),
        [HelpWord::SEARCH] => return Err(Fault::usage("missing argument for `help search`: <WORD>")),
        [HelpWord::SEARCH, ref wanted @ ..] => return Ok(found(wanted)),
        _ => {}
    }
    if let [name] = words[..]
        && let Some(topic) = topic(name)
    {
        return Ok(Report::of(Prose((topic.text)())));
    }
    if let [name] = words[..]
        && matches!(registry::resolve(&words), CommandMatch::Nothing)
        && let Some(line) = cx.settings.aliases.get(name)
    {
        return Ok(Report::of(of_alias(name, line, cx)));
    }
    let words = with_group(words);
    match registry::resolve(&words) {
        CommandMatch::Command(entry, count) if count == words.len() => {
            Ok(Report::of(help::of_command(entry, HelpDetail::Long, cx.console.width())))
        }
        CommandMatch::Group(group, count) if count == words.len() => Ok(Report::of(help::of_group(group))),
        CommandMatch::Command(_, count) => Err(registry::unknown(&words[count..])),
        CommandMatch::Group(..) | CommandMatch::Nothing => {
            let fault = registry::unknown(&words);
            match closest_match(words[0], TOPICS.iter().map(|topic| topic.name)) {
                Some(near) => Err(fault.with_advice(format!("did you mean `help {near}`?"))),
                None => Err(fault),
            }
        }
    }
}

/// A command of `tsm` may be asked for without the group, as it is typed at the prompt.
fn with_group(mut words: Vec<&str>) -> Vec<&str> {
    if short_form::is_short(&words) {
        words.insert(0, short_form::GROUP);
    }
    words
}

/// The line of an alias, and the help of the command that it begins with.
fn of_alias(name: &str, line: &str, cx: &Cx) -> Prose {
    let mut text = format!("`{name}` is an alias for `{line}`\n");
    let words = with_group(line.split_whitespace().collect());
    if let CommandMatch::Command(entry, _) = registry::resolve(&words) {
        text.push_str(&format!("\n{}", help::of_command(entry, HelpDetail::Long, cx.console.width()).0));
    }
    Prose(text)
}

/// Where words are in the help.
fn found(words: &[&str]) -> Report {
    let mut table = Table::new(&[("name", "NAME"), ("text", "TEXT")])
        .when_empty(format!("`{}` is nowhere in the help; `help` lists the commands", words.join(" ")));
    for found in help::search(words) {
        table.row(vec![found.name.into(), found.text.into()]);
    }
    Report::of(table)
}
