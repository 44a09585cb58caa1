//! `env validate`

use super::list::none;
use super::{note_sealed, open, scope_inputs_if_unsealed};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind, UserFacingError};
use crate::base::plural::pluralize;
use crate::command::secrets::scan_guard;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::config::read;
use crate::env::env_file;
use crate::env::generate;
use crate::env::lint::{self, LintInput};
use crate::env::project::{self, EnvPlan, Project, ProjectError};
use crate::env::secrets::SecretStore;
use crate::report::{Block, Report};

/// Check the env file of an environment and its source
///
/// Reports unresolved and broken expansions, placeholders, duplicate and missing variables, invalid ports, secrets in plain text
/// or used twice, and files that others can read. All findings are reported at once; the exit code is 3 if there are errors.
#[derive(Debug, clap::Args)]
pub struct Validate {
    /// The environment
    #[arg(value_name = "ENV", if_not_given = "all that have a file or a source")]
    target: Option<EnvName>,
}

impl Command for Validate {
    const NAME: &'static str = "env validate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env validate staging", "env validate"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let project = open(cx)?;
        let all = self.target.is_none();
        let envs = match self.target {
            Some(env) => vec![env],
            None => project.environments(),
        };
        if envs.is_empty() {
            return Err(Fault::new(FaultKind::NotFound, none()));
        }
        note_sealed(cx, &envs.iter().collect::<Vec<_>>())?;
        let mut findings = leaks(&project)?;
        let mut open = Vec::new();
        for env in &envs {
            let known = values(&project, env);
            match validate_env(cx, &project, env, &known) {
                Ok(found) => findings.extend(found),
                // Of all environments one without a file is not an error, and an error in the source is the greater one.
                Err(fault) if fault.kind == FaultKind::NotFound && (all || !findings.is_empty()) => {}
                Err(fault) => return Err(fault),
            }
            let path = project.file(env);
            if let Some(mode) = SecretStore::mode(&path).filter(|mode| mode & 0o077 != 0) {
                let what = format!("env/{env}.env can be read by others (mode {mode:04o})");
                open.push(
                    Fault::new(FaultKind::UnsafeMode, what).with_advice(format!("chmod 600 '{}'", path.display())),
                );
            }
        }
        findings.dedup();
        let errors = findings.iter().filter(|it| it.severity == Severity::Error).count();
        let (warnings, errors) = (findings.len() - errors, errors + open.len());
        let names: Vec<String> = envs.iter().map(ToString::to_string).collect();
        let said = format!("{}: {}, {}", names.join(", "), pluralize(errors, "error"), pluralize(warnings, "warning"));
        let mut report = Report::of(Block::Findings(findings)).note(said);
        report.check_failed = errors > open.len();
        report.faults = open;
        Ok(report)
    }
}

/// Secrets in files that are committed.
fn leaks(project: &Project) -> Result<Vec<Diagnostic>, Fault> {
    let mut found = Vec::new();
    if let Some(document) = &project.document {
        let (name, text) = (&document.source.name, &document.source.text);
        found.extend(scan_guard::scan_text(name, text));
    }
    for env in project.environments() {
        let name = format!("{}/{env}.env.tmpl", project::DIR_NAME);
        if let Some(text) = read::text_if_exists(&project.template(&env))? {
            found.extend(scan_guard::scan_text(&name, &text));
        }
    }
    Ok(found)
}

/// The secrets of the other environments' files.
fn values(project: &Project, except: &EnvName) -> Vec<(String, String, String)> {
    let mut values = Vec::new();
    for env in project.environments().into_iter().filter(|env| env != except) {
        for setting in project::read_file(project, &env).unwrap_or_default() {
            values.push((env.to_string(), setting.key, setting.value));
        }
    }
    values
}

fn validate_env(
    cx: &mut Cx,
    project: &Project,
    env: &EnvName,
    others: &[(String, String, String)],
) -> Result<Vec<Diagnostic>, Fault> {
    let plan = plan(cx, project, env)?;
    let mut found = Vec::new();
    if let Some(plan) = &plan {
        match generate::generate(plan, env) {
            Ok(generated) => found.extend(generated.warnings.into_iter().map(strays_as_errors)),
            Err(error) => found.extend(error.diagnostics()),
        }
    }
    let name = format!("{}/{env}.env", project::DIR_NAME);
    let Some(text) = read::text_if_exists(&project.file(env))? else {
        return if found.is_empty() { Err(ProjectError::NoFile { env: env.clone() }.into()) } else { Ok(found) };
    };
    match env_file::entries(&name, &text) {
        Ok(entries) => {
            let plan = plan.as_ref();
            found.extend(lint::lint(&LintInput {
                name: &name,
                env: env.as_str(),
                text: &text,
                entries: &entries,
                plan,
                others,
            }));
        }
        Err(error) => found.extend(error.diagnostics()),
    }
    Ok(found)
}

fn plan(cx: &mut Cx, project: &Project, env: &EnvName) -> Result<Option<EnvPlan>, Fault> {
    let around = scope_inputs_if_unsealed(cx, env)?;
    match project.plan(env, around) {
        Ok(plan) => Ok(Some(plan)),
        Err(ProjectError::UnknownEnvironment { .. }) if project.file(env).is_file() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// An unmatched closing brace may be meant; a check takes it for an error.
fn strays_as_errors(warning: Diagnostic) -> Diagnostic {
    let stray = warning.title.contains("unmatched `}`");
    Diagnostic { severity: if stray { Severity::Error } else { warning.severity }, ..warning }
}
