//! The stop of all that runs, in reverse order of dependencies, within a limit of time.

use std::time::{Duration, Instant};

use super::log::Level;
use super::work::Say;
use crate::ops::OpContext;
use crate::ops::stop_order::stop_levels;
use crate::supervise::meta::StopCause;
use crate::tsm::control::{Control, ControlError, StopResult};
use crate::tsm::store::Process;

/// What is left of the time at the end to kill what is deaf.
const KILL_TIME: Duration = Duration::from_secs(2);

/// Stops processes: of each level all at once, what others need after them. What does not end in its share of the time is killed.
/// Returns how many are left.
pub fn stop_all(context: &OpContext, processes: &[Process], deadline: Instant, say: &mut Say) -> usize {
    let levels = stop_levels(context, processes);
    let count = levels.len();
    let mut left = 0;
    for (number, level) in levels.into_iter().enumerate() {
        let level: Vec<&Process> = level.into_iter().map(|at| &processes[at]).collect();
        let ends_at = share(Instant::now(), deadline, count - number);
        left += stop_level(context, &level, ends_at, say);
    }
    left
}

/// When a level has to be over, of which there are so many still.
fn share(now: Instant, deadline: Instant, levels: usize) -> Instant {
    let left = deadline.saturating_duration_since(now);
    now + left / u32::try_from(levels.max(1)).unwrap_or(u32::MAX)
}

fn stop_level(context: &OpContext, level: &[&Process], ends_at: Instant, say: &mut Say) -> usize {
    let (paths, program) = (context.paths, context.host.program());
    let asked_until = ends_at.checked_sub(KILL_TIME).unwrap_or(ends_at);
    let is_over = || Instant::now() >= asked_until;
    let asking = Control { paths, program, interrupted: &is_over, cause: StopCause::Daemon };
    let answers = asking.stop(level);
    let mut deaf = Vec::new();
    let mut left = 0;
    for (process, answer) in level.iter().zip(answers) {
        match answer {
            Err(ControlError::Interrupted { .. }) => deaf.push(*process),
            answer => left += usize::from(!say_answer(process, answer, say)),
        }
    }
    if deaf.is_empty() {
        return left;
    }
    let is_over = || Instant::now() >= ends_at;
    let killing = Control { paths, program, interrupted: &is_over, cause: StopCause::Daemon };
    for (process, answer) in deaf.iter().zip(killing.stop_by_force(&deaf)) {
        left += usize::from(!say_answer(process, answer, say));
    }
    left
}

/// True if it runs no more.
fn say_answer(process: &Process, answer: Result<StopResult, ControlError>, say: &mut Say) -> bool {
    let name = &process.name;
    match answer {
        // Its end is an event, which is logged.
        Ok(StopResult::Stopped { forced: false, survivors, .. }) if survivors.is_empty() => {}
        Ok(StopResult::Stopped { survivors, .. }) if survivors.is_empty() => {
            say(Level::Warning, format!("killed {name}, which did not end when it was asked to"));
        }
        Ok(StopResult::Stopped { survivors, .. }) => {
            say(Level::Warning, format!("stopped {name}; of its processes {} are left", survivors.len()));
        }
        Ok(StopResult::WasNotRunning { .. }) => {}
        Err(error) => {
            say(Level::Error, format!("failed to stop {name}: {error}"));
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_has_its_share_of_what_is_left() {
        let now = Instant::now();
        let deadline = now + Duration::from_secs(30);
        assert_eq!(share(now, deadline, 3), now + Duration::from_secs(10));
        assert_eq!(share(now, deadline, 1), deadline);
        assert_eq!(share(deadline + Duration::from_secs(1), deadline, 2), deadline + Duration::from_secs(1));
    }
}
