//! The command line of the program.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::tz::TimeZone;

use crate::base::fault::{Fault, FaultKind};
use crate::command::global::{Globals, is_option};
use crate::command::registry::{self, CommandMatch};
use crate::command::settings_file;
use crate::command::shell::source;
use crate::ops::deploy::program_dir;
use crate::report::Console;
use crate::shell::outcome::{LineOutcome, Then};
use crate::shell::session::Session;
use crate::shell::source::{ScriptOrigin, ScriptText};
use crate::shell::{panics, repl, runner, stdin};
use crate::sys::host::Host;
use crate::sys::os_host::OsHost;
use crate::sys::paths::Paths;
use crate::sys::{pipe_to, privileges, signal, terminal};
use crate::ui::console::Terminal;
use crate::ui::streams::{AnswerSource, Streams, TerminalSize};
use crate::ui::style::Styler;

/// Names of links to the program that are also the first word.
const LINK_NAMES: [&str; 3] = ["tsm", "tkm", "org"];

/// Commands about units of the machine, which root does as root.
const UNIT_COMMANDS: [&str; 9] = [
    "daemon install",
    "daemon uninstall",
    "daemon enable",
    "daemon disable",
    "daemon start",
    "daemon stop",
    "daemon restart",
    "daemon status",
    "daemon logs",
];

/// Commands that may put the program where services find it, and start services then.
const DEPLOY_COMMANDS: [&str; 2] = ["agent", "deploy-watch"];

/// Parses the command line, runs it and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    panics::install_hook();
    signal::ignore_sigxfsz();
    let host = OsHost::new();
    let size = TerminalSize { width: terminal::width, height: terminal::height };
    let answers = AnswerSource { exists: terminal::has_input, open: terminal::open_input };
    let streams = Streams::standard(size, answers, pipe_to::page);
    let console = Terminal::new(streams, host.variables(), local_zone(&host));
    let mut globals = Globals::default();
    let called_as = std::env::args_os().next().map(PathBuf::from);
    let calling = utf8_args(std::env::args_os())
        .and_then(|words| CliArgs::parse(&words, &mut globals, |word| is_readable_as_script(&host.cwd().join(word))));
    let mut console = console.with(&globals.output);
    let calling = match calling.and_then(|calling| Ok((calling, Paths::find(&host)?, signal::install_handlers()))) {
        Ok((calling, paths, Ok(()))) => (calling, paths),
        Ok((_, _, Err(error))) => {
            return fail(
                &mut console,
                Fault::new(FaultKind::Failed, format!("cannot create the signal pipe: {error}")),
            );
        }
        Err(fault) => return fail(&mut console, fault),
    };
    let (CliArgs { mode, keep_going, prompt }, paths) = calling;
    let mut host = host;
    if mode.is_one_of(&DEPLOY_COMMANDS) || program_dir::link(&paths).exists() {
        host.search_also(&program_dir::of(&paths));
    }
    let mut session = Session::new(paths, Box::new(host));
    session.apply_globals(globals);
    if let Some(name) = called_as.as_deref().and_then(Path::file_name).and_then(OsStr::to_str) {
        name.trim_start_matches('-').clone_into(&mut session.called_as);
    }
    if mode.is_one_of(&UNIT_COMMANDS) {
        privileges::stay_root();
    } else if let Err(error) = privileges::act_as_owner(session.paths.home()) {
        return fail(&mut console, error.into());
    }
    session.settings.values.extend(prompt.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
    session.inherit_readonly();
    if keep_going {
        session.settings.values.insert("keep-going".to_owned(), "on".to_owned());
    }
    if [console.output_styler(), console.stderr_styler()] != [Styler::Plain; 2] {
        apply_theme(&mut session);
    }
    let run = || {
        let outcome = dispatch(&mut session, &mut console, mode);
        if outcome.then == Then::StartPrompt {
            return repl::run(&mut session, &mut console);
        }
        if let Some(note) = session.unused_change {
            console.note(note);
        }
        outcome.code
    };
    match panics::catch(run) {
        Ok(code) => ExitCode::from(code),
        Err(fault) => fail(&mut console, fault),
    }
}

