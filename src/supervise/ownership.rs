//! Whose a process is.
//!
//! Its environment and arguments are chosen by the process that started it, and any process can be started with ours.
//! So they count only with something that a stranger cannot have: the nonce of a life, which is known to its record and to what
//! the life started, or the user that the life runs as. What the kernel reports (parents, sessions, holders of our FIFOs, members of
//! our control group, holders of our locks) needs nothing beside it.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::environment::{PROCESS_DIR_VAR, RUN_MARKER_VAR};
use super::lock;
use super::log_writer::{ERR, OUT};
use super::meta::{self, Meta};
use super::proc::{self, variable_of};

/// The mark of one life, as `TSM_RUN` has it: `<id>.<nonce>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunMarker {
    id: u32,
    nonce: String,
}

impl fmt::Display for RunMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.nonce)
    }
}

impl RunMarker {
    /// That of the life in a record; `None` before its first start, when no process can have it.
    pub(super) fn of(meta: &Meta) -> Option<Self> {
        Self::with(meta.tsm_id, &meta.run_state.nonce)
    }

    pub(super) fn with(id: u32, nonce: &str) -> Option<Self> {
        (!nonce.is_empty()).then(|| Self { id, nonce: nonce.to_owned() })
    }

    /// True for a process that was started with it.
    pub(super) fn is_set_on(&self, pid: u32) -> bool {
        variable_of(pid, RUN_MARKER_VAR).is_some_and(|mark| mark == self.to_string().as_bytes())
    }
}

/// The user that a process acts as, where its real, effective and saved user are one and the same; `None` for a program that
/// has changed, or may still change, from one to another, and where it cannot be read.
#[must_use]
pub fn user_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let users: Vec<u32> = line.split_ascii_whitespace().filter_map(|user| user.parse().ok()).collect();
    let first = *users.first()?;
    users.iter().take(3).all(|user| *user == first).then_some(first)
}

/// True when a process was started with `dir` as its process directory.
pub(super) fn names_process_dir(pid: u32, dir: &Path) -> bool {
    variable_of(pid, PROCESS_DIR_VAR).is_some_and(|home| home == dir.as_os_str().as_bytes())
        && means_same_place(pid, dir)
}

/// False when `dir` is another directory to a process, which lives in another mount namespace: a container, or a unit with a file
/// system of its own. Of a directory that is gone, what is left above it is compared.
#[must_use]
pub fn means_same_place(pid: u32, dir: &Path) -> bool {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt"));
    let (Ok(ours), Ok(theirs)) = (namespace("self"), namespace(&pid.to_string())) else { return true };
    if ours == theirs {
        return true;
    }
    let place = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let seen_by_it = |path: &Path| place(&root.join(path.strip_prefix("/").unwrap_or(path)));
    dir.ancestors().find_map(|path| Some(seen_by_it(path) == Some(place(path)?))).unwrap_or(true)
}

/// True when a process certainly belongs to `dir`: it names it and runs as this user, or it writes to the FIFOs there.
#[must_use]
pub fn belongs_to(pid: u32, dir: &Path) -> bool {
    let Ok(real) = dir.canonicalize() else { return false };
    let own = || user_of(pid) == Some(nix::unistd::geteuid().as_raw());
    names_process_dir(pid, &real) && (own() || writes_to_fifo(pid, &real))
}

fn writes_to_fifo(pid: u32, dir: &Path) -> bool {
    let place = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let fifos = [OUT, ERR].map(|name| place(&dir.join(name)));
    let outputs = [1, 2].map(|fd| place(Path::new(&format!("/proc/{pid}/fd/{fd}"))));
    outputs.iter().any(|output| output.is_some() && fifos.contains(output))
}

/// True when it was started in a process directory other than `dir`, as the record in the directory that it names confirms.
pub(super) fn belongs_to_other_run(pid: u32, dir: &Path) -> bool {
    let Some(home) = variable_of(pid, PROCESS_DIR_VAR).filter(|home| home != dir.as_os_str().as_bytes()) else {
        return false;
    };
    let record = meta::read(Path::new(OsStr::from_bytes(&home))).ok().flatten();
    record.as_ref().and_then(RunMarker::of).is_some_and(|mark| mark.is_set_on(pid))
}

/// The directory of which a process is the guard or the worker; `None` if it is neither.
///
/// Its words do not decide: a fork inherits them, and anybody may choose his own. It runs our program, and holds a lock on the
/// lock file of the directory that it works in. Where that was removed meanwhile, it is named as it was.
#[must_use]
pub fn supervisor_of(pid: u32) -> Option<PathBuf> {
    (is_called_supervisor(pid) && runs_our_program(pid)).then_some(())?;
    let dir = strip_deleted_suffix(fs::read_link(format!("/proc/{pid}/cwd")).ok()?);
    let is_its_lock = |fd: &str| {
        let target = fs::read_link(format!("/proc/{pid}/fd/{fd}"));
        target.is_ok_and(|target| strip_deleted_suffix(target) == dir.join(lock::FILE)) && holds_lock(pid, fd)
    };
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    open.filter_map(|entry| entry.file_name().into_string().ok()).any(|fd| is_its_lock(&fd)).then_some(dir)
}

