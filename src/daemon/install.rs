//! A unit is put in place: everything found out first, then done step by step, the unit itself last.

mod error;
mod placement;
mod prepare_home;
mod step;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::disk;
use crate::ops::OpContext;
use crate::ops::unit::{TEMPLATE, UnitScope, check_exposure, choose_port, settings, unit_dirs};
use crate::sys::daemonize;
use crate::sys::file::FileError;
use crate::sys::process;
use crate::sys::systemctl::Manager;
use crate::sys::unit_check::UnitDraft;
use crate::unit::{self, DiffLine, Owner, UnitOrigin, UnitSettings};

pub use error::InstallError;
pub use step::{Step, StepContext};

/// Held while a unit is installed. Below `/run` only root makes files.
const LOCK_FILE: &str = "/run/tetra-install.lock";

/// What is to be installed.
#[derive(Debug, Clone)]
pub struct InstallRequest<'a> {
    /// The environment.
    pub env: &'a EnvName,
    /// Whose unit.
    pub scope: UnitScope,
    /// One unit for an environment, or one whose instances are users.
    pub form: UnitForm,
    /// The port of the `tetra` service, even if another environment has it.
    pub port: Option<u16>,
    /// Whether a unit that was edited is replaced.
    pub edited: EditedUnit,
}

/// One unit for an environment, or one whose instances are users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitForm {
    /// `tetra-dev.service`
    Single,
    /// `tetra@.service`
    Template,
}

/// What becomes of a unit that was edited, or that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditedUnit {
    /// Nothing is installed over it.
    Keep,
    /// It is replaced.
    Replace,
}

/// What would be done to install a unit.
#[derive(Debug)]
pub struct InstallPlan {
    /// What the unit is made from.
    pub settings: UnitSettings,
    /// Whose it is.
    pub manager: Manager,
    /// Its file.
    pub path: PathBuf,
    /// What is there now.
    pub old: Option<String>,
    /// What will be there.
    pub text: String,
    /// What is done, in order. Empty if everything is in place.
    pub steps: Vec<Step>,
    /// What an operator should know.
    pub notes: Vec<String>,
    /// How exposed it is, from 0 to 10, as `systemd-analyze` says.
    pub exposure: Option<String>,
    /// Keeps other installations away until this one is made.
    _lock: Option<File>,
}

/// Finds out what has to be done.
///
/// # Errors
///
/// Fails if the environment has no unit, if the unit there was edited, if it would be too exposed, or if what it needs is in the hands
/// of a user who should not decide about it.
pub fn plan(context: &OpContext, request: &InstallRequest) -> Result<InstallPlan, Fault> {
    let lock = lock(context)?;
    let mut plan = InstallPlan { _lock: lock, ..draft(context, request)? };
    let draft = UnitDraft::new(&plan.settings.name, &plan.text, plan.manager)?;
    plan.exposure = check_exposure(&plan.settings, &draft, context.host, &mut plan.notes)?;
    let InstallPlan { path, text, old, notes, steps, .. } = &mut plan;
    if old.as_deref() == Some(&**text) {
        return Ok(plan);
    }
    if old.as_deref().is_some_and(|old| unit::origin(old) == UnitOrigin::Guide) {
        let how = "was copied from the guide or written by an earlier version; it is replaced";
        notes.push(format!("`{}` {how}", path.display()));
    }
    steps.push(Step::WriteUnit { path: path.clone(), text: text.clone(), old: old.clone() });
    Ok(plan)
}

/// The right to install units on this machine, for as long as it is held; none for an ordinary user, who changes only what is
/// their own, and where units are written for another machine.
fn lock(context: &OpContext) -> Result<Option<File>, Fault> {
    if process::own_uid() != 0 || context.host.variable("TETRA_UNIT_DIR").is_some() {
        return Ok(None);
    }
    let path = Path::new(LOCK_FILE);
    let held = daemonize::try_lock_exclusive(path).map_err(FileError::io("lock", path))?;
    Ok(Some(held.ok_or(InstallError::Locked)?))
}

/// The unit as it would be, with what it needs first. Nothing was asked about it yet, and it is none of the steps.
///
/// # Errors
///
/// As [`plan`], but for the exposure.
pub fn draft(context: &OpContext, request: &InstallRequest) -> Result<InstallPlan, Fault> {
    let mut settings = settings(context, request.env, request.scope, None)?;
    if request.form == UnitForm::Template {
        TEMPLATE.clone_into(&mut settings.name);
        settings.owner = Owner::Instance;
    }
    let manager = if settings.owner == Owner::Session { Manager::User } else { Manager::System };
    let dir = unit_dirs(context.host, manager).into_iter().next().ok_or(InstallError::NoHome)?;
    let path = dir.join(&settings.name);
    let old = read(&path)?;
    if let (Some(text), EditedUnit::Keep) = (&old, request.edited) {
        match unit::origin(text) {
            UnitOrigin::Intact | UnitOrigin::Guide => {}
            UnitOrigin::Edited => return Err(InstallError::Edited { path }.into()),
            UnitOrigin::Foreign => return Err(InstallError::Foreign { path }.into()),
        }
    }
    settings.kept_environment = old.as_deref().map(unit::kept_environment).unwrap_or_default();
    let mut notes = Vec::new();
    choose_port(context.host, request.port, old.as_deref(), &mut settings, &mut notes);
    let steps = prepare_home::steps(context, &mut settings, &mut notes)?;
    let text = settings.text();
    Ok(InstallPlan { settings, manager, path, old, text, steps, notes, exposure: None, _lock: None })
}

fn read(path: &std::path::Path) -> Result<Option<String>, FileError> {
    match disk::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io("read", path)(error)),
    }
}

impl InstallPlan {
    /// The lines of the unit that change, if it does.
    #[must_use]
    pub fn diff(&self) -> Vec<DiffLine<'_>> {
        unit::diff(self.old.as_deref().unwrap_or_default(), &self.text)
    }

    /// Why none of it can be done by this user on this machine.
    #[must_use]
    pub fn obstacle(&self, context: &OpContext) -> Option<InstallError> {
        placement::obstacle(context.host, self.manager, &self.settings)
    }
}
