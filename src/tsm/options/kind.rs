//! What the values of options are: how each kind is written, read, recorded and shown.

use std::fmt;
use std::time::Duration;

use crate::base::environment::EnvFileName;
use crate::base::redact;
use crate::base::signal::Signal;
use crate::base::size::Size;
use crate::base::time::{HumanDuration, millis};
use crate::supervise::limits::RunAsUser;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::limits::{self, MaxMemoryRestart, MemoryMax, UserError};
use crate::tsm::sidecar::cron::{InvalidSchedule, Schedule};
use crate::tsm::sidecar::probe::HealthCheck;
use crate::tsm::sidecar::zone::Zone;

use super::Strategy;
use super::value::{FormattedValue, OptionType, RawOptionValue};

/// A recorded value, for people and for JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// Not set.
    Nothing,
    /// A string.
    Text(String),
    /// A boolean.
    Flag(bool),
    /// A count.
    Number(u64),
    /// A time span.
    Span(Duration),
    /// A size in bytes.
    Bytes(u64),
    /// Several strings.
    List(Vec<String>),
}

impl OptionValue {
    /// A count, milliseconds or bytes.
    #[must_use]
    pub fn amount(&self) -> Option<u64> {
        match self {
            Self::Number(number) | Self::Bytes(number) => Some(*number),
            Self::Span(span) => Some(millis(*span)),
            Self::Nothing | Self::Text(_) | Self::Flag(_) | Self::List(_) => None,
        }
    }
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Text(text) => f.write_str(text),
            Self::Flag(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Self::Number(number) => number.fmt(f),
            // A part of a second is a part of what was asked for.
            Self::Span(span) if span.subsec_millis() != 0 => write!(f, "{}ms", span.as_millis()),
            Self::Span(span) => HumanDuration(*span).fmt(f),
            Self::Bytes(bytes) => Size(*bytes).fmt(f),
            Self::List(items) => f.write_str(&items.join(" ")),
        }
    }
}

/// How an option is given on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionArgument {
    /// `--flag`, which means this value.
    Switch(&'static str),
    /// `--flag VALUE`.
    One(&'static str, Completion),
    /// `--flag VALUE`, may be repeated.
    Many(&'static str, Completion),
}

/// What completes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Nothing.
    None,
    /// One of these words, each with what it means.
    Words(&'static [(&'static str, &'static str)]),
    /// Files and directories.
    Files,
    /// The same, a hyphen before one that may be missing.
    OptionalFiles,
    /// Login names of this machine.
    Users,
    /// Signals.
    Signals,
    /// Saved services.
    Services,
    /// Stacks.
    Stacks,
}

/// A kind of values.
pub trait OptionKind {
    /// As it is given.
    type Value: Clone;
    /// As it is recorded in `meta.json`.
    type Record;
    /// What TOML calls it.
    const TYPE: OptionType;
    /// What a refused value should have been: "expected …".
    const EXPECTED: &'static str;
    /// On the command line.
    const ARGUMENT: OptionArgument;

    /// Reads a value: `Some(None)` if it is blank, `None` if it is invalid.
    fn read(raw: &RawOptionValue) -> Option<Option<Self::Value>>;
    /// What this refused value should have been.
    fn expected(_: &RawOptionValue) -> &'static str {
        Self::EXPECTED
    }
    /// As a `.tsm` file has it.
    fn write(value: &Self::Value) -> FormattedValue;
    /// As `meta.json` has it; fails for a user that does not exist or cannot be used.
    fn record(value: &Self::Value) -> Result<Self::Record, UserError>;
    /// The value that leads to a record.
    fn value(record: &Self::Record) -> Option<Self::Value>;
    /// As people see it.
    fn show(record: &Self::Record) -> OptionValue;
}

macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $name:ident($value:ty as $record:ty): $type:ident, $expected:literal, $argument:expr,
        read $read:expr, write $write:expr, record $to:expr, value $from:expr, show $show:expr $(, refused $refused:expr)?;
    )+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl OptionKind for $name {
            type Value = $value;
            type Record = $record;
            const TYPE: OptionType = OptionType::$type;
            const EXPECTED: &'static str = $expected;
            const ARGUMENT: OptionArgument = $argument;

            fn read(raw: &RawOptionValue) -> Option<Option<$value>> {
                let read: fn(&RawOptionValue) -> Option<Option<$value>> = $read;
                read(raw)
            }
            $(
            fn expected(raw: &RawOptionValue) -> &'static str {
                let refused: fn(&RawOptionValue) -> Option<&'static str> = $refused;
                refused(raw).unwrap_or(Self::EXPECTED)
            }
            )?
            fn write(value: &$value) -> FormattedValue {
                let write: fn(&$value) -> FormattedValue = $write;
                write(value)
            }

            fn record(value: &$value) -> Result<$record, UserError> {
                let record: fn(&$value) -> Result<$record, UserError> = $to;
                record(value)
            }

            fn value(record: &$record) -> Option<$value> {
                let value: fn(&$record) -> Option<$value> = $from;
                value(record)
            }

            fn show(record: &$record) -> OptionValue {
                let show: fn(&$record) -> OptionValue = $show;
                show(record)
            }
        }
    )+};
}

