//! Every key of a service, each in one row: what it is called in a `.tsm` file and in TOML, how it is read, how it is written.
//!
//! Every reader and writer of services uses this table, so a key means the same everywhere.

use crate::base::name::is_name;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::options::OPTIONS;
use crate::tsm::options::table::ServiceOption;
use crate::tsm::options::value::{FormattedValue, OptionType, RawOptionValue};

use super::Definition;

/// A key of a service.
#[derive(Clone, Copy)]
pub struct DefinitionKey {
    /// Its name in a `.tsm` file.
    pub tsm: &'static str,
    /// Its names below `[services.NAME]` in TOML, the usual one first; none where it is said in another way.
    pub toml: &'static [&'static str],
    /// The type of its value.
    pub value_type: OptionType,
    /// What a refused value should have been: "expected …".
    pub expected: &'static str,
    access: KeyAccess,
}

/// Where its value is in a definition.
#[derive(Clone, Copy)]
enum KeyAccess {
    /// In a field of its own: puts a value there, none if it is refused; and takes it from there, none if there is none.
    Definition(fn(&mut Definition, &RawOptionValue) -> Option<()>, fn(&Definition) -> Option<FormattedValue>),
    /// Among the options of the process.
    Option(&'static ServiceOption),
}

impl DefinitionKey {
    /// The key of a name in `.tsm` files.
    #[must_use]
    pub fn of_tsm(name: &str) -> Option<Self> {
        keys().find(|key| key.tsm == name)
    }

    /// The key of a name below `[services.NAME]`.
    #[must_use]
    pub fn of_toml(name: &str) -> Option<Self> {
        keys().find(|key| key.toml.contains(&name))
    }

    /// Puts a value into a definition.
    ///
    /// # Errors
    ///
    /// Fails with what was expected if the value is invalid.
    pub fn read(self, definition: &mut Definition, given: &RawOptionValue) -> Result<(), &'static str> {
        match self.access {
            KeyAccess::Definition(read, _) => read(definition, given).ok_or(self.expected),
            KeyAccess::Option(option) => option.read(&mut definition.options, given),
        }
    }

    /// The value of a definition; none if it has none.
    #[must_use]
    pub fn write(self, definition: &Definition) -> Option<FormattedValue> {
        match self.access {
            KeyAccess::Definition(_, write) => write(definition),
            KeyAccess::Option(option) => option.write(&definition.options),
        }
    }

    /// The key of an option.
    fn of_option(option: &'static ServiceOption) -> Self {
        let ServiceOption { tsm, toml, value_type, expected, .. } = *option;
        Self { tsm, toml, value_type, expected, access: KeyAccess::Option(option) }
    }
}

/// More instances of one service than this are a mistake.
pub const MAX_INSTANCES: u32 = 256;

const NAME: &str = "letters, digits, `.`, `_` and `-`, starting with a letter or digit";
const STACK: &str = "the name of a stack";
const PORT: &str = "a number from 1 to 65535, `8000+`, `auto` or `none`";
const BELONGS: &str = "an organization and an environment such as acme/prod";
const FLAG: &str = "true or false";
const SMALL_COUNT: &str = "an integer from 1 to 256";

/// A row: names, what it holds, what is wanted, and the two ways.
macro_rules! key {
    ($tsm:literal, $toml:expr, $type:ident, $expected:expr, |$d:ident, $v:ident| $read:expr, $write:expr $(,)?) => {
        DefinitionKey {
            tsm: $tsm,
            toml: &$toml,
            value_type: OptionType::$type,
            expected: $expected,
            access: KeyAccess::Definition(
                |$d, $v| {
                    $read;
                    Some(())
                },
                $write,
            ),
        }
    };
}

/// All keys, in the order in which they are written.
pub fn keys() -> impl Iterator<Item = DefinitionKey> {
    DEFINITION_KEYS.iter().copied().chain(OPTIONS.iter().map(DefinitionKey::of_option))
}