/// A command looks as it does at the prompt. Nothing else of `config.toml` is for commands outside of it, and what is wrong there is
/// reported by the prompt.
fn apply_theme(session: &mut Session) {
    if let Ok(Some(file)) = settings_file::read(&session.paths.config())
        && let Some(theme) = file.settings.values.get("theme")
    {
        session.settings.values.insert("theme".to_owned(), theme.clone());
    }
}

/// The local time zone. Read from `/etc/localtime`: looking it up by name would search all zones.
fn local_zone(host: &dyn Host) -> TimeZone {
    if host.variable("TZ").is_some() {
        return TimeZone::system();
    }
    let zone = std::fs::read("/etc/localtime").ok().and_then(|bytes| TimeZone::tzif("local", &bytes).ok());
    zone.unwrap_or(TimeZone::UTC)
}

fn fail(console: &mut dyn Console, fault: Fault) -> ExitCode {
    console.error(&fault);
    ExitCode::from(fault.kind.code())
}

fn dispatch(session: &mut Session, console: &mut dyn Console, way: RunMode) -> LineOutcome {
    match way {
        RunMode::Prompt if io::stdin().is_terminal() && io::stdout().is_terminal() => {
            LineOutcome { code: 0, then: Then::StartPrompt }
        }
        RunMode::Prompt | RunMode::Stdin => {
            stdin::run(session, console, &mut BufReader::new(stdin::Interruptible(io::stdin())))
        }
        RunMode::CommandString(line) => runner::run_line(session, console, &line, &ScriptOrigin::Option),
        RunMode::Command(words) => runner::run_words(session, console, &words),
        RunMode::Script(name) => match source::read(&session.host.cwd().join(&name), &name) {
            Ok(text) => {
                let origin = ScriptOrigin::File(name);
                runner::run_text(session, console, ScriptText { origin: &origin, text: &text, first_line: 1 })
            }
            Err(error) => {
                let fault = Fault::from(error);
                console.error(&fault);
                LineOutcome::of(fault.kind)
            }
        },
    }
}

/// The setting of an option of the prompt.
fn prompt_setting(option: &str) -> Option<(&'static str, &'static str)> {
    match option {
        "--norc" => Some(("rc", "off")),
        "--private" => Some(("private", "on")),
        "--plain" => Some(("plain", "on")),
        _ => None,
    }
}

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
struct CliArgs {
    mode: RunMode,
    keep_going: bool,
    /// Settings of the prompt.
    prompt: Vec<(&'static str, &'static str)>,
}

/// What to run.
#[derive(Debug, PartialEq, Eq)]
enum RunMode {
    /// No arguments: the prompt, or standard input if it is not a terminal.
    Prompt,
    /// `-c`
    CommandString(String),
    /// A script.
    Script(String),
    /// `-`
    Stdin,
    /// A command.
    Command(Vec<String>),
}

impl RunMode {
    /// True for a command with one of these names.
    fn is_one_of(&self, names: &[&str]) -> bool {
        let Self::Command(words) = self else { return false };
        matches!(registry::resolve(words), CommandMatch::Command(entry, _) if names.contains(&entry.name))
    }
}

