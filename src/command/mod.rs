//! One file per command. From its one definition come parsing, dispatch, completion, help, docs, the guard and the tests.
//!
//! A command is a struct of arguments (its doc comment is the help, the *type* of a field chooses its completion) and one
//! `impl` of [`Command`]. It turns words into values, calls one domain function, and turns the result into a report.
//! Adding one: a file, a row in [`registry::COMMANDS`], a transcript.

pub mod agent;
pub mod argument;
pub mod complete;
pub mod context;
pub mod daemon;
pub mod deploy_watch;
pub mod env;
mod findings;
pub mod fleet;
pub mod foreign;
pub mod global;
pub mod help;
mod host_states;
pub mod manual;
pub mod org;
pub mod parse_error;
pub mod prepared;
pub mod registry;
pub mod saved_context;
pub mod secrets;
pub mod serve;
pub mod settings_file;
pub mod shell;
pub mod short_form;
mod stated_default;
pub mod tkm;
pub mod tsm;

pub use context::{Cx, Selection, Settings};
pub use prepared::{Prepared, Stage};

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::report::Report;

/// What a command does to the world; with the environment it decides whether the guard asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Looks only. Leaves every file as it was.
    Read,
    /// Changes only what is the operator's own and what no other command goes by: settings of the prompt, its lines with a name of
    /// their own, its history, a new file. No process, environment or host is other than before.
    Own,
    /// Changes something that can be changed back.
    Write,
    /// Ends or removes something.
    Destroy,
}

impl Effect {
    /// True if a process, an environment or a host may be other than before: the guard asks.
    #[must_use]
    pub fn is_guarded(self) -> bool {
        self >= Self::Write
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Own => "own",
            Self::Write => "write",
            Self::Destroy => "destroy",
        }
    }
}

/// A command: its arguments with what they do.
pub trait Command: clap::Args + Sized + 'static {
    /// The words it is called by: `tsm start`.
    const NAME: &'static str;

    /// Other words for the same command.
    const ALIASES: &'static [&'static str] = &[];

    /// The most it can do to the world.
    const EFFECT: Effect;

    /// Lines that show its use. Each is parsed and run by a test, and is in the help.
    const EXAMPLES: &'static [&'static str];

    /// Puts the words into the order that the parser expects. For commands that take another program's command line.
    #[must_use]
    fn reorder_args(words: Vec<String>) -> Vec<String> {
        words
    }

    /// What these very arguments do: a dry run only reads.
    fn effect(&self) -> Effect {
        Self::EFFECT
    }

    /// The environments that these arguments touch, beside the active one. The strictest counts.
    ///
    /// # Errors
    ///
    /// Fails if a target cannot be resolved.
    fn environments(&self, _cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Vec::new())
    }

    /// What will be done, to be shown before a question. Changes nothing. For a command that leaves out [`prepare`](Self::prepare);
    /// `tests/it/plans.rs` has the reasons of those that leave out both.
    ///
    /// # Errors
    ///
    /// Fails if what is named does not exist: nothing has to be asked then.
    fn plan(&self, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(None)
    }

    /// Finds out what will be done, once: the guard, a dry run and the run see the same. Changes nothing.
    ///
    /// For a command that looks before it acts. Others leave it out and have [`environments`](Self::environments) and
    /// [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// Whatever can be known to keep it from being done.
    fn prepare(self, _cx: &mut Cx) -> Result<Prepared, Fault> {
        Ok(Prepared::from_arguments(self))
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being done.
    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        self.prepare(cx)?.run(cx)
    }
}

/// Parsed arguments of any command.
pub trait ParsedCommand {
    /// See [`Command::effect`].
    fn effect(&self) -> Effect;
    /// See [`Command::prepare`].
    ///
    /// # Errors
    ///
    /// As there.
    fn prepare(self: Box<Self>, cx: &mut Cx) -> Result<Prepared, Fault>;
}

impl<C: Command> ParsedCommand for C {
    fn effect(&self) -> Effect {
        Command::effect(self)
    }

    fn prepare(self: Box<Self>, cx: &mut Cx) -> Result<Prepared, Fault> {
        Command::prepare(*self, cx)
    }
}

/// A row of the table: a command without its type.
pub struct CommandSpec {
    /// See [`Command::NAME`].
    pub name: &'static str,
    /// See [`Command::ALIASES`].
    pub aliases: &'static [&'static str],
    /// See [`Command::EFFECT`].
    pub effect: Effect,
    /// See [`Command::EXAMPLES`].
    pub examples: &'static [&'static str],
    /// See [`Command::reorder_args`].
    pub reorder_args: fn(Vec<String>) -> Vec<String>,
    /// The parser of its arguments; built only when needed.
    pub parser: fn() -> clap::Command,
    /// Takes the arguments out of what the parser matched.
    pub parse: fn(&clap::ArgMatches) -> Result<Box<dyn ParsedCommand>, clap::Error>,
}

impl CommandSpec {
    /// The group word, for commands of two or three words.
    #[must_use]
    pub fn group(&self) -> Option<&'static str> {
        self.name.split_once(' ').map(|(group, _)| group)
    }

    /// The parser with the global options that the command does not define itself.
    #[must_use]
    pub fn full_parser(&self) -> clap::Command {
        global::with_global_args((self.parser)())
    }

    /// Works, but is not for people: help and completion leave it out.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        (self.parser)().is_hide_set()
    }

    /// The first sentence of the help.
    #[must_use]
    pub fn summary(&self) -> String {
        (self.parser)().get_about().map(ToString::to_string).unwrap_or_default()
    }
}

/// The row of a command.
#[must_use]
pub const fn spec<C: Command>() -> CommandSpec {
    CommandSpec {
        name: C::NAME,
        aliases: C::ALIASES,
        effect: C::EFFECT,
        examples: C::EXAMPLES,
        reorder_args: C::reorder_args,
        parser: || C::augment_args(clap::Command::new(C::NAME).no_binary_name(true)),
        parse: |matches| Ok(Box::new(C::from_arg_matches(matches)?)),
    }
}
