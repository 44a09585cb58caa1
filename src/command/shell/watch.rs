//! `watch`

use std::time::Duration;

use clap::Args;

use crate::base::fault::Fault;
use crate::base::line::{self, Statement};
use crate::base::time::HumanDuration;
use crate::command::argument::CommandWord;
use crate::command::registry::{self, CommandMatch};
use crate::command::short_form;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{self, FollowUp, Report, Until};

/// Run a command again and again
///
/// On a terminal each run is shown in the place of the one before, with the time, and what differs is in reverse. Ctrl-C ends it.
/// Options of `watch` come before the command. A single argument is run as a line, so that `watch 'tsm list | head'` works. Without a
/// terminal the outputs follow each other.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// The pause between two runs; a number alone is seconds
    #[arg(short = 'n', long, value_name = "SPAN", default_value = "2s", value_parser = HumanDuration::of_pause)]
    pub every: HumanDuration,
    /// The number of runs
    #[arg(short = 'c', long, value_name = "N", if_not_given = "unlimited")]
    pub count: Option<u64>,
    /// End at a change of the output, or at an exit code; exit code 3 if `--count` is over before
    #[arg(short = 'u', long, value_name = "change|CODE")]
    pub until: Option<Until>,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<CommandWord>,
}

impl Command for Watch {
    const NAME: &'static str = "watch";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["watch -n 10ms -c 2 version", "watch -n 10ms --until 0 version"];

    fn run(self, _cx: &mut Cx) -> Result<Report, Fault> {
        let words: Vec<&str> = self.command.iter().map(|word| word.0.as_str()).collect();
        if let Some(fault) = misplaced_options(&words) {
            return Err(fault);
        }
        let every = self.every.within("--every", Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60))?;
        let line = match &self.command[..] {
            [line] => line.0.clone(),
            words => line::join(words.iter().map(|word| &word.0)),
        };
        if let Some(endless) = line::lex(&line)?.statements.iter().find_map(endless) {
            return Err(Fault::usage(format!("`{endless}` does not end, and `watch` shows a run when it has ended"))
                .with_advice(format!("run it without `watch`: `{endless}` goes on by itself")));
        }
        Ok(Report::then(FollowUp::Repeat {
            line,
            every,
            times: self.count,
            crashes: None,
            watch: Some(report::Watch { until: self.until }),
        }))
    }
}

/// The error for options of `watch` behind the command, where they are those of the command; none if it has them.
fn misplaced_options(words: &[&str]) -> Option<Fault> {
    let own = Watch::augment_args(clap::Command::new(Watch::NAME)).mut_arg("command", |arg| arg.required(false));
    let is_own = |words: &[&str]| {
        let read = own.clone().no_binary_name(true).try_get_matches_from(words);
        read.is_ok_and(|read| !read.contains_id("command"))
    };
    let at = (1..words.len()).find(|&at| words[at].starts_with('-') && is_own(&words[at..]))?;
    let (command, options) = words.split_at(at);
    let is_line = matches!(command, [line] if line.contains(char::is_whitespace));
    if !is_line && !is_unknown_to(command, options) {
        return None;
    }
    let options = line::join(options);
    let command = line::join(command);
    Some(
        Fault::usage(format!("`{options}` comes after the command, where it is not an option of `watch`"))
            .with_advice(format!("options of `watch` come first: `watch {options} {command}`")),
    )
}

/// True if a command refuses these words, which it would not do without the options.
fn is_unknown_to(command: &[&str], options: &[&str]) -> bool {
    let grouped = [&[short_form::GROUP], command].concat();
    let words = if short_form::is_short(command) { &grouped } else { command };
    let CommandMatch::Command(entry, count) = registry::resolve(words) else { return false };
    let is_read = |words: &[&str]| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        entry.full_parser().no_binary_name(true).try_get_matches_from((entry.reorder_args)(words)).is_ok()
    };
    is_read(&words[count..]) && !is_read(&[&words[count..], options].concat())
}

/// The command of a statement that goes on until Ctrl-C.
fn endless(statement: &Statement) -> Option<String> {
    let words: Vec<&str> = statement.words.iter().map(|word| word.text.as_str()).collect();
    let plain = words.strip_prefix(&["tsm"]).unwrap_or(&words);
    let is_short = |word: &str| word.starts_with('-') && !word.starts_with("--") && word.contains('f');
    let is_endless = match *plain.first()? {
        "logs" | "log" => {
            plain.iter().any(|word| *word == "--follow" || is_short(word)) && !plain.contains(&"--nostream")
        }
        "monitor" | "watch" => true,
        _ => false,
    };
    is_endless.then(|| line::join(words))
}
