//! `tsm scale`

use std::str::FromStr;

use super::restart::said as risen;
use super::startup::{carry_out, fault};
use super::stop::said as ended;
use super::targets::{Targets, control};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::tsm::limits;
use crate::command::tsm::start::around;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Sentence};
use crate::tsm::restart::Risen;
use crate::tsm::scale;
use crate::tsm::startup::{Outcome, Service, Task};
use crate::tsm::store::{Process, Store};

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
    count: Count,
}

/// How many are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Exactly(u32),
    /// So many more than there are.
    More(u32),
    /// So many fewer.
    Fewer(u32),
}

/// A text that says no number of instances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number of instances; write 4, +1 or -1")]
pub struct InvalidCount(String);

/// As `tsm start --instances` has it.
const MOST: u32 = 256;

impl FromStr for Count {
    type Err = InvalidCount;

    fn from_str(given: &str) -> Result<Self, InvalidCount> {
        let (digits, count): (_, fn(u32) -> Self) = match (given.strip_prefix('+'), given.strip_prefix('-')) {
            (Some(digits), _) => (digits, Self::More),
            (_, Some(digits)) => (digits, Self::Fewer),
            _ => (given, Self::Exactly),
        };
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|number| plain && (1..=MOST).contains(number));
        number.map(count).ok_or_else(|| InvalidCount(given.to_owned()))
    }
}

impl Count {
    fn of(self, there: u32) -> u32 {
        match self {
            Self::Exactly(count) => count,
            Self::More(count) => there.saturating_add(count).min(MOST),
            Self::Fewer(count) => there.saturating_sub(count),
        }
    }
}

impl Command for Scale {
    const NAME: &'static str = "tsm scale";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm scale api 4", "tsm scale api +1", "tsm scale api -1"];

    fn effect(&self) -> Effect {
        if matches!(self.count, Count::More(_)) { Effect::Write } else { Effect::Destroy }
    }

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::look_up_whole(std::slice::from_ref(&self.target), cx)?.environments())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let found = Targets::find_whole(std::slice::from_ref(&self.target), cx)?;
        let all = Store::open(cx.paths).all()?;
        let members = scale::members(&found.processes, &all)?;
        let there = u32::try_from(members.len()).unwrap_or(MOST);
        let wanted = self.count.of(there);
        if wanted == 0 {
            let words = "at least one instance stays; `tsm stop` stops it, `tsm delete` removes it";
            return Err(Fault::usage(words));
        }
        let mut report = Report::each(Vec::<Sentence>::new());
        if wanted > there {
            let plans = {
                let around = around(cx, &all, limits::of_environment(cx)?);
                scale::more(&members, wanted, &around)?
            };
            let service =
                |plan| Service { name: self.target.0.clone(), needs: Vec::new(), task: Task::Start(Box::new(plan)) };
            for (name, outcome) in carry_out(plans.into_iter().map(service).collect(), cx) {
                match outcome {
                    Outcome::Started(it) => report = risen(report, &Risen::started(it)),
                    Outcome::Failed(error) => report.faults.push(fault(&name, &error)),
                    Outcome::Ran(_) | Outcome::Off => {}
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
        let wanted = |given: &str| given.parse::<Count>().map(|count| count.of(3));
        assert_eq!((wanted("4"), wanted("+1"), wanted("-1"), wanted("-9")), (Ok(4), Ok(4), Ok(2), Ok(0)));
        for given in ["", "0", "+", "-", "+0", "1.5", "many", "++1", "257", "99999999999"] {
            assert!(given.parse::<Count>().is_err(), "{given}");
        }
    }
}
