//! What is understood at the prompt beyond the commands themselves, also in its aliases and behind its `watch`. Scripts and `-c` are
//! strict: there a line means the same today and after the next version.

use crate::base::line::Word;
pub use crate::command::short_form::{GROUP, is_short};

/// The words of a line from the prompt as a command is written elsewhere: `logs api` is `tsm logs api`, `tsm stop ?` is
/// `tsm stop --help`.
#[must_use]
pub fn expand(words: &[Word]) -> Vec<Word> {
    let mut words = words.to_vec();
    let help = if words.len() == 1 { "help" } else { "--help" };
    if let Some(last) = words.last_mut().filter(|last| last.text == "?" && !last.quoted) {
        last.text = help.to_owned();
    }
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    if is_short(&texts)
        && let Some(first) = words.first().filter(|word| !word.quoted).cloned()
    {
        words.insert(0, Word { text: GROUP.to_owned(), ..first });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::line::lex;
    use crate::command::registry;

    fn expanded(line: &str) -> String {
        let parsed = lex(line).expect("a line");
        let words = expand(&parsed.statements[0].words);
        words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_command_of_tsm_needs_no_tsm_where_no_other_has_its_name() {
        for (line, means) in [
            ("list", "tsm list"),
            ("logs api", "tsm logs api"),
            ("restart api ?", "tsm restart api --help"),
            ("history", "history"),
            ("tsm list", "tsm list"),
            ("use @dev", "use @dev"),
            ("nothing", "nothing"),
            ("'list'", "list"),
            ("?", "help"),
            ("version ?", "version --help"),
            ("version '?'", "version ?"),
        ] {
            assert_eq!(expanded(line), means, "{line}");
        }
    }

    #[test]
    fn no_command_loses_its_name() {
        for entry in registry::COMMANDS {
            let words: Vec<&str> = entry.name.split(' ').collect();
            assert!(!is_short(&words), "{}", entry.name);
        }
    }
}
