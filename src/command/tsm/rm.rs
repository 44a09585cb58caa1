//! `tsm rm`

use super::service_plan;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tsm::definition::environment_of;
use crate::tsm::service::{ServiceError, Services};
use crate::tsm::store::{Process, ProcessStore};

/// Remove saved services
///
/// Removes their definitions and links. Their processes keep running, and can be started again by their own records.
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// The services
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<ServiceName>,
}

impl Command for Rm {
    const NAME: &'static str = "tsm rm";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm rm old-api"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(self.services.iter().filter_map(|name| environment_of(&cx.paths.service(name))).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let processes = ProcessStore::open(cx.paths).all()?;
        service_plan::plan(&self.services, |error, name| of_process(error, name, &processes), cx)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let services = Services::open(cx.paths);
        let processes = ProcessStore::open(cx.paths).all()?;
        let mut report = Report::each(Vec::<Message>::new());
        for name in &self.services {
            let file = cx.paths.service(name);
            let origin = file.canonicalize().unwrap_or(file);
            match services.remove(name) {
                Ok(()) => {
                    let sentence = Message::new(format!("removed {name}"));
                    report = report.and(sentence.with("name", name.as_str()).with("action", "removed"));
                }
                Err(error) => {
                    report.faults.push(of_process(error, name, &processes));
                    continue;
                }
            }
            let of_it = |run: &&Process| run.is_running() && *run.meta.run.service == *origin.to_string_lossy();
            for process in processes.iter().filter(of_it) {
                report = report.note(format!("{} keeps running; `tsm stop {}` ends it", process.name, process.name));
            }
        }
        Ok(report)
    }
}

/// The error for a service that does not exist, with what removes the process of that name if there is one.
fn of_process(error: ServiceError, name: &ServiceName, processes: &[Process]) -> Fault {
    let is_process = processes.iter().any(|process| process.name.as_str() == name.as_str());
    match error {
        error @ ServiceError::Unknown { .. } if is_process => Fault::from(error)
            .with_advice(format!("`{name}` is a process: `tsm delete {name}` ends it and removes it with its logs")),
        error => error.into(),
    }
}
