//! The lines of a unit.

use std::fmt::{Display, Write as _};

/// Lines of a unit, as they are added.
pub(super) struct UnitLines(pub(super) String);

impl UnitLines {
    pub(super) fn add(&mut self, key: &str, value: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{key}={value}");
    }

    pub(super) fn all(&mut self, lines: &[&str]) {
        lines.iter().for_each(|line| self.text(line));
    }

    pub(super) fn text(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}
