//! What an examination found, as a report.

use crate::base::plural::pluralize;
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::doctor::{CheckStatus, Finding};

/// Which findings people see. Data has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FindingFilter {
    /// Every one.
    All,
    /// Those that are not as they should be.
    Problems,
}

/// A finding and what was done about it.
pub(super) struct FindingResult<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// What was done, in words; none if nothing was.
    pub fixed: Option<String>,
}

/// A report of findings that were not fixed. Fails if there is an error among them.
pub(super) fn report(findings: &[Finding], which: FindingFilter) -> Report {
    let seen: Vec<FindingResult> = findings.iter().map(|finding| FindingResult { finding, fixed: None }).collect();
    report_results(&seen, which)
}

/// A report of findings with what was done about them. Says no if an error is left.
pub(super) fn report_results(seen: &[FindingResult], which: FindingFilter) -> Report {
    let left = |grade: CheckStatus| seen.iter().filter(|it| it.finding.status == grade && it.fixed.is_none()).count();
    let (errors, warnings) = (left(CheckStatus::Error), left(CheckStatus::Warning));
    let mended = seen.iter().filter(|it| it.fixed.is_some()).count();
    let shown = |it: &&FindingResult| which == FindingFilter::All || it.finding.status != CheckStatus::Ok;
    let mut table = Table::new(&[
        ("check", "CHECK"),
        ("status", "STATUS"),
        ("message", "FINDING"),
        ("advice", "ADVICE"),
        ("mended", "MENDED"),
    ])
    .when_empty(match seen.len() {
        0 => "nothing to check".to_owned(),
        passed => format!("{} passed", pluralize(passed, "check")),
    });
    if mended == 0 {
        table = table.with_visibility("mended", crate::report::Visibility::Never);
    }
    for it in seen.iter().filter(shown) {
        let Finding { check, status: grade, message, advice, .. } = it.finding;
        let tone = match grade {
            _ if it.fixed.is_some() => Tone::Dim,
            CheckStatus::Ok => Tone::Good,
            CheckStatus::Warning => Tone::Warn,
            CheckStatus::Error => Tone::Bad,
        };
        table.row(vec![
            (*check).into(),
            Cell::from(grade.as_str()).tone(tone),
            message.as_str().into(),
            Value::from(advice.as_deref().filter(|advice| !advice.is_empty())).into(),
            Value::from(it.fixed.as_deref()).into(),
        ]);
    }
    let report = Report { check_failed: errors > 0, ..Report::of(table) };
    match (errors, warnings, mended) {
        (0, 0, 0) => report,
        _ => {
            let mended = if mended == 0 { String::new() } else { format!(", {mended} fixed") };
            report.note(format!("{}, {}{mended}", pluralize(errors, "error"), pluralize(warnings, "warning")))
        }
    }
}
