//! How what runs is, and whether it is what was deployed: an answer on the port does not show it, for it may be that of the old
//! process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::place::Place;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ProcessName;
use crate::deploy::wire::Health;
use crate::ops::service_health::{self, Condition, Judge};
use crate::supervise::meta::ProcessState;
use crate::sys::net;
use crate::tsm::sidecar::close_look;
use crate::tsm::store::Process;

/// How long a check may take that has not ended when all else was well for long enough.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is looked for.
const ANSWER_POLL: Duration = Duration::from_millis(100);

/// The lives of processes right after a release was applied: one that has another later was restarted.
pub type Lives = BTreeMap<ProcessName, String>;

/// The lives of the processes that run.
#[must_use]
pub fn lives(processes: &[Process]) -> Lives {
    let running = processes.iter().filter(|process| process.is_running());
    running.map(|process| (process.name.clone(), process.meta.run_state.nonce.clone())).collect()
}

/// What a deploy keeps of what runs since it was applied.
#[derive(Debug, Default)]
pub struct Watched {
    lives: Lives,
    /// Those that began with it: what one of them does not answer well is the fault of the release.
    begun: BTreeSet<ProcessName>,
    /// When their sidecars were last asked to look closely.
    asked: Option<Instant>,
}

impl Watched {
    /// What runs, and what ran before.
    #[must_use]
    pub fn new(before: &Lives, lives: Lives) -> Self {
        let begun = lives.iter().filter(|(name, life)| before.get(*name) != Some(*life));
        let begun = begun.map(|(name, _)| name.clone()).collect();
        Self { lives, begun, asked: None }
    }

    /// How an environment is since it was applied. Until some seconds after the last time that this is asked, the checks of what
    /// began with it are made every second.
    ///
    /// # Errors
    ///
    /// Fails if services or processes cannot be listed.
    pub fn look(&mut self, place: &Place) -> Result<Health, Fault> {
        let processes = place.processes()?;
        self.ask(place, &processes);
        for process in &processes {
            if let Some(why) = problem(process, &self.lives).or_else(|| self.lapse(process)) {
                return Ok(Health::Bad(format!("{}{why}", process.name)));
            }
        }
        let judge = Judge { now: place.host.now(), own_mark: None };
        let own: Vec<&Process> = processes.iter().collect();
        let services = service_health::of_enabled(place.paths, place.host.variables(), &own, judge)?;
        let declared = place.services()?;
        let mut waits = None;
        for service in services.into_iter().filter(|service| declared.contains(&service.name)) {
            match service.condition {
                Condition::Up | Condition::Off => {}
                Condition::Down(why) => return Ok(Health::Bad(format!("{}: {why}", service.name))),
                Condition::Starting(why) => waits = waits.or(Some(format!("{}: {why}", service.name))),
            }
        }
        Ok(waits.map_or(Health::Well, Health::NotYet))
    }

    /// Waits for checks under way that take longer than they did before: what hangs is not well.
    ///
    /// # Errors
    ///
    /// Fails if what runs is not well, or a check does not end.
    pub fn prove(&mut self, place: &Place) -> Result<(), Fault> {
        let begun = Instant::now();
        let bad = |why: String| Fault::new(FaultKind::Reverted, why);
        loop {
            let why = match self.look(place)? {
                Health::Well => match self.unanswered(place)? {
                    Some(name) => format!("{name}: its health check does not end"),
                    None => return Ok(()),
                },
                Health::NotYet(why) => why,
                Health::Bad(why) => return Err(bad(why)),
            };
            if begun.elapsed() >= ANSWER_TIMEOUT || place.host.interrupted() {
                return Err(bad(why));
            }
            place.host.sleep(ANSWER_POLL);
        }
    }

    /// Asks the sidecars of what began with the deploy to look closely.
    fn ask(&mut self, place: &Place, processes: &[Process]) {
        if self.asked.is_some_and(|at| at.elapsed() < close_look::RENEWAL) {
            return;
        }
        for process in processes.iter().filter(|process| self.is_checked(process)) {
            // Without that it is checked as usual.
            let _ = close_look::ask(&process.dir, place.host.now());
        }
        self.asked = Some(Instant::now());
    }

    fn is_checked(&self, process: &Process) -> bool {
        self.begun.contains(&process.name) && process.is_running() && !process.meta.run.monitor.health.is_empty()
    }

    /// A check of a process that began with the deploy failed after one had not, however often it may by its definition.
    fn lapse(&self, process: &Process) -> Option<String> {
        let health = process.health().filter(|_| self.is_checked(process))?;
        (!health.lapse.is_empty()).then(|| format!(": unhealthy: {}", health.lapse))
    }

    /// One whose last answer is older than it would be if the next had taken no longer.
    fn unanswered(&self, place: &Place) -> Result<Option<ProcessName>, Fault> {
        let now = place.host.now();
        let is_late = |process: &Process| {
            let health = process.health().filter(|health| health.closely)?;
            let usual = Duration::from_micros(health.took_us) * 2 + close_look::INTERVAL * 2;
            let age = Duration::from_millis(now.0.saturating_sub(health.checked_ms));
            (age > usual).then(|| process.name.clone())
        };
        Ok(place.processes()?.iter().filter(|process| self.is_checked(process)).find_map(is_late))
    }
}

/// What is wrong with a process beyond its own state.
fn problem(process: &Process, since: &Lives) -> Option<String> {
    if process.live.state != ProcessState::Online {
        return None;
    }
    if since.get(&process.name).is_some_and(|life| *life != process.meta.run_state.nonce) {
        return Some(" was restarted since".to_owned());
    }
    let (port, pid) = (process.meta.port?, process.pid()?);
    let inodes: Vec<u64> = net::listening_on(port).iter().map(|listener| listener.inode).collect();
    if inodes.is_empty() || net::listener_in_tree(pid, &inodes).is_some() {
        return None;
    }
    let who = inodes
        .iter()
        .find_map(|inode| net::owner(*inode))
        .map_or_else(|| "another process".to_owned(), |owner| format!("PID {}, which it did not start", owner.pid));
    Some(format!(" does not answer on port {port}: that is {who}"))
}
