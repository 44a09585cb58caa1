//! How all that runs is, in one line: what `systemctl status` shows.

use super::retries::Retries;
use crate::ops::OpContext;
use crate::ops::startup;
use crate::supervise::meta::ProcessState;
use crate::tsm::sidecar::health::HealthStatus;
use crate::tsm::startup::collect;
use crate::tsm::store::Process;

/// More names than this are not shown.
const MAX_NAMES: usize = 8;

/// Counts and names of what a line says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overview {
    /// How many processes run.
    pub running: usize,
    /// How many should: those that run, and those below.
    pub wanted: usize,
    /// Enabled services that do not run, each with what it is instead.
    pub down: Vec<String>,
    /// What runs and is not healthy.
    pub unhealthy: Vec<String>,
    /// Why nothing was started.
    pub failure: Option<String>,
    /// Whether something that could not be started is tried again.
    pub is_tried_again: bool,
}

impl Overview {
    /// Looks at all processes.
    #[must_use]
    pub fn of(context: &OpContext, processes: &[Process], retries: &Retries) -> Self {
        let failure = retries.failure().map(str::to_owned);
        let is_tried_again = failure.is_some() || retries.services().next().is_some();
        let mut overview = Self { failure, is_tried_again, ..Self::default() };
        for process in processes.iter().filter(|process| process.is_running()) {
            overview.running += 1;
            if process.health().is_some_and(|health| health.status == HealthStatus::Unhealthy) {
                overview.unhealthy.push(process.name.to_string());
            }
        }
        for name in startup::enabled(context).unwrap_or_default() {
            let Some(file) = collect::file_of(&name, context.paths) else { continue };
            let own: Vec<&Process> = processes.iter().filter(|it| collect::comes_from(it, &file)).collect();
            match own.iter().find(|process| is_missing(process)) {
                _ if (own.is_empty() && startup::starts_by_itself(context, &name))
                    || (retries.services().any(|it| it == name) && !own.iter().any(|process| process.is_running())) =>
                {
                    overview.down.push(format!("{name} (not started)"));
                }
                Some(process) => overview.down.push(format!("{} ({})", process.name, process.live.state.as_str())),
                None => {}
            }
        }
        overview.wanted = overview.running + overview.down.len();
        overview
    }

    /// `11 of 12 processes run; down: web-3000 (crashed)`
    #[must_use]
    pub fn text(&self) -> String {
        let names = |names: &[String], what: &str| match names.len() {
            0 => String::new(),
            count if count > MAX_NAMES => {
                format!("; {what}: {} and {} more", names[..MAX_NAMES].join(", "), count - MAX_NAMES)
            }
            _ => format!("; {what}: {}", names.join(", ")),
        };
        let (down, unhealthy) = (names(&self.down, "down"), names(&self.unhealthy, "unhealthy"));
        let failure = self.failure.as_ref().map_or(String::new(), |why| format!("; failed to start: {why}"));
        format!("{} of {} processes run{down}{unhealthy}{failure}", self.running, self.wanted)
    }
}

/// True for what should run and does not. A task that has ended with success has done what it should, and what an operator
/// stopped is as it should be.
fn is_missing(process: &Process) -> bool {
    matches!(process.live.state, ProcessState::Crashed | ProcessState::Errored | ProcessState::Waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_what_is_wrong_and_stays_short() {
        let all_well = Overview { running: 3, wanted: 3, ..Overview::default() };
        assert_eq!(all_well.text(), "3 of 3 processes run");
        let down = vec!["web-3000 (crashed)".to_owned()];
        let broken =
            Overview { running: 2, wanted: 3, down, unhealthy: vec!["api-4000".to_owned()], ..Overview::default() };
        assert_eq!(broken.text(), "2 of 3 processes run; down: web-3000 (crashed); unhealthy: api-4000");
        let many = Overview { wanted: 20, down: (0..20).map(|n| format!("s{n}")).collect(), ..Overview::default() };
        assert!(many.text().ends_with("s7 and 12 more"), "{}", many.text());
    }
}