impl CliArgs {
    /// Parses a command line, with the name of the program first. Global options are stored in `globals`, also on failure.
    fn parse(words: &[String], globals: &mut Globals, is_file: impl Fn(&str) -> bool) -> Result<Self, Fault> {
        let name = words.first().and_then(|word| Path::new(word).file_name()?.to_str()).unwrap_or_default();
        let mut rest = words.get(1..).unwrap_or_default();
        if let Some(group) = LINK_NAMES.iter().find(|known| **known == name.trim_start_matches('-')) {
            let words: Vec<String> = std::iter::once((*group).to_owned()).chain(rest.iter().cloned()).collect();
            let mut calling = Self { mode: RunMode::Command(words), keep_going: false, prompt: Vec::new() };
            calling.start_prompt(globals)?;
            return Ok(calling);
        }
        let mut keep_going = false;
        let mut prompt = Vec::new();
        let mut line = None;
        while let Some(word) = rest.first().filter(|word| is_option(word)) {
            let taken = match word.as_str() {
                "--" => {
                    rest = &rest[1..];
                    break;
                }
                "--keep-going" => {
                    keep_going = true;
                    1
                }
                "-c" => {
                    let text = rest.get(1).ok_or_else(|| {
                        Fault::usage("a value is required for `-c LINE`").with_advice("`tetra -c 'tsm list'`")
                    })?;
                    line = Some(text.clone());
                    2
                }
                word => match prompt_setting(word) {
                    Some(setting) => {
                        prompt.push(setting);
                        1
                    }
                    None => globals.parse_one(rest)?,
                },
            };
            rest = &rest[taken..];
        }
        if let Some(line) = line {
            return match rest {
                [] => Ok(Self { mode: RunMode::CommandString(line), keep_going, prompt }),
                [word, ..] => Err(Fault::usage(format!("unexpected argument `{word}` after `-c LINE`"))
                    .with_advice("quote the line: `tetra -c 'tsm stop api'`")),
            };
        }
        let mode = RunMode::of_words(rest, globals, &mut keep_going, is_file)?;
        let mut calling = Self { mode, keep_going, prompt };
        calling.start_prompt(globals)?;
        Ok(calling)
    }

    /// `repl` and `tsm repl` are the prompt: the options behind them are those of the program. With other words, or if they ask for
    /// help, they are left to the command.
    fn start_prompt(&mut self, globals: &mut Globals) -> Result<(), Fault> {
        let RunMode::Command(words) = &self.mode else { return Ok(()) };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (["repl", rest @ ..] | ["tsm", "repl", rest @ ..]) = &words[..] else { return Ok(()) };
        let (mut asked, mut prompt, mut rest) = (globals.clone(), self.prompt.clone(), rest);
        while let Some(word) = rest.first() {
            if !is_option(word) || *word == "--" {
                return Ok(());
            }
            let setting = prompt_setting(word);
            let taken = if setting.is_some() { 1 } else { asked.parse_one(rest)? };
            prompt.extend(setting);
            rest = rest.get(taken..).unwrap_or_default();
        }
        if !asked.help && !asked.version {
            *globals = asked;
            (self.mode, self.prompt) = (RunMode::Prompt, prompt);
        }
        Ok(())
    }
}

impl RunMode {
    /// What is left of a command line after the options before it.
    fn of_words(
        rest: &[String],
        globals: &mut Globals,
        keep_going: &mut bool,
        is_file: impl Fn(&str) -> bool,
    ) -> Result<Self, Fault> {
        Ok(match rest.first().map(String::as_str) {
            None if globals.help => Self::Command(vec!["help".to_owned()]),
            None if globals.version => Self::Command(vec!["version".to_owned()]),
            None => Self::Prompt,
            Some("-") => {
                script_options(&rest[1..], globals, keep_going)?;
                Self::Stdin
            }
            Some(word) if is_script(word, is_file) => {
                script_options(&rest[1..], globals, keep_going)?;
                Self::Script(word.to_owned())
            }
            Some(_) => Self::Command(rest.to_vec()),
        })
    }
}

/// A command name is never a script; another word is one if the file exists, or if it contains `/` or ends in `.tetra`.
fn is_script(word: &str, is_file: impl Fn(&str) -> bool) -> bool {
    matches!(registry::resolve(&[word]), CommandMatch::Nothing)
        && !word.starts_with('@')
        && (word.contains('/') || word.ends_with(".tetra") || is_file(word))
}

/// A file, or a pipe that a shell made: whatever is there and is not a directory.
fn is_readable_as_script(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.is_dir())
}

