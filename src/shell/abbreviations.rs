//! Abbreviations: words that are written out while a line is typed.

use std::collections::BTreeMap;

use crate::base::line::{self, TokenKind};

/// True if a word that starts at `start` of `line` is the name of a command, and not quoted.
#[must_use]
pub fn is_expanded_at(line: &str, start: usize) -> bool {
    let Some(before) = line.get(..start) else { return false };
    match line::tokens(before).last().map(|last| &last.kind) {
        None | Some(TokenKind::Semicolon | TokenKind::Newline) => line::lex(&format!("{before}x")).is_ok(),
        _ => false,
    }
}

/// The line with an abbreviation at its start written out, for a prompt without an editor.
#[must_use]
pub fn expand(abbreviations: &BTreeMap<String, String>, line: &str) -> Option<String> {
    let line = line.trim_start();
    let end = line.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(line.len());
    let text = abbreviations.get(&line[..end])?;
    Some(format!("{text}{}", &line[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_command_is_written_out() {
        for line in ["|lg", "  |lg", "version; |lg", "version && |lg", "version\n|lg"] {
            assert!(is_expanded_at(&line.replace('|', ""), line.find('|').expect("a mark")), "{line}");
        }
        for line in ["help |lg", "'a |lg", "\"; |lg", "# |lg", "version > |lg", "!ls |lg", "use \\\n|lg"] {
            assert!(!is_expanded_at(&line.replace('|', ""), line.find('|').expect("a mark")), "{line}");
        }
    }

    #[test]
    fn a_line_is_written_out_as_a_whole() {
        let all = BTreeMap::from([("lg".to_owned(), "tsm logs".to_owned())]);
        assert_eq!(expand(&all, " lg api").as_deref(), Some("tsm logs api"));
        assert_eq!(expand(&all, "lg; version").as_deref(), Some("tsm logs; version"));
        assert_eq!(expand(&all, "lgx api"), None);
    }
}
