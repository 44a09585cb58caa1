//! Where each of several targets is: rows that are drawn again in place, or lines.

use serde_json::json;

use super::render;
use crate::base::columns;
use crate::report::TargetState;
use crate::report::value::to_jiff_timestamp;

/// The screen of a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgressScreen {
    /// Its width, in columns.
    pub width: usize,
    /// Its height, in rows.
    pub height: usize,
}

/// Rows on a terminal.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProgressRows {
    drawn: usize,
    /// They were taken away, and nothing was shown since.
    is_cleared: bool,
}

impl ProgressRows {
    /// Rows if there is a screen that has space for all of them, with the cursor below, else a line for what changed: rows that
    /// were scrolled away cannot be drawn again.
    pub(super) fn show(
        &mut self,
        targets: &[TargetState],
        changed: Option<&TargetState>,
        screen: Option<ProgressScreen>,
    ) -> String {
        match screen.filter(|screen| targets.len() < screen.height) {
            Some(screen) => self.redraw(&rows(targets, screen.width), screen.width),
            // The screen may have been larger before.
            None => self.erase() + &changed.map_or_else(String::new, line),
        }
    }

    /// A line in the place of the rows.
    pub(super) fn show_line(&mut self, text: &str, screen: ProgressScreen) -> String {
        self.redraw(&[render::line(text).trim_end().to_owned()], screen.width)
    }

    /// The rows, in the place of those before.
    fn redraw(&mut self, rows: &[String], width: usize) -> String {
        let mut out = self.erase();
        for row in rows {
            out += &columns::truncate(row, width.saturating_sub(1));
            out.push('\n');
        }
        self.drawn = rows.len();
        self.is_cleared = false;
        out
    }

    /// What takes the rows away. The cursor may be behind what the terminal showed of a key.
    pub(super) fn erase(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            drawn => {
                self.is_cleared = true;
                format!("\r\x1b[{drawn}A\x1b[J")
            }
        }
    }

    /// True once after the rows were taken away: the cursor is at the beginning of a line then.
    pub(super) fn take_cleared(&mut self) -> bool {
        std::mem::take(&mut self.is_cleared)
    }
}

/// Names below each other, and states. Of a state that is too long less is shown, and for how long it has been so.
fn rows(targets: &[TargetState], width: usize) -> Vec<String> {
    let names = targets.iter().map(|target| columns::width(&target.name)).max().unwrap_or_default();
    let row = |target: &TargetState| {
        let TargetState { name, state, .. } = target;
        let (pad, how_long) = (names - columns::width(name), how_long(target));
        let left = width.saturating_sub(names + GAP.len() + columns::width(&how_long) + 1);
        let (name, state) = (render::line(name), render::line(state));
        format!("{}{:pad$}{GAP}{}{how_long}", name.trim_end(), "", columns::truncate(state.trim_end(), left))
    };
    targets.iter().map(row).collect()
}

/// What is between the names and the states.
const GAP: &str = "  ";

fn line(target: &TargetState) -> String {
    render::line(&format!("{}: {}{}", target.name, target.state, how_long(target)))
}

fn how_long(target: &TargetState) -> String {
    match target.seconds {
        0 => String::new(),
        seconds => format!(" ({seconds} s)"),
    }
}

/// An object on a line for what changed.
pub(super) fn json(changed: Option<&TargetState>) -> String {
    let Some(TargetState { name, state, seconds, at }) = changed else { return String::new() };
    let time = to_jiff_timestamp(*at).unwrap_or_default().to_string();
    let mut object = json!({ "host": name, "state": state, "time": time });
    if *seconds > 0 {
        object["seconds"] = json!(seconds);
    }
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    fn state(name: &str, state: &str) -> TargetState {
        TargetState { state: state.to_owned(), ..TargetState::waiting(name, Timestamp(1_763_640_131_500)) }
    }

    #[test]
    fn rows_take_the_place_of_those_before() {
        let mut drawn = ProgressRows::default();
        assert_eq!(drawn.erase(), "");
        let two = [state("a", "waiting"), state("web", "x\x1b[2J")];
        assert_eq!(drawn.redraw(&rows(&two, 80), 80).lines().count(), 2);
        let again = drawn.redraw(&rows(&[state("a", "done"), state("web", "a long state")], 10), 10);
        assert!(again.starts_with("\r\x1b[2A\x1b[Ja    done\n"), "{again:?}");
        assert!(again.lines().all(|line| columns::width(line) < 20), "{again:?}");
        assert_eq!(drawn.erase(), "\r\x1b[2A\x1b[J");
        let long = TargetState { seconds: 15, ..state("web", "a state that is long") };
        assert_eq!(rows(std::slice::from_ref(&long), 24), ["web  a state th… (15 s)"]);
        assert!(columns::width(drawn.redraw(&rows(&[long], 8), 8).trim_end()) < 8);
        drawn.erase();
        let screen = ProgressScreen { width: 8, height: 24 };
        assert_eq!(drawn.show_line("built so far", screen).lines().count(), 1);
        assert_eq!(drawn.show_line("built", screen), "\r\x1b[1A\x1b[Jbuilt\n");
    }

    #[test]
    fn without_space_for_all_rows_there_is_a_line_for_what_changed() {
        let screen = |height: usize| Some(ProgressScreen { width: 80, height });
        let two = [state("a", "b"), state("web", "c")];
        let mut drawn = ProgressRows::default();
        assert_eq!(drawn.show(&two, Some(&two[1]), None), "web: c\n");
        assert_eq!(drawn.show(&two, Some(&two[1]), screen(3)), "a    b\nweb  c\n");
        // What was drawn goes before a line takes its place.
        assert_eq!(drawn.show(&two, Some(&two[1]), screen(2)), "\r\x1b[2A\x1b[Jweb: c\n");
        assert_eq!(drawn.show(&two, None, screen(2)), "");
        assert_eq!(drawn.show(&two, None, screen(3)), "a    b\nweb  c\n");
        let long = TargetState { seconds: 7, ..state("a", "b") };
        assert_eq!(ProgressRows::default().show(&two, Some(&long), None), "a: b (7 s)\n");
    }

    #[test]
    fn what_changed_is_an_object() {
        let object =
            |more: &str| format!("{{\"host\":\"a\",\"state\":\"b\",\"time\":\"2025-11-20T12:02:11.5Z\"{more}}}\n");
        assert_eq!(json(Some(&state("a", "b"))), object(""));
        assert_eq!(json(Some(&TargetState { seconds: 7, ..state("a", "b") })), object(",\"seconds\":7"));
        assert_eq!(json(None), "");
    }
}
