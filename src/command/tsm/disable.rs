//! `tsm disable`

use super::enable::{add, data};
use super::service_plan;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Tone};
use crate::tsm::definition::environment_of;
use crate::tsm::service::{LinkChange, Services};

/// Do not start services at boot any more
///
/// Removes their links from services-enabled. What runs keeps running.
#[derive(Debug, clap::Args)]
pub struct Disable {
    /// The services
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<ServiceName>,
}

impl Command for Disable {
    const NAME: &'static str = "tsm disable";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm disable tetra"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(self.services.iter().filter_map(|name| environment_of(&cx.paths.service(name))).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        service_plan::plan(&self.services, |error, _| error.into(), cx)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let services = Services::open(cx.paths);
        let mut report = Report::each(Vec::<Message>::new());
        for name in &self.services {
            report = add(report, services.disable(name), |change| disabled(name, change));
        }
        Ok(report)
    }
}

fn disabled(name: &ServiceName, change: LinkChange) -> Message {
    let sentence = match change {
        LinkChange::Made => Message::new(format!("disabled {name}")).tone(Tone::Good),
        LinkChange::None => Message::new(format!("{name} is not enabled")).tone(Tone::Warn),
    };
    data(sentence, name, "disabled", change)
}
