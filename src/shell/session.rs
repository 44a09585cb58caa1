//! The state that lasts from one command to the next.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::command::global::Globals;
use crate::command::{Selection, Settings};
use crate::ops::answers::Answers;
use crate::ops::environments;
use crate::report::SelectionChange;
use crate::report::theme::Theme;
use crate::sys::host::{Host, READONLY, READONLY_BY_ENVIRONMENT};
use crate::sys::paths::Paths;

use super::context::{self, ENV, ORG, Selected};
use super::overview::SharedOverview;
use super::unwritten_lines::UnwrittenLines;

/// The session of a prompt, a script, or one command.
pub struct Session {
    /// The paths of all files.
    pub paths: Paths,
    /// The host: variables, clock, programs.
    pub host: Box<dyn Host>,
    /// The settings and aliases.
    pub settings: Settings,
    /// Interactive or batch.
    pub mode: SessionMode,
    /// The name that the program was called by.
    pub called_as: String,
    /// The global options of the start; `--yes` and `-v` apply to every command.
    pub globals: Globals,
    /// The exit code of the last line.
    pub last_code: u8,
    /// How long the last line of the prompt ran.
    pub last_duration: Duration,
    /// Which questions of this prompt are answered by its start.
    pub consent: Consent,
    /// The processes that the prompt shows.
    pub processes: SharedOverview,
    /// What commands answered about processes that ended.
    pub(super) answers: Answers,
    choices: SelectionLayers,
    previous: SelectionLayers,
    previous_directory: Option<PathBuf>,
    /// The step of the tour, if this prompt is one; the number of the steps at the end.
    pub(super) tour: Option<usize>,
    /// The line of the prompt that is being run, as it is in the history; none if it is not there.
    pub(super) running_line: Option<String>,
    /// The lines of the prompt that the history has not got yet.
    pub(super) unwritten_lines: UnwrittenLines,
    /// The names in the last list, for `$last`.
    pub(super) last_names: Vec<String>,
    /// What is said at the end of a line or a script whose last statement changed the session.
    pub unused_change: Option<&'static str>,
    /// A command was written wrongly, so that it fails however often it is run.
    pub(super) has_misread: bool,
    /// The prompt has taken what it reads at its start.
    pub(super) has_begun: bool,
    /// The current depth of nested scripts, aliases and `watch` runs.
    pub(super) depth: usize,
}

/// The mode of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMode {
    /// At the prompt.
    Interactive,
    /// A command line, a script or a pipe.
    Batch,
}

/// What `--yes` at the start of a prompt answers: it must not turn the questions of production off for a whole session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing.
    None,
    /// Every question but those of production.
    BelowProduction,
    /// Nothing, and also what needs no answer elsewhere is asked: the line was chosen with one key, which may be a slip.
    Never,
}

/// The selection with and without options.
#[derive(Debug, Clone, Default)]
struct SelectionLayers {
    /// The effective selection, with the options of the start and of an enclosing command.
    effective: Selected,
    /// The session's own selection, by `use` and at the start of a prompt: options cannot make confirmation laxer than this.
    own: Selected,
}

/// The state before the options of a command were applied to nested lines.
pub(super) struct SavedState {
    paths: Paths,
    choices: SelectionLayers,
    previous: SelectionLayers,
    globals: Globals,
}

impl Session {
    /// A session without a selection.
    #[must_use]
    pub fn new(paths: Paths, host: Box<dyn Host>) -> Self {
        Self {
            paths,
            host,
            settings: Settings::default(),
            mode: SessionMode::Batch,
            called_as: "tetra".to_owned(),
            globals: Globals::default(),
            last_code: 0,
            last_duration: Duration::ZERO,
            consent: Consent::None,
            processes: SharedOverview::default(),
            answers: Answers::default(),
            choices: SelectionLayers::default(),
            previous: SelectionLayers::default(),
            previous_directory: None,
            tour: None,
            running_line: None,
            unwritten_lines: UnwrittenLines::default(),
            last_names: Vec::new(),
            unused_change: None,
            has_misread: false,
            has_begun: false,
            depth: 0,
        }
    }

    /// Applies the global options of the start to every command of the session.
    pub fn apply_globals(&mut self, globals: Globals) {
        if let Some(dir) = &globals.dir {
            self.paths = self.paths.with_home(self.host.cwd().join(dir));
        }
        let chosen = &mut self.choices.effective;
        chosen.org = globals.org.clone().or(chosen.org.take());
        chosen.env = globals.env.clone().or(chosen.env.take());
        self.globals = globals;
    }

    /// Changes a setting.
    pub fn set(&mut self, key: String, value: String) {
        self.settings.values.insert(key, value);
        self.hand_on_readonly();
    }

    /// Completes the settings by those of `config.toml`: what was set at the start counts.
    pub(super) fn complete_settings(&mut self, of_file: Settings) {
        let given = std::mem::replace(&mut self.settings, of_file);
        self.settings.values.extend(given.values);
        self.settings.aliases.extend(given.aliases);
        self.settings.abbreviations.extend(given.abbreviations);
        self.hand_on_readonly();
    }

    /// Makes the session read-only if the program that started this one is, or the operator's shell says so.
    pub fn inherit_readonly(&mut self) {
        if self.host.is_switched_on(READONLY) {
            self.set("readonly".to_owned(), "on".to_owned());
        }
    }

    /// Has the programs that are started from here be read-only as this session is: they may be this program again.
    fn hand_on_readonly(&mut self) {
        let is_readonly = self.settings.is_on("readonly");
        self.host.hand_on(READONLY, is_readonly.then_some("1"));
    }

