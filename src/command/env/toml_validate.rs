//! `env toml validate`

use super::{document, open, scope_inputs};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, UserFacingError};
use crate::base::plural::pluralize;
use crate::command::secrets::scan_guard;
use crate::command::{Command, Cx, Effect};
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::config::toml_hints;
use crate::env::generate;
use crate::env::project::Project;
use crate::report::{Block, Report};

/// Check tetra.toml
///
/// It must be valid TOML and define an environment, every `${…}` of every environment must resolve, and it must not contain
/// secrets. All findings are reported at once; the exit code is 3 if there are errors.
#[derive(Debug, clap::Args)]
pub struct TomlValidate {}

impl Command for TomlValidate {
    const NAME: &'static str = "env toml validate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env toml validate"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let project = open(cx)?;
        let document = document(project.clone())?;
        let envs: Vec<EnvName> = project.tables().filter_map(|name| name.parse().ok()).collect();
        let mut found = tables(&document, &envs);
        found.extend(scan_guard::scan_text(&document.source.name, &document.source.text));
        found.extend(toml_hints::compatibility_warnings(&document.source.text, document.shown()));
        for env in &envs {
            found.extend(unresolved(cx, &project, env)?);
        }
        let mut seen: Vec<Diagnostic> = Vec::new();
        found.retain(|it| {
            let new = !seen.contains(it);
            seen.push(it.clone());
            new
        });
        let errors = found.iter().filter(|it| it.severity == Severity::Error).count();
        let warnings = found.len() - errors;
        let said = format!(
            "{}: {}, {}, {}",
            document.source.name,
            pluralize(envs.len(), "environment"),
            pluralize(errors, "error"),
            pluralize(warnings, "warning")
        );
        let mut report = Report::of(Block::Findings(found)).note(said);
        report.check_failed = errors > 0;
        Ok(report)
    }
}

fn tables(document: &Document, envs: &[EnvName]) -> Vec<Diagnostic> {
    let (source, mut found) = (document.shown(), Vec::new());
    if envs.is_empty() {
        found.push(without_labels(source.error("no environment is defined", 0..0, "")).help("add [environments.dev]"));
    }
    for (path, _) in document.tables_below(&KeyPath::of(&["environments"])) {
        if let Err(error) = path.last().parse::<EnvName>() {
            found.push(source.error(error.to_string(), document.span_of(path), ""));
        }
    }
    for name in ["infrastructure", "variables"] {
        if !document.tables.contains_key(&KeyPath::of(&[name])) {
            found.push(without_labels(source.warning(format!("table [{name}] is missing"), 0..0, "")));
        }
    }
    for env in ["local", "dev", "staging", "prod"] {
        if !envs.iter().any(|known| known.as_str() == env) {
            found.push(without_labels(source.warning(format!("table [environments.{env}] is missing"), 0..0, "")));
        }
    }
    found
}

/// What is said about a file as a whole has no place in it.
fn without_labels(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { labels: Vec::new(), ..diagnostic }
}

fn unresolved(cx: &mut Cx, project: &Project, env: &EnvName) -> Result<Vec<Diagnostic>, Fault> {
    let around = scope_inputs(cx, env)?;
    let plan = project.plan(env, around)?;
    Ok(match generate::generate(&plan, env) {
        Ok(generated) => generated.warnings,
        Err(error) => error.diagnostics(),
    })
}
