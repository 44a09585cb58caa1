//! What an environment's file says: its text as it was generated, and the definition of each of its services.

use std::path::{Path, PathBuf};

use super::ApplyRequest;
use super::error::ApplyError;
use super::released::{APPLICATION_VARIABLE, Released};
use crate::base::environment::{BUILT_IN, EnvFileName, EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::config::document::Document;
use crate::ops::service_keys;
use crate::org::error::OrgError;
use crate::org::header::{self, GeneratedFileState};
use crate::org::manifest::Rollout;
use crate::org::services::DeclaredService;
use crate::org::store::{self, OrgStore};
use crate::tsm::definition::{Definition, GENERATED_FROM};
use crate::tsm::options::Strategy;
use crate::tsm::port::PortSpec;

/// The keys of `[logging]` that services get as variables, each with the variable.
pub(super) const LOGGING: [(&str, &str); 2] = [("level", "LOG_LEVEL"), ("format", "LOG_FORMAT")];

/// The generated file of an environment, as it was generated.
pub(super) fn generated(store: &OrgStore, request: &ApplyRequest) -> Result<Document, Fault> {
    let env = request.env;
    let path = request.file.map_or_else(|| store.environment_path(env), Path::to_owned);
    if *env == store::local_env() {
        return Err(ApplyError::Local.into());
    }
    let Some(current) = store.read(&path)? else {
        return Err(ApplyError::NotGenerated { env: env.clone(), org: store.org().clone(), path }.into());
    };
    match &current.state {
        GeneratedFileState::Intact(header) if header::matches(header, store.org(), env) => {}
        GeneratedFileState::Edited(header) if header::matches(header, store.org(), env) => {
            return Err(ApplyError::Edited { path }.into());
        }
        _ => return Err(OrgError::NotGenerated { path, env: env.clone() }.into()),
    }
    Ok(Document::parse(&path.display().to_string(), &current.text).map_err(|found| OrgError::invalid(&path, found))?)
}

/// What is the same for all services of an environment.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// How they are restarted.
    pub(super) rollout: Rollout,
    /// The application files of the release.
    pub(super) released: Option<&'a Released>,
}

/// A service as an environment's file says.
pub(super) struct Defined {
    pub(super) definition: Definition,
    /// What is to be known about it on this machine.
    pub(super) notes: Vec<String>,
    /// An env file that the environment names itself, and that does not exist.
    pub(super) absent_env_file: Option<PathBuf>,
}

/// The definition of a service, with notes. None if it has no command.
pub(super) fn define(
    request: &ApplyRequest,
    document: &Document,
    service: &DeclaredService,
    Surroundings { rollout, released }: Surroundings,
) -> Option<Defined> {
    let home = request.host.variable("HOME");
    let mut notes = Vec::new();
    let source = || service_keys::source_directory(document, request.paths, home);
    let directory = released.map_or_else(source, |it| it.dir.clone());
    let mut it = service_keys::definition(document, &service.name, &directory, home);
    if it.command.trim().is_empty() {
        return None;
    }
    let within = released.filter(|released| it.cwd.starts_with(&released.dir));
    if !within.map_or_else(|| it.cwd.clone(), |released| released.staged(&it.cwd)).is_dir() {
        notes.push(format!("the working directory {} does not exist", it.cwd.display()));
    }
    let mut files = it.options.env_file.take().unwrap_or_default();
    if let Some(released) = within {
        // What is in a release is not kept from anybody.
        files.iter_mut().for_each(|file| *file = of_home(file, request.paths.home()));
        it.exports.push((APPLICATION_VARIABLE.to_owned(), released.digest.clone()));
    }
    let is_there = |path: &Path| path.is_file() || request.incoming.iter().any(|incoming| incoming == path);
    for file in &mut files {
        let name = EnvFileName::of(file).path;
        if !is_there(&it.cwd.join(name)) && is_there(&request.paths.home().join(name)) {
            *file = of_home(file, request.paths.home());
        }
    }
    let (there, missing): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| {
        let EnvFileName { path, optional } = EnvFileName::of(file);
        optional || is_there(&it.cwd.join(path))
    });
    it.options.env_file = Some(there).filter(|files| !files.is_empty());
    let mut absent_env_file = None;
    for file in missing {
        let below = Path::new(&file).strip_prefix(request.paths.home()).unwrap_or(Path::new(&file));
        let is_of_profile = is_of_profile(below, request.env);
        let file = it.cwd.join(file);
        notes.push(format!("env file {} does not exist and was left out; apply again when it exists", file.display()));
        if !is_of_profile {
            absent_env_file.get_or_insert(file);
        }
    }
    it.port = it.port.or(service.port.map(PortSpec::Exact));
    for (key, variable) in LOGGING {
        let own = it.exports.iter().any(|(name, _)| name == variable);
        let value = document.text_at(&["logging", key]).filter(|_| !own);
        it.exports.extend(value.map(|value| (variable.to_owned(), value.to_owned())));
    }
    if rollout == Rollout::Recreate {
        it.options.strategy.get_or_insert(Strategy::Recreate);
    }
    it.exports.push(("TETRA_ORG".to_owned(), request.org.to_string()));
    it.exports.push(("TETRA_ENV".to_owned(), request.env.to_string()));
    let from = EnvRef { org: Some(request.org.clone()), env: request.env.clone() };
    it.unknown = vec![(GENERATED_FROM.to_owned(), from.to_string())];
    Some(Defined { definition: it, notes, absent_env_file })
}

/// True for the env file that profiles give to every service, whether it has one or not.
fn is_of_profile(file: &Path, env: &EnvName) -> bool {
    let name = file.to_str().and_then(|file| file.strip_prefix("env/")?.strip_suffix(".env"));
    name.is_some_and(|name| name == env.as_str() || BUILT_IN.iter().any(|(known, _)| *known == name))
}

/// An env file of `home`, where it is not named from the root.
fn of_home(file: &str, home: &Path) -> String {
    let EnvFileName { path, optional } = EnvFileName::of(file);
    EnvFileName { path: &home.join(path).to_string_lossy(), optional }.to_string()
}
