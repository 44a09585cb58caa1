//! What a command will do with services, shown before the question.

use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::command::Cx;
use crate::report::{Report, Table, Value};
use crate::tsm::definition::environment_of;
use crate::tsm::service::{ServiceError, Services};

/// A table of the services, with a note for each name that means none.
///
/// # Errors
///
/// Fails with the first if no name means a service.
pub(super) fn plan(
    names: &[ServiceName],
    fault: impl Fn(ServiceError, &ServiceName) -> Fault,
    cx: &Cx,
) -> Result<Option<Report>, Fault> {
    let services = Services::open(cx.paths);
    let mut table = Table::new(&[("service", "SERVICE"), ("env", "ENV"), ("enabled", "AT BOOT")]);
    let mut faults = Vec::new();
    for name in names {
        let is_enabled = services.is_enabled(name);
        match services.find(name) {
            // Of a service whose file is gone the link is left.
            Err(error) if !is_enabled => faults.push(fault(error, name)),
            _ => {
                let env = environment_of(&cx.paths.service(name)).map(|env| env.env.to_string());
                table.row(vec![name.as_str().into(), Value::from(env).into(), is_enabled.into()]);
            }
        }
    }
    if table.rows.is_empty() && !faults.is_empty() {
        return Err(faults.swap_remove(0));
    }
    let note = |report: Report, fault| report.note(format!("{fault}; only the services listed here are meant"));
    Ok(Some(faults.iter().fold(Report::of(table), note)))
}
