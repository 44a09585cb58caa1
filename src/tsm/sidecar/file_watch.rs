//! Files whose change restarts a process.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::base::glob::matches;
use crate::supervise::meta::{Meta, ProcessState};
use crate::sys::tree_watch::TreeWatcher;

use super::health::HealthState;
use super::watcher::{Now, RestartReason, Watcher};

/// A change counts once nothing more has changed for so long.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// Who never stops changing is not waited for longer.
const MAX_DEBOUNCE: Duration = Duration::from_secs(3);

/// More links on the way to what is watched are not followed; the kernel follows 40 for one path.
const MAX_LINKS: usize = 64;

/// Directories that hold no sources.
const IGNORED_DIRECTORIES: [&str; 3] = [".git", "node_modules", "__pycache__"];

/// The files whose change restarts a process.
pub(super) struct FileWatcher {
    notices: TreeWatcher,
    filter: WatchFilter,
    /// The process directory.
    dir: PathBuf,
    /// The roots as they were asked for, with the links in them.
    written: Vec<PathBuf>,
    /// What changed, when first and when last.
    change: Option<(PathBuf, Instant, Instant)>,
}

/// What is passed over.
#[derive(Clone)]
struct WatchFilter {
    roots: Vec<PathBuf>,
    ignore: Vec<String>,
    /// The directories of ours: nothing there is a source, least of all a log.
    internal_paths: Vec<PathBuf>,
}

impl WatchFilter {
    /// False for a link on the way to a root.
    fn is_in_root(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
    }

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

/// Watches all roots and the links that lead to them.
fn watch_all(dir: &Path, written: &[PathBuf], rule: &WatchFilter) -> io::Result<TreeWatcher> {
    let mut notices = TreeWatcher::on(dir)?;
    for root in &rule.roots {
        notices.watch(root, &|path| rule.is_ignored(path))?;
    }
    let mut links = Vec::new();
    written.iter().for_each(|path| find_links(path, &mut links));
    for link in links {
        notices.watch_entry(&link)?;
    }
    Ok(notices)
}

/// Adds the links on the way to a path, and those on the way to what they lead to.
fn find_links(path: &Path, links: &mut Vec<PathBuf>) {
    let mut prefixes: Vec<&Path> = path.ancestors().collect();
    prefixes.reverse();
    for prefix in prefixes {
        let Ok(target) = prefix.read_link() else { continue };
        if links.len() >= MAX_LINKS || links.iter().any(|link| link == prefix) {
            return;
        }
        links.push(prefix.to_owned());
        find_links(&prefix.parent().unwrap_or(Path::new("/")).join(target), links);
    }
}

impl FileWatcher {
    pub(super) fn new(dir: &Path, meta: &Meta) -> io::Result<Self> {
        let care = &meta.run.monitor;
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let written: Vec<PathBuf> = care.watch.iter().map(PathBuf::from).collect();
        let roots = written.iter().map(|path| real(path)).collect();
        let rule = WatchFilter { roots, ignore: care.ignore.clone(), internal_paths: internal_paths(&real(dir)) };
        let notices = watch_all(dir, &written, &rule)?;
        Ok(Self { notices, filter: rule, dir: dir.to_owned(), written, change: None })
    }

    /// Watches what the links lead to now, once they lead elsewhere; the first root of which that is so. While one leads nowhere,
    /// what was watched stays watched.
    fn follow_links(&mut self) -> Option<PathBuf> {
        let roots: Vec<PathBuf> =
            self.written.iter().map(|path| path.canonicalize()).collect::<io::Result<_>>().ok()?;
        let moved = roots.iter().zip(&self.filter.roots).position(|(now, before)| now != before)?;
        let rule = WatchFilter { roots, ..self.filter.clone() };
        // Without a watch what is there keeps being watched, and it is tried again at the next wake-up.
        self.notices = watch_all(&self.dir, &self.written, &rule).ok()?;
        self.filter = rule;
        self.written.get(moved).cloned()
    }

    /// Waits until something happens, at most `limit`; shorter while a change is becoming quiet.
    pub(super) fn wait(&mut self, limit: Duration, others: &[BorrowedFd]) {
        let limit = if self.change.is_some() { limit.min(DEBOUNCE) } else { limit };
        let rule = &self.filter;
        let paths = self.notices.wait(limit, others, &|path| rule.is_ignored(path));
        let changed = paths.into_iter().find(|path| rule.is_in_root(path) && !rule.is_ignored(path));
        if let Some(path) = self.follow_links().or(changed) {
            let now = Instant::now();
            let (path, first) = self.change.take().map_or((path, now), |(path, first, _)| (path, first));
            self.change = Some((path, first, now));
        }
    }
}

impl Watcher for FileWatcher {
    /// [`wait`](Self::wait) knows by itself.
    fn due(&self, _: Now) -> Option<Duration> {
        None
    }

    /// What changed counts once nothing more has changed for a while.
    fn check(&mut self, _: &Meta, _: &mut HealthState, now: Now) -> Option<RestartReason> {
        let (_, first, last) = self.change.as_ref()?;
        let quiet = now.at.saturating_duration_since(*last) >= DEBOUNCE;
        if !quiet && now.at.saturating_duration_since(*first) < MAX_DEBOUNCE {
            return None;
        }
        self.change.take().map(|(path, ..)| RestartReason::FileChanged(path))
    }

    fn is_active(&self, state: ProcessState) -> bool {
        matches!(state, ProcessState::Online | ProcessState::Scheduled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
