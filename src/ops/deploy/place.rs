//! Where an environment is on a host: its release, its file, its services.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::{OrgName, ServiceName};
use crate::deploy::files::DeployDir;
use crate::deploy::record::Before;
use crate::deploy::release::{ReleaseId, ReleaseStore};
use crate::disk;
use crate::ops::apply::{self, ApplyPlan, ApplyRequest, Replace, Starts, UnitChange, UnitPart};
use crate::ops::{OpContext, restart};
use crate::supervise::meta::ProcessState;
use crate::sys::file::{self, Access, FileError};
use crate::sys::host::Host;
use crate::sys::paths::Paths;
use crate::sys::process;
use crate::tsm::definition::Definition;
use crate::tsm::progress::OnProgress;
use crate::tsm::restart::RestartOptions;
use crate::tsm::service::{ServiceSet, Services};
use crate::tsm::start::WaitFor;
use crate::tsm::store::Process;

/// An environment on this host.
#[derive(Clone)]
pub struct Place<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The surroundings.
    pub host: &'a dyn Host,
    /// The organization.
    pub org: OrgName,
    /// The environment.
    pub env: EnvName,
}

impl Place<'_> {
    /// The records of its deploys.
    #[must_use]
    pub fn files(&self) -> DeployDir {
        DeployDir::of(&self.paths.org(&self.org))
    }

    /// Its releases.
    #[must_use]
    pub fn releases(&self) -> ReleaseStore {
        ReleaseStore::at(&self.paths.org(&self.org))
    }

    /// The environment with its organization.
    #[must_use]
    pub fn environment(&self) -> EnvRef {
        EnvRef { org: Some(self.org.clone()), env: self.env.clone() }
    }

    /// Its processes.
    ///
    /// # Errors
    ///
    /// Fails if processes cannot be listed.
    pub fn processes(&self) -> Result<Vec<Process>, Fault> {
        let mut all = self.context().processes()?;
        let own = self.environment();
        all.retain(|process| process.environments().contains(&own));
        Ok(all)
    }

    /// The names of those that run.
    ///
    /// # Errors
    ///
    /// As [`processes`](Self::processes).
    pub fn running(&self) -> Result<Vec<String>, Fault> {
        let all = self.processes()?.into_iter();
        Ok(all.filter(Process::is_running).map(|process| process.name.to_string()).collect())
    }

    /// The names of those that were stopped.
    ///
    /// # Errors
    ///
    /// As [`processes`](Self::processes).
    pub fn stopped(&self) -> Result<Vec<String>, Fault> {
        let all = self.processes()?.into_iter();
        Ok(all.filter(|it| it.live.state == ProcessState::Stopped).map(|process| process.name.to_string()).collect())
    }

    /// Stops those of these processes that run or are about to.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be stopped.
    pub fn stop_again(&self, names: &[String]) -> Result<(), Fault> {
        let mut all = self.processes()?;
        all.retain(|process| names.contains(&process.name.to_string()) && process.live.state != ProcessState::Stopped);
        let ended = self.context().with_control(|control| control.stop(&all.iter().collect::<Vec<_>>()));
        ended.into_iter().try_for_each(|result| result.map(drop)).map_err(Fault::from)
    }

    /// Starts those of these processes that were stopped: what restarts a process and ends in the middle leaves it so, as an operator
    /// does. Any that are gone have a successor.
    ///
    /// # Errors
    ///
    /// Fails if one does not become ready.
    pub fn start_again(&self, names: &[String], on_progress: &mut OnProgress) -> Result<(), Fault> {
        let is_stopped = |it: &Process| matches!(it.live.state, ProcessState::Stopping | ProcessState::Stopped);
        let mut all = self.processes()?;
        all.retain(|process| names.contains(&process.name.to_string()) && is_stopped(process));
        if all.is_empty() {
            return Ok(());
        }
        let options = RestartOptions::USUAL;
        let mut results = restart::restart(&self.context(), &all, options, WaitFor::Ready, on_progress)?.into_iter();
        results.try_for_each(|result| result.map(drop).map_err(Fault::from))
    }

    /// The names of the services that were applied from it.
    ///
    /// # Errors
    ///
    /// Fails if services cannot be listed.
    pub fn services(&self) -> Result<Vec<String>, Fault> {
        let files = Services::open(self.paths).files(ServiceSet::Available)?;
        let known = files.iter().filter_map(|file| Definition::read(file, self.host.variables()).ok());
        let own = self.environment();
        let is_own = |it: &Definition| it.generated_from().and_then(|from| from.parse().ok()).as_ref() == Some(&own);
        Ok(known.filter(is_own).map(|it| it.name).collect())
    }

    fn context(&self) -> OpContext<'_> {
        OpContext { paths: self.paths, host: self.host, org: Some(&self.org), env: Some(&self.env) }
    }

    /// The releases in whose directories processes work: of services that no later release changed.
    #[must_use]
    pub fn entered(&self) -> Vec<ReleaseId> {
        let root = self.releases().releases();
        let Ok(root) = root.canonicalize() else { return Vec::new() };
        let dirs = process::all_pids().into_iter().filter_map(process::cwd);
        let mut found: Vec<ReleaseId> =
            dirs.filter_map(|dir| dir.strip_prefix(&root).ok()?.iter().next()?.to_str()?.parse().ok()).collect();
        found.dedup();
        found
    }

    /// Makes the directories of the organization that are missing.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be made.
    pub fn create(&self) -> Result<(), Fault> {
        file::create_dir(&self.paths.org(&self.org).join("environments"))?;
        Ok(self.files().create()?)
    }

    /// Where the environment's file is within a release.
    #[must_use]
    pub fn file_in_release(env: &EnvName) -> String {
        format!("environments/{env}.toml")
    }

    /// The environment's file of a release.
    #[must_use]
    pub fn file_of(&self, rid: &ReleaseId) -> PathBuf {
        self.releases().release(rid).join(Self::file_in_release(&self.env))
    }

    /// What is there now, to be put back later.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn before(&self) -> Result<Before, Fault> {
        if let Some(rid) = self.releases().current()? {
            return Ok(Before::Release(rid));
        }
        let path = self.paths.environment(&self.org, &self.env);
        Ok(match disk::read_to_string(&path) {
            Ok(text) => Before::File(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Before::Absent,
            Err(source) => return Err(FileError::io("read", &path)(source).into()),
        })
    }

    /// Makes a release current, and the environment's file that of the current release.
    ///
    /// # Errors
    ///
    /// Fails if a link cannot be written.
    pub fn switch(&self, rid: &ReleaseId, txid: &str) -> Result<(), Fault> {
        self.releases().switch(rid, txid)?;
        let path = self.paths.environment(&self.org, &self.env);
        let target = PathBuf::from("../current").join(Self::file_in_release(&self.env));
        if fs::read_link(&path).is_ok_and(|found| found == target) {
            return Ok(());
        }
        Ok(replace_by_link(&path, &target).map_err(FileError::io("write", &path))?)
    }

    /// Puts the files back that were there before.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be written or removed.
    pub fn put_back(&self, before: &Before, txid: &str) -> Result<(), Fault> {
        let path = self.paths.environment(&self.org, &self.env);
        match before {
            Before::Release(rid) => return self.switch(rid, txid),
            // Over the link, in one step.
            Before::File(text) => file::write(&path, text.as_bytes(), Access::Shared)?,
            Before::Absent => remove(&path)?,
        }
        Ok(self.releases().clear_current()?)
    }

    /// What applying the environment would do: from the file of a release, or from the one in its place; `incoming` are env files
    /// and secrets that are written before.
    ///
    /// # Errors
    ///
    /// Fails if the file is not one that was generated, or a service in it is invalid.
    pub fn plan(&self, file: Option<&Path>, incoming: &[PathBuf], unit: UnitPart) -> Result<ApplyPlan, Fault> {
        apply::plan(&ApplyRequest { unit, ..self.request(file, incoming) })
    }

    fn request<'b>(&'b self, file: Option<&'b Path>, incoming: &'b [PathBuf]) -> ApplyRequest<'b> {
        ApplyRequest {
            paths: self.paths,
            host: self.host,
            org: &self.org,
            env: &self.env,
            replace: Replace::Own,
            file,
            starts: Starts::AlsoStopped,
            incoming,
            unit: UnitPart::LeftAlone,
        }
    }

    /// Applies what is in place: restarts what changed, starts what is missing or, where `starts` says so, was stopped, and waits
    /// until it is ready.
    ///
    /// # Errors
    ///
    /// Fails if a service does not become ready; what was restarted is then as it was before.
    pub fn apply(&self, starts: Starts, on_progress: &mut OnProgress) -> Result<(), Fault> {
        let request = ApplyRequest { starts, ..self.request(None, &[]) };
        apply::plan(&request)?.execute(&request, on_progress).map(drop)
    }

    /// Writes the unit anew that is installed for the environment, where that is another one now.
    ///
    /// # Errors
    ///
    /// Fails with the words for it, and what does it then.
    pub fn write_unit(&self) -> Result<(), Fault> {
        let written = self.plan(None, &[], UnitPart::Written).map(|plan| plan.unit).and_then(|unit| {
            let name = unit.as_ref().map(UnitChange::name).unwrap_or_default();
            let failed = |fault: Fault| Fault::new(fault.kind, format!("{name} was not written: {fault}"));
            unit.map_or(Ok(()), |unit| unit.write(self.host)).map_err(failed)
        });
        written.map_err(|fault| fault.with_advice(format!("on the host: `tsm org apply @{}`", self.env)))
    }

    /// Makes the definitions those of what is in place, without a start of anything: nothing runs yet at boot.
    ///
    /// # Errors
    ///
    /// Fails if a definition cannot be written.
    pub fn install(&self) -> Result<(), Fault> {
        self.plan(None, &[], UnitPart::LeftAlone)?.install(self.paths)
    }

    /// Stops and removes all that is of the environment: its state before its first deploy.
    ///
    /// # Errors
    ///
    /// Fails if a process cannot be stopped, or a definition cannot be removed.
    pub fn clear(&self) -> Result<(), Fault> {
        let (own, services) = (self.processes()?, Services::open(self.paths));
        let ended = self.context().with_control(|control| control.delete(&own.iter().collect::<Vec<_>>()));
        for name in self.services()? {
            let name: ServiceName = name.parse().map_err(|error| Fault::new(FaultKind::Failed, format!("{error}")))?;
            services.remove(&name)?;
        }
        ended.into_iter().try_for_each(|result| result.map(drop)).map_err(Fault::from)
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Puts a link in the place of what is there, in one step.
pub(super) fn replace_by_link(path: &Path, target: &Path) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let made = tempfile::Builder::new().prefix(file::TEMPORARY_PREFIX).make_in(dir, |made| symlink(target, made))?;
    made.persist(path).map_err(|error| error.error)?;
    disk::user_file().directory().open(dir)?.sync_all()
}
