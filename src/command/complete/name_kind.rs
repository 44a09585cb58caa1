//! What can be named.

/// A kind of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// Processes, running or not.
    Process,
    /// Service definitions.
    Service,
    /// Organizations.
    Org,
    /// Environments of the active organization, and the built-in ones.
    Env,
    /// Environments that can be chosen: those, and those that there is only a profile for.
    KnownEnv,
    /// Aliases.
    Alias,
    /// Abbreviations.
    Abbreviation,
    /// Programs of the system.
    Program,
    /// Users of the system.
    User,
    /// Ids of processes.
    Id,
    /// Pids of processes that run.
    Pid,
    /// Ports of processes.
    Port,
    /// Names in the registry of ports.
    PortName,
    /// Stacks.
    Stack,
    /// Profiles of the active organization, and the built-in ones.
    Profile,
    /// Versions of the active environment.
    Version,
    /// Secrets of the active environment.
    Secret,
    /// Variables of the env files of the project.
    Variable,
    /// Keys of `local.toml` of the active organization.
    TomlKey,
    /// Tables of `tetra.toml` of the project.
    TomlTable,
    /// Hosts of `tkm`.
    Host,
    /// Numbers of lines of the history, the latest first.
    HistoryLine,
    /// Variables of the prompt: `$last`.
    SessionVariable,
}