/// True if the words of a process are those of a supervisor: worth a closer look.
fn is_called_supervisor(pid: u32) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1) == Some(super::FLAG.as_bytes())
}

/// True if its program is this one: the same file, or one of the same name, for it may be older, newer or another copy.
fn runs_our_program(pid: u32) -> bool {
    let theirs = format!("/proc/{pid}/exe");
    let (ours, theirs) =
        (fs::read_link("/proc/self/exe").map(strip_deleted_suffix), fs::read_link(theirs).map(strip_deleted_suffix));
    matches!((ours, theirs), (Ok(ours), Ok(theirs)) if is_same_program(&ours, &theirs))
}

fn is_same_program(ours: &Path, theirs: &Path) -> bool {
    ours == theirs || theirs.file_name().is_some_and(|name| name == ours.file_name().unwrap_or_default())
}

/// The kernel lists the locks that a process holds through a descriptor of its own.
fn holds_lock(pid: u32, fd: &str) -> bool {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap_or_default();
    info.lines().any(|line| line.starts_with("lock:"))
}

/// A path as it was before the kernel said that it was removed.
fn strip_deleted_suffix(path: PathBuf) -> PathBuf {
    let bytes = path.into_os_string().into_vec();
    let before = bytes.strip_suffix(b" (deleted)").unwrap_or(&bytes);
    PathBuf::from(OsStr::from_bytes(before))
}

/// What lives of a process directory that may be gone.
#[derive(Debug, Default)]
pub struct ClaimedProcesses {
    /// Its guard and its worker.
    pub supervisors: Vec<u32>,
    /// What says that it was started there, and is this user's.
    pub others: Vec<u32>,
}

/// What all processes say of where they belong, read when it is asked for first.
#[derive(Debug, Default)]
pub struct ProcessClaims(OnceCell<Vec<ProcessClaim>>);

#[derive(Debug)]
struct ProcessClaim {
    pid: u32,
    dir: Vec<u8>,
    /// It says so in its words, as a supervisor does, not in its environment.
    is_supervisor: bool,
}

impl ProcessClaim {
    fn of(pid: u32) -> Option<Self> {
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        if environ.is_empty() {
            // As that of a supervisor is.
            let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let mut words = words.split(|byte| *byte == 0).skip(1);
            let dir = words.next().filter(|word| *word == super::FLAG.as_bytes()).and_then(|_| words.next())?;
            return Some(Self { pid, dir: dir.to_owned(), is_supervisor: true });
        }
        let dir = proc::find_variable(&environ, PROCESS_DIR_VAR)?.to_owned();
        Some(Self { pid, dir, is_supervisor: false })
    }
}

impl ProcessClaims {
    /// Every directory that a process names, once for each process.
    pub fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.0.get_or_init(read_claims).iter().map(|claim| Path::new(OsStr::from_bytes(&claim.dir)))
    }

    /// What lives of `dir`, by a name that it has or had.
    #[must_use]
    pub fn for_dir(&self, dir: &Path) -> ClaimedProcesses {
        let user = nix::unistd::geteuid().as_raw();
        let mut left = ClaimedProcesses::default();
        for claim in self.0.get_or_init(read_claims).iter().filter(|claim| claim.dir == dir.as_os_str().as_bytes()) {
            let lives = proc::ProcStat::of(claim.pid).is_some_and(|stat| !stat.is_dead());
            if !lives || user_of(claim.pid) != Some(user) || !means_same_place(claim.pid, dir) {
                continue;
            }
            if !claim.is_supervisor {
                left.others.push(claim.pid);
            } else if supervisor_of(claim.pid).is_some() {
                left.supervisors.push(claim.pid);
            }
        }
        left
    }
}

fn read_claims() -> Vec<ProcessClaim> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    all.filter(|pid| *pid != std::process::id()).filter_map(ProcessClaim::of).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn words_and_variables_alone_make_no_supervisor() {
        let directory = tempfile::tempdir().expect("a directory");
        let lock = lock::open(directory.path()).expect("a lock file");
        assert!(lock::try_acquire(&lock, lock::LockRole::Guard).expect("a lock"));
        let mut child = Command::new("sh")
            .args(["--supervise", "-c", "echo up; read line"])
            .args([directory.path()])
            .current_dir(directory.path())
            .env(PROCESS_DIR_VAR, directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let child = child.as_mut().expect("sh runs");
        assert_eq!(supervisor_of(child.id()), None);
        assert!(user_of(child.id()).is_some());
        child.kill().and_then(|()| child.wait()).expect("ended");
    }

    #[test]
    fn a_removed_path_is_read_as_it_was() {
        assert_eq!(strip_deleted_suffix("/a/b (deleted)".into()), Path::new("/a/b"));
        assert_eq!(strip_deleted_suffix("/a/b".into()), Path::new("/a/b"));
    }

    #[test]
    fn a_life_without_a_nonce_has_no_mark() {
        assert_eq!(RunMarker::with(3, ""), None);
        assert_eq!(RunMarker::with(3, "ab").map(|mark| mark.to_string()).as_deref(), Some("3.ab"));
    }
}
