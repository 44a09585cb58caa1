//! Boxes: throw-away Debians with a real systemd as PID 1, for what only such a machine shows.
//!
//! A test of a box is in a file below this directory, so that `cargo test --test it beds::` runs all of them and nothing else:
//!
//! ```ignore
//! #[test]
//! fn the_daemon_comes_back_after_a_power_cut() {
//!     let Some(bed) = Bed::start("power-cut") else { return };
//!     bed.root("tsm daemon install @dev && tsm daemon enable && tsm daemon start").ok();
//!     bed.power_cut();
//!     bed.eventually("the server answers", "curl -sf http://localhost:4444/health");
//! }
//! ```
//!
//! * The program of this build is `/usr/local/bin/tetra` in it, with the links `tsm`, `tkm` and `org`; node, python3, curl and
//!   sudo are there, and the users `root` and `ann`. The network is loopback alone. There is no user `tetra`.
//! * [`Bed::root`] and [`Bed::user`] run a line of bash without a login; [`Bed::login`] in a session of logind that ends with it.
//! * The box is removed when the value is dropped. One box runs at a time.
//! * A box needs root (or `sudo` without a password), `systemd-container`, and an image, which `tests/beds/systemd-box image` makes
//!   once. Where one is missing, the test prints SKIPPED and passes; with `CI=true` it fails. `TETRA_BEDS=off` leaves all of them out.
//! * By hand: `tests/beds/systemd-box help`.

mod daemon;
mod daemon_disk;
mod daemon_run;
mod daemon_verbs;
mod deploy;
mod documents;
mod keys;
mod serve;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sandbox::CommandOutput;
use crate::waiting::eventually;
use crate::world::PROGRAM;

/// The script that makes boxes.
const SYSTEMD_BOX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/beds/systemd-box");

/// Held by the test whose box runs.
static TURN: Mutex<()> = Mutex::new(());

/// A running box.
pub(crate) struct Bed {
    name: String,
    _turn: MutexGuard<'static, ()>,
}

/// Says past the capture of the test runner that a test was left out, and why. On a build machine (`CI=true`) that is a failure.
pub(crate) fn skipped(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "SKIPPED {test}: {why}");
}

/// The script with these words, as root.
fn systemd_box(words: &[&str]) -> Command {
    let is_root = nix::unistd::geteuid().is_root();
    let mut command = Command::new(if is_root { SYSTEMD_BOX } else { "sudo" });
    if !is_root {
        command.args(["-n", SYSTEMD_BOX]);
    }
    command.args(words).stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> CommandOutput {
    command.output().expect("bash and sudo are there").into()
}

impl Bed {
    /// Boots a box of its own for a test; none where the machine cannot make one.
    pub(crate) fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &[])
    }

    /// The same with further options of `systemd-nspawn`.
    pub(crate) fn start_with(test: &str, options: &[&str]) -> Option<Self> {
        if std::env::var("TETRA_BEDS").as_deref() == Ok("off") {
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = output(&mut systemd_box(&["ready"]));
        if ready.code != 0 {
            skipped(test, ready.err.trim());
            return None;
        }
        let bed = Self { name: format!("{test}-{}", std::process::id()), _turn: turn };
        bed.boot(options);
        for link in ["tsm", "tkm", "org"] {
            bed.root(&format!("ln -s tetra /usr/local/bin/{link}")).ok();
        }
        Some(bed)
    }

    fn boot(&self, options: &[&str]) {
        let program = format!("--bind-ro={PROGRAM}:/usr/local/bin/tetra");
        let words = [&["-n", &self.name, "start", &program], options].concat();
        let log = tempfile::tempfile().expect("a file");
        // What runs in the background keeps the streams of the script: a pipe would not end.
        let status = systemd_box(&words)
            .stdout(Stdio::null())
            .stderr(log.try_clone().expect("a second descriptor"))
            .status()
            .expect("bash is there");
        let said = || {
            use std::os::unix::fs::FileExt;
            let mut text = vec![0; 4096];
            let length = log.read_at(&mut text, 0).unwrap_or(0);
            String::from_utf8_lossy(&text[..length]).into_owned()
        };
        assert!(status.success(), "the box does not boot:\n{}", said());
    }

    /// Runs a line of bash in it as root, with root's home.
    pub(crate) fn root(&self, line: &str) -> Ran {
        self.execute(line, &["bash", "-c", line])
    }

    /// Runs a line of bash in it as a user who has no session; the user's own manager is reached where it runs.
    pub(crate) fn user(&self, user: &str, line: &str) -> Ran {
        let line = format!("export XDG_RUNTIME_DIR=/run/user/$(id -u); {line}");
        self.execute(&line, &["-u", user, "bash", "-c", &line])
    }

    /// Runs a line of bash in a login of a user; its session ends with the line.
    pub(crate) fn login(&self, user: &str, line: &str) -> Ran {
        let uid = format!("--uid={user}");
        let words = ["--quiet", "--wait", "--pipe", "--collect", &uid, "-pPAMName=login", "bash", "-lc", line];
        self.execute(line, &[&["systemd-run"][..], &words].concat())
    }

    fn execute(&self, line: &str, words: &[&str]) -> Ran {
        let words = [&["-n", &self.name, "exec"], words].concat();
        Ran { line: line.to_owned(), output: output(&mut systemd_box(&words)) }
    }

    /// Waits until a line of bash succeeds as root.
    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, line: &str) {
        eventually(what, || self.root(line).output.code == 0);
    }

    /// The power fails, and is back.
    pub(crate) fn power_cut(&self) {
        assert_eq!(output(&mut systemd_box(&["-n", &self.name, "kill"])).code, 0, "the box is gone");
        self.boot(&[]);
    }

    /// Powers off in order, and boots again.
    pub(crate) fn reboot(&self) {
        assert_eq!(output(&mut systemd_box(&["-n", &self.name, "stop"])).code, 0, "the box is off");
        self.boot(&[]);
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let removed = output(&mut systemd_box(&["-n", &self.name, "rm"]));
        if !std::thread::panicking() {
            assert_eq!(removed.code, 0, "the box is removed: {}", removed.err);
        }
    }
}

/// What came of a line.
#[derive(Debug)]
pub(crate) struct Ran {
    line: String,
    pub(crate) output: CommandOutput,
}

impl Ran {
    /// What it printed; fails the test if it failed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        self.code(0)
    }

    /// What it printed to both streams; fails the test unless it ended with this code.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> String {
        let CommandOutput { code, out, err } = self.output;
        assert_eq!(code, expected, "`{}` ended with {code}\n{out}{err}", self.line);
        format!("{out}{err}")
    }
}
