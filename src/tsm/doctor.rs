//! The doctor: what is right and wrong with a `$TETRA_DIR`, its processes and the machine below them, and what can be mended.
//!
//! An examination looks only. A [`Finding`] says what was looked at, how it is, and what to do; where the cure is safe it has a
//! [`Fix`], which [`fix::apply_fix`] carries out.

pub mod dirs;
pub mod environment;
pub mod fix;
pub mod host;
pub mod orphans;
pub mod ports;
pub mod services;
pub mod supervisors;
pub mod unit;

use std::path::{Path, PathBuf};

use super::ports::PortEntry;
use super::store::Process;
use crate::base::name::ProcessName;
use crate::base::time::Timestamp;
use crate::sys::file::FileError;
use crate::sys::paths::Paths;
use crate::sys::systemd::Unit;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warning,
    /// Wrong: a check that finds one says no.
    Error,
}

impl CheckStatus {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The area: `directories`, `ports`, …
    pub check: &'static str,
    /// How it is.
    pub status: CheckStatus,
    /// What was found, in words.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
    /// What can be done about it safely.
    pub with_fix: Option<Fix>,
}

/// A safe cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Make a directory.
    CreateDirectory(PathBuf),
    /// Give a file or directory these permissions.
    SetMode(PathBuf, u32),
    /// Give a living process its supervisor back.
    Supervise(ProcessName),
    /// Remove a left-over file or directory that belongs to no process.
    Remove(PathBuf),
    /// Enter a line into the port registry.
    AddPort(PortEntry),
    /// Strike a line out of the port registry.
    RemovePort(PortEntry),
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: CheckStatus::Ok, message: message.into(), advice: None, with_fix: None }
    }

    /// Worth a look.
    pub fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Warning, ..Self::ok(check, message) }
    }

    /// Wrong.
    pub fn error(check: &'static str, message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Error, ..Self::ok(check, message) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds a cure.
    #[must_use]
    pub fn fix(mut self, mend: Fix) -> Self {
        self.with_fix = Some(mend);
        self
    }
}

/// What is examined.
#[derive(Clone, Copy)]
pub struct DoctorContext<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The processes there are.
    pub processes: &'a [Process],
    /// The time.
    pub now: Timestamp,
    /// The directories that hold systemd units.
    pub units: &'a [&'a Path],
    /// What systemd says of a unit; nothing where it does not answer.
    pub ask: &'a dyn Fn(&str) -> Option<Unit>,
}

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckLevel {
    /// What decides whether processes can be managed at all.
    Quick,
    /// That, and the machine below.
    Full,
}

/// Looks at everything and changes nothing.
///
/// # Errors
///
/// Fails if the port registry is there and cannot be read.
pub fn run_checks(context: &DoctorContext, depth: CheckLevel) -> Result<Vec<Finding>, FileError> {
    let mut findings = dirs::directories(context.paths);
    findings.extend(dirs::permissions(context.paths));
    findings.extend(supervisors::supervisors(context.processes));
    findings.extend(supervisors::pipes(context.processes));
    findings.extend(supervisors::stale(context));
    findings.extend(ports::all(context.paths, context.processes)?);
    if depth == CheckLevel::Full {
        findings.extend(host::disk(context));
        findings.extend(host::limits(context.processes));
        findings.push(unit::unit(context.units, context.ask));
        findings.extend(unit::ending_at_once(context.units));
        findings.extend(host::clock(context));
    }
    Ok(findings)
}

/// The findings, or one that says all is well if there are none.
fn or_ok(findings: Vec<Finding>, check: &'static str, well: impl Into<String>) -> Vec<Finding> {
    if findings.is_empty() { vec![Finding::ok(check, well)] } else { findings }
}
