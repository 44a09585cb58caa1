//! The text of the prompt, which always shows the active context.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::{Duration, Instant};

use nu_ansi_term::Color;
use reedline::{Prompt, PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, PromptViMode};

use super::overview::SharedOverview;
use super::paint;
use super::session::{Consent, Session};
use super::terminal;
use crate::base::columns;
use crate::base::environment::Tier;
use crate::base::fault::Fault;
use crate::base::time::HumanDuration;
use crate::command::Selection;
use crate::ops::environments;
use crate::report::theme::{Role, Theme};
use crate::report::{Console, Tone};

/// A command that took longer is followed by its duration.
const LONG_COMMAND: Duration = Duration::from_secs(10);

/// What follows the prompt.
const INDICATOR: &str = "> ";

/// A name is not shortened further than to this.
const SHORTEST_NAME: usize = 7;

/// What is shortened where a row is too narrow for everything, in this order.
#[derive(Debug, Clone, Copy)]
struct Brevity {
    /// The state of the process is a sign if it has failed, and left out otherwise.
    state: bool,
    /// The words for what is not as usual.
    modes: bool,
    /// The columns of the process.
    process: usize,
    /// The columns of the organization.
    org: usize,
}

impl Default for Brevity {
    fn default() -> Self {
        Self { state: false, modes: false, process: usize::MAX, org: usize::MAX }
    }
}

/// A name of so many columns: its beginning and its end, which often is a port.
fn without_middle(name: &str, most: usize) -> Cow<'_, str> {
    if name.len() <= most || !name.is_ascii() {
        return name.into();
    }
    let begin = most.saturating_sub(1) / 2;
    let end = name.len() - (most.saturating_sub(1) - begin);
    format!("{}…{}", &name[..begin], &name[end..]).into()
}

/// The state that the prompt shows. Built for every line: nothing is looked up while drawing.
#[derive(Debug, Clone)]
pub struct ContextPrompt {
    /// The active selection.
    pub selection: Selection,
    /// The tier of the environment, if known.
    pub tier: Option<Tier>,
    /// The exit code of the last line.
    pub code: u8,
    /// How long the last line ran.
    pub took: Duration,
    /// Changes are refused.
    pub is_readonly: bool,
    /// No line is kept in the history.
    pub is_private: bool,
    /// Changes are not asked about.
    pub asks_nothing: bool,
    /// The processes.
    pub processes: SharedOverview,
    /// It shrinks when its line is run.
    pub shrinks: bool,
    /// The theme.
    pub theme: Theme,
    /// Whether colors are used.
    pub colors: bool,
    /// The columns of the terminal, in one row of which it should fit; 0: it is not shortened.
    pub columns: usize,
    /// The time of the first draw.
    pub first_drawn: OnceCell<Instant>,
}

/// Shows a fault as a warning.
pub(super) fn warn(console: &mut dyn Console, fault: &Fault) {
    let location = fault.at.as_ref().map(|location| format!("{location}: ")).unwrap_or_default();
    let advice = fault.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
    console.note(&format!("warning: {location}{fault}{advice}"));
}

impl ContextPrompt {
    /// The prompt of a session. A context that cannot be read is a warning and shown as none.
    pub(super) fn of(session: &Session, console: &mut dyn Console) -> Self {
        let selection = session.selection().unwrap_or_else(|fault| {
            warn(console, &fault);
            Selection::default()
        });
        let tier = selection.environment().map(|it| environments::tier(&session.paths, &it));
        let is_readonly = || selection.environment().is_some_and(|it| environments::is_readonly(&session.paths, &it));
        Self {
            is_readonly: session.settings.is_on("readonly") || is_readonly(),
            selection,
            code: session.last_code,
            took: session.last_duration,
            is_private: session.settings.is_on("private"),
            asks_nothing: session.consent == Consent::BelowProduction && tier != Some(Tier::Prod),
            processes: session.processes.clone(),
            shrinks: session.settings.is_on("transient-prompt"),
            theme: session.theme(),
            colors: terminal::colors(session),
            columns: console.width(),
            tier,
            first_drawn: OnceCell::new(),
        }
    }

