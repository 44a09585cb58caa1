//! The full-screen view: refresh, draw, keys.
//!
//! Only changed cells are written to the terminal, which keeps it usable over a slow connection. The action of a key is a line
//! like any other: it runs on the normal screen, where it asks for confirmation in every environment, and its output can be read.
//! What is typed before there is a view and what is pasted are not keys. The terminal is restored however the view ends.

mod draw;

use std::io::{self, Stdout, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{cursor, execute, terminal};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::outcome::LineOutcome;
use super::panics;
use super::session::{Consent, Session, SessionMode};
use super::terminal::{colors, is_dumb, unusable};
use crate::base::fault::{Fault, FaultKind};
use crate::report::Console;
use crate::report::screen::{Screen, ScreenSnapshot};
use crate::report::theme::Theme;
use crate::sys::key_input::{AttachedKeys, KeyDelivery, KeyInput};
use crate::sys::sigcont::{self, TerminalRestore, TerminalRestoreGuard};
use crate::sys::{poll, signal, tty};
use draw::MonitorView;

/// The longest wait: a change of the size that comes just before a wait is seen after it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Changes within this time are shown together.
const CHANGE_DELAY: Duration = Duration::from_millis(100);

/// Runs a line.
pub type LineRunner<'a> = &'a mut dyn FnMut(&mut Session, &mut dyn Console, &str) -> LineOutcome;

/// Shows a screen until the operator quits or a signal ends the program.
///
/// # Errors
///
/// Fails if the terminal cannot be used or the source of the view fails.
pub fn show(session: &mut Session, console: &mut dyn Console, screen: Screen, run: LineRunner) -> Result<(), Fault> {
    if is_dumb(session) {
        return Err(Fault::new(FaultKind::Failed, "this terminal does not support a full-screen view (TERM=dumb)")
            .with_advice("`tsm monitor --once` prints the current state"));
    }
    let modes = tty::TerminalModes::current().map_err(unusable)?;
    // The prompt has its own watch.
    let watch =
        (session.mode != SessionMode::Interactive).then(|| tty::watch_hangup(modes, Arc::new(AtomicBool::new(false))));
    let _watch = watch.transpose().map_err(unusable)?;
    let mut stage = AlternateScreen::new(modes).map_err(unusable)?;
    let view = MonitorView::with_theme(if colors(session) { session.theme() } else { Theme::Mono });
    let mut showing = MonitorState { screen, view, next_refresh: Instant::now() };
    let shown = panics::catch(|| showing.event_loop(session, console, &mut stage, run)).unwrap_or_else(Err);
    stage.leave();
    shown
}

/// The state of the view.
struct MonitorState {
    screen: Screen,
    view: MonitorView,
    /// The time of the next refresh.
    next_refresh: Instant,
}

/// The action of a key.
#[derive(Debug, PartialEq, Eq)]
enum UserAction {
    Idle,
    Redraw,
    Refresh,
    RunLine(String),
    Exit,
}

impl MonitorState {
    fn event_loop(
        &mut self,
        session: &mut Session,
        console: &mut dyn Console,
        stage: &mut AlternateScreen,
        run: LineRunner,
    ) -> Result<(), Fault> {
        stage.enter().map_err(unusable)?;
        let (mut stale, mut is_new) = (true, true);
        while signal::termination_signal().is_none() {
            if self.next_refresh <= Instant::now() {
                self.refresh(session)?;
                stale = true;
            }
            if std::mem::take(&mut is_new) {
                // It was typed when there was no process to see that it could be meant for.
                drop_typed();
            }
            if std::mem::take(&mut stale) {
                stage.draw(&mut self.view).map_err(unusable)?;
            }
            match self.next_action()? {
                UserAction::Idle => {}
                UserAction::Redraw => stage.redraw(&mut self.view).map_err(unusable)?,
                UserAction::Refresh => self.next_refresh = Instant::now(),
                UserAction::Exit => return Ok(()),
                UserAction::RunLine(line) => {
                    stage.leave();
                    run_action(session, console, &line, run);
                    stage.enter().map_err(unusable)?;
                    (self.next_refresh, is_new) = (Instant::now(), true);
                }
            }
        }
        Ok(())
    }

    fn refresh(&mut self, session: &Session) -> Result<(), Fault> {
        let chosen = self.view.selected().map(str::to_owned);
        let now = session.host.now();
        let ScreenSnapshot { table, lines } =
            self.screen.source.snapshot(now, chosen.as_deref(), self.view.log_lines())?;
        let first = chosen.is_none();
        self.view.update(table, lines);
        let missing = first && self.view.selected().is_some();
        // The log of the selected process is read by the next refresh.
        self.next_refresh = if missing { Instant::now() } else { Instant::now() + self.screen.interval };
        Ok(())
    }

    /// The action of the next key or resize; waits until something else is due if there is none.
    fn next_action(&mut self) -> Result<UserAction, Fault> {
        if sigcont::take_redraw_request() {
            return Ok(UserAction::Redraw);
        }
        let interrupted = |error: &io::Error| error.kind() == io::ErrorKind::Interrupted;
        match event::poll(Duration::ZERO) {
            Ok(false) => {
                self.wait();
                return Ok(UserAction::Idle);
            }
            Err(error) if interrupted(&error) => return Ok(UserAction::Idle),
            Err(_) if tty::is_hung_up() => {
                signal::mark_hangup();
                return Ok(UserAction::Exit);
            }
            ready => ready.map_err(unusable)?,
        };
        match event::read().map_err(unusable)? {
            Event::Key(key) if key.kind != KeyEventKind::Release => Ok(self.handle_key(key)),
            Event::Resize(..) => Ok(UserAction::Redraw),
            Event::Paste(text) if self.view.is_filtering() => {
                text.chars()
                    .filter(|letter| !letter.is_control())
                    .for_each(|letter| self.view.push_filter_char(letter));
                Ok(UserAction::Refresh)
            }
            _ => Ok(UserAction::Idle),
        }
    }

    /// Waits for a key, a signal, a change or the next refresh.
    fn wait(&mut self) {
        let left = self.next_refresh.saturating_duration_since(Instant::now());
        let stdin = io::stdin();
        let mut fds = vec![stdin.as_fd()];
        fds.extend(signal::termination_fd());
        let changes = fds.len();
        fds.extend(self.screen.source.changes());
        let ready = poll::wait_any(&fds, left.min(LONGEST_WAIT));
        if ready.get(changes) == Some(&true) {
            self.screen.source.forget_changes();
            self.next_refresh = self.next_refresh.min(Instant::now() + CHANGE_DELAY);
        }
        if ready.first() == Some(&true) && tty::is_hung_up() {
            signal::mark_hangup();
        }
    }

    fn handle_key(&mut self, key: KeyEvent) -> UserAction {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if matches!(key.code, KeyCode::Char('c' | 'd')) { UserAction::Exit } else { UserAction::Idle };
        }
        if self.view.is_filtering() {
            match key.code {
                KeyCode::Char(letter) => self.view.push_filter_char(letter),
                KeyCode::Backspace => self.view.pop_filter_char(),
                KeyCode::Enter => self.view.finish_filter(),
                KeyCode::Esc => self.view.clear_filter(),
                _ => {}
            }
            return UserAction::Refresh;
        }
        match key.code {
            KeyCode::Char('q') => return UserAction::Exit,
            KeyCode::Up | KeyCode::Char('k') => self.view.move_selection(-1),
            KeyCode::Down | KeyCode::Char('j') => self.view.move_selection(1),
            KeyCode::PageUp => self.view.move_selection(-10),
            KeyCode::PageDown => self.view.move_selection(10),
            KeyCode::Enter | KeyCode::Char('l') => self.view.toggle_log(),
            KeyCode::Char('/') => self.view.start_filter(),
            KeyCode::Esc => self.view.clear_filter(),
            KeyCode::Char(letter @ ('r' | 's')) => {
                let verb = if letter == 'r' { "restart" } else { "stop" };
                return self
                    .view
                    .selected()
                    .map_or(UserAction::Idle, |name| UserAction::RunLine(format!("tsm {verb} {name}")));
            }
            _ => return UserAction::Idle,
        }
        UserAction::Refresh
    }
}

