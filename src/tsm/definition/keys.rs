//! Every key of a service, each in one row: what it is called in a `.tsm` file and in TOML, how it is read, how it is written.
//!
//! Every reader and writer of services uses this table, so a key means the same everywhere.

use std::time::Duration;

use crate::base::name::is_name;
use crate::base::signal::Signal;
use crate::base::size::Size;
use crate::base::time::HumanDuration;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::instances;
use crate::tsm::limits::{MaxMemoryRestart, MemoryMax};
use crate::tsm::options::Strategy;

use super::Definition;
use super::value::{FormattedValue, RawValue, ValueType};

/// A key of a service.
pub struct Key {
    /// Its name in a `.tsm` file.
    pub tsm: &'static str,
    /// Its names below `[services.NAME]` in TOML, the usual one first; none where it is said in another way.
    pub toml: &'static [&'static str],
    /// What it holds.
    pub value_type: ValueType,
    /// What to write where a value is refused.
    pub hint: &'static str,
    /// Puts a value into a definition; none if it is refused.
    read: fn(&mut Definition, &RawValue) -> Option<()>,
    /// The value of a definition; none if it says nothing.
    write: fn(&Definition) -> Option<FormattedValue>,
}

impl Key {
    /// The key of a name in `.tsm` files.
    #[must_use]
    pub fn of_tsm(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.tsm == name)
    }

    /// The key of a name below `[services.NAME]`.
    #[must_use]
    pub fn of_toml(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.toml.contains(&name))
    }

    /// Puts a value into a definition.
    ///
    /// # Errors
    ///
    /// Fails with what was expected if the value is invalid.
    pub fn read(&self, definition: &mut Definition, given: &RawValue) -> Result<(), &'static str> {
        (self.read)(definition, given).ok_or(self.hint)
    }

    /// What a definition says under this key.
    #[must_use]
    pub fn write(&self, definition: &Definition) -> Option<FormattedValue> {
        (self.write)(definition)
    }
}

const NAME: &str = "letters, digits, `.`, `_` and `-`, starting with a letter or digit";
const NAMES: &str = "names of services, separated by spaces";
const STACK: &str = "the name of a stack";
const PORT: &str = "a number from 1 to 65535, `8000+`, `auto` or `none`";
const BELONGS: &str = "an organization and an environment such as acme/prod";
const FLAG: &str = "true or false";
const POLICY: &str = "never, on-failure or always";
const DURATION: &str = "a time span with a unit, such as 500ms, 10s or 5m";
const COUNT: &str = "an integer >= 0";
const SMALL_COUNT: &str = "an integer from 1 to 256";
const CHECK: &str = "http://host:port/path, tcp://host:port or exec:command";
const CRON: &str = "five fields such as `0 4 * * *`, or six with the second first";
const MEMORY_OR_NONE: &str = "a size of at least 4M, such as 300M or 2G, or none";
const MEMORY: &str = "a size of at least 4M, such as 300M or 2G";
const SIZE: &str = "a size with a unit, such as 512K, 10M or 1G";

/// A row: names, what it holds, what is wanted, and the two ways.
macro_rules! key {
    ($tsm:literal, $toml:expr, $holds:ident, $wants:expr, |$d:ident, $v:ident| $read:expr, $write:expr $(,)?) => {
        Key {
            tsm: $tsm,
            toml: &$toml,
            value_type: ValueType::$holds,
            hint: $wants,
            read: |$d, $v| {
                $read;
                Some(())
            },
            write: $write,
        }
    };
}

