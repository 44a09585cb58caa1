//! What a start of many consists of: services, those they need, and what is to be done with each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::environment::EnvRef;
use crate::base::name::ServiceName;
use crate::base::sort::SortExt;
use crate::sys::paths::Paths;
use crate::tsm::definition::{Definition, environment_of};
use crate::tsm::instances;
use crate::tsm::name::without_port;
use crate::tsm::planner::plan;
use crate::tsm::port::PortSpec;
use crate::tsm::request::{StartContext, StartRequest};
use crate::tsm::service::{ServiceError, ServiceSet, Services};
use crate::tsm::store::Process;

use super::order::order;
use super::{RunningProcess, StartJob, StartupError, Task};

/// The enabled services and all that they need, each behind those it needs.
///
/// # Errors
///
/// Fails if the links cannot be listed.
pub fn enabled(context: &StartContext) -> Result<Vec<StartJob>, ServiceError> {
    let links = Services::open(context.paths).files(ServiceSet::Enabled)?;
    let mut gathering = ServiceCollector { context, found: BTreeMap::new() };
    for link in &links {
        let name = link.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        gathering.found.insert(name, gathering.of_link(link));
    }
    Ok(gathering.collect())
}

/// The named services and all that they need, each behind those it needs; also those that are not to be started by themselves.
#[must_use]
pub fn named(names: &[String], context: &StartContext) -> Vec<StartJob> {
    let mut gathering = ServiceCollector { context, found: BTreeMap::new() };
    for name in names {
        gathering.found.insert(name.clone(), gathering.of_name(name));
    }
    gathering.collect()
}

/// The environments that the named services and all that they need belong to; for the guard.
#[must_use]
pub fn environments(names: &[String], context: &StartContext) -> Vec<EnvRef> {
    let mut names: Vec<String> = names.to_vec();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(name) = names.get(at) {
        at += 1;
        let Ok(service) = name.parse::<ServiceName>() else { continue };
        let file = context.paths.service(&service);
        found.extend(environment_of(&file));
        // What cannot be read is not started.
        for need in Definition::read(&file, context.variables).map(|it| it.deps().to_vec()).unwrap_or_default() {
            if !names.contains(&need) {
                names.push(need);
            }
        }
    }
    found.order();
    found.dedup();
    found
}

/// True if this process comes from the definition in `file`, or is what that definition would start: it was started before it was
/// saved, and has its name.
#[must_use]
pub fn comes_from(process: &Process, file: &Path) -> bool {
    let run = &process.meta.run;
    if !run.service.is_empty() {
        return Path::new(&run.service) == file;
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = process.name.as_str();
    let short = process.meta.port.map_or(name, |port| without_port(name, port));
    short == stem || run.group == stem
}

/// The same for the service of this name.
#[must_use]
pub fn is_of(process: &Process, service: &str, paths: &Paths) -> bool {
    file_of(service, paths).is_some_and(|file| comes_from(process, &file))
}

/// The definition of the service of this name, for [`comes_from`]: of many processes it is looked for once.
#[must_use]
pub fn file_of(service: &str, paths: &Paths) -> Option<PathBuf> {
    let file = service.parse().ok().map(|name: ServiceName| paths.service(&name))?;
    Some(file.canonicalize().unwrap_or(file))
}

/// A service for each instance of one, all of the same name.
fn instances(name: String, needs: &[String], task: Task) -> Vec<StartJob> {
    let service = |task| StartJob { name: name.clone(), needs: needs.to_vec(), task };
    match task {
        Task::Start(plan) => match instances::plans(&plan) {
            Ok(plans) => plans.into_iter().map(|plan| service(Task::Start(Box::new(plan)))).collect(),
            Err(error) => vec![service(Task::Fail(error.into()))],
        },
        task => vec![service(task)],
    }
}

struct ServiceCollector<'a> {
    context: &'a StartContext<'a>,
    /// What is known of each service.
    found: BTreeMap<String, (Vec<String>, Task)>,
}

