//! What a command is given: the active choices and the surroundings.

use crate::base::environment::EnvName;
use crate::base::name::{OrgName, ProcessName};
use crate::report::Console;
use crate::sys::host::Host;
use crate::sys::paths::Paths;

/// The active organization, environment and process, with every rule about their order already applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The organization, if one is chosen or there is only one.
    pub org: Option<OrgName>,
    /// The environment, if one is chosen.
    pub env: Option<EnvName>,
    /// The selected process of this session.
    pub process: Option<ProcessName>,
}

/// Lives for one command. Domain code never receives it, only the part it needs.
pub struct Cx<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The active choices; a command that wants to change them returns [`Next::Choose`](crate::report::Next::Choose).
    pub selection: &'a Selection,
    /// The surroundings.
    pub host: &'a dyn Host,
    /// The operator. Commands note and ask; they show nothing themselves.
    pub console: &'a mut dyn Console,
    /// `--yes`: every question is answered.
    pub yes: bool,
    /// How often `-v` was given.
    pub verbose: u8,
}