kinds! {
    /// When a process is started again by itself.
    Policy(RestartPolicy as RestartPolicy): Text, "never, on-failure or always", OptionArgument::One("POLICY", Completion::Words(&[
        ("never", "Never"),
        ("on-failure", "After a failure"),
        ("always", "After every exit"),
    ])),
        read |raw| raw.one_of(&RestartPolicy::ALL, RestartPolicy::as_str), write |policy| text(policy.as_str()),
        record |policy| Ok(*policy), value |policy| Some(*policy), show |policy| shown(policy.as_str());

    /// How several instances are restarted; recorded as "all at the same time".
    Rollout(Strategy as bool): Text, "rolling or recreate", OptionArgument::One("STRATEGY", Completion::Words(&[
        ("rolling", "One after the other, each when the one before is ready"),
        ("recreate", "All at the same time"),
    ])),
        read |raw| raw.one_of(&Strategy::ALL, Strategy::as_str), write |strategy| text(strategy.as_str()),
        record |strategy| Ok(*strategy == Strategy::Recreate), value |recreate| Some(Strategy::of_record(*recreate)),
        show |recreate| shown(Strategy::of_record(*recreate).as_str());

    /// A task that ends, or a service that does not.
    Task(bool as bool): Text, "oneshot or simple", OptionArgument::Switch("oneshot"),
        read |raw| raw.one_of(&[true, false], task), write |oneshot| text(task(*oneshot)),
        record |oneshot| Ok(*oneshot), value |oneshot| Some(*oneshot), show |oneshot| OptionValue::Flag(*oneshot);

    /// Yes or no.
    Switch(bool as bool): Flag, "true or false", OptionArgument::Switch("true"),
        read |raw| raw.flag(), write |yes| text(yes),
        record |yes| Ok(*yes), value |yes| Some(*yes), show |yes| OptionValue::Flag(*yes);

    /// A small count.
    Count(u32 as u32): Number, "an integer >= 0", OptionArgument::One("COUNT", Completion::None),
        read |raw| raw.parsed(), write |count| text(count),
        record |count| Ok(*count), value |count| Some(*count), show |count| OptionValue::Number((*count).into());

    /// A limit; 0 for none.
    Limit(u64 as u64): Number, "an integer >= 0", OptionArgument::One("COUNT", Completion::None),
        read |raw| raw.parsed(), write |count| text(count),
        record |count| Ok(*count), value |count| Some(*count), show |count| some(*count, OptionValue::Number);

    /// A time span; recorded in milliseconds.
    TimeSpan(Duration as u64): NumberOrText, "a time span with a unit, such as 500ms, 10s or 5m",
    OptionArgument::One("SPAN", Completion::None),
        read |raw| Some(raw.parsed::<HumanDuration>()?.map(|span| span.0)), write |span| text(format!("{}ms", span.as_millis())),
        record |span| Ok(millis(*span)), value |ms| Some(Duration::from_millis(*ms)),
        show |ms| OptionValue::Span(Duration::from_millis(*ms));

    /// A size in bytes.
    Bytes(u64 as u64): NumberOrText, "a size with a unit, such as 512K, 10M or 1G", OptionArgument::One("SIZE", Completion::None),
        read |raw| Some(raw.parsed::<Size>()?.map(|size| size.0)), write |size| text(Size(*size)),
        record |size| Ok(*size), value |size| Some(*size), show |size| OptionValue::Bytes(*size);

    /// A limit of memory in bytes; 0 for none.
    MemoryLimit(u64 as u64): NumberOrText, "a size of at least 4M with a unit, such as 300M or 2G, or none",
    OptionArgument::One("SIZE", Completion::None),
        read |raw| Some(raw.parsed::<MemoryMax>()?.map(|most| most.0)), write |size| text(MemoryMax(*size)),
        record |size| Ok(*size), value |size| Some(*size), show |size| some(*size, OptionValue::Bytes);

    /// So much memory that its use leads to a restart, in bytes.
    MemoryUse(u64 as u64): NumberOrText, "a size of at least 4M with a unit, such as 300M or 2G",
    OptionArgument::One("SIZE", Completion::None),
        read |raw| Some(raw.parsed::<MaxMemoryRestart>()?.map(|most| most.0)), write |size| text(Size(*size)),
        record |size| Ok(*size), value |size| Some(*size), show |size| some(*size, OptionValue::Bytes);

    /// A health check.
    Check(HealthCheck as String): Opaque, "http://host:port/path, tcp://host:port or exec:command",
    OptionArgument::One("http://…|tcp://…|exec:…", Completion::None),
        read |raw| raw.parsed(), write |check| text(check),
        record |check| Ok(check.to_string()), value |check| check.parse().ok(), show |check| shown(redact::text(check));

    /// Paths, relative to where the process runs.
    Paths(Vec<String> as Vec<String>): Paths, "a list of files and directories", OptionArgument::Many("PATH", Completion::Files),
        read |raw| Some(raw.texts()), write |paths| FormattedValue::List(paths.clone()),
        record |paths| Ok(paths.clone()), value |paths| Some(paths.clone()), show |paths| OptionValue::List(paths.clone());

    /// Env files, in the order in which they are read. One alone may have blanks in its name.
    EnvFiles(Vec<String> as Vec<String>): Paths, "an env file, or a list of them; `-FILE` may be missing",
    OptionArgument::Many("FILE", Completion::OptionalFiles),
        read |raw| env_files(raw),
        write |files| match files.as_slice() {
            [file] => text(file),
            files => FormattedValue::List(files.to_vec()),
        },
        record |files| Ok(files.clone()), value |files| Some(files.clone()), show |files| OptionValue::List(files.clone());

    /// Patterns of paths.
    Patterns(Vec<String> as Vec<String>): Texts, "a list of patterns", OptionArgument::Many("PATTERN", Completion::None),
        read |raw| Some(raw.texts()), write |patterns| FormattedValue::List(patterns.clone()),
        record |patterns| Ok(patterns.clone()), value |patterns| Some(patterns.clone()),
        show |patterns| OptionValue::List(patterns.clone());

    /// A schedule.
    Cron(Schedule as String): Text, "five fields such as `0 4 * * *`, or six with the second first",
    OptionArgument::One("'M H D M W'", Completion::None),
        read |raw| raw.parsed(), write |schedule| text(schedule),
        record |schedule| Ok(schedule.to_string()), value |schedule| schedule.parse().ok(), show |schedule| shown(schedule),
        refused |raw| match raw.value().parse::<Schedule>() {
            Err(InvalidSchedule::Never(_)) => Some("a date that comes: its months have no such day"),
            _ => None,
        };

    /// A time zone by name.
    TimeZone(Zone as String): Text, "a time zone such as UTC or Europe/Berlin", OptionArgument::One("ZONE", Completion::None),
        read |raw| raw.parsed(), write |zone| text(zone),
        record |zone| Ok(zone.to_string()), value |zone| zone.parse().ok(), show |zone| shown(zone);

    /// A user of this machine; recorded with its groups and directories.
    User(String as Option<RunAsUser>): Text, "the name of a user", OptionArgument::One("NAME", Completion::Users),
        read |raw| Some(raw.full().map(|user| user.trim().to_owned())), write |user| text(user),
        record |user| limits::user(user).map(Some), value |user| user.as_ref().map(|user| user.name.clone()),
        show |user| user.as_ref().map_or(OptionValue::Nothing, |user| shown(&user.name));

    /// A signal that ends a process; recorded as its number.
    StopSignal(Signal as i32): Text, "a signal other than STOP and CONT: a name such as TERM or SIGTERM, or a number from 1 to 64",
    OptionArgument::One("SIGNAL", Completion::Signals),
        read |raw| raw.parsed().filter(|signal: &Option<Signal>| signal.is_none_or(Signal::can_terminate)), write |signal| text(signal),
        record |signal| Ok(signal.number()), value |number| Signal::from_number(*number),
        show |number| Signal::from_number(*number).map_or(OptionValue::Nothing, shown);

    /// The name of a stack.
    StackName(String as String): Text, "the name of a stack", OptionArgument::One("NAME", Completion::Stacks),
        read |raw| Some(raw.names()?.into_iter().next()), write |name| text(name),
        record |name| Ok(name.clone()), value |name| Some(name.clone()), show |name| shown(name);

    /// Names of services.
    Services(Vec<String> as Vec<String>): Texts, "names of services, separated by spaces",
    OptionArgument::Many("SERVICE", Completion::Services),
        read |raw| Some(Some(raw.names()?).filter(|names| !names.is_empty())),
        write |names| text(names.join(" ")),
        record |names| Ok(names.clone()), value |names| Some(names.clone()), show |names| OptionValue::List(names.clone());
}

/// None if one of them has no name.
fn env_files(raw: &RawOptionValue) -> Option<Option<Vec<String>>> {
    let files: Vec<String> = match raw.values {
        values if raw.list => values.to_vec(),
        _ => raw.full().into_iter().collect(),
    };
    // No shell expands the tilde behind a hyphen, and what has two is an option.
    let is_name = |path: &str| !path.trim().is_empty() && !path.starts_with('-');
    let named = files.iter().all(|file| is_name(EnvFileName::of(file).path) && !file.starts_with("-~"));
    named.then(|| Some(files).filter(|files| !files.is_empty()))
}

fn text(value: impl ToString) -> FormattedValue {
    FormattedValue::Text(value.to_string())
}

fn shown(value: impl ToString) -> OptionValue {
    Some(value.to_string()).filter(|text| !text.is_empty()).map_or(OptionValue::Nothing, OptionValue::Text)
}

/// A number; 0 means none.
fn some(number: u64, value: fn(u64) -> OptionValue) -> OptionValue {
    if number > 0 { value(number) } else { OptionValue::Nothing }
}

fn task(oneshot: bool) -> &'static str {
    if oneshot { "oneshot" } else { "simple" }
}
