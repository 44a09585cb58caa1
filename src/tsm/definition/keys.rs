//! The keys of a definition, and values that are more than text.

use std::str::FromStr;

use crate::base::name::is_name;
use crate::base::signal::Signal;
use crate::base::size::Size;
use crate::base::time::Span;
use crate::supervise::meta::Restart;
use crate::tsm::limits::{MaxMemory, MemoryMax};

use super::reader::Assignment;
use super::{Definition, DefinitionError};

/// The keys with a meaning, for near misses.
pub(super) const ALL: &[&str] = &[
    "TSM_NAME",
    "TSM_COMMAND",
    "TSM_CWD",
    "TSM_ENV_FILE",
    "TSM_ENV",
    "TSM_ENVIRONMENT",
    "TSM_PORT",
    "TSM_DESCRIPTION",
    "TSM_AUTOSTART",
    "TSM_PRE_COMMAND",
    "TSM_ARGS",
    "TSM_HEALTH_CHECK",
    "TSM_HEALTH_INTERVAL",
    "TSM_HEALTH_TIMEOUT",
    "TSM_HEALTH_THRESHOLD",
    "TSM_HEALTH_GRACE",
    "TSM_HEALTH_RESTART",
    "TSM_NOTIFY",
    "TSM_WATCH",
    "TSM_WATCH_IGNORE",
    "TSM_CRON",
    "TSM_CRON_TZ",
    "TSM_MAX_MEMORY",
    "TSM_MEMORY_MAX",
    "TSM_LIMIT_NOFILE",
    "TSM_LIMIT_NPROC",
    "TSM_USER",
    "TSM_STOP_SIGNAL",
    "TSM_TYPE",
    "TSM_STRATEGY",
    "TSM_RESTART_ON_FAILURE",
    "TSM_RESTART",
    "TSM_MAX_RESTARTS",
    "TSM_KILL_TIMEOUT",
    "TSM_LOG_SIZE",
    "TSM_LOG_KEEP",
    "TSM_ORG",
    "TSM_PORT_TYPE",
    "TSM_DEPS",
    "TSM_PORTS",
    "TSM_STACK",
    "TSM_INSTANCES",
    "TSM_FILE",
    "TSM_GROUP",
];

const SPAN: &str = "write a span with its unit, such as 500ms, 10s or 5m";
const COUNT: &str = "write a whole number";
const CHECK: &str = "write http://host:port/path, tcp://host:port or exec:command";
const CRON: &str = "write five fields such as `0 4 * * *`";
const MOST: &str = "write a size from 4M on, such as 300M or 2G, or none";
const MUCH: &str = "write a size from 4M on, such as 300M or 2G";
const ZONE: &str = "name a time zone such as UTC or Europe/Berlin";
const SIGNAL: &str = "name a signal that ends a process, such as SIGINT or SIGQUIT";
const STRATEGY: &str = "write rolling or recreate";
const SIZE: &str = "write a size with its unit, such as 512K, 10M or 1G";

impl Definition {
    /// Takes a key that says how the process is kept; false if it is none.
    pub(super) fn take_kept(&mut self, line: &Assignment) -> Result<bool, DefinitionError> {
        let keep = &mut self.keep;
        match line.key.as_str() {
            "TSM_RESTART" => keep.restart = text(line).map(|value| restart(value, line)).transpose()?,
            "TSM_RESTART_ON_FAILURE" if keep.restart.is_none() => {
                keep.restart = flag(line)?.map(|yes| if yes { Restart::OnFailure } else { Restart::Never });
            }
            "TSM_RESTART_ON_FAILURE" => {}
            "TSM_MAX_RESTARTS" => keep.max_restarts = read(line, COUNT)?,
            "TSM_KILL_TIMEOUT" => keep.kill_timeout = read::<Span>(line, SPAN)?.map(|span| span.0),
            "TSM_LOG_SIZE" => keep.log_size = read::<Size>(line, SIZE)?.map(|size| size.0),
            "TSM_LOG_KEEP" => keep.log_keep = read(line, COUNT)?,
            "TSM_MEMORY_MAX" => keep.memory_max = read::<MemoryMax>(line, MOST)?.map(|it| it.0),
            "TSM_LIMIT_NOFILE" => keep.limit_nofile = read(line, COUNT)?,
            "TSM_LIMIT_NPROC" => keep.limit_nproc = read(line, COUNT)?,
            "TSM_USER" => keep.user = text(line).map(str::to_owned),
            "TSM_STOP_SIGNAL" => match read::<Signal>(line, SIGNAL)? {
                Some(signal) if !signal.can_end() => return Err(line.refuse(SIGNAL)),
                signal => keep.stop_signal = signal,
            },
            "TSM_TYPE" => keep.oneshot = text(line).map(|value| kind(value, line)).transpose()?,
            "TSM_STRATEGY" => keep.strategy = read(line, STRATEGY)?,
            _ => return self.take_care(line),
        }
        Ok(true)
    }

