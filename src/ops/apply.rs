//! Applying an environment: each of its services becomes a definition of this machine.
//!
//! [`plan`] reads and changes nothing; [`ApplyPlan::execute`] does what the plan says, or refuses it as a whole.

use std::path::{Path, PathBuf};

use super::service_keys;
use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::{Fault, FaultKind, UserFacingError};
use crate::base::name::{OrgName, ServiceName};
use crate::config::document::Document;
use crate::disk;
use crate::org::error::OrgError;
use crate::org::header::{self, GeneratedFileState};
use crate::org::services::{self, DeclaredService};
use crate::org::store::{self, OrgStore};
use crate::sys::host::Host;
use crate::sys::paths::Paths;
use crate::tsm::definition::{Definition, GENERATED_FROM};
use crate::tsm::port::PortSpec;
use crate::tsm::service::{Overwrite, ServiceSet, Services};
use crate::tsm::store::ProcessStore;

/// What is to be applied, and where.
#[derive(Clone, Copy)]
pub struct ApplyRequest<'a> {
    /// Where the organization and the services are.
    pub paths: &'a Paths,
    /// User and variables of the caller.
    pub host: &'a dyn Host,
    /// The organization.
    pub org: &'a OrgName,
    /// The environment.
    pub env: &'a EnvName,
    /// Which services may be replaced.
    pub replace: Replace,
}

/// Which services may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Those that were applied from the same environment.
    Own,
    /// Any of the same name.
    Any,
}

/// What would be done.
#[derive(Debug)]
pub struct ApplyPlan {
    /// The services, in the order of the file; those to be removed are the last.
    pub services: Vec<ServiceChange>,
    /// The environment belongs to another user, so the plan cannot be executed.
    pub other_user: Option<ApplyError>,
}

/// What would be done to one service.
#[derive(Debug)]
pub struct ServiceChange {
    /// Its name.
    pub name: ServiceName,
    /// What is done.
    pub action: Action,
    /// The new definition; none if it is to be removed.
    pub definition: Option<Definition>,
    /// Whether it is started at boot.
    pub enabled: bool,
    /// What is missing on this machine, and processes that keep the old definition.
    pub notes: Vec<String>,
}

/// What is done to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Add,
    /// Its definition is replaced.
    Change,
    /// It is up to date.
    Keep,
    /// The environment does not declare it any more.
    Remove,
    /// Refused: a service of this name was saved by hand.
    SavedByHand,
    /// Refused: it was applied from this other environment.
    OtherEnvironment(EnvRef),
}

/// Why an environment cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It runs as another user; root may apply all.
    #[error("`{env}` runs as `{user}` and you are `{caller}`; nothing was changed")]
    OtherUser {
        /// The environment.
        env: EnvName,
        /// Its user.
        user: String,
        /// Who asks.
        caller: String,
    },
    /// Services belong to another environment.
    #[error("services already applied from {env}: {names}; a service belongs to one environment")]
    OtherEnvironment {
        /// The other environment.
        env: EnvRef,
        /// The services.
        names: String,
    },
    /// Services were saved by hand.
    #[error("services of the same name were saved by hand: {names}")]
    SavedByHand {
        /// The services.
        names: String,
    },
    /// It is the source of the others.
    #[error("`local` cannot be applied: it is the source of the other environments")]
    Local,
    /// There is no generated file here.
    #[error("environment `@{env}` does not exist in `{org}`")]
    NotGenerated {
        /// The environment.
        env: EnvName,
        /// Its organization.
        org: OrgName,
        /// Where its file should be.
        path: PathBuf,
    },
    /// The generated file was edited.
    #[error("`{}` was edited after it was generated", path.display())]
    Edited {
        /// The file.
        path: PathBuf,
    },
}

