//! Applying an environment: each of its services becomes a definition of this machine, and what runs takes over what changed.
//!
//! [`plan`] reads and changes nothing; [`ApplyPlan::execute`] does what the plan says, or refuses it as a whole. Where a step fails,
//! everything is put back.

mod backup;
mod define;
pub mod effects;
mod error;
mod execute;
mod released;
mod running;
mod unit_change;

use std::path::{Path, PathBuf};

use super::{OpContext, service_keys};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::{OrgName, ServiceName};
use crate::config::document::Document;
use crate::disk;
use crate::org::manifest::{Manifest, Rollout};
use crate::org::services;
use crate::org::store::OrgStore;
use crate::sys::host::Host;
use crate::sys::paths::Paths;
use crate::tsm::definition::Definition;
use crate::tsm::service::{ServiceSet, Services};
use define::{Defined, Surroundings};
use released::Released;

pub use error::ApplyError;
pub use execute::{ApplyResult, Done};
pub use running::{ProcessChange, ServiceRun};
pub use unit_change::{UnitChange, UnitPart};

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
    /// The file of the environment, if it is not the one in its place: that of a release that is not current.
    pub file: Option<&'a Path>,
    /// When services that are enabled and have no process are started.
    pub starts: Starts,
    /// Env files and secrets that are written before it is applied: they count as there, and as other ones than processes have.
    pub incoming: &'a [PathBuf],
    /// Whether the unit that is installed for it takes part.
    pub unit: UnitPart,
}

/// When services that are enabled and have no process are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// Where something of the environment runs already.
    WhereLive,
    /// Always.
    Always,
    /// Always, and those that an order stopped are started again.
    AlsoStopped,
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
    /// The environment.
    pub env: EnvRef,
    /// The services, in the order of the file; those to be removed are the last.
    pub services: Vec<ServiceChange>,
    /// What becomes of the unit that is installed for it.
    pub unit: Option<UnitChange>,
    /// What is to be known of that unit.
    pub unit_notes: Vec<String>,
    /// The environment belongs to another user, so the plan cannot be executed.
    pub other_user: Option<ApplyError>,
    /// How processes are restarted.
    rollout: Rollout,
    /// Something of the environment runs here.
    pub is_live: bool,
    /// Keys of the manifest that mean nothing.
    pub warnings: Vec<String>,
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
    /// Whether that is so already.
    pub was_enabled: bool,
    /// What becomes of its processes.
    pub run: ServiceRun,
    /// What is missing on this machine.
    pub notes: Vec<String>,
    /// An env file that the environment names itself, and that does not exist; it is left out of the definition.
    pub absent_env_file: Option<PathBuf>,
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

impl Action {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Add => "added",
            Self::Change => "changed",
            Self::Keep => "unchanged",
            Self::Remove => "removed",
            Self::SavedByHand => "taken",
            Self::OtherEnvironment(_) => "elsewhere",
        }
    }
}

/// Compares the services of an environment with those of this machine.
///
/// # Errors
///
/// Fails if the generated file does not exist, was edited, or declares a service that is invalid.
pub fn plan(request: &ApplyRequest) -> Result<ApplyPlan, Fault> {
    let store = OrgStore::open(request.paths, request.org)?;
    let document = define::generated(&store, request)?;
    service_keys::refuse(&store.environment_path(request.env), service_keys::check(&document))?;
    let manifest = Manifest::read(&request.paths.manifest(request.org), &request.paths.org(request.org))?;
    let rollout = manifest.rollout;
    let env = EnvRef { org: Some(request.org.clone()), env: request.env.clone() };
    let released = Released::of(request)?;
    let how = Surroundings { rollout, released: released.as_ref() };
    let mut services = declared(request, &document, how, &env)?;
    services.extend(removed(request, &services, &env)?);
    let is_live = running::plan(request, &env, &mut services, how.released)?;
    let (other_user, mut unit_notes) = (other_user(request, &document), Vec::new());
    let unit = match other_user {
        Some(_) => None,
        None => unit_change::plan(request, &mut unit_notes)?,
    };
    let warnings = manifest.warnings();
    Ok(ApplyPlan { env, services, unit, unit_notes, other_user, rollout, is_live, warnings })
}

/// The services that the environment declares.
fn declared(
    request: &ApplyRequest,
    document: &Document,
    how: Surroundings,
    from: &EnvRef,
) -> Result<Vec<ServiceChange>, Fault> {
    let mut services = Vec::new();
    for service in services::declared_services(document) {
        let Some(defined) = define::define(request, document, &service, how) else { continue };
        let Defined { definition, notes, absent_env_file } = defined;
        let name: ServiceName =
            service.name.parse().map_err(|error| Fault::new(FaultKind::Failed, format!("{error}")))?;
        let action = action(request, &name, &definition, from);
        services.push(ServiceChange {
            was_enabled: Services::open(request.paths).is_enabled(&name),
            name,
            action,
            definition: Some(definition),
            enabled: service.enabled,
            run: ServiceRun::default(),
            notes,
            absent_env_file,
        });
    }
    Ok(services)
}

/// The services that were applied from the environment and that it does not declare any more.
fn removed(request: &ApplyRequest, declared: &[ServiceChange], from: &EnvRef) -> Result<Vec<ServiceChange>, Fault> {
    let mut removed = Vec::new();
    for file in Services::open(request.paths).files(ServiceSet::Available)? {
        let Ok(known) = Definition::read(&file, request.host.variables()) else { continue };
        let is_declared = declared.iter().any(|service| service.name.as_str() == known.name);
        if let (true, Ok(name)) = (made_from(&known).as_ref() == Some(from) && !is_declared, known.name.parse()) {
            removed.push(ServiceChange {
                was_enabled: Services::open(request.paths).is_enabled(&name),
                name,
                action: Action::Remove,
                definition: None,
                enabled: false,
                run: ServiceRun::default(),
                notes: Vec::new(),
                absent_env_file: None,
            });
        }
    }
    Ok(removed)
}

impl ApplyRequest<'_> {
    /// The same place, in the environment that is applied.
    fn context(&self) -> OpContext<'_> {
        OpContext { paths: self.paths, host: self.host, org: Some(self.org), env: Some(self.env) }
    }
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
        let cannot_restart = self.services.iter().find_map(|service| {
            let why = service.run.obstacle.clone()?;
            Some(ApplyError::CannotRestart { service: service.name.clone(), why })
        });
        elsewhere
            .or_else(|| (!by_hand.is_empty()).then_some(ApplyError::SavedByHand { names: by_hand }))
            .or(cannot_restart)
    }

    /// True if everything is as the environment says.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.unit.is_none() && self.services.iter().all(ServiceChange::is_done)
    }
}

impl ServiceChange {
    /// True if its files and its processes stay as they are.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.action == Action::Keep && self.enabled == self.was_enabled && self.run.is_empty()
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

fn other_user(request: &ApplyRequest, document: &Document) -> Option<ApplyError> {
    let user = document.text_at(&["deployment", "user"]).filter(|user| !user.is_empty())?;
    let caller = request.host.user();
    let refused = ApplyError::OtherUser { env: request.env.clone(), user: user.to_owned(), caller: caller.to_owned() };
    (caller != "root" && caller != user).then_some(refused)
}
