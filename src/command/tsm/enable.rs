//! `tsm enable`

use super::service_plan;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Tone};
use crate::tsm::boot;
use crate::tsm::definition::{Definition, environment_of};
use crate::tsm::service::{LinkChange, ServiceError, Services};

/// Start services at boot
///
/// Makes a link in services-enabled; `tsm startup` and the daemon start what is linked there. Nothing is started now.
#[derive(Debug, clap::Args)]
pub struct Enable {
    /// The services
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<ServiceName>,
}

impl Command for Enable {
    const NAME: &'static str = "tsm enable";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm enable tetra", "tsm enable api web"];

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
            report = add(report, services.enable(name), |change| enabled(name, change));
            let read = services.find(name).ok().map(|file| Definition::read(&file, cx.host.variables()));
            match read {
                Some(Ok(it)) if it.autostart == Some(false) => {
                    report = report.note(format!("its TSM_AUTOSTART is false, so `tsm startup` skips {name}"));
                }
                Some(Ok(it)) => {
                    let note = boot::not_found_by_unit(&it.file, &cx.operation().unlimited(&[]));
                    report = note.into_iter().fold(report, Report::note);
                }
                Some(Err(error)) => report = report.note(format!("{name} cannot be started as it is: {error}")),
                _ => {}
            }
        }
        Ok(report)
    }
}

pub(super) fn add(
    mut report: Report,
    done: Result<LinkChange, ServiceError>,
    say: impl FnOnce(LinkChange) -> Message,
) -> Report {
    match done {
        Ok(change) => report.and(say(change)),
        Err(error) => {
            report.faults.push(error.into());
            report
        }
    }
}

fn enabled(name: &ServiceName, change: LinkChange) -> Message {
    let sentence = match change {
        LinkChange::Made => Message::new(format!("enabled {name}")).tone(Tone::Good),
        LinkChange::None => Message::new(format!("{name} is already enabled")).tone(Tone::Warn),
    };
    data(sentence, name, "enabled", change)
}

pub(super) fn data(sentence: Message, name: &ServiceName, action: &'static str, change: LinkChange) -> Message {
    sentence.with("name", name.as_str()).with("action", action).with("changed", change == LinkChange::Made)
}