impl UserFacingError for ApplyError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::OtherUser { .. } | Self::OtherEnvironment { .. } | Self::SavedByHand { .. } => FaultKind::Refused,
            Self::Local => FaultKind::Usage,
            Self::NotGenerated { .. } => FaultKind::NotFound,
            Self::Edited { .. } => FaultKind::HandEdited,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::OtherUser { env, user, caller } => {
                let line = match env.tier() {
                    Some(Tier::Dev) => format!("{env} = \"user\" below [profiles] in manifest.toml"),
                    _ => format!("deployment.user = \"{caller}\" below [overrides.{env}] in local.toml"),
                };
                format!("apply it as root or as `{user}`; to run `{env}` as you, write {line} and promote it again")
            }
            Self::OtherEnvironment { .. } => "nothing was changed; --force moves them here. For two environments on one machine, \
                give each a directory of its own (`tetra --dir DIR` or TETRA_DIR; `org init ORG --server` in it, and copy the \
                environment there), with ports of its own"
                .to_owned(),
            Self::SavedByHand { .. } => "--force replaces them; nothing was changed".to_owned(),
            Self::Local => "`tsm org promote @dev`, then `tsm org apply @dev`".to_owned(),
            Self::NotGenerated { env, path, .. } => format!(
                "copy {env}.toml here, to {}; or `tsm org promote @{env}` where its local.toml is",
                path.display()
            ),
            Self::Edited { .. } => {
                "generate and copy it again; set differences below [overrides] in local.toml".to_owned()
            }
        })
    }
}

/// Compares the services of an environment with those of this machine.
///
/// # Errors
///
/// Fails if there is no generated file, if it was edited, or if it declares a service that is invalid.
pub fn plan(request: &ApplyRequest) -> Result<ApplyPlan, Fault> {
    let store = OrgStore::open(request.paths, request.org)?;
    let document = generated(&store, request.env)?;
    service_keys::refuse(&store.environment_path(request.env), service_keys::check(&document))?;
    let from = EnvRef { org: Some(request.org.clone()), env: request.env.clone() };
    let mut services = Vec::new();
    for service in services::declared_services(&document) {
        let Some((definition, mut notes)) = define(request, &document, &service, &from) else { continue };
        let name: ServiceName =
            service.name.parse().map_err(|error| Fault::new(FaultKind::Failed, format!("{error}")))?;
        let action = action(request, &name, &definition, &from);
        if action == Action::Change {
            notes.extend(keep_running(request.paths, &name));
        }
        services.push(ServiceChange { name, action, definition: Some(definition), enabled: service.enabled, notes });
    }
    for file in Services::open(request.paths).files(ServiceSet::Available)? {
        let Ok(known) = Definition::read(&file, request.host.variables()) else { continue };
        let is_declared = services.iter().any(|service| service.name.as_str() == known.name);
        if let (true, Ok(name)) = (made_from(&known).as_ref() == Some(&from) && !is_declared, known.name.parse()) {
            let removed =
                ServiceChange { name, action: Action::Remove, definition: None, enabled: false, notes: Vec::new() };
            services.push(removed);
        }
    }
    Ok(ApplyPlan { services, other_user: other_user(request, &document) })
}

