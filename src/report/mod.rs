//! Results of commands, as values.
//!
//! A command returns a [`Report`], which is rendered as text by `ui` or as JSON by [`json`]. Nothing here depends on a terminal,
//! colors or streams. A table is an array of objects in JSON, fields and messages are objects; notes ([`Block::Note`]) are left
//! out. [`read`] reads that JSON back.

pub mod block;
pub mod console;
pub mod json;
pub mod read;
pub mod row;
pub mod screen;
pub mod theme;
pub mod value;

pub use block::{Block, Column, Field, Fields, Message, Prose, Table, Visibility};
pub use console::{Color, Console, OutputOptions, Question, Reader, TargetState, UserAnswer};
pub use row::{Arrival, Entries, Remark, Row, RowStream, Rows};
pub use screen::Screen;
pub use value::{Cell, Tone, Value};

use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::{OrgName, ProcessName};
use std::path::PathBuf;
use std::time::Duration;

/// The result of a command.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order in which they are shown.
    pub blocks: Vec<Block>,
    /// Whether `--json` is the single block's data or an array of all of them.
    pub json_shape: JsonShape,
    /// Failures of some of several targets. Shown after the blocks; the first one determines the exit code.
    pub faults: Vec<Fault>,
    /// What the shell does after the command.
    pub follow_up: FollowUp,
    /// A check with a negative result: exit code 3.
    pub check_failed: bool,
    /// The exit code of a program that the command waited for.
    pub code: Option<u8>,
    /// What it comes to, in a sentence: the last line for people, and with `--json` a note on stderr.
    pub sentence: Option<String>,
}

/// The JSON form of several blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonShape {
    /// The data of the only block with data; `null` without one.
    #[default]
    One,
    /// An array with the data of each block, also for none or one: for commands with several targets.
    Many,
}

/// What the shell does after a command.
#[derive(Debug, Default)]
pub enum FollowUp {
    /// Nothing.
    #[default]
    Nothing,
    /// Change the selection of this session.
    ChangeSelection(SelectionChange),
    /// Run the lines of a text as a script that is called `name`.
    RunScript {
        /// The name in messages; usually the file.
        name: String,
        /// The script.
        text: String,
    },
    /// Run one line again and again.
    Repeat {
        /// The line.
        line: String,
        /// The pause between two runs.
        every: Duration,
        /// The number of runs; unlimited if none.
        times: Option<u64>,
        /// The directory of the events of processes, if a crash is to bring the next run forward.
        crashes: Option<PathBuf>,
        /// Shows each run in place of the one before; none shows them one after the other.
        watch: Option<Watch>,
    },
    /// Show a full-screen view.
    Screen(Screen),
    /// End this session, with this exit code if one was given.
    Exit(Option<u8>),
    /// Return to the selection before the last change.
    PreviousSelection,
    /// Change the directory of this session.
    ChangeDirectory(PathBuf),
    /// Clear the screen.
    ClearScreen,
    /// Return to the directory before the last change.
    PreviousDirectory,
    /// Start the prompt.
    StartPrompt,
    /// Start the tour, or go on in it.
    Tour(TourMove),
    /// Define an alias or an abbreviation; remove it if `line` is none.
    Shorthand {
        /// Which of them.
        kind: ShorthandKind,
        /// The name.
        name: String,
        /// The line.
        line: Option<String>,
        /// It is also in `config.toml`, or removed from there.
        is_saved: bool,
    },
    /// Change a setting of this session.
    Set {
        /// Its name.
        key: String,
        /// Its new value.
        value: String,
    },
}

/// Where the tour goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TourMove {
    /// To the first step, at a prompt of its own.
    Begin,
    /// To the next step.
    Skip,
    /// Nowhere: it says more about this step.
    Hint,
    /// To the step before.
    Back,
}

/// A line with a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShorthandKind {
    /// Is read as its line when it is run.
    Alias,
    /// Is written out while it is typed.
    Abbreviation,
}

impl ShorthandKind {
    /// In this order.
    pub const ALL: [Self; 2] = [Self::Alias, Self::Abbreviation];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Abbreviation => "abbreviation",
        }
    }

    /// The command that defines it.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Abbreviation => "abbr",
        }
    }

    /// Its table in `config.toml`.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Alias => "aliases",
            Self::Abbreviation => "abbreviations",
        }
    }
}

/// How runs of a line are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// What ends it.
    pub until: Option<Until>,
}

/// What ends the repetition of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// An output that differs from that of the first run.
    Change,
    /// A run with this exit code.
    Code(u8),
}

impl std::str::FromStr for Until {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        match given {
            "change" => Ok(Self::Change),
            code => {
                code.parse().map(Self::Code).map_err(|_| "expected `change` or an exit code from 0 to 255".to_owned())
            }
        }
    }
}

impl FollowUp {
    /// True if it runs other lines.
    #[must_use]
    pub fn runs_lines(&self) -> bool {
        matches!(self, Self::RunScript { .. } | Self::Repeat { .. } | Self::Screen(_) | Self::Tour(_))
    }
}

/// A change of the selection. `None` keeps a part; `Some(None)` clears it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectionChange {
    /// The organization.
    pub org: Option<Option<OrgName>>,
    /// The environment.
    pub env: Option<Option<EnvName>>,
    /// The process.
    pub process: Option<Option<ProcessName>>,
    /// It is also written down for later sessions.
    pub is_saved: bool,
}

impl Report {
    /// The exit code of the command.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let failed = || self.faults.first().map(|fault| fault.kind.code());
        self.code.or_else(failed).unwrap_or(if self.check_failed { FaultKind::CheckFailed.code() } else { 0 })
    }

    /// A report of one block.
    pub fn of(block: impl Into<Block>) -> Self {
        Self { blocks: vec![block.into()], ..Self::default() }
    }

    /// A report with one entry for each target; its JSON is always an array.
    pub fn each<B: Into<Block>>(blocks: impl IntoIterator<Item = B>) -> Self {
        Self { blocks: blocks.into_iter().map(Into::into).collect(), json_shape: JsonShape::Many, ..Self::default() }
    }

    /// A report without blocks, with a follow-up.
    #[must_use]
    pub fn then(next: FollowUp) -> Self {
        Self { follow_up: next, ..Self::default() }
    }

    /// Adds a block.
    #[must_use]
    pub fn and(mut self, block: impl Into<Block>) -> Self {
        self.blocks.push(block.into());
        self
    }

    /// Ends it with what it comes to.
    #[must_use]
    pub fn ending(self, sentence: impl Into<String>) -> Self {
        Self { sentence: Some(sentence.into()), ..self }
    }

    /// Adds a note, which is not part of the data.
    #[must_use]
    pub fn note(self, text: impl Into<String>) -> Self {
        self.and(Block::Note(text.into()))
    }
}
