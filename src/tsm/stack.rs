//! Stacks: services that are started and stopped together.
//!
//! A service names its stack in `TSM_STACK`; a file `tsm/stacks/NAME.stack` names services, one a line.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::is_name;
use crate::base::suggest::closest_match;
use crate::disk;
use crate::sys::file::FileError;
use crate::sys::paths::Paths;

use super::definition::Definition;
use super::service::{ServiceError, ServiceSet, Services};
use super::store::Process;

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its services: those of its file in their order, then by name those that name it.
    pub services: Vec<String>,
}

/// Why a stack cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// No service names it, and it has no file.
    #[error("unknown stack `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// One that may have been meant.
        suggestion: Option<String>,
    },
    /// A line of a file is not a name.
    #[error("invalid service name `{line}` in `{file}`")]
    Line {
        /// The file.
        file: String,
        /// The line.
        line: String,
    },
    /// The services cannot be listed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl UserFacingError for StackError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Unknown { .. } => FaultKind::NotFound,
            Self::Line { .. } => FaultKind::Failed,
            Self::Service(error) => error.kind(),
            Self::File(error) => error.kind(),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Unknown { suggestion: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::Unknown { suggestion: None, .. } => {
                Some("services name their stack in TSM_STACK; run `tsm stack list` to see all stacks".to_owned())
            }
            Self::Line { .. } => Some("expected one service per line".to_owned()),
            Self::Service(error) => error.advice(),
            Self::File(error) => error.advice(),
        }
    }
}

/// All stacks, by name, those too that only processes name. Definitions that cannot be read belong to none.
///
/// # Errors
///
/// Fails if a file cannot be read, or has an invalid name.
pub fn all(
    paths: &Paths,
    variables: &BTreeMap<String, String>,
    processes: &[Process],
) -> Result<Vec<Stack>, StackError> {
    let mut stacks: BTreeMap<String, Vec<String>> = files(paths)?;
    for file in Services::open(paths).files(ServiceSet::Available)? {
        let service = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let stack = Definition::read(&file, variables).ok().and_then(|definition| definition.options.stack);
        let members = stack.map(|stack| stacks.entry(stack).or_default());
        if let Some(members) = members.filter(|members| !members.contains(&service)) {
            members.push(service);
        }
    }
    for process in processes.iter().filter(|process| !process.meta.run.stack.is_empty()) {
        stacks.entry(process.meta.run.stack.clone()).or_default();
    }
    Ok(stacks.into_iter().map(|(name, services)| Stack { name, services }).collect())
}

/// One stack.
///
/// # Errors
///
/// As [`all`], or if there is none of that name.
pub fn find(
    name: &str,
    paths: &Paths,
    variables: &BTreeMap<String, String>,
    processes: &[Process],
) -> Result<Stack, StackError> {
    let mut all = all(paths, variables, processes)?;
    match all.iter().position(|stack| stack.name == name) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let near = closest_match(name, all.iter().map(|stack| stack.name.as_str())).map(str::to_owned);
            Err(StackError::Unknown { name: name.to_owned(), suggestion: near })
        }
    }
}

/// The stacks that have files.
fn files(paths: &Paths) -> Result<BTreeMap<String, Vec<String>>, StackError> {
    let dir = paths.stacks();
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(FileError::Io { action: "list", path: dir, source }.into()),
    };
    let mut stacks = BTreeMap::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_none_or(|it| it != "stack") || !is_name(&stem) {
            continue;
        }
        let text = disk::read_to_string(&path).map_err(|source| FileError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let mut services = Vec::new();
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        for line in lines.filter(|line| !line.is_empty()) {
            if !is_name(line) {
                return Err(StackError::Line { file: path.display().to_string(), line: line.to_owned() });
            }
            services.push(line.to_owned());
        }
        stacks.insert(stem, services);
    }
    Ok(stacks)
}