/// Keys that are dropped at a time, at most: a program may write without end.
const MAX_DROPPED: usize = 1 << 16;

/// Drops the keys that came so far. The size is looked at whenever something is drawn.
fn drop_typed() {
    let is_there = || event::poll(Duration::ZERO).is_ok_and(|is_there| is_there) && event::read().is_ok();
    (0..MAX_DROPPED).take_while(|_| is_there()).for_each(drop);
}

/// Runs a line on the normal screen, which asks in every environment: one key may be a slip. After a failure it waits for Enter, so
/// that the message can be read.
fn run_action(session: &mut Session, console: &mut dyn Console, line: &str, run: LineRunner) {
    console.note(line);
    let consent = session.consent;
    if consent == Consent::None {
        session.consent = Consent::Never;
    }
    let outcome = run(session, console, line);
    session.consent = consent;
    if outcome.code != 0 && signal::termination_signal().is_none() {
        // Clears the Ctrl-C that ended the line.
        signal::reset();
        console.note("press Enter to return to the monitor");
        let _ = tty::read_line();
    }
    signal::reset();
}

/// The terminal, in full-screen mode or not.
struct AlternateScreen {
    modes: tty::TerminalModes,
    /// The terminal modes of the view.
    need: &'static TerminalRestore,
    /// Held while the view is shown.
    needed: Option<TerminalRestoreGuard>,
    input: &'static KeyInput,
    /// Held while the view is shown.
    keys: Option<AttachedKeys>,
    terminal: Option<Terminal<CrosstermBackend<Stdout>>>,
}

