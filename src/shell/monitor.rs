//! A full-screen view: looked at, drawn, led by keys.
//!
//! Only what changed is written to the terminal, which keeps it usable over a slow line. What a key asks for is a line like any
//! other: it is run on the ordinary screen, where the guard may ask and its words can be read. Whatever ends the view, the
//! terminal is left as it was found.

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

use super::eval::Outcome;
use super::session::{Manner, Session};
use super::{mistake, plain};
use crate::base::fault::{Fault, Kind};
use crate::report::Console;
use crate::report::screen::{Picture, Screen};
use crate::sys::continued::{self, Need, Needed};
use crate::sys::{signal, tty};
use draw::View;

/// The longest wait for a key; then it is looked whether the program was asked to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs a line of the operator's.
pub type Run<'a> = &'a mut dyn FnMut(&mut Session, &mut dyn Console, &str) -> Outcome;

/// Shows a screen until the operator leaves it, or the program is asked to end.
///
/// # Errors
///
/// Fails if the terminal cannot be used, or there is nothing to be seen any more.
pub fn show(session: &mut Session, console: &mut dyn Console, screen: Screen, run: Run) -> Result<(), Fault> {
    if plain::is_dumb(session) {
        return Err(Fault::new(Kind::Failed, "this terminal cannot show a full screen")
            .advise("`tsm monitor --once` prints what is to be seen now"));
    }
    let modes = tty::Modes::now().map_err(unusable)?;
    // The prompt has a watch of its own.
    let watch = (session.manner != Manner::Prompt).then(|| tty::watch(modes, Arc::new(AtomicBool::new(false))));
    let _watch = watch.transpose().map_err(unusable)?;
    let mut stage = Stage::new(modes);
    let mut showing = Showing { screen, view: View::default(), due: Instant::now() };
    let shown = mistake::catch(|| showing.lead(session, console, &mut stage, run)).unwrap_or_else(Err);
    stage.leave();
    shown
}

fn unusable(error: io::Error) -> Fault {
    Fault::new(Kind::Failed, format!("failed to use the terminal: {error}"))
}

/// A screen that is being shown.
struct Showing {
    screen: Screen,
    view: View,
    /// When it is looked at again.
    due: Instant,
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Nothing,
    Renew,
    Look,
    Line(String),
    Leave,
}

impl Showing {
    fn lead(
        &mut self,
        session: &mut Session,
        console: &mut dyn Console,
        stage: &mut Stage,
        run: Run,
    ) -> Result<(), Fault> {
        stage.enter().map_err(unusable)?;
        let mut stale = true;
        while signal::ended().is_none() {
            if self.due <= Instant::now() {
                self.look(session)?;
                stale = true;
            }
            if std::mem::take(&mut stale) {
                stage.draw(&mut self.view).map_err(unusable)?;
            }
            match self.wait()? {
                Wish::Nothing => {}
                Wish::Renew => stage.renew(&mut self.view).map_err(unusable)?,
                Wish::Look => self.due = Instant::now(),
                Wish::Leave => return Ok(()),
                Wish::Line(line) => {
                    stage.leave();
                    act(session, console, &line, run);
                    stage.enter().map_err(unusable)?;
                    self.due = Instant::now();
                }
            }
        }
        Ok(())
    }

    fn look(&mut self, session: &Session) -> Result<(), Fault> {
        let chosen = self.view.chosen().map(str::to_owned);
        let now = session.host.now();
        let Picture { table, lines } = self.screen.scene.look(now, chosen.as_deref(), self.view.log_lines())?;
        let first = chosen.is_none();
        self.view.update(table, lines);
        let missing = first && self.view.chosen().is_some();
        // The first look did not know yet whose lines are wanted.
        self.due = if missing { Instant::now() } else { Instant::now() + self.screen.every };
        Ok(())
    }

    /// Waits for a key, a new size or the next look.
    fn wait(&mut self) -> Result<Wish, Fault> {
        if continued::has_to_draw_anew() {
            return Ok(Wish::Renew);
        }
        let left = self.due.saturating_duration_since(Instant::now());
        let interrupted = |error: &io::Error| error.kind() == io::ErrorKind::Interrupted;
        match event::poll(left.min(LOOK_EVERY)) {
            Ok(false) => return Ok(Wish::Nothing),
            Err(error) if interrupted(&error) => return Ok(Wish::Nothing),
            Err(_) if tty::is_gone() => {
                signal::hang_up();
                return Ok(Wish::Leave);
            }
            ready => ready.map_err(unusable)?,
        };
        match event::read().map_err(unusable)? {
            Event::Key(key) if key.kind != KeyEventKind::Release => Ok(self.key(key)),
            Event::Resize(..) => Ok(Wish::Renew),
            _ => Ok(Wish::Nothing),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if matches!(key.code, KeyCode::Char('c' | 'd')) { Wish::Leave } else { Wish::Nothing };
        }
        if self.view.is_typing() {
            match key.code {
                KeyCode::Char(letter) => self.view.type_letter(letter),
                KeyCode::Backspace => self.view.erase_letter(),
                KeyCode::Enter => self.view.end_typing(),
                KeyCode::Esc => self.view.clear_filter(),
                _ => {}
            }
            return Wish::Look;
        }
        match key.code {
            KeyCode::Char('q') => return Wish::Leave,
            KeyCode::Up | KeyCode::Char('k') => self.view.go(-1),
            KeyCode::Down | KeyCode::Char('j') => self.view.go(1),
            KeyCode::PageUp => self.view.go(-10),
            KeyCode::PageDown => self.view.go(10),
            KeyCode::Enter | KeyCode::Char('l') => self.view.turn_log(),
            KeyCode::Char('/') => self.view.begin_typing(),
            KeyCode::Esc => self.view.clear_filter(),
            KeyCode::Char(letter @ ('r' | 's')) => {
                let verb = if letter == 'r' { "restart" } else { "stop" };
                return self.view.chosen().map_or(Wish::Nothing, |name| Wish::Line(format!("tsm {verb} {name}")));
            }
            _ => return Wish::Nothing,
        }
        Wish::Look
    }
}

