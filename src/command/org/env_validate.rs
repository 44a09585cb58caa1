//! `org env validate`

use super::context::{home, organization, pluralize};
use super::service_keys;
use crate::base::diagnostic::{Diagnostic, Severity, SourceText};
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, UserFacingError};
use crate::base::toml_hints;
use crate::command::secrets::scan_guard;
use crate::command::{Command, Cx, Effect};
use crate::env::mask;
use crate::org::draft::Draft;
use crate::org::error::OrgError;
use crate::org::header::{self, GeneratedFileState};
use crate::org::inputs::{PromotionInputs, SharedInputs};
use crate::org::store::{self, OrgStore};
use crate::org::{alias, constraints, read, schema, variables};
use crate::report::Report;

/// Check environments: TOML, types, the rules of the profile, hand edits
///
/// Tells everything that is wrong at once. Exit code 3 if anything is.
#[derive(Debug, clap::Args)]
pub struct EnvValidate {
    /// The environments; all that have a file if none is named
    envs: Vec<EnvName>,
    /// All environments
    #[arg(long, conflicts_with = "envs")]
    all: bool,
}

impl Command for EnvValidate {
    const NAME: &'static str = "org env validate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org env validate local", "org env validate --all"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let named: Vec<EnvName> = self.envs.iter().map(|env| store.resolve_alias(env)).collect();
        let envs = if named.is_empty() { store.environments() } else { named };
        let mut found = Vec::new();
        for env in &envs {
            found.extend(findings(&store, env, home(cx))?);
        }
        let mut unique: Vec<Diagnostic> = Vec::new();
        for one in found {
            if !unique.contains(&one) {
                unique.push(one);
            }
        }
        let errors = unique.iter().filter(|it| it.severity == Severity::Error).count();
        let named: Vec<&str> = envs.iter().map(EnvName::as_str).collect();
        let summary = match (errors, unique.len()) {
            (0, 0) => format!("{}: nothing is wrong", named.join(", ")),
            (errors, all) => {
                format!("{}: {}, {}", named.join(", "), pluralize(errors, "error"), pluralize(all - errors, "warning"))
            }
        };
        Ok(Report { check_failed: errors > 0, ..Report::of(unique).note(summary) })
    }
}

/// What is wrong with one environment.
fn findings(store: &OrgStore, env: &EnvName, home: Option<&str>) -> Result<Vec<Diagnostic>, OrgError> {
    let path = store.environment_path(env);
    let document = match read::document(&path, &store.dir()) {
        Ok(Some(document)) => document,
        Ok(None) if *env == store::local_env() => return Err(OrgError::NoLocal { path }),
        Ok(None) => return Err(OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() }),
        Err(error) => return as_diagnostics(error),
    };
    let mut found = schema::check(&document);
    found.extend(service_keys::check(&document));
    found.extend(toml_hints::compatibility_warnings(&document.source.text, document.shown()));
    found.extend(scan_guard::scan_text(&document.source.name, &document.source.text));
    if *env == store::local_env() {
        found.extend(alias::conflicts(&document));
        found.extend(variables::syntax_errors(&document));
        return Ok(found);
    }
    found.extend(edited_by_hand(store, env)?);
    match store.chain(env) {
        Ok(chain) => found.extend(constraints::check_constraints(&Draft::new(&document), &chain)),
        // It need not be here where the environment was copied to.
        Err(OrgError::NoProfile { .. }) => {}
        Err(error) => found.extend(as_diagnostics(error)?),
    }
    // On a server there is nothing to make it from.
    let common = match SharedInputs::read(store, home) {
        Err(OrgError::NoLocal { .. }) => return Ok(found),
        other => other,
    };
    let made = common.and_then(|common| PromotionInputs::open(store, &common, (env, &[]))).and_then(|bench| {
        let recipe = bench.promotion();
        let made = recipe.run()?;
        let strays = made.warnings.iter().map(|it| Diagnostic { severity: Severity::Error, ..it.clone() });
        Ok(strays.chain(schema::check_home_paths(&made.draft, &bench.chain)).collect::<Vec<_>>())
    });
    match made {
        Ok(more) => Ok(found.into_iter().chain(more).collect()),
        Err(OrgError::NoProfile { .. }) => Ok(found),
        Err(error) => as_diagnostics(error).map(|more| found.into_iter().chain(more).collect()),
    }
}

/// What is wrong with the file itself: somebody edited it, or it is none of ours.
fn edited_by_hand(store: &OrgStore, env: &EnvName) -> Result<Option<Diagnostic>, OrgError> {
    let Some(current) = store.current(env)? else { return Ok(None) };
    let file = format!("{env}.toml");
    let (title, help) = match &current.state {
        GeneratedFileState::Intact(header) if header::matches(header, store.org(), env) => return Ok(None),
        GeneratedFileState::Edited(header) if header::matches(header, store.org(), env) => (
            format!("{file} was edited by hand after it was generated"),
            format!("`tsm org promote @{env}` tells what differs and what can be done"),
        ),
        GeneratedFileState::Intact(header) | GeneratedFileState::Edited(header) => (
            format!("{file} was generated for `@{}` of `{}`", header.env, header.org),
            format!("`tsm org promote @{env} --discard-edits` keeps a copy in the history and generates it"),
        ),
        GeneratedFileState::NotOurs => (
            match current.text.trim().is_empty() {
                true => format!("{file} is empty"),
                false => format!("{file} was not generated by tetra, or its beginning was cut off"),
            },
            format!(
                "`tsm org promote @{env} --discard-edits` generates it anew; where there is no local.toml, copy it again"
            ),
        ),
    };
    let source = SourceText::new(current.path.display().to_string(), mask::mask_toml(&current.text));
    Ok(Some(source.error(title, 0..0, "").help(help)))
}

/// The places that an error tells; an error without any remains one.
fn as_diagnostics(error: OrgError) -> Result<Vec<Diagnostic>, OrgError> {
    let found = error.diagnostics();
    if found.is_empty() { Err(error) } else { Ok(found) }
}