impl ServiceCollector<'_> {
    fn of_link(&self, link: &Path) -> (Vec<String>, Task) {
        if !link.exists() {
            return (Vec::new(), Task::Fail(StartupError::BrokenLink { link: link.to_owned() }));
        }
        match self.read(link) {
            Ok((definition, _)) if definition.autostart == Some(false) => (Vec::new(), Task::Disabled),
            Ok((definition, task)) => (definition.deps().to_vec(), task),
            Err(error) => (Vec::new(), Task::Fail(error)),
        }
    }

    fn of_name(&self, name: &str) -> (Vec<String>, Task) {
        let file = name.parse::<ServiceName>().ok().map(|name| Services::open(self.context.paths).find(&name));
        let task = match file {
            Some(Ok(file)) => self.read(&file),
            Some(Err(error)) => Err(error.into()),
            None => Err(ServiceError::Unknown { name: name.to_owned(), suggestion: None }.into()),
        };
        match task {
            Ok((definition, task)) => (definition.deps().to_vec(), task),
            Err(error) => (Vec::new(), Task::Fail(error)),
        }
    }

    fn read(&self, file: &Path) -> Result<(Definition, Task), StartupError> {
        let definition = Definition::read_to_run(file, self.context.variables)?;
        let is_due = |process: &Process| process.is_running() || process.is_scheduled();
        let running = |process: &&Process| comes_from(process, &definition.file) && is_due(process);
        let running: Vec<&Process> = self.context.processes.iter().filter(running).collect();
        let wanted = definition.instances.unwrap_or(1).max(1);
        if let Some(process) = running.first().filter(|_| running.len() >= wanted as usize) {
            let (name, state) = (process.name.clone(), process.live.state);
            let running = RunningProcess { name, pid: process.pid(), port: process.meta.port, state };
            return Ok((definition, Task::Running(running)));
        }
        let program = vec![file.display().to_string()];
        let mut plan = plan(&StartRequest { program, ..StartRequest::default() }, self.context)?;
        if wanted > 1 && matches!(definition.port, Some(PortSpec::AtLeast(_))) {
            // Each takes the next free port, so only those that are missing are started.
            plan.instances = wanted.saturating_sub(u32::try_from(running.len()).unwrap_or(wanted));
            plan.group.clone_from(&plan.base.text);
        }
        Ok((definition, Task::Start(Box::new(plan))))
    }

    /// Adds what is needed, and puts all in order. Circles and needs that are not there are refused.
    fn collect(mut self) -> Vec<StartJob> {
        // A dependent asks for it.
        while let Some(need) = self.missing() {
            let found = self.of_name(&need);
            self.found.insert(need, found);
        }
        let off = |name: &&String| self.found.get(*name).is_some_and(|(_, task)| matches!(task, Task::Disabled));
        let wanted: Vec<String> = self.found.values().flat_map(|(needs, _)| needs).filter(off).cloned().collect();
        for name in wanted {
            let found = self.of_name(&name);
            self.found.insert(name, found);
        }
        while let Some(need) = self.missing() {
            let found = self.of_name(&need);
            self.found.insert(need, found);
        }
        let needs: BTreeMap<String, Vec<String>> =
            self.found.iter().map(|(name, (needs, _))| (name.clone(), needs.clone())).collect();
        let ordered = order(&needs);
        let circles = ordered.cycles.iter().flat_map(|circle| circle.iter().map(move |name| (name, circle)));
        let mut services = Vec::new();
        for (name, circle) in circles {
            if self.found.remove(name).is_some() {
                let circle = circle.iter().chain(circle.first()).cloned().collect();
                let task = Task::Fail(StartupError::Cycle { circle });
                services.push(StartJob { name: name.clone(), needs: Vec::new(), task });
            }
        }
        for name in ordered.sequence {
            if let Some((needs, task)) = self.found.remove(&name) {
                services.extend(instances(name, &needs, task));
            }
        }
        services
    }

    /// A service that another one needs, and that was not looked for yet.
    fn missing(&self) -> Option<String> {
        let needs = self.found.values().flat_map(|(needs, _)| needs);
        needs.into_iter().find(|need| !self.found.contains_key(*need)).cloned()
    }
}
