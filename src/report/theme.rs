//! Themes: how the parts of the output and of the line being edited look.
//!
//! No theme says anything by color alone: states are words, counts have signs, production is in upper case, and what is wrong in a line
//! is underlined. So [`Theme::Mono`] loses nothing. Beside that, what is good has a color which an eye that does not tell red from green
//! tells from those of what is not, in all themes but [`Theme::RedGreen`]; a test computes it.

use super::value::Tone;

/// A set of looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Cyan, yellow and red of the terminal's sixteen colors, for a dark or a light background.
    #[default]
    Default,
    /// The same with green in the place of cyan, as most programs have it.
    RedGreen,
    /// For a light background: without yellow and cyan.
    Light,
    /// Bright colors, and nothing dim.
    Contrast,
    /// Blue and orange in the places of green and red.
    BlueOrange,
    /// Without colors.
    Mono,
}

/// What has a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A part of a report.
    Output(Tone),
    /// The name of a command or a program.
    Command,
    /// An option.
    Option,
    /// The name of something that exists.
    Name,
    /// Text in quotes.
    Quoted,
    /// `;`, `|` and such.
    Operator,
    /// Text for `sh`.
    Shell,
    /// What does not exist, or is not taken.
    Invalid,
    /// The organization.
    Org,
    /// An environment in which all commands run unasked.
    Environment,
    /// An environment in which some are asked about.
    Staging,
    /// Production, in the prompt.
    Production,
    /// Production, in a line.
    ProductionWord,
    /// What could be typed next.
    Hint,
    /// The chosen one of several.
    Chosen,
    /// The letters that match.
    Matched,
}

/// A color of the terminal's sixteen or 256.
pub type AnsiColor = u8;

/// How something looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// The color of the letters.
    pub color: Option<AnsiColor>,
    /// The color behind them.
    pub background: Option<AnsiColor>,
    /// Thicker.
    pub bold: bool,
    /// Less bright.
    pub dim: bool,
    /// With a line below.
    pub underline: bool,
    /// Slanted.
    pub italic: bool,
    /// Letters and background exchanged.
    pub reverse: bool,
}

const PLAIN: Look =
    Look { color: None, background: None, bold: false, dim: false, underline: false, italic: false, reverse: false };

impl Theme {
    /// All, by their words.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("default", Self::Default),
        ("red-green", Self::RedGreen),
        ("light", Self::Light),
        ("contrast", Self::Contrast),
        ("blue-orange", Self::BlueOrange),
        ("mono", Self::Mono),
    ];

    /// The theme of a word; the default one for a word of none.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Self::ALL.iter().find(|(name, _)| *name == word).map_or(Self::Default, |(_, theme)| *theme)
    }

    /// How a role looks.
    #[must_use]
    pub fn look(self, role: Role) -> Look {
        let look = Self::shape(role);
        let Some((letters, behind)) = self.colors(role) else {
            // Without colors some need another sign.
            let is_strong = matches!(role, Role::Command | Role::Output(Tone::Bad) | Role::Org | Role::Staging);
            return Look { bold: look.bold || is_strong, reverse: look.reverse || role == Role::Production, ..look };
        };
        let dim = look.dim && self != Self::Contrast;
        Look { color: letters, background: behind, dim, ..look }
    }

    /// What has the same shape in every theme.
    fn shape(role: Role) -> Look {
        match role {
            Role::Output(Tone::Bad | Tone::Strong)
            | Role::Operator
            | Role::Org
            | Role::Staging
            | Role::Production
            | Role::ProductionWord
            | Role::Matched => Look { bold: true, ..PLAIN },
            Role::Output(Tone::Dim) => Look { dim: true, ..PLAIN },
            Role::Invalid => Look { underline: true, ..PLAIN },
            Role::Shell => Look { italic: true, ..PLAIN },
            Role::Chosen => Look { reverse: true, ..PLAIN },
            _ => PLAIN,
        }
    }

    /// The colors of a role, of the letters and behind them; none in a theme without any.
    fn colors(self, role: Role) -> Option<(Option<AnsiColor>, Option<AnsiColor>)> {
        let palette = match self {
            Self::Default => Palette { good: 6, warn: 3, bad: 1, link: 4, name: 4, operator: 5, hint: 8, on_bad: 15 },
            Self::RedGreen => Palette { good: 2, warn: 3, bad: 1, link: 6, name: 4, operator: 5, hint: 8, on_bad: 15 },
            Self::Light => Palette { good: 4, warn: 166, bad: 1, link: 5, name: 4, operator: 5, hint: 8, on_bad: 15 },
            Self::Contrast => {
                Palette { good: 14, warn: 11, bad: 9, link: 12, name: 12, operator: 13, hint: 7, on_bad: 15 }
            }
            Self::BlueOrange => {
                Palette { good: 33, warn: 220, bad: 208, link: 6, name: 4, operator: 5, hint: 8, on_bad: 0 }
            }
            Self::Mono => return None,
        };
        Some(palette.of(role))
    }
}

/// The colors of a theme.
struct Palette {
    good: AnsiColor,
    warn: AnsiColor,
    bad: AnsiColor,
    link: AnsiColor,
    name: AnsiColor,
    operator: AnsiColor,
    hint: AnsiColor,
    /// Of the letters where [`Palette::bad`] is behind them.
    on_bad: AnsiColor,
}