    /// The prompt as plain text, for the plain line loop.
    #[must_use]
    pub fn plain(&self) -> String {
        let plain = Self { colors: false, ..self.clone() };
        format!("{}> ", plain.context())
    }

    /// The columns that the prompt takes.
    pub(super) fn width(&self) -> usize {
        columns::width(&self.plain())
    }

    /// Where a command would act, for the title of the window.
    pub(super) fn title(&self) -> String {
        let plain =
            Self { colors: false, code: 0, took: Duration::ZERO, processes: SharedOverview::default(), ..self.clone() };
        plain.whole()
    }

    /// What is left of the prompt when its line is run: from staging on everything, so that what is scrolled back to says where a
    /// command acted.
    pub(super) fn after_enter(&self) -> Box<dyn Prompt> {
        if self.shrinks && !matches!(self.tier, Some(Tier::Staging | Tier::Prod)) {
            Box::new(Shrunk)
        } else {
            Box::new(self.clone())
        }
    }

    /// The whole of it, or as much as fits into a row with a few columns for what is typed. The environment is always whole.
    fn context(&self) -> String {
        if self.columns == 0 {
            return self.whole();
        }
        let most = self.columns.saturating_sub(self.columns / 8 + INDICATOR.len());
        let plain = Self { colors: false, ..self.clone() };
        let excess = |brevity: Brevity| columns::width(&plain.shortened(brevity)).saturating_sub(most);
        let mut brevity = Brevity::default();
        if excess(brevity) > 0 {
            brevity.state = true;
        }
        if excess(brevity) > 0 {
            brevity.modes = true;
        }
        let length = |name: Option<&str>| name.map_or(0, str::len);
        let process = length(self.selection.process.as_ref().map(|it| it.as_str()));
        brevity.process = process.saturating_sub(excess(brevity)).max(SHORTEST_NAME);
        let org = length(self.selection.org.as_ref().map(|it| it.as_str()));
        brevity.org = org.saturating_sub(excess(brevity)).max(SHORTEST_NAME);
        self.shortened(brevity)
    }

    fn whole(&self) -> String {
        self.shortened(Brevity::default())
    }

    /// `[1] 12s 3↑ 1✗ org/env/process(state) deploying frozen read-only private asks nothing`; an unselected part is `-`, an unselected process and all that is
    /// as usual is left out. `tetra` without any selection.
    fn shortened(&self, brevity: Brevity) -> String {
        let marks = [self.failure(), self.duration(), self.counts()].concat();
        let mark = |is: bool, text: &str| if is { self.styled(Role::Output(Tone::Warn), text) } else { String::new() };
        let (rollout, is_frozen) = self.deploys();
        let modes = [
            (rollout.is_some(), &*format!(" {}", rollout.unwrap_or_default())),
            (is_frozen, " frozen"),
            (self.is_readonly, if brevity.modes { " ro" } else { " read-only" }),
            (self.is_private, if brevity.modes { " priv" } else { " private" }),
            (self.asks_nothing, if brevity.modes { " -y" } else { " asks nothing" }),
        ];
        let modes: String = modes.iter().map(|(is, text)| mark(*is, text)).collect();
        if self.selection == Selection::default() {
            return format!("{marks}{}{modes}", self.styled(Role::Org, "tetra"));
        }
        let org = self.selection.org.as_ref().map_or("-", |org| org.as_str());
        let org = self.styled(Role::Org, &without_middle(org, brevity.org));
        format!("{marks}{org}/{}{}{modes}", self.environment(), self.process(brevity))
    }

    /// What is being deployed, and whether no deploy may begin.
    fn deploys(&self) -> (Option<String>, bool) {
        let (org, env) = (self.selection.org.as_ref(), self.selection.env.as_ref());
        self.processes.with(|all| (all.deploys.rollout(org, env), all.deploys.is_frozen(org)))
    }

