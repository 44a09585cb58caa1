//! Arguments with a type of their own, so that their completion follows from the type.

use std::convert::Infallible;
use std::str::FromStr;

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
    /// A path to a file; completed from the file system.
    FilePath;
    /// A path to a directory; completed from the file system.
    DirectoryPath;
    /// The name of a command, in one or two words; completed from the table.
    CommandWord;
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
}
