//! Every option of a process, one row each. The type, the command line, `.tsm` files, TOML, `meta.json` and what people see
//! all follow from it.

use std::path::Path;
use std::time::Duration;

use crate::supervise::meta::RunSpec;
use crate::tsm::limits::UserError;

use super::kind::*;
use super::value::{FormattedValue, OptionType, RawOptionValue};
use super::{DEFAULT_GRACE_MS, DEFAULT_INTERVAL_MS, DEFAULT_THRESHOLD, DEFAULT_TIMEOUT_MS};

/// An option of a process.
pub struct ServiceOption {
    /// Its name in data.
    pub name: &'static str,
    /// What it does, for the help of its flag.
    pub help: &'static str,
    /// The name of its flag.
    pub flag: &'static str,
    /// How the flag is given.
    pub argument: OptionArgument,
    /// Its key in `.tsm` files.
    pub tsm: &'static str,
    /// Its keys below `[services.NAME]` in TOML, the usual one first.
    pub toml: &'static [&'static str],
    /// The type of its value.
    pub value_type: OptionType,
    /// What a refused value should have been: "expected …".
    pub expected: &'static str,
    /// The limits of a number, a time span or a size: one, or none for other kinds.
    pub limits: &'static [OptionLimits],
    /// Where `tsm info` shows it.
    pub section: OptionSection,
    /// What `tsm info` calls it.
    pub label: &'static str,
    /// A value that is not the default, for tests.
    pub example: &'static [&'static str],
    read: fn(&mut ServiceOptions, &RawOptionValue) -> Option<()>,
    refused: fn(&RawOptionValue) -> &'static str,
    amount: fn(&ServiceOptions) -> Option<u64>,
    write: fn(&ServiceOptions) -> Option<FormattedValue>,
    apply: fn(&ServiceOptions, &mut RunSpec) -> Result<(), UserError>,
    recover: fn(&RunSpec, &mut ServiceOptions),
    show: fn(&RunSpec) -> OptionValue,
    is_default: fn(&RunSpec) -> bool,
}

/// The least and the most that an option may be, as they are written.
#[derive(Debug)]
pub struct OptionLimits {
    /// The least.
    pub least: &'static str,
    /// The most.
    pub most: &'static str,
    /// What a value beyond them should have been: "expected …".
    expected: &'static str,
}

/// Where an option is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionSection {
    /// Always.
    Main,
    /// Where it is not the default, and with `-v`.
    Changed,
    /// With `-v`.
    Details,
    /// In the record of what the sidecar looks after.
    Monitor,
    /// In the record of limits.
    Limits,
    /// In a field that is made for it.
    Own,
}