/// All of them, in the order in which they are written.
pub const KEYS: &[Key] = &[
    key!("TSM_NAME", [], Text, NAME, |d, v| named(d, v)?, |d| text(Some(&d.name))),
    key!("TSM_COMMAND", ["command"], Opaque, "a command line", |d, v| d.command = v.value(), |d| text(Some(
        &d.command
    )),),
    key!(
        "TSM_CWD",
        ["cwd", "working_dir"],
        Text,
        "a directory",
        |d, v| d.cwd = v.full().map_or(v.dir.to_owned(), |cwd| v.dir.join(cwd)),
        |d| Some(FormattedValue::Text(d.cwd.to_string_lossy().into_owned())),
    ),
    key!("TSM_DESCRIPTION", ["description"], Text, "a string", |d, v| d.description = v.full(), |d| text(
        d.description.as_ref()
    ),),
    key!("TSM_PORT", ["port"], NumberOrText, PORT, |d, v| d.port = v.parsed()?, |d| text(d.port)),
    key!("TSM_ENV_FILE", ["env_file"], Text, "a file", |d, v| d.env_file = v.full(), |d| text(d.env_file.as_ref()),),
    key!("TSM_ENV", ["env"], Text, "an env file or K=V", |d, v| d.env = v.full(), |d| text(d.env.as_ref()),),
    key!("TSM_ENVIRONMENT", [], Text, BELONGS, |d, v| belongs(d, v)?, |d| text(d.belongs.as_ref())),
    key!("TSM_PRE_COMMAND", ["pre_command"], Opaque, "a command line", |d, v| d.pre_command = v.full(), |d| text(
        d.pre_command.as_ref()
    ),),
    key!("TSM_AUTOSTART", ["autostart"], Flag, FLAG, |d, v| d.autostart = v.flag()?, |d| text(d.autostart),),
    key!("TSM_DEPS", ["depends_on", "deps"], Texts, NAMES, |d, v| d.deps = v.names()?, |d| text(
        Some(d.deps.join(" ")).filter(|deps| !deps.is_empty())
    ),),
    key!("TSM_STACK", ["stack"], Text, STACK, |d, v| d.stack = v.names()?.into_iter().next(), |d| text(
        d.stack.as_ref()
    ),),
    key!("TSM_GROUP", ["group"], Text, STACK, |d, v| group(d, v)?, |_| None),
    key!("TSM_INSTANCES", ["instances"], Number, SMALL_COUNT, |d, v| d.instances = small_count(v)?, |d| text(
        d.instances
    ),),
    // What it lists is a part of the command when all is read.
    key!("TSM_ARGS", ["args"], Texts, "a list of arguments", |d, v| d.arguments = v.values.to_vec(), |_| None,),
    key!("TSM_RESTART", ["restart"], Text, POLICY, |d, v| restart(d, v)?, |d| text(d.options.restart.map(policy))),
    key!("TSM_RESTART_ON_FAILURE", ["auto_restart"], Flag, FLAG, |d, v| on_failure(d, v)?, |_| None),
    key!("TSM_MAX_RESTARTS", ["max_restarts"], Number, COUNT, |d, v| d.options.max_restarts = v.parsed()?, |d| text(
        d.options.max_restarts
    ),),
    key!("TSM_KILL_TIMEOUT", ["kill_timeout"], NumberOrText, DURATION, |d, v| d.options.kill_timeout = span(v)?, |d| {
        millis(d.options.kill_timeout)
    },),
    key!("TSM_LOG_SIZE", ["log_size"], NumberOrText, SIZE, |d, v| d.options.log_size = size(v)?, |d| text(
        d.options.log_size.map(Size)
    ),),
    key!("TSM_LOG_KEEP", ["log_keep"], Number, COUNT, |d, v| d.options.log_keep = v.parsed()?, |d| text(
        d.options.log_keep
    ),),
    key!(
        "TSM_USER",
        ["user"],
        Text,
        "the name of a user",
        |d, v| d.options.user = v.full().map(|user| user.trim().to_owned()),
        |d| text(d.options.user.as_ref()),
    ),
    key!(
        "TSM_STOP_SIGNAL",
        ["stop_signal"],
        Text,
        "a signal that ends a process, such as SIGINT or SIGQUIT",
        |d, v| d.options.stop_signal = stop_signal(v)?,
        |d| text(d.options.stop_signal),
    ),
    key!("TSM_TYPE", ["type"], Text, "oneshot or simple", |d, v| d.options.oneshot = oneshot(v)?, |d| text(
        d.options.oneshot.map(|yes| if yes { "oneshot" } else { "simple" })
    ),),
    key!("TSM_STRATEGY", ["strategy"], Text, "rolling or recreate", |d, v| d.options.strategy = v.parsed()?, |d| {
        text(d.options.strategy.map(Strategy::as_str))
    },),
    key!(
        "TSM_MEMORY_MAX",
        ["memory_max"],
        NumberOrText,
        MEMORY_OR_NONE,
        |d, v| d.options.memory_max = v.parsed::<MemoryMax>()?.map(|it| it.0),
        |d| text(d.options.memory_max.map(MemoryMax)),
    ),
    key!("TSM_LIMIT_NOFILE", ["limit_nofile"], Number, COUNT, |d, v| d.options.limit_nofile = v.parsed()?, |d| text(
        d.options.limit_nofile
    ),),
    key!("TSM_LIMIT_NPROC", ["limit_nproc"], Number, COUNT, |d, v| d.options.limit_nproc = v.parsed()?, |d| text(
        d.options.limit_nproc
    ),),
    key!("TSM_HEALTH_CHECK", ["health", "health_check"], Opaque, CHECK, |d, v| d.options.health = v.parsed()?, |d| {
        text(d.options.health.as_ref())
    },),
    key!(
        "TSM_HEALTH_INTERVAL",
        ["health_interval"],
        NumberOrText,
        DURATION,
        |d, v| d.options.health_interval = span(v)?,
        |d| millis(d.options.health_interval),
    ),
    key!(
        "TSM_HEALTH_TIMEOUT",
        ["health_timeout"],
        NumberOrText,
        DURATION,
        |d, v| d.options.health_timeout = span(v)?,
        |d| { millis(d.options.health_timeout) },
    ),
    key!(
        "TSM_HEALTH_THRESHOLD",
        ["health_threshold"],
        Number,
        COUNT,
        |d, v| d.options.health_threshold = v.parsed()?,
        |d| text(d.options.health_threshold),
    ),
    key!("TSM_HEALTH_GRACE", ["health_grace"], NumberOrText, DURATION, |d, v| d.options.health_grace = span(v)?, |d| {
        millis(d.options.health_grace)
    },),
    key!("TSM_HEALTH_RESTART", ["health_restart"], Flag, FLAG, |d, v| d.options.health_restart = v.flag()?, |d| text(
        d.options.health_restart
    ),),
    key!("TSM_NOTIFY", ["notify"], Flag, FLAG, |d, v| d.options.notify = v.flag()?, |d| text(d.options.notify)),
    key!("TSM_WATCH", ["watch"], Texts, "a list of files and directories", |d, v| d.options.watch = v.texts(), |d| {
        list(d.options.watch.as_ref())
    },),
    key!(
        "TSM_WATCH_IGNORE",
        ["watch_ignore", "ignore"],
        Texts,
        "a list of patterns",
        |d, v| d.options.ignore = v.texts(),
        |d| list(d.options.ignore.as_ref()),
    ),
    key!("TSM_CRON", ["cron"], Text, CRON, |d, v| d.options.cron = v.parsed()?, |d| text(d.options.cron.as_ref()),),
    key!(
        "TSM_CRON_TZ",
        ["cron_tz"],
        Text,
        "a time zone such as UTC or Europe/Berlin",
        |d, v| d.options.cron_tz = v.parsed()?,
        |d| text(d.options.cron_tz.as_ref()),
    ),
    key!(
        "TSM_MAX_MEMORY",
        ["max_memory"],
        NumberOrText,
        MEMORY,
        |d, v| d.options.max_memory = v.parsed::<MaxMemoryRestart>()?.map(|it| it.0),
        |d| text(d.options.max_memory.map(Size)),
    ),
];

