//! The help of what the cursor is on.

use clap::Arg;

use super::{HelpDetail, Listing, of_all, of_command, of_group};
use crate::command::CommandSpec;
use crate::command::complete::{CompletionContext, UnderCursor, under_cursor};
use crate::report::Prose;

/// The help of what is at `cursor` (in bytes) of `text`, its options laid out for `width` columns.
#[must_use]
pub fn at_cursor(text: &str, cursor: usize, known: &CompletionContext<'_>, width: usize) -> Prose {
    match under_cursor(text, cursor, known) {
        UnderCursor::Nothing => of_all(Listing::Folded),
        UnderCursor::Command(entry) => of_command(entry, HelpDetail::Long, width),
        UnderCursor::Group(group) => of_group(&group),
        UnderCursor::Argument { entry, arg, value } => {
            let value = value.map(|(word, about)| format!("{word}: {about}\n\n")).unwrap_or_default();
            Prose(format!("{value}{}", of_argument(entry, &arg, width)))
        }
        UnderCursor::Unknown(words) => {
            Prose(format!("no help for `{words}`; `help` lists the commands, `help search WORD` searches them\n"))
        }
    }
}

/// The part of the help of a command that is about one argument.
fn of_argument(entry: &CommandSpec, shown: &Arg, width: usize) -> String {
    let mut parser = entry
        .full_parser()
        .disable_help_flag(true)
        .term_width(width.min(Prose::WIDEST))
        .help_template("{all-args}")
        .mut_args(|arg| if arg.get_id() == shown.get_id() { arg } else { arg.hide(true) });
    let text = parser.render_long_help().to_string();
    format!("{}\n\n`{} --help` shows the whole command.\n", text.trim_end(), entry.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Selection;
    use crate::command::complete::DiskSource;
    use crate::sys::paths::Paths;

    fn shown(marked: &str) -> String {
        let home = tempfile::tempdir().expect("a directory");
        let source = DiskSource {
            paths: Paths::under(home.path()),
            selection: Selection::default(),
            cwd: home.path().to_owned(),
            home: home.path().to_owned(),
            abbreviations: Vec::new(),
            aliases: [("down".to_owned(), "tsm stop".to_owned())].into(),
            programs: String::new(),
            variables: Vec::new(),
        };
        let cursor = marked.find('|').expect("a cursor");
        at_cursor(&marked.replacen('|', "", 1), cursor, &CompletionContext::prompt(&source), 80).0
    }

    #[test]
    fn the_help_is_that_of_what_the_cursor_is_on() {
        for (line, first) in [
            ("|", "tetra: an operator shell"),
            ("ts|m", "tsm: "),
            ("tsm sto|p", "Stop"),
            ("tsm |stop api", "Stop"),
            ("tsm stop |", "Stop"),
            ("down |", "Stop"),
            ("tsm list; tsm sto|p", "Stop"),
            ("watch tsm sto|p", "Stop"),
            ("sto|p", "Stop"),
            ("stop |", "Stop"),
            ("version; sto|p api", "Stop"),
            ("nothing|", "no help for `nothing`"),
            ("tsm start x --nothing|", "Start"),
        ] {
            assert!(shown(line).starts_with(first), "{line}: {}", shown(line));
        }
        for (line, part, other) in [
            ("tsm logs api --lin|es 5", "--lines", "--follow"),
            ("tsm logs api -n| 5", "--lines", "--follow"),
            ("tsm logs api -n 5|", "--lines", "--follow"),
            ("tsm logs ap|i", "[TARGETS]", "--follow"),
            ("tsm list --o|rg=x", "--org", "--json"),
        ] {
            let text = shown(line);
            assert!(text.contains(part) && !text.contains(other), "{line}: {text}");
            assert!(text.contains("--help` shows the whole command"), "{line}: {text}");
        }
        assert!(shown("set idle| 15m").starts_with("idle: "), "{}", shown("set idle| 15m"));
    }
}