impl Palette {
    fn of(&self, role: Role) -> (Option<AnsiColor>, Option<AnsiColor>) {
        let letters = match role {
            Role::Output(Tone::Good) | Role::Command | Role::Environment => Some(self.good),
            Role::Output(Tone::Warn) | Role::Quoted | Role::Staging => Some(self.warn),
            Role::Output(Tone::Bad) | Role::Invalid | Role::ProductionWord => Some(self.bad),
            Role::Option => Some(self.link),
            Role::Name | Role::Org => Some(self.name),
            Role::Operator => Some(self.operator),
            Role::Hint => Some(self.hint),
            Role::Production => return (Some(self.on_bad), Some(self.bad)),
            Role::Output(Tone::Plain | Tone::Dim | Tone::Strong) | Role::Shell | Role::Chosen | Role::Matched => None,
        };
        (letters, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 16] = [
        Role::Output(Tone::Good),
        Role::Output(Tone::Warn),
        Role::Output(Tone::Bad),
        Role::Output(Tone::Dim),
        Role::Command,
        Role::Option,
        Role::Name,
        Role::Quoted,
        Role::Operator,
        Role::Invalid,
        Role::Org,
        Role::Environment,
        Role::Staging,
        Role::Production,
        Role::Hint,
        Role::Chosen,
    ];

    #[test]
    fn what_is_wrong_differs_from_what_is_right_by_more_than_its_color() {
        for (_, theme) in Theme::ALL {
            let shape = |role| Look { color: None, background: None, ..theme.look(role) };
            assert_ne!(shape(Role::Invalid), shape(Role::Command), "{theme:?}");
            assert_ne!(shape(Role::Output(Tone::Good)), shape(Role::Output(Tone::Bad)), "{theme:?}");
            assert_ne!(shape(Role::Chosen), shape(Role::Output(Tone::Plain)), "{theme:?}");
            assert_ne!(theme.look(Role::Production), theme.look(Role::Environment), "{theme:?}");
        }
    }

    #[test]
    fn a_theme_keeps_what_it_promises() {
        for role in ROLES {
            let mono = Theme::Mono.look(role);
            assert_eq!((mono.color, mono.background), (None, None), "{role:?}");
            assert!(!matches!(Theme::Light.look(role).color, Some(3 | 6 | 7 | 11 | 14)), "{role:?} on white");
            assert!(!Theme::Contrast.look(role).dim, "{role:?}");
            assert!(!matches!(Theme::BlueOrange.look(role).color, Some(1 | 2 | 9 | 10)), "{role:?}");
        }
    }

    /// Red, green and blue of the colors that are used, as xterm has them.
    fn rgb(color: AnsiColor) -> [f64; 3] {
        match color {
            1 => [205.0, 0.0, 0.0],
            2 => [0.0, 205.0, 0.0],
            3 => [205.0, 205.0, 0.0],
            4 => [0.0, 0.0, 238.0],
            5 => [205.0, 0.0, 205.0],
            6 => [0.0, 205.0, 205.0],
            9 => [255.0, 0.0, 0.0],
            11 => [255.0, 255.0, 0.0],
            14 => [0.0, 255.0, 255.0],
            33 => [0.0, 135.0, 255.0],
            166 => [215.0, 95.0, 0.0],
            208 => [255.0, 135.0, 0.0],
            220 => [255.0, 215.0, 0.0],
            _ => panic!("{color} has no row"),
        }
    }

    /// What an eye without the cones for green or for red sees, after Machado, Oliveira and Fernandes (2009), in linear light.
    const EYES: [[[f64; 3]; 3]; 2] = [
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ];

    /// A color in CIELAB as such an eye sees it.
    fn seen(color: AnsiColor, eye: &[[f64; 3]; 3]) -> [f64; 3] {
        let product = |matrix: &[[f64; 3]; 3], of: [f64; 3]| {
            matrix.map(|row| row.iter().zip(of).map(|(factor, part)| factor * part).sum::<f64>())
        };
        let light = rgb(color).map(|part| ((part / 255.0 + 0.055) / 1.055).powf(2.4));
        let light = product(eye, light).map(|part| part.clamp(0.0, 1.0));
        let xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]];
        let [x, y, z] = product(&xyz, light);
        let [x, y, z] = [x / 0.9505, y, z / 1.089].map(f64::cbrt);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// How far two roles are apart to the eye that tells them apart the least.
    fn apart(theme: Theme, one: Role, other: Role) -> f64 {
        let color = |role| theme.look(role).color.expect("it has a color");
        let distance = |eye: &[[f64; 3]; 3]| {
            let pairs = seen(color(one), eye).into_iter().zip(seen(color(other), eye));
            pairs.map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
        };
        EYES.iter().map(distance).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn what_is_good_differs_in_color_to_every_eye() {
        let good = Role::Output(Tone::Good);
        for (name, theme) in Theme::ALL.iter().filter(|(_, theme)| *theme != Theme::Mono) {
            for other in [Role::Output(Tone::Bad), Role::Output(Tone::Warn)] {
                let apart = apart(*theme, good, other);
                // 10 can be distinguished beside each other, 50 at a glance.
                assert_eq!(apart >= 50.0, *theme != Theme::RedGreen, "{name}: {other:?} is {apart:.0} apart");
            }
        }
    }
}
