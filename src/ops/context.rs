//! Where an operation acts.

use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::base::name::OrgName;
use crate::supervise::limits::Limits;
use crate::supervise::meta::StopCause;
use crate::sys::host::Host;
use crate::sys::paths::Paths;
use crate::tsm::control::Control;
use crate::tsm::request::StartContext;
use crate::tsm::store::{Process, ProcessStore};

use super::limits;

/// The files, the machine, and the active organization and environment.
#[derive(Clone, Copy)]
pub struct OpContext<'a> {
    /// The files below `$TETRA_DIR`.
    pub paths: &'a Paths,
    /// Time, variables, working directory, programs.
    pub host: &'a dyn Host,
    /// The active organization.
    pub org: Option<&'a OrgName>,
    /// The active environment.
    pub env: Option<&'a EnvName>,
}

impl<'a> OpContext<'a> {
    /// The active environment with its organization.
    #[must_use]
    pub fn environment(&self) -> Option<EnvRef> {
        EnvRef::of(self.org, self.env)
    }

    /// All processes, read once.
    ///
    /// # Errors
    ///
    /// Fails if the directory of the processes exists and cannot be listed.
    pub fn processes(&self) -> Result<Vec<Process>, Fault> {
        Ok(ProcessStore::open(self.paths).all()?)
    }

    /// Acts on processes; an interruption of the host ends the waiting.
    pub fn with_control<R>(&self, act: impl FnOnce(&Control) -> R) -> R {
        let interrupted = || self.host.interrupted();
        let (program, cause) = (self.host.program(), StopCause::Operator);
        act(&Control { paths: self.paths, program, interrupted: &interrupted, cause })
    }

    /// What a start is planned with: `processes`, and the limits that the active environment sets.
    ///
    /// # Errors
    ///
    /// Fails if the files that set the limits cannot be read.
    pub fn start_context<'b>(&'b self, processes: &'b [Process]) -> Result<StartContext<'b>, Fault> {
        Ok(StartContext { limits: limits::of_environment(self)?, ..self.unlimited(processes) })
    }

    /// The same without limits: enough to find out what would be started, and in which environments.
    #[must_use]
    pub fn unlimited<'b>(&'b self, processes: &'b [Process]) -> StartContext<'b> {
        StartContext {
            paths: self.paths,
            cwd: self.host.cwd(),
            variables: self.host.variables(),
            org: self.org,
            env: self.env,
            restart: self.env.and_then(EnvName::tier).map(limits::policy),
            limits: Limits::default(),
            terms: limits::terms,
            processes,
        }
    }
}
