//! The options that say how a process is kept, for every command that makes one.

use clap::ValueEnum;

use crate::base::name::{ServiceName, is_name};
use crate::base::signal::Signal;
use crate::base::size::Size;
use crate::base::time::HumanDuration;
use crate::command::argument::{FilePath, UserName};
use crate::supervise::meta::RestartPolicy;
use crate::tsm::limits::{MaxMemoryRestart, MemoryMax};
use crate::tsm::options::{ServiceOptions, Strategy};
use crate::tsm::sidecar::cron::Schedule;
use crate::tsm::sidecar::probe::HealthCheck;
use crate::tsm::sidecar::zone::Zone;

/// How a process is kept.
#[derive(Debug, clap::Args)]
pub struct ServiceArgs {
    /// When it is started again by itself
    #[arg(long, value_enum, value_name = "POLICY")]
    restart: Option<RestartArg>,
    /// Give it up after so many exits in a row, each within a second
    #[arg(long, value_name = "COUNT")]
    max_restarts: Option<u32>,
    /// The time between SIGTERM and SIGKILL when it is stopped
    #[arg(long, value_name = "SPAN")]
    kill_timeout: Option<HumanDuration>,
    /// Begin a new log after so many bytes
    #[arg(long, value_name = "SIZE")]
    log_size: Option<Size>,
    /// How many old logs are kept
    #[arg(long, value_name = "COUNT")]
    log_keep: Option<u32>,
    /// How to see whether it is well; `$PORT` is its own port
    #[arg(long, value_name = "http://…|tcp://…|exec:…")]
    health: Option<HealthCheck>,
    /// The time between two looks at its health
    #[arg(long, value_name = "SPAN")]
    health_interval: Option<HumanDuration>,
    /// The time that one look may take
    #[arg(long, value_name = "SPAN")]
    health_timeout: Option<HumanDuration>,
    /// After so many failures in a row it is unhealthy
    #[arg(long, value_name = "COUNT")]
    health_threshold: Option<u32>,
    /// How long it may take to become healthy
    #[arg(long, value_name = "SPAN")]
    health_grace: Option<HumanDuration>,
    /// Restart it when it is unhealthy
    #[arg(long)]
    health_restart: bool,
    /// It says READY=1 on $NOTIFY_SOCKET when it is ready
    #[arg(long)]
    notify: bool,
    /// Restart it when a file or anything in a directory changes; may be repeated
    #[arg(long, value_name = "PATH")]
    watch: Vec<FilePath>,
    /// A pattern of what may change all the same; may be repeated
    #[arg(long, value_name = "PATTERN")]
    ignore: Vec<String>,
    /// Run it by the clock, and restart it if it still runs: minute, hour, day, month, weekday; six fields begin with the second
    #[arg(long, value_name = "'M H D M W'")]
    cron: Option<Schedule>,
    /// The time zone of --cron, such as UTC or Europe/Berlin; that of the machine if left out
    #[arg(long, value_name = "ZONE")]
    cron_tz: Option<Zone>,
    /// Restart it when it and what it started use more memory
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<MaxMemoryRestart>,
    /// The most memory that all its processes may use: beyond it the kernel kills; `none` for no limit
    #[arg(long, value_name = "SIZE")]
    memory_max: Option<MemoryMax>,
    /// How many files each process may have open; 0 for no limit
    #[arg(long, value_name = "COUNT")]
    limit_nofile: Option<u64>,
    /// How many processes its user may have; 0 for no limit
    #[arg(long, value_name = "COUNT")]
    limit_nproc: Option<u64>,
    /// Run it as this user; only root may
    #[arg(long, value_name = "NAME")]
    user: Option<UserName>,
    /// The stack that it belongs to: what is started and stopped together
    #[arg(long, value_name = "NAME", value_parser = stack_name)]
    stack: Option<String>,
    /// A service that has to be ready before it; may be repeated
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    deps: Vec<ServiceName>,
    /// The signal that asks it to end when it is stopped; SIGTERM if left out
    #[arg(long, value_name = "SIGNAL", value_parser = ending)]
    stop_signal: Option<Signal>,
    /// It is a task that ends: exit code 0 is success, and what needs it waits for that
    #[arg(long)]
    oneshot: bool,
    /// How several instances are restarted
    #[arg(long, value_enum, value_name = "STRATEGY")]
    strategy: Option<Rollout>,
}

/// A name that a stack can have.
fn stack_name(given: &str) -> Result<String, String> {
    if is_name(given) { Ok(given.to_owned()) } else { Err("use letters, digits, `.`, `_` and `-`".to_owned()) }
}

/// A signal that ends a process.
fn ending(given: &str) -> Result<Signal, String> {
    match given.parse::<Signal>() {
        Ok(signal) if signal.can_terminate() => Ok(signal),
        Ok(signal) => Err(format!("{signal} does not end a process")),
        Err(error) => Err(error.to_string()),
    }
}

/// When a process is started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RestartArg {
    /// Never
    Never,
    /// After a failure
    OnFailure,
    /// After every exit
    Always,
}

/// How several instances are restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rollout {
    /// One after the other, each when the one before is ready
    Rolling,
    /// All at the same time
    Recreate,
}

impl From<Rollout> for Strategy {
    fn from(rollout: Rollout) -> Self {
        match rollout {
            Rollout::Rolling => Self::Rolling,
            Rollout::Recreate => Self::Recreate,
        }
    }
}

impl ServiceArgs {
    /// The stack that it belongs to.
    pub(super) fn stack(&self) -> Option<String> {
        self.stack.clone()
    }

    /// What has to be ready before it.
    pub(super) fn deps(&self) -> Vec<String> {
        self.deps.iter().map(ToString::to_string).collect()
    }

    /// What the options say.
    pub(super) fn options(&self) -> ServiceOptions {
        ServiceOptions {
            restart: self.restart.map(RestartPolicy::from),
            max_restarts: self.max_restarts,
            kill_timeout: self.kill_timeout.map(|span| span.0),
            log_size: self.log_size.map(|size| size.0),
            log_keep: self.log_keep,
            health: self.health.clone(),
            health_interval: self.health_interval.map(|span| span.0),
            health_timeout: self.health_timeout.map(|span| span.0),
            health_threshold: self.health_threshold,
            health_grace: self.health_grace.map(|span| span.0),
            health_restart: self.health_restart.then_some(true),
            notify: self.notify.then_some(true),
            watch: non_empty(self.watch.iter().map(|path| path.0.clone()).collect()),
            ignore: non_empty(self.ignore.clone()),
            cron: self.cron.clone(),
            max_memory: self.max_memory.map(|size| size.0),
            memory_max: self.memory_max.map(|most| most.0),
            limit_nofile: self.limit_nofile,
            limit_nproc: self.limit_nproc,
            user: self.user.as_ref().map(|user| user.0.clone()),
            cron_tz: self.cron_tz.clone(),
            stop_signal: self.stop_signal,
            oneshot: self.oneshot.then_some(true),
            strategy: self.strategy.map(Strategy::from),
        }
    }
}

fn non_empty(list: Vec<String>) -> Option<Vec<String>> {
    Some(list).filter(|list| !list.is_empty())
}

impl From<RestartArg> for RestartPolicy {
    fn from(policy: RestartArg) -> Self {
        match policy {
            RestartArg::Never => Self::Never,
            RestartArg::OnFailure => Self::OnFailure,
            RestartArg::Always => Self::Always,
        }
    }
}
