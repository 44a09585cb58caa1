//! Secrets in the open, for every command that copies or checks configuration.

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fault::{Fault, FaultKind};
use crate::config::read::LossyText;
use crate::config::secret_scan::{self, Syntax};
use crate::org::operations::Leak;

/// What looks like a secret in a text; its values are not shown.
pub(in crate::command) fn scan_text(name: &str, text: &str) -> Vec<Diagnostic> {
    secret_scan::diagnostics(name, text, &secret_scan::scan(name, text, Syntax::of(name)))
}

/// The same in a file of any kind.
pub(super) fn scan_file(name: &str, LossyText { text, is_binary }: &LossyText) -> Vec<Diagnostic> {
    // What names mean is known only where people wrote them.
    let syntax = if *is_binary { Syntax::Other } else { Syntax::of(name) };
    secret_scan::diagnostics(name, text, &secret_scan::scan(name, text, syntax))
}

/// What must not be written into a TOML text, with its places.
pub(in crate::command) fn toml_leaks(name: &str, text: &str) -> Vec<Leak> {
    let findings = secret_scan::scan(name, text, Syntax::Toml);
    let shown = secret_scan::diagnostics(name, text, &findings);
    let all = findings.into_iter().zip(shown).filter(|(_, shown)| shown.severity == Severity::Error);
    all.map(|(finding, shown)| (finding.span, shown)).collect()
}

/// Stops what would spread a secret that is in a TOML text.
pub(in crate::command) fn ensure_no_secrets(name: &str, text: &str) -> Result<(), Fault> {
    let mut found = secret_scan::diagnostics(name, text, &secret_scan::scan(name, text, Syntax::Toml));
    found.retain(|it| it.severity == Severity::Error);
    if found.is_empty() {
        return Ok(());
    }
    Err(Fault::new(FaultKind::CheckFailed, format!("{name} contains secrets in plain text; nothing was promoted"))
        .with_diagnostics(found))
}
