//! Colors: whether and which.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Color as Paint, Effects, Style};

use crate::report::theme::{Look, Role, Theme};
use crate::report::{Color, Tone};

/// Whether a stream gets colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Styler {
    /// With escape sequences.
    Colors(Theme),
    /// Plain text.
    Plain,
}

/// Precedence: `--color`, `NO_COLOR`, `CLICOLOR_FORCE`, whether the stream is a terminal whose `TERM` has
/// colours.
///
/// An empty variable counts as absent; `CLICOLOR_FORCE=0` does not force.
#[must_use]
pub fn choose_styler(asked: Color, variables: &BTreeMap<String, String>, is_terminal: bool) -> Styler {
    let variable = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let colors = match asked {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if variable("NO_COLOR").is_some() => false,
        Color::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Color::Auto => is_terminal && variable("TERM").is_some_and(|term| !is_monochrome(term)),
    };
    if colors { Styler::Colors(Theme::default()) } else { Styler::Plain }
}

/// True for the names of terminals without colours: `dumb`, `xterm-mono`, `linux-m`, and the `vt100` to `vt420`.
fn is_monochrome(term: &str) -> bool {
    let model = term.split('-').next().and_then(|name| name.strip_prefix("vt"));
    let is_old = model.is_some_and(|model| {
        model.len() == 3 && model.starts_with(['1', '2', '3', '4']) && model.bytes().all(|byte| byte.is_ascii_digit())
    });
    // `vt525` has them, and so has what says so.
    term == "dumb" || term.ends_with("-m") || term.ends_with("-mono") || is_old && !term.contains("color")
}

impl Styler {
    /// The same in a theme.
    #[must_use]
    pub fn themed(self, theme: Theme) -> Self {
        match self {
            Self::Colors(_) => Self::Colors(theme),
            Self::Plain => Self::Plain,
        }
    }

    /// The text in the color of a tone.
    #[must_use]
    pub fn tone(self, tone: Tone, text: &str) -> String {
        self.style(self.look(tone), text)
    }

    /// The bytes in the color of a tone.
    #[must_use]
    pub fn tone_bytes(self, tone: Tone, bytes: &[u8]) -> Vec<u8> {
        let style = self.look(tone);
        if style.is_plain() || bytes.is_empty() {
            return bytes.to_owned();
        }
        [style.render().to_string().as_bytes(), bytes, style.render_reset().to_string().as_bytes()].concat()
    }

    /// The text as a heading.
    #[must_use]
    pub fn heading(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    fn look(self, tone: Tone) -> Style {
        match self {
            Self::Colors(theme) => style(theme.look(Role::Output(tone))),
            Self::Plain => Style::new(),
        }
    }

    fn style(self, style: Style, text: &str) -> String {
        if self == Self::Plain || style.is_plain() || text.is_empty() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }
}

fn style(look: Look) -> Style {
    let effects = [
        (look.bold, Effects::BOLD),
        (look.dim, Effects::DIMMED),
        (look.underline, Effects::UNDERLINE),
        (look.italic, Effects::ITALIC),
        (look.reverse, Effects::INVERT),
    ];
    let effects = effects.into_iter().filter(|(is, _)| *is).fold(Effects::new(), |all, (_, effect)| all | effect);
    Style::new().fg_color(look.color.map(color)).bg_color(look.background.map(color)) | effects
}

fn color(number: u8) -> Paint {
    const BASIC: [AnsiColor; 8] = [
        AnsiColor::Black,
        AnsiColor::Red,
        AnsiColor::Green,
        AnsiColor::Yellow,
        AnsiColor::Blue,
        AnsiColor::Magenta,
        AnsiColor::Cyan,
        AnsiColor::White,
    ];
    BASIC.get(usize::from(number)).map_or(Paint::Ansi256(number.into()), |basic| Paint::Ansi(*basic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_flag_wins_over_variables_and_these_over_the_terminal() {
        let both = [("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")];
        for (asked, given, is_terminal, paint) in [
            (Color::Always, &both[..1], false, Styler::Colors(Theme::Default)),
            (Color::Never, &both[1..], true, Styler::Plain),
            (Color::Auto, &both[..], true, Styler::Plain),
            (Color::Auto, &both[1..], false, Styler::Colors(Theme::Default)),
            (Color::Auto, &[("CLICOLOR_FORCE", "0")][..], false, Styler::Plain),
            (Color::Auto, &[("NO_COLOR", ""), ("TERM", "xterm")][..], true, Styler::Colors(Theme::Default)),
            (Color::Auto, &[("TERM", "dumb")][..], true, Styler::Plain),
            (Color::Auto, &[("TERM", "vt100")][..], true, Styler::Plain),
            (Color::Auto, &[("TERM", "vt220-8bit")][..], true, Styler::Plain),
            (Color::Auto, &[("TERM", "xterm-mono")][..], true, Styler::Plain),
            (Color::Auto, &[("TERM", "linux-m")][..], true, Styler::Plain),
            (Color::Auto, &[("TERM", "vt525")][..], true, Styler::Colors(Theme::Default)),
            (Color::Auto, &[("TERM", "vt100"), ("CLICOLOR_FORCE", "1")][..], true, Styler::Colors(Theme::Default)),
            (Color::Always, &[("TERM", "dumb")][..], true, Styler::Colors(Theme::Default)),
            (Color::Auto, &[("TERM", "xterm")][..], true, Styler::Colors(Theme::Default)),
            (Color::Auto, &[("TERM", "xterm")][..], false, Styler::Plain),
            (Color::Auto, &[][..], true, Styler::Plain),
        ] {
            assert_eq!(
                choose_styler(asked, &variables(given), is_terminal),
                paint,
                "{asked:?} {given:?} {is_terminal}"
            );
        }
    }

    #[test]
    fn plain_text_has_no_escape_codes() {
        assert_eq!(Styler::Plain.tone(Tone::Bad, "crashed"), "crashed");
        assert_eq!(Styler::Colors(Theme::Default).tone(Tone::Good, "online"), "\u{1b}[36monline\u{1b}[0m");
        assert_eq!(Styler::Colors(Theme::Default).tone(Tone::Plain, "x"), "x");
    }
}
