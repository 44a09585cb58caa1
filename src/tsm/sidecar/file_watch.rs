//! Files that change and hours that come.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::civil::DateTime;

use crate::supervise::meta::Meta;
use crate::sys::host::Host;
use crate::sys::tree_watch::TreeWatcher;

use super::cron::Schedule;
use super::glob::matches;
use super::zone::Zone;

/// A change counts once nothing more has changed for so long.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// Who never stops changing is not waited for longer.
const MAX_DEBOUNCE: Duration = Duration::from_secs(3);

/// Directories that hold no sources.
const IGNORED_DIRECTORIES: [&str; 3] = [".git", "node_modules", "__pycache__"];

/// The files whose change restarts a process.
pub(super) struct FileWatcher {
    notices: TreeWatcher,
    filter: WatchFilter,
    /// What changed, when first and when last.
    change: Option<(PathBuf, Instant, Instant)>,
}

/// What is passed over.
struct WatchFilter {
    roots: Vec<PathBuf>,
    ignore: Vec<String>,
    /// The directories of ours: nothing there is a source, least of all a log.
    internal_paths: Vec<PathBuf>,
}

impl WatchFilter {
    fn is_ignored(&self, path: &Path) -> bool {
        // The longest root: one may lie in another.
        let root = self.roots.iter().filter(|root| path.starts_with(root)).max_by_key(|root| root.as_os_str().len());
        let below = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        self.internal_paths.iter().any(|ours| path.starts_with(ours))
            || below.iter().any(|name| IGNORED_DIRECTORIES.iter().any(|never| name == *never))
            || self.ignore.iter().any(|pattern| matches(pattern, below))
    }
}

/// What this program writes to: the process directory and all beside it, registries, logs.
fn internal_paths(dir: &Path) -> Vec<PathBuf> {
    let mut ours: Vec<PathBuf> = dir.parent().map(Path::to_owned).into_iter().collect();
    if let Some(home) = dir.ancestors().nth(4).filter(|home| dir.starts_with(home.join("tsm/runtime/processes"))) {
        ours.extend(["tsm", "logs"].map(|name| home.join(name)));
    }
    ours
}

impl FileWatcher {
    pub(super) fn new(dir: &Path, meta: &Meta) -> io::Result<Self> {
        let care = &meta.run.monitor;
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let roots: Vec<PathBuf> = care.watch.iter().map(|path| real(Path::new(path))).collect();
        let rule = WatchFilter { roots, ignore: care.ignore.clone(), internal_paths: internal_paths(&real(dir)) };
        let mut notices = TreeWatcher::on(dir)?;
        for root in &rule.roots {
            notices.watch(root, &|path| rule.is_ignored(path))?;
        }
        Ok(Self { notices, filter: rule, change: None })
    }

    /// Waits until something happens, at most `limit`; shorter while a change is becoming quiet.
    pub(super) fn wait(&mut self, limit: Duration, others: &[BorrowedFd]) {
        let limit = if self.change.is_some() { limit.min(DEBOUNCE) } else { limit };
        let rule = &self.filter;
        let told = self.notices.wait(limit, others, &|path| rule.is_ignored(path));
        if let Some(path) = told.into_iter().find(|path| !rule.is_ignored(path)) {
            let now = Instant::now();
            let (path, first) = self.change.take().map_or((path, now), |(path, first, _)| (path, first));
            self.change = Some((path, first, now));
        }
    }

    /// What changed, once it is quiet again.
    pub(super) fn changed(&mut self) -> Option<PathBuf> {
        let (_, first, last) = self.change.as_ref()?;
        if last.elapsed() < DEBOUNCE && first.elapsed() < MAX_DEBOUNCE {
            return None;
        }
        self.change.take().map(|(path, ..)| path)
    }
}

/// The next hour of a schedule.
pub(super) struct CronTimer {
    schedule: Schedule,
    zone: Zone,
    next_due: DateTime,
}

impl CronTimer {
    /// None without a schedule.
    pub(super) fn new(schedule: &str, zone: &str, host: &dyn Host) -> Option<Self> {
        let schedule: Schedule = schedule.parse().ok()?;
        let zone = Zone::named_or_local(zone);
        let due = schedule.next(zone.wall_clock(host.now()))?;
        Some(Self { schedule, zone, next_due: due })
    }

    pub(super) fn is_due(&self, host: &dyn Host) -> bool {
        self.zone.wall_clock(host.now()) >= self.next_due
    }

    pub(super) fn advance(&mut self, host: &dyn Host) {
        // A schedule that came once comes again.
        if let Some(due) = self.schedule.next(self.zone.wall_clock(host.now())) {
            self.next_due = due;
        }
    }

    /// How long until then.
    pub(super) fn until_next(&self, host: &dyn Host) -> Duration {
        let left = self.zone.wall_clock(host.now()).duration_until(self.next_due);
        // A little late rather than a little early.
        Duration::try_from(left).unwrap_or_default() + Duration::from_millis(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::sys::host::{CommandOutput, Invocation};
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
        fn run(&self, _: &Invocation) -> io::Result<CommandOutput> {
            unreachable!("nobody asks")
        }
        fn interrupted(&self) -> bool {
            false
        }
        fn sleep(&self, _: Duration) -> bool {
            true
        }
    }

    #[test]
    fn an_hour_comes_once_and_then_the_next() {
        // Half a minute past a full one.
        let begin = 1_795_176_030_000;
        let mut clock = CronTimer::new("* * * * *", "UTC", &At(begin)).expect("a schedule");
        assert!(!clock.is_due(&At(begin + 29_999)));
        assert_eq!(clock.until_next(&At(begin)), Duration::from_millis(30_005));
        assert!(clock.is_due(&At(begin + 30_000)));
        clock.advance(&At(begin + 30_000));
        assert!(!clock.is_due(&At(begin + 30_001)));
        assert!(clock.is_due(&At(begin + 90_000)));
        assert!(CronTimer::new("", "", &At(begin)).is_none());
    }

    #[test]
    fn what_is_ours_or_holds_no_sources_is_passed_over() {
        let rule = WatchFilter {
            roots: vec![PathBuf::from("/srv/app"), PathBuf::from("/home/u")],
            ignore: vec!["*.log".to_owned(), "dist/**".to_owned()],
            internal_paths: internal_paths(Path::new("/home/u/tetra/tsm/runtime/processes/api")),
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
            assert_eq!(rule.is_ignored(Path::new(path)), skipped, "{path}");
        }
    }
}
