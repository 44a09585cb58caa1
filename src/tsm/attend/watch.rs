//! Files that change and hours that come.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::civil::DateTime;

use crate::supervise::meta::Meta;
use crate::sys::host::Host;
use crate::sys::notice::Notices;

use super::cron::Schedule;
use super::pattern::is_meant;
use super::zone::Zone;

/// A change counts once nothing more has changed for so long.
const QUIET: Duration = Duration::from_millis(300);

/// Who never stops changing is not waited for longer.
const LONGEST: Duration = Duration::from_secs(3);

/// Folders that hold no sources.
const NEVER: [&str; 3] = [".git", "node_modules", "__pycache__"];

/// The files whose change restarts a process.
pub(super) struct Files {
    notices: Notices,
    rule: Rule,
    /// What changed, when first and when last.
    change: Option<(PathBuf, Instant, Instant)>,
}

/// What is passed over.
struct Rule {
    roots: Vec<PathBuf>,
    ignore: Vec<String>,
    /// The folders of ours: nothing there is a source, least of all a log.
    ours: Vec<PathBuf>,
}

impl Rule {
    fn skips(&self, path: &Path) -> bool {
        // The longest root: one may lie in another.
        let root = self.roots.iter().filter(|root| path.starts_with(root)).max_by_key(|root| root.as_os_str().len());
        let below = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        self.ours.iter().any(|ours| path.starts_with(ours))
            || below.iter().any(|name| NEVER.iter().any(|never| name == *never))
            || self.ignore.iter().any(|pattern| is_meant(pattern, below))
    }
}

/// What this program writes to: the process folder and all beside it, registries, logs.
fn ours(dir: &Path) -> Vec<PathBuf> {
    let mut ours: Vec<PathBuf> = dir.parent().map(Path::to_owned).into_iter().collect();
    if let Some(home) = dir.ancestors().nth(4).filter(|home| dir.starts_with(home.join("tsm/runtime/processes"))) {
        ours.extend(["tsm", "logs"].map(|name| home.join(name)));
    }
    ours
}

impl Files {
    pub(super) fn new(dir: &Path, meta: &Meta) -> io::Result<Self> {
        let care = &meta.run.care;
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let roots: Vec<PathBuf> = care.watch.iter().map(|path| real(Path::new(path))).collect();
        let rule = Rule { roots, ignore: care.ignore.clone(), ours: ours(&real(dir)) };
        let mut notices = Notices::on(dir)?;
        for root in &rule.roots {
            notices.watch(root, &|path| rule.skips(path))?;
        }
        Ok(Self { notices, rule, change: None })
    }

    /// Waits until something happens, at most `limit`; shorter while a change is becoming quiet.
    pub(super) fn wait(&mut self, limit: Duration, others: &[BorrowedFd]) {
        let limit = if self.change.is_some() { limit.min(QUIET) } else { limit };
        let rule = &self.rule;
        let told = self.notices.wait(limit, others, &|path| rule.skips(path));
        if let Some(path) = told.into_iter().find(|path| !rule.skips(path)) {
            let now = Instant::now();
            let (path, first) = self.change.take().map_or((path, now), |(path, first, _)| (path, first));
            self.change = Some((path, first, now));
        }
    }

    /// What changed, once it is quiet again.
    pub(super) fn changed(&mut self) -> Option<PathBuf> {
        let (_, first, last) = self.change.as_ref()?;
        if last.elapsed() < QUIET && first.elapsed() < LONGEST {
            return None;
        }
        self.change.take().map(|(path, ..)| path)
    }
}

/// The next hour of a schedule.
pub(super) struct Clock {
    schedule: Schedule,
    zone: Zone,
    due: DateTime,
}

impl Clock {
    /// None without a schedule.
    pub(super) fn new(schedule: &str, zone: &str, host: &dyn Host) -> Option<Self> {
        let schedule: Schedule = schedule.parse().ok()?;
        let zone = Zone::named_or_local(zone);
        let due = schedule.next(zone.wall_clock(host.now()))?;
        Some(Self { schedule, zone, due })
    }

    pub(super) fn is_due(&self, host: &dyn Host) -> bool {
        self.zone.wall_clock(host.now()) >= self.due
    }

    pub(super) fn go_on(&mut self, host: &dyn Host) {
        // A schedule that came once comes again.
        if let Some(due) = self.schedule.next(self.zone.wall_clock(host.now())) {
            self.due = due;
        }
    }

    /// How long until then.
    pub(super) fn left(&self, host: &dyn Host) -> Duration {
        let left = self.zone.wall_clock(host.now()).duration_until(self.due);
        // A little late rather than a little early.
        Duration::try_from(left).unwrap_or_default() + Duration::from_millis(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::sys::host::{Call, Finished};
    use std::collections::BTreeMap;

    /// Only the time matters.
    struct At(u64);

    impl Host for At {
        fn now(&self) -> Timestamp {
            Timestamp(self.0)
        }
        fn variables(&self) -> &BTreeMap<String, String> {
            unreachable!("nobody asks")
        }
        fn cwd(&self) -> &Path {
            unreachable!("nobody asks")
        }
        fn program(&self) -> &Path {
            unreachable!("nobody asks")
        }
        fn user(&self) -> &str {
            unreachable!("nobody asks")
        }
        fn run(&self, _: &Call) -> io::Result<Finished> {
            unreachable!("nobody asks")
        }
        fn interrupted(&self) -> bool {
            false
        }
        fn pause(&self, _: Duration) -> bool {
            true
        }
    }

    #[test]
    fn an_hour_comes_once_and_then_the_next() {
        // Half a minute past a full one.
        let begin = 1_795_176_030_000;
        let mut clock = Clock::new("* * * * *", "UTC", &At(begin)).expect("a schedule");
        assert!(!clock.is_due(&At(begin + 29_999)));
        assert_eq!(clock.left(&At(begin)), Duration::from_millis(30_005));
        assert!(clock.is_due(&At(begin + 30_000)));
        clock.go_on(&At(begin + 30_000));
        assert!(!clock.is_due(&At(begin + 30_001)));
        assert!(clock.is_due(&At(begin + 90_000)));
        assert!(Clock::new("", "", &At(begin)).is_none());
    }

    #[test]
    fn what_is_ours_or_holds_no_sources_is_passed_over() {
        let rule = Rule {
            roots: vec![PathBuf::from("/srv/app"), PathBuf::from("/home/u")],
            ignore: vec!["*.log".to_owned(), "dist/**".to_owned()],
            ours: ours(Path::new("/home/u/tetra/tsm/runtime/processes/api")),
        };
        for (path, skipped) in [
            ("/srv/app/src/a.js", false),
            ("/srv/app/.git/index", true),
            ("/srv/app/a.log", true),
            ("/srv/app/dist/x/y.js", true),
            ("/srv/app/src/dist/y.js", false),
            ("/home/u/tetra/logs/tetra.jsonl", true),
            ("/home/u/tetra/tsm/ports", true),
            ("/home/u/tetra/org/acme/manifest.toml", false),
        ] {
            assert_eq!(rule.skips(Path::new(path)), skipped, "{path}");
        }
    }
}
