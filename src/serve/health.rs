//! What `/health` and the paths below it answer.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Serialize;

use super::ServerIdentity;
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::ops::service_health::{self, Condition, Judge, ServiceHealth};
use crate::sys::paths::Paths;
use crate::tsm::store::ProcessStore;

/// How everything was at one moment.
#[derive(Debug)]
pub(super) struct HealthSnapshot {
    services: Vec<ServiceHealth>,
    processes: Vec<(String, Condition)>,
    /// The answer of `/health`.
    pub(super) all: (StatusCode, String),
    /// The answer of `/health/ready`.
    pub(super) ready: (StatusCode, String),
}

/// The body of `/health` and `/health/ready`.
#[derive(Debug, Serialize)]
struct HealthBody<'a> {
    status: &'static str,
    reasons: Vec<String>,
    #[serde(flatten)]
    identity: &'a ServerIdentity,
    /// Since the start of the server, in seconds.
    uptime: u64,
    services: Counts,
}

/// How many enabled services there are, and how they are.
#[derive(Debug, Default, Serialize)]
struct Counts {
    enabled: usize,
    up: usize,
    starting: usize,
    down: usize,
    off: usize,
}

/// The body of `/health/NAME`.
#[derive(Debug, Serialize)]
struct OneBody<'a> {
    status: &'static str,
    name: &'a str,
    kind: &'static str,
    reason: Option<&'a str>,
    processes: Vec<&'a str>,
}

/// Where and as who the processes are looked at.
pub(super) struct Scene<'a> {
    pub(super) paths: &'a Paths,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) identity: &'a ServerIdentity,
    pub(super) judge: Judge<'a>,
    pub(super) started: Timestamp,
}

impl HealthSnapshot {
    /// Looks at every process and enabled service.
    pub(super) fn take(scene: &Scene) -> Result<Self, Fault> {
        let processes = ProcessStore::open(scene.paths).all()?;
        let all: Vec<_> = processes.iter().collect();
        let services = service_health::of_enabled(scene.paths, scene.variables, &all, scene.judge)?;
        let conditions = processes.iter().map(|it| (it.name.to_string(), scene.judge.process(it)));
        Ok(Self::of(services, conditions.collect(), scene))
    }

    fn of(services: Vec<ServiceHealth>, processes: Vec<(String, Condition)>, scene: &Scene) -> Self {
        let mut counts = Counts { enabled: services.len(), ..Counts::default() };
        let (mut down, mut starting) = (Vec::new(), Vec::new());
        for service in &services {
            let line = |reason: &str| format!("{}: {reason}", service.name);
            match &service.condition {
                Condition::Up => counts.up += 1,
                Condition::Off => counts.off += 1,
                Condition::Starting(reason) => {
                    counts.starting += 1;
                    starting.push(line(reason));
                }
                Condition::Down(reason) => {
                    counts.down += 1;
                    down.push(line(reason));
                }
            }
        }
        let word = match (down.is_empty(), starting.is_empty()) {
            (false, _) => "down",
            (true, false) => "starting",
            (true, true) => "ok",
        };
        let uptime = scene.judge.now.since(scene.started).as_secs();
        let reasons: Vec<String> = down.into_iter().chain(starting).collect();
        let body = HealthBody { status: word, reasons, identity: scene.identity, uptime, services: counts };
        let text = json(&body);
        let code = |is_well: bool| if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Self { services, processes, all: (code(word != "down"), text.clone()), ready: (code(word == "ok"), text) }
    }

    /// The answer of `/health/NAME`: of the enabled service of this name, else of the process; none if there is neither.
    pub(super) fn one(&self, name: &str) -> Option<(StatusCode, String)> {
        let (kind, name, condition, processes) = match self.services.iter().find(|service| service.name == name) {
            Some(it) => ("service", it.name.as_str(), &it.condition, it.processes.iter().map(String::as_str).collect()),
            None => {
                let (name, condition) = self.processes.iter().find(|(process, _)| process == name)?;
                ("process", name.as_str(), condition, vec![name.as_str()])
            }
        };
        let code = match condition {
            Condition::Up | Condition::Off => StatusCode::OK,
            Condition::Starting(_) | Condition::Down(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let status = if *condition == Condition::Up { "ok" } else { condition.word() };
        Some((code, json(&OneBody { status, name, kind, reason: condition.reason(), processes })))
    }
}

/// The answer of `/health/live`.
pub(super) fn live(identity: &ServerIdentity, uptime: u64) -> String {
    #[derive(Serialize)]
    struct LiveBody<'a> {
        status: &'static str,
        version: &'a str,
        uptime: u64,
    }
    json(&LiveBody { status: "ok", version: identity.version, uptime })
}

fn json(it: &impl Serialize) -> String {
    let mut text = serde_json::to_string(it).expect("keys are strings, and nothing here fails to serialize");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, condition: Condition) -> ServiceHealth {
        ServiceHealth { name: name.to_owned(), condition, processes: vec![format!("{name}-1")] }
    }

    fn snapshot(services: Vec<ServiceHealth>) -> HealthSnapshot {
        let (paths, variables) = (Paths::under(std::path::Path::new("/nowhere")), BTreeMap::new());
        let identity =
            ServerIdentity { version: "1.0", release: "r7".to_owned(), org: None, env: Some("dev".to_owned()) };
        let judge = Judge { now: Timestamp(10_000), own_mark: None };
        let scene =
            Scene { paths: &paths, variables: &variables, identity: &identity, judge, started: Timestamp(3_000) };
        HealthSnapshot::of(services, vec![("job".to_owned(), Condition::Down("stopped".to_owned()))], &scene)
    }

    #[test]
    fn one_service_that_is_down_makes_the_machine_unavailable() {
        let (down, starting) = (Condition::Down("crashed".to_owned()), Condition::Starting("starting".to_owned()));
        for (conditions, status, all, ready) in [
            (vec![], "ok", 200, 200),
            (vec![Condition::Up, Condition::Off], "ok", 200, 200),
            (vec![Condition::Up, starting.clone()], "starting", 200, 503),
            (vec![down.clone(), starting.clone()], "down", 503, 503),
        ] {
            let found = snapshot(conditions.into_iter().map(|it| service("api", it)).collect());
            assert_eq!((found.all.0.as_u16(), found.ready.0.as_u16()), (all, ready));
            let body: serde_json::Value = serde_json::from_str(&found.all.1).expect("JSON");
            assert_eq!((&body["status"], &body["uptime"]), (&status.into(), &7.into()));
        }
        let body = snapshot(vec![service("api", down)]).all.1;
        assert_eq!(
            body,
            "{\"status\":\"down\",\"reasons\":[\"api: crashed\"],\"version\":\"1.0\",\"release\":\"r7\",\"org\":null,\
             \"env\":\"dev\",\"uptime\":7,\"services\":{\"enabled\":1,\"up\":0,\"starting\":0,\"down\":1,\"off\":0}}\n"
        );
    }

    #[test]
    fn one_is_found_as_a_service_and_then_as_a_process() {
        let found = snapshot(vec![service("api", Condition::Up)]);
        let one = |name: &str| found.one(name).map(|(code, body)| (code.as_u16(), body));
        assert_eq!(one("nothing"), None);
        let (code, body) = one("api").expect("a service");
        assert_eq!((code, body.contains(r#""kind":"service""#)), (200, true));
        let (code, body) = one("job").expect("a process");
        assert_eq!(code, 503);
        assert_eq!(
            body,
            "{\"status\":\"down\",\"name\":\"job\",\"kind\":\"process\",\"reason\":\"stopped\",\"processes\":[\"job\"]}\n"
        );
    }
}