    fn failure(&self) -> String {
        match self.code {
            0 => String::new(),
            code => self.styled(Role::Output(Tone::Bad), &format!("[{code}] ")),
        }
    }

    fn duration(&self) -> String {
        if self.took < LONG_COMMAND {
            return String::new();
        }
        let text = HumanDuration(Duration::from_secs(self.took.as_secs())).to_string();
        self.styled(Role::Hint, &format!("{text} "))
    }

    /// The processes of the active environment; of all, if none is active.
    fn counts(&self) -> String {
        let counts = self.processes.with(|all| all.counts(self.selection.environment().as_ref()));
        let count = |number: usize, sign: char, tone: Tone| match number {
            0 => String::new(),
            number => self.styled(Role::Output(tone), &format!("{number}{sign} ")),
        };
        count(counts.up, '↑', Tone::Good) + &count(counts.failed, '✗', Tone::Bad)
    }

    /// The selected process with its state.
    fn process(&self, brevity: Brevity) -> String {
        let Some(name) = &self.selection.process else { return String::new() };
        let state = self.processes.with(|all| all.state(name.as_str()));
        let state = state.map(|it| match (it.has_failed, brevity.state) {
            (true, true) => self.styled(Role::Output(Tone::Bad), "✗"),
            (false, true) => String::new(),
            (true, false) => self.styled(Role::Output(Tone::Bad), &format!("({})", it.state)),
            (false, false) => self.styled(Role::Hint, &format!("({})", it.state)),
        });
        let name = without_middle(name.as_str(), brevity.process);
        format!("/{}{}", self.styled(Role::Option, &name), state.unwrap_or_default())
    }

    /// Production is red and in upper case, so that it is visible without colors.
    fn environment(&self) -> String {
        let name = self.selection.env.as_ref().map_or("-", |env| env.as_str());
        match self.tier {
            Some(Tier::Prod) => {
                let text = if name == "prod" { "PROD".to_owned() } else { format!("{name}(PROD)") };
                self.styled(Role::Production, &text)
            }
            Some(Tier::Staging) => self.styled(Role::Staging, name),
            Some(Tier::Dev) => self.styled(Role::Environment, name),
            Some(Tier::Local) | None => name.to_owned(),
        }
    }

    fn styled(&self, role: Role, text: &str) -> String {
        if self.colors { paint::style(self.theme, role).paint(text).to_string() } else { text.to_owned() }
    }
}

impl Prompt for ContextPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        self.first_drawn.get_or_init(Instant::now);
        self.context().into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, mode: PromptEditMode) -> Cow<'_, str> {
        match mode {
            PromptEditMode::Vi(PromptViMode::Normal | PromptViMode::Visual) => "< ".into(),
            _ => INDICATOR.into(),
        }
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "... ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failed = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "no match for ",
        };
        format!("({failed}{}) ", search.term).into()
    }

    // The text contains its colors.
    fn get_prompt_color(&self) -> Color {
        Color::Default
    }

    fn get_prompt_multiline_color(&self) -> Color {
        Color::Default
    }

    fn get_prompt_right_color(&self) -> Color {
        Color::Default
    }

    fn get_indicator_color(&self) -> Color {
        Color::Default
    }
}

/// A prompt that has only its mark.
struct Shrunk;