/// Enters the alternate screen, hides the cursor and has pasted text marked.
const ENTER_SEQUENCE: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h";

impl AlternateScreen {
    fn new(modes: tty::TerminalModes) -> io::Result<Self> {
        let input = KeyInput::of_stdin()?;
        let need = TerminalRestore::new(input.terminal(), modes.to_raw(), ENTER_SEQUENCE);
        Ok(Self { modes, need, needed: None, input, keys: None, terminal: None })
    }

    fn enter(&mut self) -> io::Result<()> {
        self.needed = Some(self.need.install()?);
        self.input.drop_typed();
        self.keys = Some(self.input.attach(self.modes, KeyDelivery::Keys)?);
        terminal::enable_raw_mode()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        // From here on there is something to restore.
        self.terminal = Some(terminal?);
        // Cleared here: ratatui would query the cursor position, and not every terminal answers.
        let clear = terminal::Clear(terminal::ClearType::All);
        execute!(io::stdout(), terminal::EnterAlternateScreen, clear, cursor::Hide, event::EnableBracketedPaste)
    }

    /// Redraws everything: something else may have been written to the screen.
    fn redraw(&mut self, view: &mut MonitorView) -> io::Result<()> {
        execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))?;
        self.terminal = Some(Terminal::new(CrosstermBackend::new(io::stdout()))?);
        self.draw(view)
    }

    fn draw(&mut self, view: &mut MonitorView) -> io::Result<()> {
        if let Some(terminal) = &mut self.terminal {
            terminal.draw(|frame| view.draw(frame))?;
        }
        Ok(())
    }

    fn leave(&mut self) {
        if self.terminal.take().is_some() {
            // Ignored: the terminal may be gone.
            let _ = execute!(io::stdout(), event::DisableBracketedPaste, terminal::LeaveAlternateScreen, cursor::Show);
            let _ = io::stdout().flush();
        }
        self.needed = None;
        let _ = terminal::disable_raw_mode();
        self.keys = None;
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        if self.terminal.is_some() {
            self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::report::Table;
    use crate::report::screen::ScreenSource;

    struct Two;

    impl ScreenSource for Two {
        fn snapshot(&mut self, _: Timestamp, _: Option<&str>, _: usize) -> Result<ScreenSnapshot, Fault> {
            let mut table = Table::new(&[("name", "NAME")]);
            table.row(vec!["api".into()]);
            table.row(vec!["web".into()]);
            Ok(ScreenSnapshot { table, lines: Vec::new() })
        }
    }

    fn showing() -> MonitorState {
        let mut showing = MonitorState {
            screen: Screen { interval: Duration::from_secs(1), source: Box::new(Two) },
            view: MonitorView::default(),
            next_refresh: Instant::now(),
        };
        let ScreenSnapshot { table, lines } = showing.screen.source.snapshot(Timestamp(0), None, 0).expect("a picture");
        showing.view.update(table, lines);
        showing
    }

    fn press(showing: &mut MonitorState, code: KeyCode) -> UserAction {
        showing.handle_key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_act_on_the_chosen_process() {
        let mut showing = showing();
        assert_eq!(press(&mut showing, KeyCode::Char('r')), UserAction::RunLine("tsm restart api".to_owned()));
        assert_eq!(press(&mut showing, KeyCode::Down), UserAction::Refresh);
        assert_eq!(press(&mut showing, KeyCode::Char('s')), UserAction::RunLine("tsm stop web".to_owned()));
        assert_eq!(press(&mut showing, KeyCode::Char('q')), UserAction::Exit);
        assert_eq!(showing.handle_key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), UserAction::Exit);
    }

    #[test]
    fn while_a_filter_is_typed_letters_are_letters() {
        let mut showing = showing();
        press(&mut showing, KeyCode::Char('/'));
        for letter in ['w', 'q'] {
            assert_eq!(press(&mut showing, KeyCode::Char(letter)), UserAction::Refresh);
        }
        assert_eq!(press(&mut showing, KeyCode::Backspace), UserAction::Refresh);
        press(&mut showing, KeyCode::Enter);
        assert_eq!(press(&mut showing, KeyCode::Char('s')), UserAction::RunLine("tsm stop web".to_owned()));
        press(&mut showing, KeyCode::Esc);
        press(&mut showing, KeyCode::Up);
        assert_eq!(press(&mut showing, KeyCode::Char('s')), UserAction::RunLine("tsm stop api".to_owned()));
    }
}