    /// Takes a key that says what is to be looked after; false if it is none.
    fn take_care(&mut self, line: &Assignment) -> Result<bool, DefinitionError> {
        let keep = &mut self.keep;
        match line.key.as_str() {
            "TSM_HEALTH_CHECK" => keep.health = read(line, CHECK)?,
            "TSM_HEALTH_INTERVAL" => keep.health_interval = read::<Span>(line, SPAN)?.map(|span| span.0),
            "TSM_HEALTH_TIMEOUT" => keep.health_timeout = read::<Span>(line, SPAN)?.map(|span| span.0),
            "TSM_HEALTH_THRESHOLD" => keep.health_threshold = read(line, COUNT)?,
            "TSM_HEALTH_GRACE" => keep.health_grace = read::<Span>(line, SPAN)?.map(|span| span.0),
            "TSM_HEALTH_RESTART" => keep.health_restart = flag(line)?,
            "TSM_NOTIFY" => keep.notify = flag(line)?,
            "TSM_WATCH" => keep.watch = list(line),
            "TSM_WATCH_IGNORE" => keep.ignore = list(line),
            "TSM_CRON" => keep.cron = read(line, CRON)?,
            "TSM_CRON_TZ" => keep.cron_tz = read(line, ZONE)?,
            "TSM_MAX_MEMORY" => keep.max_memory = read::<MaxMemory>(line, MUCH)?.map(|size| size.0),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The value, unless it is blank.
fn text(line: &Assignment) -> Option<&str> {
    line.values.first().map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// A value of a type of its own; none if it is blank.
pub(super) fn read<T: FromStr>(line: &Assignment, otherwise: &str) -> Result<Option<T>, DefinitionError> {
    text(line).map(|value| value.parse().map_err(|_| line.refuse(otherwise))).transpose()
}

/// Yes or no; none if it is blank.
pub(super) fn flag(line: &Assignment) -> Result<Option<bool>, DefinitionError> {
    match text(line) {
        None => Ok(None),
        Some("true" | "yes" | "1" | "on") => Ok(Some(true)),
        Some("false" | "no" | "0" | "off") => Ok(Some(false)),
        Some(_) => Err(line.refuse("write true or false")),
    }
}

/// Texts from a list, or separated by blanks; none if there are none.
fn list(line: &Assignment) -> Option<Vec<String>> {
    let values: Vec<String> = match line.values.as_slice() {
        [value] if !line.list => value.split_whitespace().map(str::to_owned).collect(),
        values => values.to_vec(),
    };
    Some(values).filter(|values| !values.is_empty())
}

/// Names, from a list or separated by blanks and commas.
pub(super) fn names(line: &Assignment, otherwise: &str) -> Result<Vec<String>, DefinitionError> {
    let value = line.value();
    let words = value.split([' ', '\t', '\n', ',']).filter(|word| !word.is_empty());
    words.map(|word| if is_name(word) { Ok(word.to_owned()) } else { Err(line.refuse(otherwise)) }).collect()
}

/// Whether it is a task that ends.
fn kind(value: &str, line: &Assignment) -> Result<bool, DefinitionError> {
    match value {
        "oneshot" => Ok(true),
        "simple" => Ok(false),
        _ => Err(line.refuse("write oneshot or simple")),
    }
}

fn restart(value: &str, line: &Assignment) -> Result<Restart, DefinitionError> {
    match value {
        "never" => Ok(Restart::Never),
        "on-failure" => Ok(Restart::OnFailure),
        "always" => Ok(Restart::Always),
        _ => Err(line.refuse("write never, on-failure or always")),
    }
}
