//! `tsm scale`

use std::str::FromStr;

use super::process_args::{Targets, control};
use super::restart::add_result as risen;
use super::startup::{fault, start_all};
use super::stop::result_message as ended;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::tsm::limits;
use crate::command::tsm::start::start_context;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tsm::restart::Restarted;
use crate::tsm::scale;
use crate::tsm::startup::{StartJob, StartOutcome, Task};
use crate::tsm::store::{Process, ProcessStore};

/// Run more or fewer instances of a process
///
/// New ones are started as the others were, each with the next port or number; what is too much is stopped and removed with its
/// logs, the last ones first. The TSM_INSTANCES of a service stay as they are, and count again at the next `tsm startup`.
#[derive(Debug, clap::Args)]
pub struct Scale {
    /// The group of instances, or one of them; a single process becomes the first of several
    target: ProcessTarget,
    /// How many: 4, or so many more or fewer: +1, -1
    #[arg(value_name = "N|+N|-N", allow_hyphen_values = true)]
    count: TargetCount,
}

/// How many are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetCount {
    /// So many.
    Exactly(u32),
    /// So many more than there are.
    Increase(u32),
    /// So many fewer.
    Decrease(u32),
}

/// A text that says no number of instances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number of instances; write 4, +1 or -1")]
pub struct InvalidCount(String);

/// As `tsm start --instances` has it.
const MAX_INSTANCES: u32 = 256;

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
        number.map(count).ok_or_else(|| InvalidCount(given.to_owned()))
    }
}

impl TargetCount {
    fn of(self, there: u32) -> u32 {
        match self {
            Self::Exactly(count) => count,
            Self::Increase(count) => there.saturating_add(count).min(MAX_INSTANCES),
            Self::Decrease(count) => there.saturating_sub(count),
        }
    }
}

impl Command for Scale {
    const NAME: &'static str = "tsm scale";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm scale api 4", "tsm scale api +1", "tsm scale api -1"];

    fn effect(&self) -> Effect {
        if matches!(self.count, TargetCount::Increase(_)) { Effect::Write } else { Effect::Destroy }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::find_whole_read_only(std::slice::from_ref(&self.target), cx)?.environments())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let found = Targets::find_whole(std::slice::from_ref(&self.target), cx)?;
        let all = ProcessStore::open(cx.paths).all()?;
        let members = scale::members(&found.processes, &all)?;
        let there = u32::try_from(members.len()).unwrap_or(MAX_INSTANCES);
        let wanted = self.count.of(there);
        if wanted == 0 {
            let words = "at least one instance stays; `tsm stop` stops it, `tsm delete` removes it";
            return Err(Fault::usage(words));
        }
        let mut report = Report::each(Vec::<Message>::new());
        if wanted > there {
            let plans = {
                let around = start_context(cx, &all, limits::of_environment(cx)?);
                scale::more(&members, wanted, &around)?
            };
            let service =
                |plan| StartJob { name: self.target.0.clone(), needs: Vec::new(), task: Task::Start(Box::new(plan)) };
            for (name, outcome) in start_all(plans.into_iter().map(service).collect(), cx) {
                match outcome {
                    StartOutcome::Started(it) => report = risen(report, &Restarted::started(it)),
                    StartOutcome::Failed(error) => report.faults.push(fault(&name, &error)),
                    StartOutcome::AlreadyRunning(_) | StartOutcome::Disabled => {}
                }
            }
        } else {
            let gone: Vec<&Process> = members[wanted as usize..].to_vec();
            let answers = control(cx, &|| cx.host.interrupted()).delete(&gone);
            for (process, answer) in gone.iter().zip(answers) {
                match answer {
                    Ok(end) => report = report.and(ended(process, &end, "deleted")),
                    Err(error) => report.faults.push(error.into()),
                }
            }
        }
        Ok(if wanted == there { report.note(format!("there are {there} already")) } else { report })
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
