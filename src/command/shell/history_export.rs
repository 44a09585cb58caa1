//! `history --export`: lines of the prompt as a script.

use crate::base::line;
use crate::base::redact::MASK;
use crate::command::global::Globals;
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

/// Options of `history` that are about the history of the prompt itself.
const OF_THE_PROMPT: [&str; 4] = ["--delete", "--clear", "--private", "--export"];

/// Nothing is selected.
const NO_CONTEXT: &str = "-/-/-";

/// The lines as a script that does the same, each in the context it was typed in.
pub(super) fn script(rows: &[HistoryEntry]) -> ExportedScript {
    let mut script =
        ExportedScript { text: "# Lines of the prompt, by `history --export`.\n".to_owned(), ..Default::default() };
    let mut place = Place::default();
    for row in rows {
        let placed = |line| Ok((place.way_to(row.context.as_deref().unwrap_or(NO_CONTEXT))?, line));
        match exported(row).and_then(|line| line.map(placed).transpose()) {
            Ok(None) => {}
            Ok(Some(((way, there), line))) => {
                script.text.push_str(&format!("{way}{line}\n"));
                script.count += 1;
                place = there;
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

/// Where a script is after a line, and where `use -` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    context: [String; 3],
    previous: [String; 3],
}

impl Default for Place {
    fn default() -> Self {
        Self { context: parts(NO_CONTEXT), previous: parts(NO_CONTEXT) }
    }
}

impl Place {
    /// The lines that lead to a context, and the place after them. Only `use -` takes an organization or environment back.
    fn way_to(&self, context: &str) -> Result<(String, Self), &'static str> {
        let wanted = parts(context);
        if wanted == self.context {
            return Ok((String::new(), self.clone()));
        }
        if wanted == self.previous {
            return Ok(("use -\n".to_owned(), Self { context: wanted, previous: self.context.clone() }));
        }
        let ([old_org, old_env, _], [org, env, process]) = (&self.context, &wanted);
        let (is_other_org, is_other_env) = (org != old_org, env != old_env);
        if is_other_org && org == "-" || !is_other_org && is_other_env && env == "-" {
            return Err("a script cannot return to its context");
        }
        let mut words = Vec::new();
        if is_other_org {
            words.push(org.clone());
        }
        if (is_other_org || is_other_env) && env != "-" {
            words.push(format!("@{env}"));
        }
        let (mut way, mut place) = (String::new(), self.clone());
        if !words.is_empty() {
            way = format!("use {}\n", words.join(" "));
            place = place.then([org.clone(), env.clone(), "-".to_owned()]);
        }
        if *process != place.context[2] {
            way.push_str(&format!("select {process}\n"));
            place = place.then(wanted);
        }
        Ok((way, place))
    }

    fn then(self, context: [String; 3]) -> Self {
        Self { context, previous: self.context }
    }
}

/// The organization, the environment and the process of a context.
fn parts(context: &str) -> [String; 3] {
    let mut parts = context.splitn(3, '/').map(str::to_owned);
    std::array::from_fn(|_| parts.next().unwrap_or_else(|| "-".to_owned()))
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
        let words: Vec<String> = statement.words.iter().map(|word| word.text.clone()).collect();
        // It was run, so what is in front of its name is right.
        let words = Globals::default().take_leading(&words).unwrap_or(words);
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let short = short_form::is_short(&texts);
        let name =
            match registry::resolve(&if short { [&[short_form::GROUP], &texts[..]].concat() } else { texts.clone() }) {
                CommandMatch::Command(entry, _) => entry.name,
                _ if texts.first().is_some_and(|first| first.starts_with('@')) => "use",
                _ => return Err("a script does not know the command"),
            };
        let changes_history =
            || texts.iter().any(|word| OF_THE_PROMPT.contains(&word.split('=').next().unwrap_or_default()));
        if ONLY_AT_PROMPT.contains(&name) || name == "history" && changes_history() {
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
            row(15, "-y tsm stop api; tsm --json list", Some(0), "acme/dev/-"),
        ]);
        let run: Vec<&str> = made.text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "use acme",
            "tsm logs api; version",
            "use @dev",
            "tsm list | wc -l",
            "select api",
            "tsm info",
            "use -",
            "tsm list",
            "-y tsm stop api; tsm --json list",
        ];
        assert_eq!(run, expected);
        assert_eq!(made.count, 5);
        let mut ids: Vec<i64> = made.left_out.iter().flat_map(|(_, ids)| ids.clone()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [7, 8, 9, 10, 11, 12, 13, 14]);
        assert!(made.left_out.contains(&("with a word that is known at the prompt only", vec![10, 13])), "{made:?}");
        assert!(made.text.contains("# left out, a secret is not in the history: tsm start x --token ***\n"));
    }

    #[test]
    fn a_script_returns_to_where_nothing_was_selected() {
        let made = script(&[
            row(1, "use acme @dev", Some(0), "-/-/-"),
            row(2, "version # in dev", Some(0), "acme/dev/-"),
            row(3, "use -", Some(0), "acme/dev/-"),
            row(4, "version # in none", Some(0), "-/-/-"),
            row(5, "use -", Some(0), "-/-/-"),
            row(6, "version # in dev again", Some(0), "acme/dev/-"),
            row(7, "version # in staging", Some(0), "acme/staging/-"),
            row(8, "version # in a new session", Some(0), "-/-/-"),
            row(9, "version # in acme", Some(0), "acme/-/-"),
            row(10, "version # in api", Some(0), "acme/staging/api"),
            row(11, "version # back", Some(0), "acme/staging/-"),
        ]);
        let run: Vec<&str> = made.text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "use acme @dev",
            "version # in dev",
            "use -",
            "version # in none",
            "use -",
            "version # in dev again",
            "use @staging",
            "version # in staging",
            "select api",
            "version # in api",
            "use -",
            "version # back",
        ];
        assert_eq!(run, expected);
        assert_eq!(made.left_out, [("a script cannot return to its context", vec![8, 9])]);
    }

    #[test]
    fn a_script_leaves_the_history_as_it_is() {
        let lines =
            ["history --delete 1", "history --private", "history --clear", "history --export=x", "history -n 3"];
        let rows: Vec<HistoryEntry> = lines.iter().zip(1..).map(|(line, id)| row(id, line, Some(0), "-/-/-")).collect();
        assert_eq!(script(&rows).left_out, [("for the prompt only", vec![1, 2, 3, 4])]);
    }
}
