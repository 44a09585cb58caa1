//! What an examination found, as a report.

use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::doctor::{Finding, Grade};

/// Which findings people see. Data has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Every one.
    All,
    /// Those that are not as they should be.
    Wrong,
}

/// A finding and what was done about it.
pub(super) struct Seen<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// What was done, in words; none if nothing was.
    pub mended: Option<String>,
}

/// A report of findings that nobody has mended. Says no if there is an error among them.
pub(super) fn report(findings: &[Finding], which: Which) -> Report {
    let seen: Vec<Seen> = findings.iter().map(|finding| Seen { finding, mended: None }).collect();
    of_seen(&seen, which)
}

/// A report of findings with what was done about them. Says no if an error is left.
pub(super) fn of_seen(seen: &[Seen], which: Which) -> Report {
    let left = |grade: Grade| seen.iter().filter(|it| it.finding.grade == grade && it.mended.is_none()).count();
    let (errors, warnings) = (left(Grade::Error), left(Grade::Warning));
    let mended = seen.iter().filter(|it| it.mended.is_some()).count();
    let shown = |it: &&Seen| which == Which::All || it.finding.grade != Grade::Good;
    let mut table = Table::new(&[
        ("check", "CHECK"),
        ("status", "STATUS"),
        ("message", "FINDING"),
        ("advice", "ADVICE"),
        ("mended", "MENDED"),
    ])
    .when_empty(format!("healthy: {} checks, nothing wrong", seen.len()));
    if mended == 0 {
        table = table.show("mended", crate::report::Show::Never);
    }
    for it in seen.iter().filter(shown) {
        let Finding { check, grade, message, advice, .. } = it.finding;
        let tone = match grade {
            _ if it.mended.is_some() => Tone::Dim,
            Grade::Good => Tone::Good,
            Grade::Warning => Tone::Warn,
            Grade::Error => Tone::Bad,
        };
        table.row(vec![
            (*check).into(),
            Cell::from(grade.word()).tone(tone),
            message.as_str().into(),
            Value::from(advice.as_deref().filter(|advice| !advice.is_empty())).into(),
            Value::from(it.mended.as_deref()).into(),
        ]);
    }
    let report = Report { says_no: errors > 0, ..Report::of(table) };
    match (errors, warnings, mended) {
        (0, 0, 0) => report,
        _ => {
            let mended = if mended == 0 { String::new() } else { format!(", {mended} mended") };
            report.note(format!("{}, {}{mended}", counted(errors, "error"), counted(warnings, "warning")))
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
