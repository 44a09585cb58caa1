//! More or fewer instances of a process.

use super::from_record;
use super::instances::{self, base};
use super::name::BaseName;
use super::plan::Environ;
use super::plan::{PlanError, StartPlan};
use super::port::{PortSource, PortSpec};
use super::request::{StartContext, StartRequest};
use super::resolve::ResolveError;
use super::store::Process;

use crate::base::sort::SortExt;

/// The instances that belong together with those found, the first one first.
///
/// # Errors
///
/// Fails if those found do not belong together.
pub fn members<'a>(found: &[Process], all: &'a [Process]) -> Result<Vec<&'a Process>, ResolveError> {
    let Some(first) = found.first() else { return Ok(Vec::new()) };
    let base = base(first);
    let is_member = |process: &&Process| {
        process.meta.run.group == base || process.name == first.name || process.name.as_str() == base
    };
    let mut members: Vec<&Process> = all.iter().filter(is_member).collect();
    if let Some(stranger) = found.iter().find(|process| !members.iter().any(|member| member.name == process.name)) {
        let matches = [first, stranger].map(|process| (process.id(), process.name.to_string())).to_vec();
        return Err(ResolveError::Ambiguous { given: base, matches });
    }
    members.order_by_key(|process| (number(process), process.name.clone()));
    Ok(members)
}

/// A process that is not an instance yet is the first.
fn number(process: &Process) -> u32 {
    instances::number_of(process).unwrap_or(1)
}

/// The plans of those that are missing to `wanted`: like the first one, with numbers that no other has.
///
/// # Errors
///
/// Fails if the first one cannot be started again as it is, or if its port is part of its command, where all would share it.
pub fn more(members: &[&Process], wanted: u32, context: &StartContext) -> Result<Vec<StartPlan>, PlanError> {
    let Some(first) = members.first() else { return Ok(Vec::new()) };
    let plan = from_record::plan(first, &StartRequest::default(), context)?;
    let below = u16::try_from(number(first).saturating_sub(1)).unwrap_or(0);
    let mut whole = StartPlan {
        base: BaseName::given(&base(first))?,
        instances: wanted,
        environ: Environ::Operator,
        notes: Vec::new(),
        ..plan
    };
    if let (Some(choice), Some(port)) = (&mut whole.port, first.meta.port)
        && choice.source.is_claim()
    {
        choice.spec = PortSpec::Exact(port.saturating_sub(below));
        choice.source = PortSource::Flag;
    }
    let taken: Vec<u32> = members.iter().map(|process| number(process)).collect();
    let missing = wanted as usize - members.len();
    let free = (1..).filter(|number| !taken.contains(number)).take(missing);
    free.map(|number| instances::instance(&whole, number)).collect()
}
