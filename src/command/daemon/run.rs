//! `daemon run`

use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::command::tsm::startup::preview;
use crate::command::{Command, Cx, Effect};
use crate::daemon::run::{self, DaemonEnd, DaemonSettings};
use crate::ops::{OpContext, startup};
use crate::report::Report;
use crate::sys::signal;

/// Run the daemon in the foreground: what the unit of an environment executes
///
/// It starts the enabled services in the order of their dependencies, and what ran under it before; gives supervisors to processes
/// that lost theirs, starts enabled services again that crashed, and reports to systemd: readiness, a line of status, signs of life.
/// SIGTERM or Ctrl-C stops everything in order, and the next start brings it back; a second Ctrl-C leaves at once. SIGHUP reads the
/// definitions again and restarts what changed. While it runs, processes that are started from any login belong to its unit. When
/// it is killed, they go on. It says what happens on its standard output and in logs/tetra.log.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The environment
    #[arg(value_name = "@ENV")]
    env: EnvName,
    /// Only show in which order the enabled services would be started
    #[arg(long)]
    dry_run: bool,
}

impl Command for Run {
    const NAME: &'static str = "daemon run";
    // What it starts was enabled before, and there is no terminal to ask at boot.
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["daemon run @dev --dry-run"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if self.dry_run {
            let context = OpContext { env: Some(&self.env), ..cx.operation() };
            return Ok(preview(&startup::prepare(&context)?.jobs, |_| "running"));
        }
        let settings = DaemonSettings { org: cx.selection.org.clone(), env: self.env };
        match run::run(settings, cx.paths, cx.host)? {
            DaemonEnd::Stopped(0) => {
                signal::set_graceful_exit();
                Ok(Report::default())
            }
            DaemonEnd::Stopped(count) => {
                Err(Fault::new(FaultKind::Failed, format!("{count} processes could not be stopped"))
                    .with_advice("`tsm list` shows them"))
            }
            DaemonEnd::Left(names) => Err(Fault::new(
                FaultKind::Interrupted,
                format!("left before everything was stopped; still running: {}", names.join(", ")),
            )
            .with_advice("`tsm stop all` stops them; `tetra daemon run` looks after them again")),
        }
    }
}