impl Prompt for Shrunk {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "... ".into()
    }

    fn render_prompt_history_search_indicator(&self, _: PromptHistorySearch) -> Cow<'_, str> {
        "> ".into()
    }

    fn get_prompt_color(&self) -> Color {
        Color::Default
    }

    fn get_prompt_multiline_color(&self) -> Color {
        Color::Default
    }

    fn get_prompt_right_color(&self) -> Color {
        Color::Default
    }

    fn get_indicator_color(&self) -> Color {
        Color::Default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(org: Option<&str>, env: Option<&str>, rung: Option<Tier>) -> ContextPrompt {
        let selection = Selection {
            org: org.map(|name| name.parse().expect("a name")),
            env: env.map(|name| name.parse().expect("a name")),
            process: None,
        };
        ContextPrompt {
            selection,
            tier: rung,
            code: 0,
            took: Duration::ZERO,
            is_readonly: false,
            is_private: false,
            asks_nothing: false,
            processes: SharedOverview::default(),
            shrinks: true,
            theme: Theme::default(),
            colors: false,
            columns: 0,
            first_drawn: OnceCell::new(),
        }
    }

    #[test]
    fn it_fits_into_a_row_and_keeps_the_environment() {
        let mut acme = prompt(Some("acme"), Some("staging"), Some(Tier::Staging));
        acme.selection.process = Some("web-18411".parse().expect("a name"));
        (acme.code, acme.is_readonly, acme.is_private) = (1, true, true);
        let mut shown = |columns: usize, org: &str, process: &str| {
            acme.columns = columns;
            acme.selection.org = Some(org.parse().expect("a name"));
            acme.selection.process = Some(process.parse().expect("a name"));
            acme.plain()
        };
        assert_eq!(shown(100, "acme", "web-18411"), "[1] acme/staging/web-18411 read-only private> ");
        assert_eq!(shown(60, "acme", "web-18411"), "[1] acme/staging/web-18411 read-only private> ");
        assert_eq!(shown(45, "acme", "web-18411"), "[1] acme/staging/web-18411 ro priv> ");
        assert_eq!(shown(40, "acme", "web-18411"), "[1] acme/staging/web…8411 ro priv> ");
        assert_eq!(shown(40, "a-long-name-of-one", "the-web-of-shops-18411"), "[1] a-l…one/staging/the…411 ro priv> ");
        assert_eq!(shown(10, "acme", "web-18411"), "[1] acme/staging/web…411 ro priv> ");
        assert_eq!(acme.title(), "acme/staging/web-18411 read-only private");
        let mut prod = prompt(Some("acme"), Some("europe"), Some(Tier::Prod));
        prod.columns = 10;
        assert_eq!(prod.plain(), "acme/europe(PROD)> ");
        (prod.asks_nothing, prod.columns) = (true, 24);
        assert_eq!(prod.plain(), "acme/europe(PROD) -y> ");
    }

    #[test]
    fn says_where_a_command_would_act() {
        assert_eq!(prompt(None, None, None).plain(), "tetra> ");
        let mut acme = prompt(Some("acme"), Some("dev"), Some(Tier::Dev));
        assert_eq!(acme.plain(), "acme/dev> ");
        acme.selection.process = Some("api".parse().expect("a name"));
        acme.code = 130;
        assert_eq!(acme.plain(), "[130] acme/dev/api> ");
    }

    #[test]
    fn production_is_loud_with_and_without_colour() {
        let mut prod = prompt(Some("acme"), Some("prod"), Some(Tier::Prod));
        assert_eq!(prod.plain(), "acme/PROD> ");
        prod.colors = true;
        assert!(
            prod.render_prompt_left()
                .contains(&paint::style(Theme::Default, Role::Production).paint("PROD").to_string())
        );
        assert_eq!(prompt(Some("acme"), Some("eu"), Some(Tier::Prod)).plain(), "acme/eu(PROD)> ");
    }

    #[test]
    fn what_is_not_as_usual_is_marked() {
        let mut acme = prompt(Some("acme"), Some("dev"), Some(Tier::Dev));
        acme.took = LONG_COMMAND.checked_sub(Duration::from_millis(1)).expect("longer");
        assert_eq!(acme.plain(), "acme/dev> ");
        (acme.took, acme.is_readonly, acme.code) = (Duration::from_millis(75_400), true, 1);
        assert_eq!(acme.plain(), "[1] 1m 15s acme/dev read-only> ");
        acme.is_private = true;
        assert_eq!(acme.plain(), "[1] 1m 15s acme/dev read-only private> ");
        (acme.took, acme.code, acme.is_readonly, acme.asks_nothing) = (Duration::ZERO, 0, false, true);
        assert_eq!(acme.plain(), "acme/dev private asks nothing> ");
    }
}
