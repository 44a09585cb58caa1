//! What needs no start.

use crate::base::name::ProcessName;
use crate::supervise::meta::ProcessState;

/// A process that runs already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningProcess {
    /// Its name.
    pub name: ProcessName,
    /// Its pid, if it is known.
    pub pid: Option<u32>,
    /// Its port, if it is known.
    pub port: Option<u16>,
    /// How it is: online, or scheduled.
    pub state: ProcessState,
}
