//! `org env validate`

use super::service_keys;
use super::target::{counted, home, organization};
use crate::base::diagnostic::{Diagnostic, Severity, SourceText};
use crate::base::dialect;
use crate::base::environment::EnvName;
use crate::base::fault::{Advise, Fault};
use crate::command::secrets::leaks;
use crate::command::{Command, Cx, Effect};
use crate::env::masked;
use crate::org::draft::Draft;
use crate::org::error::OrgError;
use crate::org::header::{self, State};
use crate::org::store::{self, Store};
use crate::org::workbench::{Common, Workbench};
use crate::org::{alias, condition, read, schema, variables};
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
        let store = Store::open(cx.paths, &org)?;
        let named: Vec<EnvName> = self.envs.iter().map(|env| store.meant(env)).collect();
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
                format!("{}: {}, {}", named.join(", "), counted(errors, "error"), counted(all - errors, "warning"))
            }
        };
        Ok(Report { says_no: errors > 0, ..Report::of(unique).note(summary) })
    }
}

/// What is wrong with one environment.
fn findings(store: &Store, env: &EnvName, home: Option<&str>) -> Result<Vec<Diagnostic>, OrgError> {
    let path = store.environment(env);
    let document = match read::document(&path, &store.folder()) {
        Ok(Some(document)) => document,
        Ok(None) if *env == store::local() => return Err(OrgError::NoLocal { path }),
        Ok(None) => return Err(OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() }),
        Err(error) => return told(error),
    };
    let mut found = schema::check(&document);
    found.extend(service_keys::check(&document));
    found.extend(dialect::check(&document.source.text, document.shown()));
    found.extend(leaks::found(&document.source.name, &document.source.text));
    if *env == store::local() {
        found.extend(alias::both(&document));
        found.extend(variables::flaws(&document));
        return Ok(found);
    }
    found.extend(not_as_generated(store, env)?);
    match store.chain(env) {
        Ok(chain) => found.extend(condition::violated(&Draft::new(&document), &chain)),
        // It need not be here where the environment was copied to.
        Err(OrgError::NoProfile { .. }) => {}
        Err(error) => found.extend(told(error)?),
    }
    // On a server there is nothing to make it from.
    let common = match Common::read(store, home) {
        Err(OrgError::NoLocal { .. }) => return Ok(found),
        other => other,
    };
    let made = common.and_then(|common| Workbench::open(store, &common, (env, &[]))).and_then(|bench| {
        let recipe = bench.recipe();
        let made = recipe.make()?;
        let strays = made.warnings.iter().map(|it| Diagnostic { severity: Severity::Error, ..it.clone() });
        Ok(strays.chain(schema::homes(&made.draft, &bench.chain)).collect::<Vec<_>>())
    });
    match made {
        Ok(more) => Ok(found.into_iter().chain(more).collect()),
        Err(OrgError::NoProfile { .. }) => Ok(found),
        Err(error) => told(error).map(|more| found.into_iter().chain(more).collect()),
    }
}

/// What is wrong with the file itself: somebody edited it, or it is none of ours.
fn not_as_generated(store: &Store, env: &EnvName) -> Result<Option<Diagnostic>, OrgError> {
    let Some(current) = store.current(env)? else { return Ok(None) };
    let file = format!("{env}.toml");
    let (title, help) = match &current.state {
        State::Intact(header) if header::belongs(header, store.org(), env) => return Ok(None),
        State::Edited(header) if header::belongs(header, store.org(), env) => (
            format!("{file} was edited by hand after it was generated"),
            format!("`tsm org promote @{env}` tells what differs and what can be done"),
        ),
        State::Intact(header) | State::Edited(header) => (
            format!("{file} was generated for `@{}` of `{}`", header.env, header.org),
            format!("`tsm org promote @{env} --discard-edits` keeps a copy in the history and generates it"),
        ),
        State::Foreign => (
            match current.text.trim().is_empty() {
                true => format!("{file} is empty"),
                false => format!("{file} was not generated by tetra, or its beginning was cut off"),
            },
            format!(
                "`tsm org promote @{env} --discard-edits` generates it anew; where there is no local.toml, copy it again"
            ),
        ),
    };
    let source = SourceText::new(current.path.display().to_string(), masked::toml(&current.text));
    Ok(Some(source.error(title, 0..0, "").help(help)))
}

/// The places that an error tells; an error without any remains one.
fn told(error: OrgError) -> Result<Vec<Diagnostic>, OrgError> {
    let found = error.diagnostics();
    if found.is_empty() { Err(error) } else { Ok(found) }
}