impl ServiceOption {
    /// What it does, with its default from the one place that has it.
    #[must_use]
    pub fn full_help(&self) -> String {
        let limits = self.limits.iter().map(|it| format!(" [from {} to {}]", it.least, it.most)).collect::<String>();
        let help = format!("{}{limits}", self.help.trim());
        let default = match self.name {
            "health_interval" => OptionValue::Span(Duration::from_millis(DEFAULT_INTERVAL_MS)),
            "health_timeout" => OptionValue::Span(Duration::from_millis(DEFAULT_TIMEOUT_MS)),
            "health_threshold" => OptionValue::Number(DEFAULT_THRESHOLD.into()),
            "health_grace" => OptionValue::Span(Duration::from_millis(DEFAULT_GRACE_MS)),
            _ => self.show(&RunSpec::default()),
        };
        let is_nothing = match &default {
            OptionValue::Nothing | OptionValue::Flag(_) => true,
            OptionValue::List(items) => items.is_empty(),
            OptionValue::Text(text) => text.is_empty(),
            _ => false,
        };
        if is_nothing || help.contains("[default") || self.section == OptionSection::Limits {
            return help;
        }
        format!("{help} [default: {default}]")
    }

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// Fails with what was expected if it is invalid.
    pub fn read(&self, options: &mut ServiceOptions, given: &RawOptionValue) -> Result<(), &'static str> {
        (self.read)(options, given).ok_or_else(|| (self.refused)(given))?;
        self.beyond(options).map_or(Ok(()), Err)
    }

    /// What was expected, if the value is beyond the limits.
    fn beyond(&self, options: &ServiceOptions) -> Option<&'static str> {
        let amount = (self.amount)(options)?;
        let is_beyond = |it: &&OptionLimits| {
            amount < self.amount_of(it.least).unwrap_or(0) || self.amount_of(it.most).is_some_and(|most| amount > most)
        };
        self.limits.iter().find(is_beyond).map(|it| it.expected)
    }

    /// Takes the value away if it is beyond the limits: what was expected then.
    pub fn drop_beyond(&self, options: &mut ServiceOptions) -> Option<&'static str> {
        let expected = self.beyond(options)?;
        // A blank value is none.
        (self.read)(options, &RawOptionValue { values: &[], list: false, dir: Path::new("/") });
        Some(expected)
    }

    /// How much a text is, in the unit of its kind.
    fn amount_of(&self, text: &str) -> Option<u64> {
        let (values, mut options) = ([text.to_owned()], ServiceOptions::default());
        (self.read)(&mut options, &RawOptionValue { values: &values, list: false, dir: Path::new("/") })?;
        (self.amount)(&options)
    }

    /// As a `.tsm` file has it; none if it is not given.
    #[must_use]
    pub fn write(&self, options: &ServiceOptions) -> Option<FormattedValue> {
        (self.write)(options)
    }

    /// Records it, if it is given.
    pub(super) fn apply(&self, options: &ServiceOptions, run: &mut RunSpec) -> Result<(), UserError> {
        (self.apply)(options, run)
    }

    /// Takes it from a record, unless it is the default.
    pub(super) fn recover(&self, run: &RunSpec, options: &mut ServiceOptions) {
        if !self.is_default(run) {
            (self.recover)(run, options);
        }
    }

    /// As it is recorded.
    #[must_use]
    pub fn show(&self, run: &RunSpec) -> OptionValue {
        (self.show)(run)
    }

    /// True if the record has the default.
    #[must_use]
    pub fn is_default(&self, run: &RunSpec) -> bool {
        (self.is_default)(run)
    }
}