impl ApplyPlan {
    /// Why the plan cannot be executed, if it cannot.
    #[must_use]
    pub fn refusal(&self) -> Option<ApplyError> {
        if let Some(refused) = &self.other_user {
            return Some(refused.clone());
        }
        let names = |wanted: &Action| {
            let all = self.services.iter().filter(|service| service.action == *wanted);
            all.map(|service| service.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let elsewhere = self.services.iter().find_map(|service| match &service.action {
            Action::OtherEnvironment(env) => {
                Some(ApplyError::OtherEnvironment { env: env.clone(), names: names(&service.action) })
            }
            _ => None,
        });
        let by_hand = names(&Action::SavedByHand);
        elsewhere.or_else(|| (!by_hand.is_empty()).then_some(ApplyError::SavedByHand { names: by_hand }))
    }

    /// Writes, links and removes definitions as planned.
    ///
    /// # Errors
    ///
    /// Fails with [`ApplyPlan::refusal`] before anything is changed, or if a file cannot be written.
    pub fn execute(&self, paths: &Paths) -> Result<(), Fault> {
        self.refusal().map_or(Ok(()), |refusal| Err(Fault::from(refusal)))?;
        self.services.iter().try_for_each(|service| service.execute(paths))
    }
}

impl ServiceChange {
    fn execute(&self, paths: &Paths) -> Result<(), Fault> {
        let services = Services::open(paths);
        let Some(definition) = &self.definition else { return Ok(services.remove(&self.name)?) };
        if self.action != Action::Keep {
            services.save(definition, Overwrite::Existing)?;
        }
        if self.enabled {
            services.enable(&self.name)?;
        } else if services.is_enabled(&self.name) {
            services.disable(&self.name)?;
        }
        Ok(())
    }
}

fn action(request: &ApplyRequest, name: &ServiceName, definition: &Definition, from: &EnvRef) -> Action {
    let file = request.paths.service(name);
    if !file.exists() {
        return Action::Add;
    }
    let of = Definition::read(&file, request.host.variables()).ok().and_then(|known| made_from(&known));
    match disk::read_to_string(&file) {
        Ok(text) if text == definition.to_text() => Action::Keep,
        _ if request.replace == Replace::Any || of.as_ref() == Some(from) => Action::Change,
        _ => of.map_or(Action::SavedByHand, Action::OtherEnvironment),
    }
}

fn made_from(definition: &Definition) -> Option<EnvRef> {
    definition.generated_from()?.parse().ok()
}

/// A note for each process that runs the definition as it was.
fn keep_running(paths: &Paths, service: &ServiceName) -> Vec<String> {
    let file = paths.service(service);
    let running = ProcessStore::open(paths).all().unwrap_or_default();
    let of_it = running.iter().filter(|it| it.is_running() && Path::new(&it.meta.run.service) == file);
    of_it
        .map(|it| format!("{0} still runs the old definition: `tsm delete {0}`, `tsm start {service}`", it.name))
        .collect()
}

fn other_user(request: &ApplyRequest, document: &Document) -> Option<ApplyError> {
    let user = document.text_at(&["deployment", "user"]).filter(|user| !user.is_empty())?;
    let caller = request.host.user();
    let refused = ApplyError::OtherUser { env: request.env.clone(), user: user.to_owned(), caller: caller.to_owned() };
    (caller != "root" && caller != user).then_some(refused)
}

/// The generated file of an environment, as it was generated.
fn generated(store: &OrgStore, env: &EnvName) -> Result<Document, Fault> {
    let path = store.environment_path(env);
    if *env == store::local_env() {
        return Err(ApplyError::Local.into());
    }
    let Some(current) = store.current(env)? else {
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

/// The definition of a service, with notes. None if it has no command.
fn define(
    request: &ApplyRequest,
    document: &Document,
    service: &DeclaredService,
    from: &EnvRef,
) -> Option<(Definition, Vec<String>)> {
    let home = request.host.variable("HOME");
    let mut notes = Vec::new();
    let source = document
        .text_at(&["deployment", "tetra_src"])
        .map(|text| PathBuf::from(service_keys::expand_tilde(text, home)));
    let directory = source.filter(|path| path.is_dir()).unwrap_or_else(|| request.paths.home().to_owned());
    let mut it = service_keys::definition(document, &service.name, &directory, home);
    if it.command.trim().is_empty() {
        return None;
    }
    if !it.cwd.is_dir() {
        notes.push(format!("the working directory {} does not exist", it.cwd.display()));
    }
    if let Some(file) = it.env_file.take_if(|file| !it.cwd.join(file).is_file()) {
        let file = it.cwd.join(file);
        notes.push(format!("env file {} does not exist and was left out; apply again when it exists", file.display()));
    }
    it.port = it.port.or(service.port.map(PortSpec::Exact));
    let org = from.org.as_ref().map(|org| ("TETRA_ORG".to_owned(), org.to_string()));
    it.exports.extend(org.into_iter().chain([("TETRA_ENV".to_owned(), from.env.to_string())]));
    it.unknown = vec![(GENERATED_FROM.to_owned(), from.to_string())];
    Some((it, notes))
}
