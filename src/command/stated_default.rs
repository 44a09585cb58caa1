//! What an argument is where it is not given, in the form in which clap states the default of a value.

use std::fmt::Display;

/// The environment of the option, of the session, or the kept one.
pub(super) const CHOSEN_ENV: &str = "the chosen one";

/// The process that `select` chose.
pub(super) const SELECTED_PROCESS: &str = "the selected process";

/// The hosts of keys.
pub(super) const CHOSEN_HOSTS: &str = "those of the chosen environment, or all";

/// Tells in the help of an argument what holds where it is not given. For what is found out when the command runs; a value that
/// is always the same is clap's `default_value`.
pub(super) trait StatedDefault {
    /// `[default: …]` at the end of its help.
    fn if_not_given(self, default: impl Display) -> Self;
}

impl StatedDefault for clap::Arg {
    fn if_not_given(self, default: impl Display) -> Self {
        let help = self.get_help().map(ToString::to_string).unwrap_or_default();
        self.help(format!("{help} [default: {default}]"))
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use crate::command::registry::COMMANDS;

    /// A default in prose is written down a second time, and stays as it was when the first is changed.
    #[test]
    fn no_help_states_a_default_in_prose() {
        let stated = Regex::new(r"\[default: [^\]]*\]").expect("a pattern");
        let prose = Regex::new(
            r"(?i)[;(] *default\b|by default|default is|defaults to|(if|when) (left out|omitted|not given|nothing is (said|given))|; \S+ unless|; \w+ without it",
        )
        .expect("a pattern");
        for entry in COMMANDS {
            let mut parser = (entry.parser)();
            parser.build();
            let about = parser.get_long_about().or(parser.get_about()).map(ToString::to_string);
            let arguments = parser.get_arguments().filter(|it| !it.is_hide_set());
            let helps = arguments.filter_map(|it| it.get_long_help().or(it.get_help())).map(ToString::to_string);
            for text in helps.chain(about) {
                let rest = stated.replace_all(&text, "");
                assert!(!prose.is_match(&rest), "`{}` states a default in prose: {text}", entry.name);
                assert!(stated.find_iter(&text).count() < 2, "`{}` states two defaults: {text}", entry.name);
            }
        }
    }
}
