//! `history`

use super::history_export;
use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::command::argument::{FilePath, HistoryId};
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, FollowUp, Message, Report, Table, Tone, Visibility};
use crate::sys::file::{self, Access};
use crate::sys::history::{self, HistoryEntry, HistoryQuery, HistoryReader};

/// Show the lines that were typed at the prompt
///
/// Oldest first. Lines with a leading blank are not stored, and secrets are stored as `***`. At the prompt `!12` puts line 12 back,
/// and `!-1` the last one. `--private` is `set private on`, and `tetra --private` is a session that begins so. `--export` writes a
/// script of the lines that succeeded, each in the context it was typed in; lines whose secret was masked, and those that only the
/// prompt knows, are left out and named.
#[derive(Debug, clap::Args)]
pub struct History {
    /// Only lines that contain each of these texts
    #[arg(value_name = "TEXT")]
    pub holding: Vec<String>,
    /// At most this many, the latest ones
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub lines: u32,
    /// Only lines that failed
    #[arg(long)]
    pub failed: bool,
    /// Without duplicate lines
    #[arg(long)]
    pub once: bool,
    /// Write these lines into a new file, as a script
    #[arg(long, value_name = "FILE", conflicts_with_all = ["failed", "delete", "clear"])]
    pub export: Option<FilePath>,
    /// Remove one line, and overwrite it
    #[arg(long, value_name = "ID", conflicts_with_all = ["holding", "failed", "once", "clear"])]
    pub delete: Option<HistoryId>,
    /// Remove all lines, and overwrite them
    #[arg(long, conflicts_with_all = ["holding", "failed", "once"])]
    pub clear: bool,
    /// Keep no line in the history from now on, until `set private off` or the end of the session
    #[arg(long, conflicts_with_all = ["holding", "lines", "failed", "once", "export", "delete", "clear"])]
    pub private: bool,
}

/// The most rows that are searched for failures.
const MAX_LINES: u32 = 20_000;

impl Command for History {
    const NAME: &'static str = "history";
    const EFFECT: Effect = Effect::Own;
    const EXAMPLES: &'static [&'static str] = &["history", "history -n 10 tsm start", "history --failed"];

    fn effect(&self) -> Effect {
        if self.export.is_some() || self.delete.is_some() || self.clear { Effect::Own } else { Effect::Read }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if self.clear || self.delete.is_some() {
            return remove(cx, self.delete.map(|HistoryId(id)| id));
        }
        if self.private {
            let (key, value) = ("private".to_owned(), "on".to_owned());
            return Ok(Report::then(FollowUp::Set { key, value }));
        }
        let is_part = self.failed || self.lines == 0 || !self.holding.is_empty();
        let rows = if self.failed { MAX_LINES } else { self.lines };
        let wanted = HistoryQuery { limit: rows, containing: self.holding, unique: self.once };
        // An export names what it leaves out.
        let history = HistoryReader::open(&cx.paths.history())?;
        if let Some(FilePath(name)) = &self.export {
            return export(name, &history.entries(&wanted)?, cx);
        }
        let mut rows = without_running(&history, wanted, cx)?;
        if self.failed {
            rows.retain(|row| row.exit_code.is_some_and(|code| code != 0));
            let most = usize::try_from(self.lines).unwrap_or(usize::MAX);
            rows.drain(..rows.len().saturating_sub(most));
        }
        let columns = [
            ("id", "ID"),
            ("started", "WHEN"),
            ("took", "TOOK"),
            ("code", "CODE"),
            ("context", "CONTEXT"),
            ("line", "LINE"),
        ];
        let none = if is_part { "no lines to show" } else { "the history is empty" };
        let mut table = Table::new(&columns).with_visibility("took", Visibility::IfWide).when_empty(none);
        let unwritten = rows.iter().filter(|row| is_unwritten(row)).count();
        for row in rows {
            let code = Cell::from(row.exit_code);
            let code = if row.exit_code.is_some_and(|code| code != 0) { code.tone(Tone::Bad) } else { code };
            table.row(vec![
                Cell::from(Some(row.id).filter(|_| !is_unwritten(&row))),
                row.started_at.into(),
                row.duration.into(),
                code,
                Cell::from(row.context).tone(Tone::Dim),
                row.line.into(),
            ]);
        }
        let report = Report::of(table);
        Ok(match unwritten {
            0 => report,
            _ => report
                .note(format!("not written into the history yet, and without an ID: {}", pluralize(unwritten, "line"))),
        })
    }
}

/// A line that is not written yet has no number.
fn is_unwritten(row: &HistoryEntry) -> bool {
    row.id == 0
}

/// The rows that are wanted, with those that are not written yet, and without that of the line that is being run: it is what asks
/// for them.
fn without_running(history: &HistoryReader, wanted: HistoryQuery, cx: &Cx) -> Result<Vec<HistoryEntry>, Fault> {
    let most = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let texts: Vec<String> = wanted.containing.iter().map(|text| text.to_ascii_lowercase()).collect();
    let is_unique = wanted.unique;
    let limit = wanted.limit.saturating_add(u32::from(cx.running_line.is_some() && most > 0));
    let mut rows = history.entries(&HistoryQuery { limit, ..wanted })?;
    let holds = |row: &&HistoryEntry| texts.iter().all(|text| row.line.to_ascii_lowercase().contains(text));
    for row in cx.unwritten_lines.iter().rev().filter(holds) {
        rows.retain(|earlier| !is_unique || earlier.line != row.line);
        rows.push(row.clone());
    }
    if let Some(own) = cx.running_line.and_then(|running| rows.iter().rposition(|row| row.line == running)) {
        rows.remove(own);
    }
    rows.drain(..rows.len().saturating_sub(most));
    Ok(rows)
}

/// Writes the lines as a script, for this user alone.
fn export(name: &str, rows: &[HistoryEntry], cx: &mut Cx) -> Result<Report, Fault> {
    let path = cx.host.cwd().join(name);
    if path.exists() {
        return Err(
            Fault::new(FaultKind::Refused, format!("`{name}` already exists")).with_advice("choose another name")
        );
    }
    let unwritten = cx.unwritten_lines.iter().filter(|row| Some(row.line.as_str()) != cx.running_line).count();
    if unwritten > 0 {
        cx.console.note(&format!("left out {} not written into the history yet", pluralize(unwritten, "line")));
    }
    let script = history_export::script(rows);
    if script.count == 0 {
        return Err(Fault::new(FaultKind::NotFound, "none of these lines can be in a script; nothing was written"));
    }
    file::write(&path, script.text.as_bytes(), Access::Private)?;
    for (reason, ids) in &script.left_out {
        let lines = if ids.len() == 1 { "line" } else { "lines" };
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        cx.console.note(&format!("left out {lines} {}: {reason}", ids.join(", ")));
    }
    let said = Message::new(format!("exported {} lines to {name}", script.count));
    Ok(Report::of(said.with("file", path.display().to_string()).with("lines", script.count)))
}

fn remove(cx: &Cx, id: Option<u32>) -> Result<Report, Fault> {
    let count = history::remove(&cx.paths.history(), id.map(i64::from))?;
    match id {
        Some(id) if count == 0 => Err(Fault::new(FaultKind::NotFound, format!("the history has no line {id}"))
            .with_advice("`history` shows the numbers")),
        Some(id) => Ok(Report::of(format!("removed line {id} from the history"))),
        None => Ok(Report::of(format!("removed {count} lines from the history"))),
    }
}
