//! The doctor: what is right and wrong with a `$TETRA_DIR`, its processes and the machine below them, and what can be mended.
//!
//! An examination looks only. A [`Finding`] says what was looked at, how it is, and what to do; where the cure is safe it has a
//! [`Mend`], which [`mend`] carries out.

pub mod environment;
pub mod lives;
pub mod machine;
pub mod mend;
pub mod orphans;
pub mod places;
pub mod ports;
pub mod services;
pub mod unit;

use std::path::{Path, PathBuf};

use super::ports::Claim;
use super::store::Process;
use crate::base::name::ProcessName;
use crate::base::time::Timestamp;
use crate::sys::file::FileError;
use crate::sys::paths::Paths;
use crate::sys::systemd::Unit;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Wrong: a check that finds one says no.
    Error,
}

impl Grade {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
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
    pub grade: Grade,
    /// What was found, in words.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
    /// What can be done about it safely.
    pub mend: Option<Mend>,
}

/// A safe cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// Make a folder.
    Make(PathBuf),
    /// Give a file or folder these permissions.
    Close(PathBuf, u32),
    /// Give a living process its supervisor back.
    Supervise(ProcessName),
    /// Remove a left-over file or folder that belongs to nobody.
    Remove(PathBuf),
    /// Enter a line into the port registry.
    Enter(Claim),
    /// Strike a line out of the port registry.
    Strike(Claim),
}

impl Finding {
    /// All is well.
    pub fn good(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, grade: Grade::Good, message: message.into(), advice: None, mend: None }
    }

    /// Worth a look.
    pub fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self { grade: Grade::Warning, ..Self::good(check, message) }
    }

    /// Wrong.
    pub fn error(check: &'static str, message: impl Into<String>) -> Self {
        Self { grade: Grade::Error, ..Self::good(check, message) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds a cure.
    #[must_use]
    pub fn mend(mut self, mend: Mend) -> Self {
        self.mend = Some(mend);
        self
    }
}

/// What is examined.
#[derive(Clone, Copy)]
pub struct Patient<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The processes there are.
    pub processes: &'a [Process],
    /// The time.
    pub now: Timestamp,
    /// The folders that hold systemd units.
    pub units: &'a [&'a Path],
    /// What systemd says of a unit; nothing where it does not answer.
    pub ask: &'a dyn Fn(&str) -> Option<Unit>,
}

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
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
pub fn examine(patient: &Patient, depth: Depth) -> Result<Vec<Finding>, FileError> {
    let mut findings = places::directories(patient.paths);
    findings.extend(places::permissions(patient.paths));
    findings.extend(lives::supervisors(patient.processes));
    findings.extend(lives::pipes(patient.processes));
    findings.extend(lives::stale(patient));
    findings.extend(ports::all(patient.paths, patient.processes)?);
    if depth == Depth::Full {
        findings.extend(machine::disk(patient));
        findings.extend(machine::limits(patient.processes));
        findings.push(unit::unit(patient.units, patient.ask));
        findings.extend(machine::clock(patient));
    }
    Ok(findings)
}

/// The findings, or one that says all is well if there are none.
fn or_good(findings: Vec<Finding>, check: &'static str, well: impl Into<String>) -> Vec<Finding> {
    if findings.is_empty() { vec![Finding::good(check, well)] } else { findings }
}
