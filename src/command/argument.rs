//! Arguments with a type of their own, so that their completion follows from the type.

use std::convert::Infallible;
use std::str::FromStr;

use crate::base::environment::EnvName;
use crate::base::name::OrgName;

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub String);

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(given: &str) -> Result<Self, Infallible> {
                Ok(Self(given.to_owned()))
            }
        }
    )*};
}

texts! {
    /// One or more processes as an operator names them: id, name, prefix, unique part, pid, port, `*` or `all`.
    ProcessTarget;
    /// One process as an operator names it; completed with processes, without `all`.
    SingleProcess;
    /// A path to a file; completed from the file system.
    FilePath;
    /// A path to a directory; completed from the file system.
    DirectoryPath;
    /// The name of a command, in one or two words; completed from the table.
    CommandWord;
    /// A word of what help is wanted for; completed with commands and topics.
    HelpWord;
    /// An organization, `@` and an environment, or `-`; completed with both.
    ContextWord;
    /// The name of a setting of the session; completed from the list of them.
    SettingWord;
    /// `NAME`, `FILE` or `K=V` for the environment of a process; completed with env files.
    EnvSource;
    /// A service or a file that ends in `.tsm`; completed with both.
    ServiceWord;
    /// The login name of a user of this machine; completed with them.
    UserName;
    /// A word of what is to be started; completed with services, processes and files.
    StartWord;
    /// The value of a setting; completed with what the setting takes.
    SettingValue;
    /// An alias, alone or as `NAME=LINE`; completed with aliases, and the line as one.
    AliasDefinition;
    /// An abbreviation, alone or as `NAME=LINE`; completed with abbreviations, and the line as one.
    AbbreviationDefinition;
    /// A name that has a port; completed with those of the registry and of processes.
    PortName;
    /// The range of an environment; completed with environments and `proxy`.
    PortRangeWord;
    /// A stack; completed with those that services and files name.
    StackName;
    /// A version of an environment; completed with those of the active one.
    VersionId;
    /// A profile; completed with those of the organization and the built-in ones.
    ProfileWord;
    /// The name of a secret; completed with those of the active environment.
    SecretName;
    /// `KEY=VALUE` with a key of `local.toml`; completed with those of the active organization.
    TomlAssignment;
    /// A service of `local.toml`; completed with those of the active organization.
    DeclaredService;
    /// The name of a variable; completed with those of the env files here.
    VariableName;
    /// A table of `tetra.toml`; completed with those of the file here.
    TomlTable;
}

impl HelpWord {
    /// Behind it come words of the operator's, which the help is searched for.
    pub const SEARCH: &str = "search";
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($number:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub $number);

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(given: &str) -> Result<Self, Self::Err> {
                given.parse().map(Self)
            }
        }
    )*};
}

numbers! {
    /// A port that something may listen on; completed with those of processes.
    UsedPort(u16);
    /// The id of a process; completed with those there are.
    ProcessId(u32);
    /// The number of a line of the history; completed with the latest ones.
    HistoryId(u32);
    /// A pid of a process; completed with those that run.
    ProcessPid(u32);
}

macro_rules! wrapped {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl FromStr for $name {
            type Err = <$inner as FromStr>::Err;

            fn from_str(given: &str) -> Result<Self, Self::Err> {
                given.parse().map(Self)
            }
        }
    )*};
}

wrapped! {
    /// The name of an organization that there is not yet; nothing that exists completes it.
    NewOrgName(OrgName);
    /// An environment that is generated from `local.toml`; completed with all but `local`.
    GeneratedEnv(EnvName);
    /// The environment that a profile is for; completed with profiles.
    ProfileName(EnvName);
}
