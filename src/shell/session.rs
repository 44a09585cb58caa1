//! What lasts from one command to the next.

use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::name::{OrgName, ProcessName};
use crate::command::global::Globals;
use crate::command::{Selection, Settings};
use crate::report::SelectionChange;
use crate::sys::host::Host;
use crate::sys::paths::Paths;

use super::context;

/// A session: of a prompt, of a script, or of one command.
pub struct Session {
    /// Where everything is.
    pub paths: Paths,
    /// The surroundings.
    pub host: Box<dyn Host>,
    /// What was set.
    pub settings: Settings,
    /// At a prompt, or not.
    pub mode: SessionMode,
    /// `--yes` and `-v` of the start hold for every command.
    pub globals: Globals,
    /// The exit code of the last line.
    pub last_code: u8,
    choices: SelectionLayers,
    previous: SelectionLayers,
    /// How many scripts, aliases and repetitions are inside each other now.
    pub(super) depth: usize,
}

/// How a session is led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMode {
    /// Somebody types.
    Interactive,
    /// A command line, a script or a pipe.
    Batch,
}

/// What was chosen in this session, by options at its start or by `use` and `select`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected {
    /// The organization.
    pub org: Option<OrgName>,
    /// The environment.
    pub env: Option<EnvName>,
    /// The process.
    pub process: Option<ProcessName>,
}

/// What was chosen, with and without options.
#[derive(Debug, Clone, Default)]
struct SelectionLayers {
    /// What commands mean: options of the start and of an enclosing command count.
    effective: Selected,
    /// The session's own, by `use` and at the start of a prompt, which shows it: what options cannot take away from the guard.
    own: Selected,
}

/// What held before a command let its options hold for other lines.
pub(super) struct SavedState {
    paths: Paths,
    choices: SelectionLayers,
    previous: SelectionLayers,
    globals: Globals,
}

impl Session {
    /// A session in which nothing was chosen yet.
    #[must_use]
    pub fn new(paths: Paths, host: Box<dyn Host>) -> Self {
        Self {
            paths,
            host,
            settings: Settings::default(),
            mode: SessionMode::Batch,
            globals: Globals::default(),
            last_code: 0,
            choices: SelectionLayers::default(),
            previous: SelectionLayers::default(),
            depth: 0,
        }
    }

    /// Takes over the global options of the start: they hold for every command of the session.
    pub fn apply_globals(&mut self, globals: Globals) {
        if let Some(dir) = &globals.dir {
            self.paths = self.paths.with_home(self.host.cwd().join(dir));
        }
        let chosen = &mut self.choices.effective;
        chosen.org = globals.org.clone().or(chosen.org.take());
        chosen.env = globals.env.clone().or(chosen.env.take());
        self.globals = globals;
    }

    /// From now on somebody types: what options of the start chose is shown, and so is the session's own.
    pub(super) fn start_prompt(&mut self) {
        self.mode = SessionMode::Interactive;
        self.choices.own = self.choices.effective.clone();
    }

    /// Lets the options of a command that runs other lines hold for these, until [`Session::pop_globals`].
    #[must_use]
    pub(super) fn push_globals(&mut self, globals: &Globals) -> Option<SavedState> {
        let inner = Globals {
            yes: globals.yes || self.globals.yes,
            verbose: globals.verbose.max(self.globals.verbose),
            ..globals.clone()
        };
        if *globals == (Globals { output: globals.output, ..Globals::default() }) {
            return None;
        }
        let before = SavedState {
            paths: self.paths.clone(),
            choices: self.choices.clone(),
            previous: self.previous.clone(),
            globals: self.globals.clone(),
        };
        self.apply_globals(inner);
        Some(before)
    }

    /// What held before [`Session::push_globals`]. Lines that ran with options of their own chose nothing for the session.
    pub(super) fn pop_globals(&mut self, before: Option<SavedState>) {
        if let Some(SavedState { paths, choices, previous: before, globals }) = before {
            (self.paths, self.choices, self.previous, self.globals) = (paths, choices, before, globals);
        }
    }

    /// What commands mean now when they are not told: what was chosen here, the variables, what is kept, the only one there is.
    ///
    /// # Errors
    ///
    /// Fails if a variable holds no name, or what is kept cannot be read.
    pub fn selection(&self) -> Result<Selection, Fault> {
        context::selection(&self.paths, &*self.host, self.choices.effective.clone())
    }

    /// The same without any option of a command line: the guard is never laxer than in this.
    ///
    /// # Errors
    ///
    /// As [`Session::selection`].
    pub fn context(&self) -> Result<Selection, Fault> {
        context::selection(&self.paths, &*self.host, self.choices.own.clone())
    }

    /// The same for one command with options of its own.
    ///
    /// # Errors
    ///
    /// As [`Session::selection`].
    pub fn selection_with(&self, paths: &Paths, globals: &Globals) -> Result<Selection, Fault> {
        let mut chosen = self.choices.effective.clone();
        if globals.org.is_some() && globals.org != chosen.org {
            // An environment belongs to the organization it was chosen in.
            chosen = Selected { org: globals.org.clone(), ..Selected::default() };
        }
        chosen.env = globals.env.clone().or(chosen.env);
        context::selection(paths, &*self.host, chosen)
    }

    /// Changes what is chosen; the process is forgotten with the organization or environment it was chosen in.
    pub fn change_selection(&mut self, choice: SelectionChange) {
        let before = self.choices.clone();
        self.choices.own.apply(&choice);
        self.choices.effective.apply(&choice);
        if self.choices.effective != before.effective {
            self.previous = before;
        }
    }

    /// After a mistake in the middle of a line: whatever it was inside of is over.
    pub(super) fn reset_depth(&mut self) {
        self.depth = 0;
    }

    /// Goes back to what was chosen before the last change.
    pub fn select_previous(&mut self) {
        std::mem::swap(&mut self.choices, &mut self.previous);
    }
}

impl Selected {
    fn apply(&mut self, choice: &SelectionChange) {
        if let Some(org) = &choice.org {
            if *org != self.org {
                *self = Self::default();
            }
            self.org.clone_from(org);
        }
        if let Some(env) = &choice.env {
            if *env != self.env {
                self.process = None;
            }
            self.env.clone_from(env);
        }
        if let Some(process) = &choice.process {
            self.process.clone_from(process);
        }
    }
}
