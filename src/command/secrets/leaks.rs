//! Secrets in the open, for every command that copies or checks configuration.

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fault::{Fault, Kind};
use crate::env::leak::{self, Syntax};
use crate::env::read::Anything;
use crate::org::change::Leak;

/// What looks like a secret in a text; its values are not shown.
pub(in crate::command) fn found(name: &str, text: &str) -> Vec<Diagnostic> {
    leak::diagnostics(name, text, &leak::scan(name, text, Syntax::of(name)))
}

/// The same in a file of any kind.
pub(super) fn found_in(name: &str, Anything { text, is_binary }: &Anything) -> Vec<Diagnostic> {
    // What names mean is known only where people wrote them.
    let syntax = if *is_binary { Syntax::Other } else { Syntax::of(name) };
    leak::diagnostics(name, text, &leak::scan(name, text, syntax))
}

/// What must not be written into a TOML text, with its places.
pub(in crate::command) fn errors(name: &str, text: &str) -> Vec<Leak> {
    let findings = leak::scan(name, text, Syntax::Toml);
    let shown = leak::diagnostics(name, text, &findings);
    let all = findings.into_iter().zip(shown).filter(|(_, shown)| shown.severity == Severity::Error);
    all.map(|(finding, shown)| (finding.span, shown)).collect()
}

/// Stops what would spread a secret that stands in a TOML text.
pub(in crate::command) fn stop(name: &str, text: &str) -> Result<(), Fault> {
    let mut found = leak::diagnostics(name, text, &leak::scan(name, text, Syntax::Toml));
    found.retain(|it| it.severity == Severity::Error);
    if found.is_empty() {
        return Ok(());
    }
    Err(Fault::new(Kind::No, format!("secrets stand in the open in {name}; nothing was promoted")).diagnosed(found))
}