/// Parses the words after a script: only options.
fn script_options(mut rest: &[String], globals: &mut Globals, keep_going: &mut bool) -> Result<(), Fault> {
    while let Some(word) = rest.first() {
        let taken = match word.as_str() {
            "--keep-going" => {
                *keep_going = true;
                1
            }
            option if is_option(option) => globals.parse_one(rest)?,
            other => {
                return Err(Fault::usage(format!("unexpected argument `{other}`: scripts take no arguments"))
                    .with_advice("only options are accepted after the script"));
            }
        };
        rest = &rest[taken..];
    }
    Ok(())
}

fn utf8_args(words: impl Iterator<Item = OsString>) -> Result<Vec<String>, Fault> {
    let text = |word: OsString| {
        word.into_string()
            .map_err(|word| Fault::usage(format!("invalid argument `{}`: not UTF-8", PathBuf::from(word).display())))
    };
    words.map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(CliArgs, Globals), String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let mut globals = Globals::default();
        let there = |word: &str| matches!(word, "deploy.tetra" | "help" | "plain");
        CliArgs::parse(&words, &mut globals, there).map(|calling| (calling, globals)).map_err(|fault| fault.to_string())
    }

    fn way(line: &str) -> RunMode {
        read(line).unwrap_or_else(|why| panic!("{line}: {why}")).0.mode
    }

    fn as_words(line: &str) -> RunMode {
        RunMode::Command(line.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn every_way_in_is_found_from_the_words() {
        for (line, expected) in [
            ("tetra", RunMode::Prompt),
            ("/usr/bin/tetra repl", RunMode::Prompt),
            ("tsm repl", RunMode::Prompt),
            ("tetra tsm repl", RunMode::Prompt),
            ("tetra -", RunMode::Stdin),
            ("tetra --json -c x", RunMode::CommandString("x".into())),
            ("tetra -c x --json", RunMode::CommandString("x".into())),
            ("tetra deploy.tetra", RunMode::Script("deploy.tetra".into())),
            ("tetra plain", RunMode::Script("plain".into())),
            ("tetra ./not-there", RunMode::Script("./not-there".into())),
            ("tetra dploy.tetra", RunMode::Script("dploy.tetra".into())),
            ("tetra help", as_words("help")),
            ("tetra help help", as_words("help help")),
            ("tetra ./help", RunMode::Script("./help".into())),
            ("tetra not-there", as_words("not-there")),
            ("tetra @dev", as_words("@dev")),
            ("tetra --version", as_words("version")),
            ("tetra --help", as_words("help")),
            ("tetra -- help", as_words("help")),
            ("tsm", as_words("tsm")),
            ("/x/tsm list --json", as_words("tsm list --json")),
            ("-org use x", as_words("org use x")),
        ] {
            assert_eq!(way(line), expected, "{line}");
        }
    }

    #[test]
    fn options_may_stand_behind_the_name_of_the_prompt() {
        for line in [
            "tetra repl --yes --org acme --plain",
            "tetra tsm repl -y --org=acme --plain",
            "tsm repl --plain -y --org acme",
        ] {
            let (calling, globals) = read(line).expect("it is right");
            assert_eq!((calling.mode, calling.prompt), (RunMode::Prompt, vec![("plain", "on")]), "{line}");
            assert!(globals.yes && globals.org.is_some(), "{line}");
        }
        assert_eq!(way("tetra repl --help"), as_words("repl --help"));
        assert_eq!(way("tetra repl x --yes"), as_words("repl x --yes"));
        assert_eq!(read("tetra repl --wat").expect_err("it is wrong"), "unknown option `--wat`");
    }

    #[test]
    fn options_may_stand_behind_a_script() {
        let (calling, globals) = read("tetra deploy.tetra --keep-going --json -y").expect("it is right");
        assert!(calling.keep_going && globals.output.json && globals.yes);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, message) in [
            ("tetra -c", "a value is required for `-c LINE`"),
            ("tetra -c x y", "unexpected argument `y` after `-c LINE`"),
            ("tetra deploy.tetra y", "unexpected argument `y`: scripts take no arguments"),
            ("tetra --wat", "unknown option `--wat`"),
        ] {
            assert_eq!(read(line).expect_err("it is wrong"), message);
        }
    }
}
