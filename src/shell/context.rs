//! Which organization and environment are active, and the order of precedence of the places where one can be selected.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::name::{InvalidName, OrgName, ProcessName};
use crate::command::Selection;
use crate::command::saved_context::SavedContext;
use crate::report::SelectionChange;
use crate::sys::host::Host;
use crate::sys::paths::Paths;

/// The variable with the organization of commands without another.
pub(super) const ORG: &str = "TETRA_ORG";
/// The variable with their environment.
pub(super) const ENV: &str = "TETRA_ENV";

/// The selection of this session: by options at its start, by `use` and `select`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected {
    /// The organization.
    pub org: Option<OrgName>,
    /// The environment.
    pub env: Option<EnvName>,
    /// The process.
    pub process: Option<ProcessName>,
}

impl Selected {
    /// Applies a change; the process is cleared with the organization or environment it was selected in.
    pub(super) fn apply(&mut self, choice: &SelectionChange) {
        if let Some(org) = &choice.org {
            if *org != self.org {
                *self = Self::default();
            }
            self.org.clone_from(org);
        }
        if let Some(env) = &choice.env {
            if *env != self.env {
                self.process = None;
            }
            self.env.clone_from(env);
        }
        if let Some(process) = &choice.process {
            self.process.clone_from(process);
        }
    }
}

/// Precedence: selected in the session, `TETRA_ORG` and `TETRA_ENV`, the saved context, the only one that exists.
///
/// # Errors
///
/// Fails if a variable is not a valid name, or the saved context cannot be read.
pub fn selection(paths: &Paths, host: &dyn Host, selected: Selected) -> Result<Selection, Fault> {
    let Selected { mut org, mut env, process } = selected;
    if org.is_none() {
        org = variable::<OrgName>(host, ORG)?;
    }
    if env.is_none() {
        env = variable::<EnvName>(host, ENV)?;
    }
    if org.is_none() || env.is_none() {
        let kept = SavedContext::read(paths)?;
        // A saved environment belongs to the organization that is saved with it.
        let same_org = org.is_none() || org == kept.org;
        org = org.or(kept.org).or_else(|| only_entry(&paths.orgs(), ContextEntries::Directories));
        env = env.or(kept.env.filter(|_| same_org));
    }
    if env.is_none()
        && let Some(org) = &org
    {
        env = only_entry(&paths.org(org).join("environments"), ContextEntries::Toml);
    }
    Ok(Selection { org, env, process })
}

fn variable<N: FromStr<Err = InvalidName>>(host: &dyn Host, name: &str) -> Result<Option<N>, Fault> {
    let Some(value) = host.variable(name) else { return Ok(None) };
    let parsed = value.parse().map_err(|error| Fault::from(error).with_advice(format!("it is the value of {name}")))?;
    Ok(Some(parsed))
}

/// Which entries of a directory are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ContextEntries {
    Directories,
    Toml,
}

/// The only entry of a directory, if there is exactly one. Symlinks to directories count as directories.
fn only_entry<N: FromStr>(dir: &Path, what: ContextEntries) -> Option<N> {
    let mut found = None;
    for entry in fs::read_dir(dir).ok()?.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let name = match what {
            ContextEntries::Directories if entry.path().is_dir() => name.parse().ok(),
            ContextEntries::Toml => name.strip_suffix(".toml").and_then(|name| name.parse().ok()),
            ContextEntries::Directories => None,
        };
        if let Some(name) = name
            && found.replace(name).is_some()
        {
            return None;
        }
    }
    found
}
