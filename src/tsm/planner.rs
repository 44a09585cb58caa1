//! The plan for a request: of a service, of a program, or of a process that there is.

use super::from_record;
use super::plan::{PlanError, StartPlan, of_program, of_service};
use super::request::{StartContext, StartRequest, StartTarget};

/// Makes the plan for a request.
///
/// # Errors
///
/// Fails for everything that can be known before: words without a meaning, missing programs, scripts, directories and env files,
/// malformed definitions, illegal names and ports.
pub fn plan(request: &StartRequest, context: &StartContext) -> Result<StartPlan, PlanError> {
    of_target(request.target(context)?, request, context)
}

/// Makes the plan for what a request means.
///
/// # Errors
///
/// As [`plan`].
pub fn of_target(target: StartTarget, request: &StartRequest, context: &StartContext) -> Result<StartPlan, PlanError> {
    match target {
        StartTarget::Service(definition) => of_service(*definition, request, context),
        StartTarget::Program { line, may_end_in_name } => of_program(line, may_end_in_name, request, context),
        StartTarget::Existing(process) => from_record::plan(&process, request, context),
    }
}

#[cfg(test)]
mod tests;
