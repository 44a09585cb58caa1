//! What commands say, as values.
//!
//! A command returns a [`Report`]; one renderer makes a table, plain text or JSON of it. Nothing here knows a terminal, a
//! colour or a stream. The data of a report *is* its JSON: a table is an array of objects, fields are one object, a
//! sentence is the object it states. What is only talk ([`Block::Note`]) is left out of it.

pub mod block;
pub mod console;
pub mod screen;
pub mod value;

pub use block::{Block, Column, Fields, Message, OutputRow, RowStream, Table, Visibility};
pub use console::{Answer, Color, Console, OutputOptions, Question};
pub use screen::Screen;
pub use value::{Cell, Tone, Value};

use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::{OrgName, ProcessName};
use std::time::Duration;

/// What a command has to say.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order in which they are shown.
    pub blocks: Vec<Block>,
    /// Whether `--json` is the single block's data or an array of all of them.
    pub json_shape: JsonShape,
    /// What went wrong for some of several targets. Shown after the blocks; the first one decides the exit code.
    pub faults: Vec<Fault>,
    /// What should happen next; carried out by the shell, never by the command.
    pub follow_up: FollowUp,
    /// A check that says no: everything worked, the exit code is 3.
    pub check_failed: bool,
    /// The exit code of a program that was waited for: it is that of the command.
    pub code: Option<u8>,
}

/// How the blocks of a report become JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonShape {
    /// The data of the only block that has any; `null` without one.
    #[default]
    One,
    /// An array with the data of each block, also for none or one: for commands that take several targets.
    Many,
}

/// What the shell does after a command.
#[derive(Debug, Default)]
pub enum FollowUp {
    /// Nothing.
    #[default]
    Nothing,
    /// Change the context of this session.
    ChangeSelection(SelectionChange),
    /// Run the lines of a text as a script that is called `name`.
    RunScript {
        /// How messages call it; usually the file.
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
        /// How often; for ever without one.
        times: Option<u64>,
    },
    /// Show a full-screen view until the operator leaves it.
    Screen(Screen),
    /// End this session.
    Exit,
    /// Go back to the context before the last change.
    PreviousSelection,
    /// Begin the prompt.
    StartPrompt,
    /// Give a line a name of its own; take the name away without one.
    Alias {
        /// The name.
        name: String,
        /// The line.
        line: Option<String>,
    },
    /// Change a setting of this session.
    Set {
        /// Its name.
        key: String,
        /// Its new value.
        value: String,
    },
}

impl FollowUp {
    /// True if it runs other lines.
    #[must_use]
    pub fn runs_lines(&self) -> bool {
        matches!(self, Self::RunScript { .. } | Self::Repeat { .. } | Self::Screen(_))
    }
}

/// A change of context. What is `None` stays as it was; `Some(None)` clears.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectionChange {
    /// The organization.
    pub org: Option<Option<OrgName>>,
    /// The environment.
    pub env: Option<Option<EnvName>>,
    /// The process.
    pub process: Option<Option<ProcessName>>,
}

impl Report {
    /// The exit code that it leads to.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let failed = || self.faults.first().map(|fault| fault.kind.code());
        self.code.or_else(failed).unwrap_or(if self.check_failed { FaultKind::CheckFailed.code() } else { 0 })
    }

    /// A report of one block.
    pub fn of(block: impl Into<Block>) -> Self {
        Self { blocks: vec![block.into()], ..Self::default() }
    }

    /// A report of one entry for each target; its JSON is always an array.
    pub fn each<B: Into<Block>>(blocks: impl IntoIterator<Item = B>) -> Self {
        Self { blocks: blocks.into_iter().map(Into::into).collect(), json_shape: JsonShape::Many, ..Self::default() }
    }

    /// A report that says nothing and leads to something.
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

    /// Adds a line for people that is not part of the data.
    #[must_use]
    pub fn note(self, text: impl Into<String>) -> Self {
        self.and(Block::Note(text.into()))
    }
}
