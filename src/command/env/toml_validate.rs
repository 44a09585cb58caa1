//! `env toml validate`

use super::{around, counted, document, open};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::dialect;
use crate::base::environment::EnvName;
use crate::base::fault::{Advise, Fault};
use crate::command::secrets::leaks;
use crate::command::{Command, Cx, Effect};
use crate::env::document::Document;
use crate::env::generate;
use crate::env::project::Project;
use crate::report::{Block, Report};

/// Look for what is wrong with tetra.toml
///
/// It must be TOML and describe an environment, every `${…}` of every environment must resolve, and no secret may stand in it.
/// Everything that is found is told at once; errors make the exit code 3.
#[derive(Debug, clap::Args)]
pub struct TomlValidate {}

impl Command for TomlValidate {
    const NAME: &'static str = "env toml validate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env toml validate"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let project = open(cx)?;
        let document = document(project.clone())?;
        let envs: Vec<EnvName> =
            document.below(&["environments"]).filter_map(|entry| entry.path[1].parse().ok()).collect();
        let mut found = tables(&document, &envs);
        found.extend(leaks::found(&document.source.name, &document.text));
        found.extend(dialect::check(&document.text, &document.source));
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
            counted(envs.len(), "environment"),
            counted(errors, "error"),
            counted(warnings, "warning")
        );
        let mut report = Report::of(Block::Findings(found)).note(said);
        report.says_no = errors > 0;
        Ok(report)
    }
}

fn tables(document: &Document, envs: &[EnvName]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if envs.is_empty() {
        found
            .push(whole(document.source.error("no environment is described", 0..0, "")).help("add [environments.dev]"));
    }
    for entry in document.below(&["environments"]).filter(|entry| entry.path[1].parse::<EnvName>().is_err()) {
        found.push(document.source.error("this cannot be the name of an environment", entry.key.clone(), ""));
    }
    for name in ["infrastructure", "variables"] {
        if document.get(&[name]).is_none() {
            found.push(whole(document.source.warning(format!("there is no [{name}]"), 0..0, "")));
        }
    }
    for env in ["local", "dev", "staging", "prod"] {
        if !envs.iter().any(|known| known.as_str() == env) {
            found.push(whole(document.source.warning(format!("there is no [environments.{env}]"), 0..0, "")));
        }
    }
    found
}

/// What is said about a file as a whole has no place in it.
fn whole(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { labels: Vec::new(), ..diagnostic }
}

fn unresolved(cx: &mut Cx, project: &Project, env: &EnvName) -> Result<Vec<Diagnostic>, Fault> {
    let around = around(cx, env)?;
    let plan = project.plan(env, around)?;
    Ok(match generate::generate(&plan, env) {
        Ok(generated) => generated.warnings,
        Err(error) => error.diagnostics(),
    })
}