/// What only a definition has; the options of a process have rows of their own.
const DEFINITION_KEYS: &[DefinitionKey] = &[
    key!("TSM_NAME", [], Text, NAME, |d, v| named(d, v)?, |d| text(Some(&d.name))),
    key!("TSM_COMMAND", ["command"], Opaque, "a command line", |d, v| d.command = v.value(), |d| text(Some(
        &d.command
    )),),
    key!(
        "TSM_CWD",
        ["cwd", "working_dir"],
        Path,
        "a directory",
        |d, v| d.cwd = v.full().map_or(v.dir.to_owned(), |cwd| v.dir.join(cwd)),
        |d| Some(FormattedValue::Text(d.cwd.to_string_lossy().into_owned())),
    ),
    key!("TSM_DESCRIPTION", ["description"], Text, "a string", |d, v| d.description = v.full(), |d| text(
        d.description.as_ref()
    ),),
    key!("TSM_PORT", ["port"], NumberOrText, PORT, |d, v| d.port = v.parsed()?, |d| text(d.port)),
    key!("TSM_ENV", ["env"], Path, "an env file or K=V", |d, v| d.env = v.full(), |d| text(d.env.as_ref()),),
    key!("TSM_ENVIRONMENT", [], Text, BELONGS, |d, v| belongs(d, v)?, |d| text(d.belongs.as_ref())),
    key!("TSM_PRE_COMMAND", ["pre_command"], Opaque, "a command line", |d, v| d.pre_command = v.full(), |d| text(
        d.pre_command.as_ref()
    ),),
    key!("TSM_AUTOSTART", ["autostart"], Flag, FLAG, |d, v| d.autostart = v.flag()?, |d| text(d.autostart),),
    key!("TSM_GROUP", ["group"], Text, STACK, |d, v| group(d, v)?, |_| None),
    key!("TSM_INSTANCES", ["instances"], Number, SMALL_COUNT, |d, v| d.instances = small_count(v)?, |d| text(
        d.instances
    ),),
    // What it lists is a part of the command when all is read.
    key!("TSM_ARGS", ["args"], Texts, "a list of arguments", |d, v| d.arguments = v.values.to_vec(), |_| None,),
    key!("TSM_RESTART_ON_FAILURE", ["auto_restart"], Flag, FLAG, |d, v| on_failure(d, v)?, |_| None),
];

/// Keys of older files, which say nothing to us and are kept as they are.
pub(super) const LEGACY_KEYS: [&str; 4] = ["TSM_ORG", "TSM_PORT_TYPE", "TSM_PORTS", "TSM_FILE"];

fn text(value: Option<impl ToString>) -> Option<FormattedValue> {
    value.map(|value| FormattedValue::Text(value.to_string()))
}

fn small_count(given: &RawOptionValue) -> Option<Option<u32>> {
    let count = given.parsed()?;
    count.is_none_or(|count| (1..=MAX_INSTANCES).contains(&count)).then_some(count)
}

fn named(definition: &mut Definition, given: &RawOptionValue) -> Option<()> {
    match given.full() {
        Some(name) if !is_name(&name) => return None,
        Some(name) => definition.name = name,
        None => {}
    }
    Some(())
}

fn belongs(definition: &mut Definition, given: &RawOptionValue) -> Option<()> {
    definition.belongs = given.parsed()?;
    definition.belongs.as_ref().is_none_or(|it| it.org.is_some()).then_some(())
}

fn group(definition: &mut Definition, given: &RawOptionValue) -> Option<()> {
    let group = given.names()?.into_iter().next();
    definition.options.stack = definition.options.stack.take().or(group);
    Some(())
}

/// The older of the two keys, and the weaker.
fn on_failure(definition: &mut Definition, given: &RawOptionValue) -> Option<()> {
    let policy = given.flag()?.map(|yes| if yes { RestartPolicy::OnFailure } else { RestartPolicy::Never });
    definition.options.restart = definition.options.restart.or(policy);
    Some(())
}