macro_rules! options {
    ($(
        $(#[doc = $help:literal])+
        $field:ident: $kind:ident {
            flag $flag:literal, key $tsm:literal, toml [$($toml:literal),+], record $($record:ident).+ $(unless $usual:expr)?,
            shown $section:ident $label:literal, example [$($example:literal),+]
            $(, from $least:literal to $most:literal)?
        }
    )+) => {
        /// Options as they are given; what is none is left to the service or the defaults.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct ServiceOptions {
            $($(#[doc = $help])+ pub $field: Option<<$kind as OptionKind>::Value>,)+
        }

        impl ServiceOptions {
            /// These options, completed by others where they say nothing.
            #[must_use]
            pub fn or(&self, other: &Self) -> Self {
                Self { $($field: self.$field.clone().or_else(|| other.$field.clone()),)+ }
            }
        }

        /// All options, in the order in which they are listed and written.
        pub static OPTIONS: &[ServiceOption] = &[$(ServiceOption {
            name: stringify!($field),
            help: concat!($($help),+),
            flag: $flag,
            argument: $kind::ARGUMENT,
            tsm: $tsm,
            toml: &[$($toml),+],
            value_type: $kind::TYPE,
            expected: $kind::EXPECTED,
            read: |options, raw| {
                options.$field = $kind::read(raw)?;
                Some(())
            },
            refused: $kind::expected,
            limits: &[$(OptionLimits { least: $least, most: $most, expected: concat!("a value from ", $least, " to ", $most) })?],
            amount: |options| $kind::show(&$kind::record(options.$field.as_ref()?).ok()?).amount(),
            write: |options| options.$field.as_ref().map($kind::write),
            section: OptionSection::$section,
            label: $label,
            example: &[$($example),+],
            apply: |options, run| {
                if let Some(value) = &options.$field {
                    run.$($record).+ = $kind::record(value)?;
                }
                Ok(())
            },
            recover: |run, options| options.$field = $kind::value(&run.$($record).+),
            show: |run| $kind::show(&run.$($record).+),
            is_default: |run| {
                let record = &run.$($record).+;
                *record == RunSpec::default().$($record).+ $(|| *record == $usual)?
            },
        },)+];
    };
}

options! {
    /// When to restart the process automatically
    restart: Policy {
        flag "restart", key "TSM_RESTART", toml ["restart"], record restart,
        shown Main "restart_policy", example ["always"]
    }
    /// Give up after this many exits in a row, each within a second of the start
    max_restarts: Count {
        flag "max-restarts", key "TSM_MAX_RESTARTS", toml ["max_restarts"], record max_restarts,
        shown Details "max_restarts", example ["3"], from "0" to "1000000"
    }
    /// Time between the stop signal and SIGKILL
    kill_timeout: TimeSpan {
        flag "kill-timeout", key "TSM_KILL_TIMEOUT", toml ["kill_timeout"], record kill_timeout_ms,
        shown Details "kill_timeout", example ["3s"], from "0s" to "1d"
    }
    /// Signal that asks the process to stop
    stop_signal: StopSignal {
        flag "stop-signal", key "TSM_STOP_SIGNAL", toml ["stop_signal"], record stop_signal,
        shown Changed "stop_signal", example ["SIGINT"]
    }
    /// A task that ends: exit code 0 is success, and dependents wait for it
    oneshot: Task {
        flag "oneshot", key "TSM_TYPE", toml ["type"], record oneshot,
        shown Changed "task", example ["oneshot"]
    }
    /// How several instances are restarted
    strategy: Rollout {
        flag "strategy", key "TSM_STRATEGY", toml ["strategy"], record recreate,
        shown Details "strategy", example ["recreate"]
    }
    /// Rotate the log after this many bytes
    log_size: Bytes {
        flag "log-size", key "TSM_LOG_SIZE", toml ["log_size"], record log_size,
        shown Details "log_size", example ["1M"], from "1K" to "1T"
    }
    /// Number of rotated logs to keep
    log_keep: Count {
        flag "log-keep", key "TSM_LOG_KEEP", toml ["log_keep"], record log_keep,
        shown Details "log_keep", example ["2"], from "0" to "1000"
    }
    /// Health check; `$PORT` is the port of the process
    health: Check {
        flag "health", key "TSM_HEALTH_CHECK", toml ["health", "health_check"], record monitor.health,
        shown Monitor "check", example ["http://localhost:8000/ok"]
    }
    /// Time between two health checks
    health_interval: TimeSpan {
        flag "health-interval", key "TSM_HEALTH_INTERVAL", toml ["health_interval"],
        record monitor.health_interval_ms unless DEFAULT_INTERVAL_MS,
        shown Monitor "health_interval", example ["1s"], from "10ms" to "1d"
    }
    /// Time after which a health check fails
    health_timeout: TimeSpan {
        flag "health-timeout", key "TSM_HEALTH_TIMEOUT", toml ["health_timeout"],
        record monitor.health_timeout_ms unless DEFAULT_TIMEOUT_MS,
        shown Monitor "health_timeout", example ["1s"], from "10ms" to "1d"
    }
    /// Failures in a row after which the process is unhealthy
    health_threshold: Count {
        flag "health-threshold", key "TSM_HEALTH_THRESHOLD", toml ["health_threshold"],
        record monitor.health_threshold unless DEFAULT_THRESHOLD,
        shown Monitor "health_threshold", example ["2"], from "1" to "1000"
    }
    /// Time in which the process may become healthy
    health_grace: TimeSpan {
        flag "health-grace", key "TSM_HEALTH_GRACE", toml ["health_grace"],
        record monitor.health_grace_ms unless DEFAULT_GRACE_MS,
        shown Monitor "health_grace", example ["1s"], from "0s" to "1d"
    }
    /// Restart the process when it is unhealthy
    health_restart: Switch {
        flag "health-restart", key "TSM_HEALTH_RESTART", toml ["health_restart"], record monitor.health_restart,
        shown Monitor "health_restart", example ["true"]
    }
    /// The process reports READY=1 on $NOTIFY_SOCKET when it is ready
    notify: Switch {
        flag "notify", key "TSM_NOTIFY", toml ["notify"], record monitor.notify,
        shown Monitor "notify", example ["true"]
    }
    /// Restart the process when a file, or anything in a directory, changes; may be repeated
    watch: Paths {
        flag "watch", key "TSM_WATCH", toml ["watch"], record monitor.watch,
        shown Monitor "watch", example [".", "/tmp"]
    }
    /// Pattern of paths whose changes are ignored by --watch; may be repeated
    ignore: Patterns {
        flag "ignore", key "TSM_WATCH_IGNORE", toml ["watch_ignore", "ignore"], record monitor.ignore,
        shown Monitor "ignore", example ["*.log", "a b"]
    }
    /// Run on a schedule, and restart what still runs: minute, hour, day, month, weekday; six fields start with the second
    cron: Cron {
        flag "cron", key "TSM_CRON", toml ["cron"], record monitor.cron,
        shown Monitor "cron", example ["0 4 * * *"]
    }
    /// Time zone of --cron, such as UTC or Europe/Berlin [default: that of the machine]
    cron_tz: TimeZone {
        flag "cron-tz", key "TSM_CRON_TZ", toml ["cron_tz"], record monitor.cron_tz,
        shown Monitor "cron_tz", example ["UTC"]
    }
    /// Restart the process when it and its children use more memory
    max_memory: MemoryUse {
        flag "max-memory", key "TSM_MAX_MEMORY", toml ["max_memory"], record monitor.max_memory,
        shown Monitor "max_memory", example ["300M"], from "4M" to "64T"
    }
    /// Limit of the memory of all its processes, enforced by the kernel; `none` for no limit
    memory_max: MemoryLimit {
        flag "memory-max", key "TSM_MEMORY_MAX", toml ["memory_max"], record limits.memory_max,
        shown Limits "memory_max", example ["300M"], from "4M" to "64T"
    }
    /// Limit of open files of each process; 0 for no limit
    limit_nofile: Limit {
        flag "limit-nofile", key "TSM_LIMIT_NOFILE", toml ["limit_nofile"], record limits.nofile,
        shown Limits "limit_nofile", example ["99"], from "0" to "1000000000"
    }
    /// Limit of processes of its user; 0 for no limit
    limit_nproc: Limit {
        flag "limit-nproc", key "TSM_LIMIT_NPROC", toml ["limit_nproc"], record limits.nproc,
        shown Limits "limit_nproc", example ["9999"], from "0" to "4194304"
    }
    /// Run as this user; only root can
    user: User {
        flag "user", key "TSM_USER", toml ["user"], record user,
        shown Changed "user", example ["root"]
    }
    /// Env file by name or path, `-FILE` if it may be missing; may be repeated, a later one wins
    env_file: EnvFiles {
        flag "env-file", key "TSM_ENV_FILE", toml ["env_file"], record env_files,
        shown Own "env_files", example ["env/prod.env", "-env/own.env"]
    }
    /// Stack of the process: what is started and stopped together
    stack: StackName {
        flag "stack", key "TSM_STACK", toml ["stack"], record stack,
        shown Details "stack", example ["shop"]
    }
    /// Service that must be ready before it; may be repeated
    deps: Services {
        flag "deps", key "TSM_DEPS", toml ["depends_on", "deps"], record deps,
        shown Details "deps", example ["db", "cache"]
    }
}
