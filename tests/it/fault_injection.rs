//! Breaking a command at each moment of its work: killed, refused by the system, on a full disk.
//!
//! strace does the breaking, at one call after the other, on the real program. What has to hold afterwards is the test's.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::world::{PROGRAM, World};

/// The calls that change what is on a disk, in groups that are walked one after the other.
pub(crate) const CALLS: [&str; 3] =
    ["write,pwrite64,ftruncate", "fsync,fdatasync", "rename,renameat,renameat2,link,linkat,unlink,unlinkat"];

/// Whether something can be tested on this machine. If not, it is said aloud, and is a failure where `CI` is set.
pub(crate) fn is_possible(possible: bool, why_not: &str) -> bool {
    if !possible {
        let text = format!("NOT TESTED: {why_not}\n");
        assert!(std::env::var_os("CI").is_none(), "{text}");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    possible
}

/// Whether calls can be broken here.
pub(crate) fn can_break() -> bool {
    let present = Command::new("strace").arg("-V").output().is_ok_and(|out| out.status.success());
    is_possible(present, "strace is not installed, so nothing was broken in the middle of its work")
}

/// The words that run tetra so that `fault` comes at the `number`th of some calls.
pub(crate) fn words(calls: &str, fault: &str, number: usize) -> Vec<String> {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{fault}:when={number}"));
    ["-qq", "-f", "-o", "/dev/null", "-e", &trace, "-e", &inject, PROGRAM].map(str::to_owned).to_vec()
}

/// Runs tetra with some words and something on its standard input, and `fault` at the `number`th of some calls.
pub(crate) fn broken(
    world: &World,
    (calls, fault, number): (&str, &str, usize),
    (given, input): (&[&str], &str),
) -> Output {
    let mut strace = world.program("strace");
    strace.args(words(calls, fault, number)).args(given);
    strace.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = strace.spawn().expect("strace is installed");
    // A program that is killed early reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// Kills a command at each of its calls that change something, each time in a new world. `prepare` makes the world, `sound` looks at
/// what the killed one left and does the work again. Gives how many moments there were.
pub(crate) fn killed_everywhere(
    prepare: impl Fn() -> World,
    (given, input): (&[&str], &str),
    sound: impl Fn(&mut World, &str),
) -> usize {
    let mut moments = 0;
    for calls in CALLS {
        for number in 1.. {
            let mut world = prepare();
            let ended = broken(&world, (calls, "signal=SIGKILL", number), (given, input)).status;
            let killed = ended.signal() == Some(9) || ended.code() == Some(137);
            assert!(killed || ended.success(), "{given:?}: {ended}: neither killed nor done");
            sound(&mut world, &format!("{given:?} killed at {calls} {number}"));
            if !killed {
                break;
            }
            moments += 1;
        }
    }
    moments
}

/// Every file below a directory whose name says that it was being written.
pub(crate) fn half_written(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() && !path.is_symlink() => found.extend(half_written(&path)),
            path if path.to_string_lossy().contains("/.tetra-") => found.push(path),
            _ => {}
        }
    }
    found
}

/// A disk of 160 KiB that is gone with the test.
pub(crate) struct SmallDisk {
    place: tempfile::TempDir,
}

impl SmallDisk {
    /// None where none can be mounted.
    pub(crate) fn new() -> Option<Self> {
        let place = tempfile::tempdir().expect("a directory");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=160k", "tmpfs"]).arg(place.path()).output();
        let mounted = mounted.is_ok_and(|out| out.status.success());
        is_possible(mounted, "a small disk cannot be mounted, so none was filled").then(|| Self { place })
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Runs tetra with its data, its working directory and its other files on this disk.
    pub(crate) fn run(&self, world: &World, (given, input): (&[&str], &str)) -> Output {
        let mut command = world.program(PROGRAM);
        let work = self.path().join("work");
        fs::create_dir_all(&work).expect("there is room for a directory");
        command.env("TETRA_DIR", self.path().join("tetra")).current_dir(work).args(given);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    /// Fills what is left, to the last page.
    pub(crate) fn fill(&self) {
        let mut filler = fs::File::create(self.path().join("filler")).expect("there is room for a name");
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.path().join("filler")).expect("it was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).output();
    }
}
