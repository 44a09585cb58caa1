//! `history --export`: lines of the prompt as a script.

use crate::base::line;
use crate::base::redact::MASK;
use crate::command::registry::{self, CommandMatch};
use crate::command::short_form;
use crate::sys::history::HistoryEntry;

/// A script, with the lines that cannot be in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ExportedScript {
    pub text: String,
    /// How many lines it runs.
    pub count: usize,
    /// The numbers of the others, by the reason.
    pub left_out: Vec<(&'static str, Vec<i64>)>,
}

/// Commands that end a script or need a terminal.
const ONLY_AT_PROMPT: [&str; 4] = ["exit", "tsm repl", "tsm monitor", "clear"];

/// The lines as a script that does the same, each in the context it was typed in.
pub(super) fn script(rows: &[HistoryEntry]) -> ExportedScript {
    let mut script =
        ExportedScript { text: "# Lines of the prompt, by `history --export`.\n".to_owned(), ..Default::default() };
    let mut context = String::from("-/-/-");
    for row in rows {
        match exported(row) {
            Ok(None) => {}
            Ok(Some(line)) => {
                let wanted = row.context.clone().unwrap_or_else(|| "-/-/-".to_owned());
                script.text.push_str(&change(&context, &wanted));
                script.text.push_str(&format!("{line}\n"));
                script.count += 1;
                context = wanted;
            }
            Err(reason) => {
                let line = row.line.replace('\n', "\n#   ");
                script.text.push_str(&format!("# left out, {reason}: {line}\n"));
                match script.left_out.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, ids)) => ids.push(row.id),
                    None => script.left_out.push((reason, vec![row.id])),
                }
            }
        }
    }
    script
}

/// The lines that change the context.
fn change(before: &str, after: &str) -> String {
    let parts = |context: &str| -> [String; 3] {
        let mut parts = context.splitn(3, '/').map(str::to_owned);
        std::array::from_fn(|_| parts.next().unwrap_or_else(|| "-".to_owned()))
    };
    let ([old_org, old_env, old_process], [org, env, process]) = (parts(before), parts(after));
    let mut words = Vec::new();
    if org != old_org && org != "-" {
        words.push(org);
    }
    if (env != old_env || !words.is_empty()) && env != "-" {
        words.push(format!("@{env}"));
    }
    let mut lines = if words.is_empty() { String::new() } else { format!("use {}\n", words.join(" ")) };
    if process != old_process || (!words.is_empty() && process != "-") {
        lines.push_str(&format!("select {process}\n"));
    }
    lines
}

/// A line as a script has it; none if the context of the next line says it, an error with the reason if a script cannot have it.
fn exported(row: &HistoryEntry) -> Result<Option<String>, &'static str> {
    if row.line.contains(MASK) {
        return Err("a secret is not in the history");
    }
    match row.exit_code {
        Some(0) => {}
        Some(_) => return Err("failed"),
        // That of the export itself among them.
        None => return Err("not ended"),
    }
    let parsed = line::lex(&row.line).map_err(|_| "not a whole line")?;
    let mut line = row.line.clone();
    for statement in parsed.statements.iter().rev() {
        if statement.shell_escape.is_some() {
            return Err("`!` runs at the prompt only");
        }
        let is_value = |word: &line::Word| {
            !word.quoted && (word.text == "?" || word.text.trim_start_matches('@').starts_with('$'))
        };
        if statement.words.iter().any(is_value) {
            return Err("with a word that is known at the prompt only");
        }
        let texts: Vec<&str> = statement.words.iter().map(|word| word.text.as_str()).collect();
        let short = short_form::is_short(&texts);
        let name =
            match registry::resolve(&if short { [&[short_form::GROUP], &texts[..]].concat() } else { texts.clone() }) {
                CommandMatch::Command(entry, _) => entry.name,
                _ if texts.first().is_some_and(|first| first.starts_with('@')) => "use",
                _ => return Err("a script does not know the command"),
            };
        if ONLY_AT_PROMPT.contains(&name) {
            return Err("for the prompt only");
        }
        if matches!(name, "use" | "select") && parsed.statements.len() == 1 {
            return Ok(None);
        }
        if short && let Some(first) = statement.words.first() {
            line.insert_str(first.span.start, "tsm ");
        }
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, line: &str, code: Option<i64>, context: &str) -> HistoryEntry {
        let context = Some(context.to_owned());
        HistoryEntry { id, line: line.to_owned(), started_at: None, duration: None, exit_code: code, context }
    }

    #[test]
    fn a_script_does_what_was_typed_where_it_was_typed() {
        let made = script(&[
            row(1, "use acme", Some(0), "-/-/-"),
            row(2, "logs api; version", Some(0), "acme/-/-"),
            row(3, "use @dev", Some(0), "acme/-/-"),
            row(4, "tsm list | wc -l", Some(0), "acme/dev/-"),
            row(5, "info", Some(0), "acme/dev/api"),
            row(6, "tsm list", Some(0), "acme/dev/-"),
            row(7, "tsm nothing", Some(2), "acme/dev/-"),
            row(8, "tsm start x --token ***", Some(0), "acme/dev/-"),
            row(9, "!ls", Some(0), "acme/dev/-"),
            row(10, "info $last", Some(0), "acme/dev/-"),
            row(11, "down", Some(0), "acme/dev/-"),
            row(12, "exit", Some(0), "acme/dev/-"),
            row(13, "tsm stop ?", Some(0), "acme/dev/-"),
            row(14, "tsm list", None, "acme/dev/-"),
        ]);
        let run: Vec<&str> = made.text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "use acme",
            "tsm logs api; version",
            "use @dev",
            "tsm list | wc -l",
            "select api",
            "tsm info",
            "select -",
            "tsm list",
        ];
        assert_eq!(run, expected);
        assert_eq!(made.count, 4);
        let mut ids: Vec<i64> = made.left_out.iter().flat_map(|(_, ids)| ids.clone()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [7, 8, 9, 10, 11, 12, 13, 14]);
        assert!(made.left_out.contains(&("with a word that is known at the prompt only", vec![10, 13])), "{made:?}");
        assert!(made.text.contains("# left out, a secret is not in the history: tsm start x --token ***\n"));
    }
}
