//! Noticing: changes of files in trees, datagrams, the end of a process — whatever comes first.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// More directories than this are not watched: the kernel's own limit is for all programs of a user together.
const MAX_DIRECTORIES: usize = 8192;

/// Changes in directories and what is below them.
#[derive(Debug)]
pub struct TreeWatcher {
    inotify: Inotify,
    targets: HashMap<WatchDescriptor, WatchTarget>,
}

#[derive(Debug)]
enum WatchTarget {
    /// Files that are renamed into this directory wake, and that is all.
    Record,
    /// Every change in it is reported.
    Directory(PathBuf),
    /// Only changes of these files in the directory are reported.
    Files(Vec<PathBuf>),
}

impl TreeWatcher {
    /// Wakes when a file is renamed into `sign`. More is added with [`watch`](Self::watch).
    ///
    /// # Errors
    ///
    /// Fails if the kernel gives no more watches, or if there is no such directory.
    pub fn on(record: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let flags = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF;
        let watch = inotify.add_watch(record, flags)?;
        Ok(Self { inotify, targets: HashMap::from([(watch, WatchTarget::Record)]) })
    }

    /// Watches a file, or a directory with all below it but what `skip` says. Links are not followed below it.
    ///
    /// # Errors
    ///
    /// Fails if it is not there, or if the kernel gives no more watches.
    pub fn watch(&mut self, path: &Path, skip: &dyn Fn(&Path) -> bool) -> io::Result<()> {
        if fs::metadata(path)?.is_dir() {
            return self.watch_tree(path, skip);
        }
        self.watch_entry(path)
    }

    /// Watches what is called so in its directory: a file, or a link and not what it leads to.
    ///
    /// # Errors
    ///
    /// Fails if its directory is not there, or if the kernel gives no more watches.
    pub fn watch_entry(&mut self, path: &Path) -> io::Result<()> {
        // An editor puts a new file in the place of the old one, so the directory is what is watched.
        let dir = path.parent().unwrap_or(Path::new("/"));
        let watch = self.inotify.add_watch(dir, changes())?;
        match self.targets.entry(watch).or_insert_with(|| WatchTarget::Files(Vec::new())) {
            WatchTarget::Files(files) => files.push(path.to_owned()),
            // There every change is reported.
            WatchTarget::Directory(_) | WatchTarget::Record => {}
        }
        Ok(())
    }

    fn watch_tree(&mut self, path: &Path, skip: &dyn Fn(&Path) -> bool) -> io::Result<()> {
        let mut open = vec![path.to_owned()];
        while let Some(directory) = open.pop() {
            if skip(&directory) {
                continue;
            }
            if self.targets.len() >= MAX_DIRECTORIES {
                return Err(io::Error::other(format!("it contains more than {MAX_DIRECTORIES} directories")));
            }
            match self.inotify.add_watch(&directory, changes()) {
                Ok(watch) => _ = self.targets.insert(watch, WatchTarget::Directory(directory.clone())),
                // It went away meanwhile.
                Err(nix::Error::ENOENT) if directory != path => continue,
                Err(errno) => return Err(errno.into()),
            }
            let below = fs::read_dir(&directory).into_iter().flatten().flatten();
            open.extend(below.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir())).map(|entry| entry.path()));
        }
        Ok(())
    }

    /// Waits until something changes, one of `others` can be read, or `limit` is over. The paths that changed, each once.
    pub fn wait(&mut self, limit: Duration, others: &[BorrowedFd], skip: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
        // Rounded up, so that it does not spin in the last millisecond.
        let limit = PollTimeout::try_from(limit.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        let mut fds = vec![PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)];
        fds.extend(others.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)));
        // A signal only makes us look earlier.
        let _ = poll(&mut fds, limit);
        let mut changed = Vec::new();
        for event in self.inotify.read_events().unwrap_or_default() {
            let path = match (self.targets.get(&event.wd), &event.name) {
                (Some(WatchTarget::Directory(directory)), Some(name)) => directory.join(name),
                (Some(WatchTarget::Files(files)), Some(name)) => {
                    match files.iter().find(|file| file.file_name() == Some(name)) {
                        Some(file) => file.clone(),
                        None => continue,
                    }
                }
                _ => continue,
            };
            let made = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
            let is_tree = matches!(self.targets.get(&event.wd), Some(WatchTarget::Directory(_)));
            if is_tree && event.mask.contains(AddWatchFlags::IN_ISDIR) && event.mask.intersects(made) {
                // What cannot be watched any more is not reported; the rest is.
                let _ = self.watch_tree(&path, skip);
            }
            if !changed.contains(&path) {
                changed.push(path);
            }
        }
        changed
    }
}

/// A file that was written and closed has changed; one that is being written has not yet.
fn changes() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ONLYDIR
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn tells_what_changes_below_also_in_new_directories_and_passes_over_the_rest() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name);
        for directory in ["sign", "tree/deep", "tree/skipped"] {
            fs::create_dir_all(at(directory)).expect("a directory");
        }
        let skip = |path: &Path| path.ends_with("skipped");
        let mut notices = TreeWatcher::on(&at("sign")).expect("a watch");
        notices.watch(&at("tree"), &skip).expect("a watch");
        fs::write(at("tree/skipped/x"), "1").expect("a file");
        fs::write(at("tree/deep/x"), "1").expect("a file");
        assert_eq!(notices.wait(LONG, &[], &skip), [at("tree/deep/x")]);
        fs::create_dir(at("tree/new")).expect("a directory");
        assert_eq!(notices.wait(LONG, &[], &skip), [at("tree/new")]);
        fs::write(at("tree/new/y"), "1").expect("a file");
        assert_eq!(notices.wait(LONG, &[], &skip), [at("tree/new/y")]);
        fs::write(at("sign/x.new"), "1").expect("a file");
        fs::rename(at("sign/x.new"), at("sign/x")).expect("renamed");
        assert!(notices.wait(LONG, &[], &skip).is_empty(), "a sign wakes and tells nothing");
    }

    #[test]
    fn a_single_file_is_reported_also_when_it_is_replaced() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("sign")).expect("a directory");
        for name in ["conf", "beside"] {
            fs::write(at(name), "1").expect("a file");
        }
        let mut notices = TreeWatcher::on(&at("sign")).expect("a watch");
        for name in ["conf", "beside"] {
            notices.watch(&at(name), &|_| false).expect("a watch");
        }
        fs::write(at("other"), "1").expect("a file");
        fs::write(at("conf.new"), "2").expect("a file");
        fs::rename(at("conf.new"), at("conf")).expect("renamed");
        assert_eq!(notices.wait(LONG, &[], &|_| false), [at("conf")]);
        fs::write(at("beside"), "2").expect("a file");
        assert_eq!(notices.wait(LONG, &[], &|_| false), [at("beside")]);
        assert!(notices.watch(&at("nothing"), &|_| false).is_err());
    }
}