/// Runs a line on the ordinary screen. What went wrong there has to be read before it is gone.
fn act(session: &mut Session, console: &mut dyn Console, line: &str, run: Run) {
    console.note(line);
    let outcome = run(session, console, line);
    if outcome.code != 0 && signal::ended().is_none() {
        // A Ctrl-C that ended the line is over.
        signal::begin();
        console.note("Enter goes back to the monitor");
        let _ = tty::read_line();
    }
    signal::begin();
}

/// The terminal, in full-screen mode or not.
struct Stage {
    modes: tty::Modes,
    /// What it needs while it shows something.
    need: &'static Need,
    /// As long as it does.
    needed: Option<Needed>,
    terminal: Option<Terminal<CrosstermBackend<Stdout>>>,
}

/// The other screen, without a cursor.
const SCREEN: &[u8] = b"\x1b[?1049h\x1b[?25l";

impl Stage {
    fn new(modes: tty::Modes) -> Self {
        let need = Need::new(io::stdin().as_fd(), &modes.of_an_editor(), SCREEN);
        Self { modes, need, needed: None, terminal: None }
    }

    fn enter(&mut self) -> io::Result<()> {
        terminal::enable_raw_mode()?;
        self.needed = Some(self.need.begin()?);
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        // From here on there is something to undo.
        self.terminal = Some(terminal?);
        // Cleared by hand: ratatui would ask where the cursor is, and not every terminal answers.
        let clear = terminal::Clear(terminal::ClearType::All);
        execute!(io::stdout(), terminal::EnterAlternateScreen, clear, cursor::Hide)
    }

    /// Draws everything anew: something else may have been on the screen.
    fn renew(&mut self, view: &mut View) -> io::Result<()> {
        execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))?;
        self.terminal = Some(Terminal::new(CrosstermBackend::new(io::stdout()))?);
        self.draw(view)
    }

    fn draw(&mut self, view: &mut View) -> io::Result<()> {
        if let Some(terminal) = &mut self.terminal {
            terminal.draw(|frame| view.draw(frame))?;
        }
        Ok(())
    }

    fn leave(&mut self) {
        if self.terminal.take().is_some() {
            // A terminal that is gone needs none of it.
            let _ = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
            let _ = io::stdout().flush();
        }
        self.needed = None;
        let _ = terminal::disable_raw_mode();
        self.modes.set();
    }
}

impl Drop for Stage {
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
    use crate::report::screen::Scene;

    struct Two;

    impl Scene for Two {
        fn look(&mut self, _: Timestamp, _: Option<&str>, _: usize) -> Result<Picture, Fault> {
            let mut table = Table::new(&[("name", "NAME")]);
            table.row(vec!["api".into()]);
            table.row(vec!["web".into()]);
            Ok(Picture { table, lines: Vec::new() })
        }
    }

    fn showing() -> Showing {
        let mut showing = Showing {
            screen: Screen { every: Duration::from_secs(1), scene: Box::new(Two) },
            view: View::default(),
            due: Instant::now(),
        };
        let Picture { table, lines } = showing.screen.scene.look(Timestamp(0), None, 0).expect("a picture");
        showing.view.update(table, lines);
        showing
    }

    fn press(showing: &mut Showing, code: KeyCode) -> Wish {
        showing.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_act_on_the_chosen_process() {
        let mut showing = showing();
        assert_eq!(press(&mut showing, KeyCode::Char('r')), Wish::Line("tsm restart api".to_owned()));
        assert_eq!(press(&mut showing, KeyCode::Down), Wish::Look);
        assert_eq!(press(&mut showing, KeyCode::Char('s')), Wish::Line("tsm stop web".to_owned()));
        assert_eq!(press(&mut showing, KeyCode::Char('q')), Wish::Leave);
        assert_eq!(showing.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Wish::Leave);
    }

    #[test]
    fn while_a_filter_is_typed_letters_are_letters() {
        let mut showing = showing();
        press(&mut showing, KeyCode::Char('/'));
        for letter in ['w', 'q'] {
            assert_eq!(press(&mut showing, KeyCode::Char(letter)), Wish::Look);
        }
        assert_eq!(press(&mut showing, KeyCode::Backspace), Wish::Look);
        press(&mut showing, KeyCode::Enter);
        assert_eq!(press(&mut showing, KeyCode::Char('s')), Wish::Line("tsm stop web".to_owned()));
        press(&mut showing, KeyCode::Esc);
        press(&mut showing, KeyCode::Up);
        assert_eq!(press(&mut showing, KeyCode::Char('s')), Wish::Line("tsm stop api".to_owned()));
    }
}
