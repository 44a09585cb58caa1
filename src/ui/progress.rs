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
}

impl ProgressRows {
    /// Rows if there is a screen that has space for all of them, with the cursor below, else a line for what changed: rows that
    /// were scrolled away cannot be drawn again.
    pub(super) fn show(&mut self, targets: &[TargetState], changed: usize, screen: Option<ProgressScreen>) -> String {
        match screen.filter(|screen| targets.len() < screen.height) {
            Some(screen) => self.redraw(targets, screen.width),
            None => targets.get(changed).map_or_else(String::new, line),
        }
    }

    /// The rows, in the place of those before.
    fn redraw(&mut self, targets: &[TargetState], width: usize) -> String {
        let names = targets.iter().map(|target| columns::width(&target.name)).max().unwrap_or_default();
        let mut out = self.erase();
        for target in targets {
            let (name, state) = (&target.name, state(target));
            let pad = names - columns::width(name);
            let row = format!("{}{:pad$}  {}", render::line(name).trim_end(), "", render::line(&state).trim_end());
            out += &columns::truncate(&row, width.saturating_sub(1));
            out.push('\n');
        }
        self.drawn = targets.len();
        out
    }

    /// What takes the rows away.
    pub(super) fn erase(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A\x1b[J"),
        }
    }
}

fn line(target: &TargetState) -> String {
    render::line(&format!("{}: {}", target.name, state(target)))
}

fn state(target: &TargetState) -> String {
    match target.seconds {
        0 => target.state.clone(),
        seconds => format!("{} ({seconds} s)", target.state),
    }
}

/// An object on a line for what changed.
pub(super) fn json(targets: &[TargetState], changed: usize) -> String {
    let object = |TargetState { name, state, seconds, at }: &TargetState| {
        let time = to_jiff_timestamp(*at).unwrap_or_default().to_string();
        let mut object = json!({ "host": name, "state": state, "time": time });
        if *seconds > 0 {
            object["seconds"] = json!(seconds);
        }
        format!("{object}\n")
    };
    targets.get(changed).map_or_else(String::new, object)
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
        let mut rows = ProgressRows::default();
        let object =
            |more: &str| format!("{{\"host\":\"a\",\"state\":\"b\",\"time\":\"2025-11-20T12:02:11.5Z\"{more}}}\n");
        assert_eq!(rows.erase(), "");
        assert_eq!(rows.redraw(&[state("a", "waiting"), state("web", "x\x1b[2J")], 80).lines().count(), 2);
        let again = rows.redraw(&[state("a", "done"), state("web", "a long state")], 10);
        assert!(again.starts_with("\x1b[2A\x1b[Ja    done\n"), "{again:?}");
        assert!(again.lines().all(|line| columns::width(line) < 20), "{again:?}");
        assert_eq!(rows.erase(), "\x1b[2A\x1b[J");
        assert_eq!(rows.show(&[state("a", "b")], 0, None), "a: b\n");
        assert_eq!(json(&[state("a", "b")], 0), object(""));
        let screen = |height: usize| Some(ProgressScreen { width: 80, height });
        let two = [state("a", "b"), state("web", "c")];
        assert_eq!(ProgressRows::default().show(&two, 1, screen(3)), "a    b\nweb  c\n");
        assert_eq!(ProgressRows::default().show(&two, 1, screen(2)), "web: c\n");
        let long = [TargetState { seconds: 7, ..state("a", "b") }];
        assert_eq!(rows.show(&long, 0, None), "a: b (7 s)\n");
        assert_eq!(json(&long, 0), object(",\"seconds\":7"));
    }
}