    /// Has the programs that are started from here act where the prompt is: they may be this program again, and ask then what it
    /// would ask here. A script's selection is its own: a program that it starts is guarded by what was set outside of it.
    fn hand_on_selection(&mut self) {
        if self.mode != SessionMode::Interactive {
            return;
        }
        let Selected { org, env, .. } = &self.choices.own;
        for (name, chosen) in [(ORG, org.as_ref().map(OrgName::as_str)), (ENV, env.as_ref().map(EnvName::as_str))] {
            let value = chosen.or_else(|| self.host.variable(name)).map(str::to_owned);
            self.host.hand_on(name, value.as_deref());
        }
    }

    /// Runs something that starts programs of the operator, which are read-only also where the environment of this session is.
    pub(super) fn with_programs<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        let is_readonly =
            |it: &Selection| it.environment().is_some_and(|env| environments::is_readonly(&self.paths, &env));
        let by_environment =
            !self.settings.is_on("readonly") && self.guarded().is_ok_and(|all| all.iter().any(is_readonly));
        if by_environment {
            self.host.hand_on(READONLY, Some(READONLY_BY_ENVIRONMENT));
        }
        self.hand_on_selection();
        let result = run(self);
        if by_environment {
            self.hand_on_readonly();
        }
        result
    }

    /// Switches to the prompt: the selection by options of the start, which the prompt shows, becomes the session's own.
    pub(super) fn start_prompt(&mut self) {
        self.mode = SessionMode::Interactive;
        self.choices.own = self.choices.effective.clone();
    }

    /// Applies the options of a command that runs other lines to these, until [`Session::pop_globals`].
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

    /// Restores the state before [`Session::push_globals`]. Selections by those lines are dropped.
    pub(super) fn pop_globals(&mut self, before: Option<SavedState>) {
        if let Some(SavedState { paths, choices, previous: before, globals }) = before {
            (self.paths, self.choices, self.previous, self.globals) = (paths, choices, before, globals);
        }
    }

    /// The default selection of commands: the session's, the variables, the saved context, the only one that exists.
    ///
    /// # Errors
    ///
    /// Fails if a variable is not a valid name, or the saved context cannot be read.
    pub fn selection(&self) -> Result<Selection, Fault> {
        context::selection(&self.paths, &*self.host, self.choices.effective.clone())
    }

    /// The organization and environment that options of the start and `use` selected; none for what comes from elsewhere.
    #[must_use]
    pub(super) fn chosen(&self) -> (Option<&OrgName>, Option<&EnvName>) {
        (self.choices.effective.org.as_ref(), self.choices.effective.env.as_ref())
    }

    /// The selections without command line options: confirmation is never laxer than for each of these. One is the session's own.
    /// Outside a prompt another is that of the variables and of the saved context: no prompt shows a `use` in a line or a
    /// script, so it does not replace what was set for them.
    ///
    /// # Errors
    ///
    /// As [`Session::selection`].
    pub fn guarded(&self) -> Result<Vec<Selection>, Fault> {
        let own = self.choices.own.clone();
        let surroundings = (self.mode == SessionMode::Batch && own != Selected::default()).then(Selected::default);
        let all = [Some(own), surroundings].into_iter().flatten();
        all.map(|selected| context::selection(&self.paths, &*self.host, selected)).collect()
    }

    /// The selection of one command with its own options.
    ///
    /// # Errors
    ///
    /// As [`Session::selection`].
    pub fn selection_with(&self, paths: &Paths, globals: &Globals) -> Result<Selection, Fault> {
        let mut chosen = self.choices.effective.clone();
        if globals.org.is_some() && globals.org != chosen.org {
            // An environment belongs to the organization it was selected in.
            chosen = Selected { org: globals.org.clone(), ..Selected::default() };
        }
        chosen.env = globals.env.clone().or(chosen.env);
        context::selection(paths, &*self.host, chosen)
    }

    /// Changes the selection; the process is cleared with the organization or environment it was selected in.
    pub fn change_selection(&mut self, choice: SelectionChange) {
        let before = self.choices.clone();
        self.choices.own.apply(&choice);
        self.choices.effective.apply(&choice);
        if self.choices.effective != before.effective {
            self.previous = before;
        }
    }

    /// Changes the working directory; to the one before if none is given.
    ///
    /// # Errors
    ///
    /// Fails if there is none before, or it cannot be entered.
    pub(super) fn change_directory(&mut self, to: Option<PathBuf>) -> Result<(), Fault> {
        let Some(to) = to.or_else(|| self.previous_directory.clone()) else {
            return Err(Fault::usage("this session has not changed its directory yet"));
        };
        let from = self.host.cwd().to_owned();
        self.host.set_cwd(&to).map_err(|error| {
            let kind = match error.kind() {
                ErrorKind::NotFound => FaultKind::NotFound,
                _ => FaultKind::Failed,
            };
            Fault::new(kind, format!("failed to enter `{}`: {error}", to.display()))
        })?;
        self.previous_directory = Some(from);
        Ok(())
    }

    /// The theme of the output and of the prompt.
    pub(super) fn theme(&self) -> Theme {
        Theme::of(self.settings.get("theme"))
    }

    /// Resets the nesting depth after a panic.
    pub(super) fn reset_depth(&mut self) {
        self.depth = 0;
    }

    /// Returns to the selection before the last change.
    pub fn select_previous(&mut self) {
        std::mem::swap(&mut self.choices, &mut self.previous);
    }
}
