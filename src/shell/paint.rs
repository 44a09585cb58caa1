//! Looks of a theme in the terms of the editor.

use nu_ansi_term::{Color, Style};

use crate::report::theme::{AnsiColor, Look, Role, Theme};

/// The style of a role.
pub(super) fn style(theme: Theme, role: Role) -> Style {
    let Look { color, background, bold, dim, underline, italic, reverse } = theme.look(role);
    Style {
        foreground: color.map(self::color),
        background: background.map(self::color),
        is_bold: bold,
        is_dimmed: dim,
        is_underline: underline,
        is_italic: italic,
        is_reverse: reverse,
        ..Style::default()
    }
}

fn color(number: AnsiColor) -> Color {
    match number {
        0 => Color::Black,
        1 => Color::Red,
        2 => Color::Green,
        3 => Color::Yellow,
        4 => Color::Blue,
        5 => Color::Purple,
        6 => Color::Cyan,
        7 => Color::White,
        8 => Color::DarkGray,
        other => Color::Fixed(other),
    }
}
