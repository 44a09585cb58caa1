//! Several instances of one program: the same in everything but the port, the name and a number.

use super::name::Base;
use super::plan::ladder::PORT;
use super::plan::{PlanError, StartPlan};
use super::port::PortWish;

/// Tells an instance which one it is, counted from 1.
const NUMBER: &str = "TSM_INSTANCE";

/// The plans of all instances; of a plan for one, itself.
///
/// With a port each gets the next one and is called `name-port`; without, they are called `name-1`, `name-2`, …. Together they are
/// the group `name`.
///
/// # Errors
///
/// Fails if the port stands in the command line, where all would share it, or if there are too few ports above it.
pub fn plans(plan: &StartPlan) -> Result<Vec<StartPlan>, PlanError> {
    if plan.instances <= 1 && plan.group.is_empty() {
        return Ok(vec![plan.clone()]);
    }
    (1..=plan.instances).map(|number| instance(plan, number)).collect()
}

fn instance(plan: &StartPlan, number: u32) -> Result<StartPlan, PlanError> {
    let mut one = StartPlan { instances: 1, group: plan.base.text.clone(), ..plan.clone() };
    one.set.retain(|(key, _)| key != NUMBER);
    one.set.push((NUMBER.to_owned(), number.to_string()));
    match &mut one.port {
        None => one.base = Base::given(&format!("{}-{number}", plan.base.text))?,
        Some(choice) if !choice.source.is_claim() && !choice.source.is_variable() => {
            return Err(PlanError::SharedPort { instances: plan.instances, port: choice.wish.to_string() });
        }
        Some(choice) => {
            if let PortWish::Exactly(first) = choice.wish {
                let port = u32::from(first).checked_add(number - 1).and_then(|port| u16::try_from(port).ok());
                let port = port.ok_or(PlanError::TooFewPorts { instances: plan.instances, first })?;
                choice.wish = PortWish::Exactly(port);
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
