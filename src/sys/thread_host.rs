//! The surroundings for work that a thread of its own does: it is interrupted by a flag, not by signals.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::host::{CommandOutput, Host, Invocation};
use super::os_host::{OsHost, wall_clock};
use crate::base::time::Timestamp;

/// How soon an interruption is noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A copy of other surroundings.
#[derive(Debug, Clone)]
pub struct ThreadHost {
    variables: BTreeMap<String, String>,
    raw: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    program: PathBuf,
    user: String,
    interrupted: Arc<AtomicBool>,
}

impl ThreadHost {
    /// A copy of `host` with the variables that `keeps` says, which is interrupted while the flag is set.
    #[must_use]
    pub fn new(host: &dyn Host, interrupted: Arc<AtomicBool>, keeps: impl Fn(&str) -> bool) -> Self {
        let kept = host.variables().iter().filter(|(name, _)| keeps(name));
        Self {
            variables: kept.map(|(name, value)| (name.clone(), value.clone())).collect(),
            raw: host.raw_variables().to_vec(),
            cwd: host.cwd().to_owned(),
            program: host.program().to_owned(),
            user: host.user().to_owned(),
            interrupted,
        }
    }
}

impl Host for ThreadHost {
    fn now(&self) -> Timestamp {
        wall_clock()
    }

    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn raw_variables(&self) -> &[(OsString, OsString)] {
        &self.raw
    }

    fn cwd(&self) -> &Path {
        &self.cwd
    }

    fn program(&self) -> &Path {
        &self.program
    }

    fn user(&self) -> &str {
        &self.user
    }

    fn run(&self, call: &Invocation) -> io::Result<CommandOutput> {
        OsHost::new().run(call)
    }

    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire)
    }

    fn sleep(&self, how_long: Duration) -> bool {
        let until = Instant::now() + how_long;
        while !self.interrupted() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(POLL_INTERVAL));
        }
        false
    }
}