/// Keys of older files, which say nothing to us and are kept as they are.
pub(super) const LEGACY_KEYS: [&str; 4] = ["TSM_ORG", "TSM_PORT_TYPE", "TSM_PORTS", "TSM_FILE"];

fn text(value: Option<impl ToString>) -> Option<FormattedValue> {
    value.map(|value| FormattedValue::Text(value.to_string()))
}

fn list(values: Option<&Vec<String>>) -> Option<FormattedValue> {
    values.filter(|values| !values.is_empty()).map(|values| FormattedValue::List(values.clone()))
}

fn millis(span: Option<Duration>) -> Option<FormattedValue> {
    text(span.map(|span| format!("{}ms", span.as_millis())))
}

fn span(given: &RawValue) -> Option<Option<Duration>> {
    Some(given.parsed::<HumanDuration>()?.map(|span| span.0))
}

fn size(given: &RawValue) -> Option<Option<u64>> {
    Some(given.parsed::<Size>()?.map(|size| size.0))
}

fn stop_signal(given: &RawValue) -> Option<Option<Signal>> {
    let signal: Option<Signal> = given.parsed()?;
    signal.is_none_or(|signal| signal.can_terminate()).then_some(signal)
}

fn small_count(given: &RawValue) -> Option<Option<u32>> {
    let count = given.parsed()?;
    count.is_none_or(|count| (1..=instances::MAX_INSTANCES).contains(&count)).then_some(count)
}

fn oneshot(given: &RawValue) -> Option<Option<bool>> {
    match given.full().as_deref().map(str::trim) {
        None => Some(None),
        Some("oneshot") => Some(Some(true)),
        Some("simple") => Some(Some(false)),
        Some(_) => None,
    }
}

fn named(definition: &mut Definition, given: &RawValue) -> Option<()> {
    match given.full() {
        Some(name) if !is_name(&name) => return None,
        Some(name) => definition.name = name,
        None => {}
    }
    Some(())
}

fn belongs(definition: &mut Definition, given: &RawValue) -> Option<()> {
    definition.belongs = given.parsed()?;
    definition.belongs.as_ref().is_none_or(|it| it.org.is_some()).then_some(())
}

fn group(definition: &mut Definition, given: &RawValue) -> Option<()> {
    let group = given.names()?.into_iter().next();
    definition.stack = definition.stack.take().or(group);
    Some(())
}

fn restart(definition: &mut Definition, given: &RawValue) -> Option<()> {
    let policies = [RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always];
    definition.options.restart = match given.full() {
        None => None,
        Some(word) => Some(policies.into_iter().find(|it| policy(*it) == word.trim())?),
    };
    Some(())
}

/// The older of the two keys, and the weaker.
fn on_failure(definition: &mut Definition, given: &RawValue) -> Option<()> {
    let policy = given.flag()?.map(|yes| if yes { RestartPolicy::OnFailure } else { RestartPolicy::Never });
    definition.options.restart = definition.options.restart.or(policy);
    Some(())
}

fn policy(restart: RestartPolicy) -> &'static str {
    match restart {
        RestartPolicy::Never => "never",
        RestartPolicy::OnFailure => "on-failure",
        RestartPolicy::Always => "always",
    }
}
