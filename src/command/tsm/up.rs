//! `tsm up`

use std::collections::BTreeMap;

use super::process_args::control;
use super::restart::{add_result, environ, restart_all};
use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::StartWord;
use crate::command::tsm::limits;
use crate::command::tsm::start::start_context;
use crate::command::tsm::startup;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tsm::resolve::{self, Precision};
use crate::tsm::restart::{RestartOptions, Restarted};
use crate::tsm::service::{ServiceSet, Services};
use crate::tsm::start::WaitFor;
use crate::tsm::startup::{StartOutcome, collect};
use crate::tsm::store::{Process, ProcessStore};

/// Start services and processes, or restart those that run
///
/// For a deployment, which can repeat it. What does not run is started, with what its TSM_DEPS need; what runs is restarted by its
/// definition as it is now, instances one after the other. What a service needs and what runs already is left as it is. Where
/// something that is needed fails, what needs it is not touched. Without a name all enabled services are meant.
#[derive(Debug, clap::Args)]
pub struct Up {
    /// Services or processes; all enabled services if left out
    #[arg(value_name = "NAME")]
    names: Vec<StartWord>,
    /// Give what is restarted the variables of this shell instead of those of its last start
    #[arg(long)]
    update_env: bool,
}

/// What is meant.
struct UpTargets {
    services: Vec<String>,
    processes: Vec<Process>,
}

impl Command for Up {
    const NAME: &'static str = "tsm up";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm up", "tsm up api worker"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let all = ProcessStore::open(cx.paths).all()?;
        let meant = self.find_targets(&all, cx)?;
        let of_service = |process: &&Process| meant.services.iter().any(|name| collect::is_of(process, name, cx.paths));
        let processes = all.iter().filter(of_service).chain(&meant.processes);
        Ok(processes.flat_map(Process::environments).collect())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut all = ProcessStore::open(cx.paths).all()?;
        control(cx, &|| cx.host.interrupted()).reconcile(&mut all);
        let meant = self.find_targets(&all, cx)?;
        let gathered = {
            let around = start_context(cx, &all, limits::of_environment(cx)?);
            if self.names.is_empty() { collect::enabled(&around)? } else { collect::named(&meant.services, &around) }
        };
        let needs: BTreeMap<String, Vec<String>> =
            gathered.iter().map(|service| (service.name.clone(), service.needs.clone())).collect();
        let mut report = Report::each(Vec::<Message>::new());
        let (mut failed, mut go) = (Vec::new(), Vec::new());
        for (name, outcome) in startup::start_all(gathered, cx) {
            let blocked = needs[&name].iter().find(|need| failed.contains(*need)).cloned();
            match (outcome, blocked) {
                (StartOutcome::Started(it), _) => {
                    if !it.readiness.is_ready() {
                        failed.push(name);
                    }
                    report = add_result(report, &Restarted::started(it));
                }
                (StartOutcome::AlreadyRunning(_), Some(need)) => {
                    let words = format!("`{name}` was not restarted: it needs `{need}`, which is not ready");
                    report.faults.push(Fault::new(FaultKind::Failed, words));
                    failed.push(name);
                }
                (StartOutcome::AlreadyRunning(_), None) if meant.services.contains(&name) => {
                    let own = all.iter().filter(|it| it.is_running() && collect::is_of(it, &name, cx.paths));
                    go.extend(
                        own.filter(|it| !go.iter().any(|known: &Process| known.name == it.name))
                            .cloned()
                            .collect::<Vec<_>>(),
                    );
                }
                (StartOutcome::AlreadyRunning(_) | StartOutcome::Disabled, _) => {}
                (StartOutcome::Failed(error), _) => {
                    report.faults.push(startup::fault(&name, &error));
                    failed.push(name);
                }
            }
        }
        go.extend(meant.processes);
        let manner = RestartOptions { strategy: None, environ: environ(self.update_env) };
        let report = restart_all(report, &go, manner, WaitFor::Ready, cx)?;
        Ok(if report.blocks.is_empty() && report.faults.is_empty() {
            report.note("no services are enabled")
        } else {
            report
        })
    }
}

impl Up {
    fn find_targets(&self, all: &[Process], cx: &Cx) -> Result<UpTargets, Fault> {
        let services = Services::open(cx.paths);
        if self.names.is_empty() {
            let enabled = services.files(ServiceSet::Enabled)?;
            let stem = |file: &std::path::PathBuf| file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            return Ok(UpTargets { services: enabled.iter().filter_map(stem).collect(), processes: Vec::new() });
        }
        let is_service = |word: &&str| word.parse().is_ok_and(|name| services.find(&name).is_ok());
        let words: Vec<&str> = self.names.iter().map(|word| word.0.as_str()).collect();
        let (named, others): (Vec<&str>, Vec<&str>) = words.into_iter().partition(is_service);
        let mut resolved = resolve::resolve(&others, all, Precision::Exact);
        if !resolved.missing.is_empty() {
            return Err(resolved.missing.remove(0).into());
        }
        let processes = resolved.processes.into_iter().cloned().collect();
        Ok(UpTargets { services: named.into_iter().map(str::to_owned).collect(), processes })
    }
}
