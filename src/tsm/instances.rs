//! Several instances of one program: the same in everything but the port, the name and a number.

use super::name::{BaseName, without_port};
use super::plan::port_precedence::PORT;
use super::plan::{PlanError, StartPlan};
use super::port::PortSpec;
use super::store::Process;

/// The number of an instance, counted from 1.
const INSTANCE_VARIABLE: &str = "TSM_INSTANCE";

/// The plans of all instances; of a plan for one, itself.
///
/// With a port each gets the next one and is called `name-port`; without, they are called `name-1`, `name-2`, …. Together they are
/// the group `name`.
///
/// # Errors
///
/// Fails if the port is part of the command line, where all would share it, or if there are too few ports above it.
pub fn plans(plan: &StartPlan) -> Result<Vec<StartPlan>, PlanError> {
    if plan.instances <= 1 && plan.group.is_empty() {
        return Ok(vec![plan.clone()]);
    }
    (1..=plan.instances).map(|number| instance(plan, number)).collect()
}

/// Which one of several a process is, counted from 1; none if it is not one of several.
#[must_use]
pub fn number_of(process: &Process) -> Option<u32> {
    let set = &process.meta.run.set;
    set.iter().rfind(|(key, _)| key == INSTANCE_VARIABLE).and_then(|(_, value)| value.parse().ok())
}

/// The name that all instances share.
#[must_use]
pub fn base(process: &Process) -> String {
    let (run, name) = (&process.meta.run, process.name.as_str());
    let short = process.meta.port.map_or(name, |port| without_port(name, port));
    if run.group.is_empty() { short.to_owned() } else { run.group.clone() }
}

/// The group that a process is one of among `all`; empty if it is the only one. The first one of a group that was scaled up from
/// one process has a record that does not say so.
#[must_use]
pub fn group_of(process: &Process, all: &[Process]) -> String {
    let base = base(process);
    let is_one_of_several = !process.meta.run.group.is_empty() || all.iter().any(|other| other.meta.run.group == base);
    if is_one_of_several { base } else { String::new() }
}

/// The plan of one instance.
///
/// # Errors
///
/// As [`plans`].
pub fn instance(plan: &StartPlan, number: u32) -> Result<StartPlan, PlanError> {
    let mut one = StartPlan { instances: 1, group: plan.base.text.clone(), ..plan.clone() };
    one.set.retain(|(key, _)| key != INSTANCE_VARIABLE);
    one.set.push((INSTANCE_VARIABLE.to_owned(), number.to_string()));
    match &mut one.port {
        None => one.base = BaseName::given(&format!("{}-{number}", plan.base.text))?,
        Some(choice) if !choice.source.is_claim() && !choice.source.is_variable() => {
            return Err(PlanError::SharedPort { instances: plan.instances, port: choice.spec.to_string() });
        }
        Some(choice) => {
            if let PortSpec::Exact(first) = choice.spec {
                let port = u32::from(first).checked_add(number - 1).and_then(|port| u16::try_from(port).ok());
                let port = port.ok_or(PlanError::TooFewPorts { instances: plan.instances, first })?;
                choice.spec = PortSpec::Exact(port);
                // What is only guessed is exported by where it comes from, which says the same to all.
                if choice.source.is_variable() {
                    one.set.retain(|(key, _)| key != PORT);
                    one.set.push((PORT.to_owned(), port.to_string()));
                }
            }
        }
    }
    Ok(one)
}

#[cfg(test)]
mod tests {
    #[test]
    fn more_instances_than_make_sense_are_refused() {
        let read = |count: &str| {
            let text = format!("TSM_COMMAND=x\nTSM_INSTANCES=\"{count}\"\n");
            crate::tsm::definition::Definition::parse(&text, std::path::Path::new("/a.tsm"), &Default::default())
        };
        assert_eq!(read("256").expect("as many as that").instances, Some(crate::tsm::definition::keys::MAX_INSTANCES));
        for count in ["257", "99999999", "4294967295", "0", "-1", "many"] {
            let refused = read(count).expect_err(count).to_string();
            assert!(refused.contains("1 to 256"), "{count}: {refused}");
        }
    }
}
