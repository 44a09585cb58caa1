//! Running more or fewer instances of a process.

use std::str::FromStr;

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::tsm::control::{ControlError, StopResult};
use crate::tsm::plan::StartPlan;
use crate::tsm::progress::OnProgress;
use crate::tsm::scale;
use crate::tsm::start::WaitFor;
use crate::tsm::startup::{StartJob, StartOutcome, Task};
use crate::tsm::store::Process;

use super::{OpContext, startup};

/// The most instances of one process, also for `tsm start --instances`.
pub const MAX_INSTANCES: u32 = 256;

/// How many instances are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetCount {
    /// So many.
    Exactly(u32),
    /// So many more than there are.
    Increase(u32),
    /// So many fewer.
    Decrease(u32),
}

/// A text that is not a number of instances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 1 to {MAX_INSTANCES}, or +N or -N")]
pub struct InvalidCount;

impl FromStr for TargetCount {
    type Err = InvalidCount;

    fn from_str(given: &str) -> Result<Self, InvalidCount> {
        let (digits, count): (_, fn(u32) -> Self) = match (given.strip_prefix('+'), given.strip_prefix('-')) {
            (Some(digits), _) => (digits, Self::Increase),
            (_, Some(digits)) => (digits, Self::Decrease),
            _ => (given, Self::Exactly),
        };
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|number| plain && (1..=MAX_INSTANCES).contains(number));
        number.map(count).ok_or(InvalidCount)
    }
}

impl TargetCount {
    /// How many that is where there are `current`; 0 if it would be fewer.
    #[must_use]
    pub fn of(self, current: u32) -> u32 {
        match self {
            Self::Exactly(count) => count,
            Self::Increase(count) => current.saturating_add(count).min(MAX_INSTANCES),
            Self::Decrease(count) => current.saturating_sub(count),
        }
    }
}

/// What will be done; found out once.
#[derive(Debug)]
pub enum ScaleChange {
    /// These are started.
    Start(Vec<StartPlan>),
    /// These are stopped and removed.
    Delete(Vec<Process>),
    /// There are as many as are wanted.
    None,
}

/// A change that was planned, and not carried out yet.
#[derive(Debug)]
pub struct PreparedScale {
    /// How many there are.
    pub current: u32,
    /// What will be done.
    pub change: ScaleChange,
    /// The environments it touches.
    pub environments: Vec<EnvRef>,
    /// The name of the group.
    group: String,
}

/// What came of one instance.
#[derive(Debug)]
pub enum ScaleResult {
    /// A new instance.
    Start(String, StartOutcome),
    /// One that was too many.
    Delete(Box<Process>, Result<StopResult, ControlError>),
}

/// Plans a change of the number of instances that belong together with `found`. Changes nothing.
///
/// # Errors
///
/// Fails if those found do not belong together, if none would be left, or if the first one cannot be started again as it is.
pub fn prepare(
    context: &OpContext,
    group: &str,
    found: &[Process],
    all: &[Process],
    count: TargetCount,
) -> Result<PreparedScale, Fault> {
    let members = scale::members(found, all)?;
    let current = u32::try_from(members.len()).unwrap_or(MAX_INSTANCES);
    let wanted = count.of(current);
    if wanted == 0 {
        return Err(Fault::usage("at least one instance must remain")
            .with_advice(format!("`tsm stop {group}` stops it, `tsm delete {group}` removes it")));
    }
    let change = if wanted > current {
        ScaleChange::Start(scale::more(&members, wanted, &context.start_context(all)?)?)
    } else if wanted < current {
        ScaleChange::Delete(members[wanted as usize..].iter().map(|process| (*process).clone()).collect())
    } else {
        ScaleChange::None
    };
    let environments = members.iter().flat_map(|process| process.environments()).collect();
    Ok(PreparedScale { current, change, environments, group: group.to_owned() })
}

impl PreparedScale {
    /// Starts or deletes instances.
    pub fn run(self, context: &OpContext, on_progress: &mut OnProgress) -> Vec<ScaleResult> {
        match self.change {
            ScaleChange::None => Vec::new(),
            ScaleChange::Start(plans) => {
                let job = |plan| {
                    let task = Task::Start(Box::new(plan));
                    StartJob { name: self.group.clone(), needs: Vec::new(), task }
                };
                let jobs = plans.into_iter().map(job).collect();
                let outcomes = startup::start_all(context, jobs, WaitFor::Ready, on_progress);
                outcomes.into_iter().map(|(name, outcome)| ScaleResult::Start(name, outcome)).collect()
            }
            ScaleChange::Delete(processes) => {
                let results = context.with_control(|control| control.delete(&processes.iter().collect::<Vec<_>>()));
                let results = processes.into_iter().zip(results);
                results.map(|(process, result)| ScaleResult::Delete(Box::new(process), result)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_absolute_or_relative() {
        let wanted = |given: &str| given.parse::<TargetCount>().map(|count| count.of(3));
        assert_eq!((wanted("4"), wanted("+1"), wanted("-1"), wanted("-9")), (Ok(4), Ok(4), Ok(2), Ok(0)));
        for given in ["", "0", "+", "-", "+0", "1.5", "many", "++1", "257", "99999999999"] {
            assert!(given.parse::<TargetCount>().is_err(), "{given}");
        }
    }
}
