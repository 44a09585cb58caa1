//! Supervision of one process: theory of operation.
//!
//! There is one small supervisor per process and no daemon above them. It is this same program, taken at the first line of
//! `main`; it is one thread around one `poll`, and wakes for events only. Files in the process directory are the truth:
//!
//! | file | made by | holds |
//! |---|---|---|
//! | `meta.json` | the starter, then the worker alone | what to run, and what became of it |
//! | `.meta.json.new` | the same | the record before, and the room for the next one |
//! | `environ` | the starter | the environment that every start begins from |
//! | `<name>.pid` | the worker | the child's pid, while there is one |
//! | `lock` | the guard | byte 0: a guard lives; byte 1: a worker lives |
//! | `orders` | the guard | FIFO of fixed-size orders |
//! | `out`, `err` | the guard | FIFOs that the child writes to |
//! | `current.out`, `.1`, …, each with `.idx` | the worker | logs, and when their bytes came |
//!
//! # Who lives
//!
//! The *guard* holds the FIFOs and waits; its *worker* does everything else. A killed worker is replaced by the guard; a killed
//! guard by its worker, which becomes the guard and forks a worker. With both killed the child lives on: it holds its FIFOs
//! itself. The next command that starts a supervisor (`client::launch`) makes it adopt the child, by pid, start time and boot together.
//! SIGTERM to guard or worker does not stop the child, unless systemd sends it because it stops the unit that all of them are in.
//!
//! # What is promised
//!
//! * **No byte is lost, doubled or torn** by any death of ours: `splice` moves bytes from FIFO to log in one step, and the size of
//!   the log says how far we came. Only the unread rest of a child that ends without a supervisor is gone, at most a pipe full.
//! * **No program runs unknown**: a forked child waits at a gate until its pid is recorded, and ends there if its supervisor died.
//!   A record that was reset to `starting` is compared with what is found running before anything is started.
//! * **The record of an end comes after the last word**: status, sweep, drain, then `meta.json`.
//! * **Nothing takes the child's place**: what is found running is the child only with the nonce of this very start, which is
//!   recorded before anything is forked, as the user that it runs as, and no older than the start (`whose`).
//! * **An end leaves nothing**: what the child started is found below guard and worker, both subreapers; after both were killed,
//!   also by session, FIFOs, the mark `TSM_RUN` in its environment, and a control group where one could be made. The directory's
//!   name in an environment counts for processes of the same user only, and words make no supervisor: a lock does. On a requested stop it is asked first and has the rest of
//!   the grace; after a crash it is killed before the next start. What is left all the same is recorded in `life.survivors`.
//! * **Exits are distinguished**: code, signal, core, never ran, pre-start command failed, unknown. Unknown counts as failure.
//! * **A full disk consumes nothing**; after a minute (`run.log_patience_ms`) bytes are thrown away so that the child can go on,
//!   and counted. Orders are carried out and recorded meanwhile, and the record says why the log is not written.
//!
//! # Decisions
//!
//! `machine` is a pure function `(phase, event) -> action`; `life` carries actions out; `worker` turns the world into events.
//! First restart at once, then 100 ms × 2 up to 30 s, ± 10 %; ten seconds of life forget the back-off; too many lives below a
//! second in a row end in `errored`. A first start that fails is reported and not repeated, unless its reason may pass.
//!
//! # What a child may have
//!
//! Limits and the user are decided by the starter and carried out between fork and exec, in this order: the environment is read,
//! the limits of files and processes are set, all rights are given up for good, and the directory is entered as the user. Then the
//! child waits at the gate, where the supervisor puts it into the control group that limits its memory; behind it comes the limit
//! that would hold us too, where there is no group. Memory is limited by a control group
//! of the child's own (version 1 beside the supervisor's, version 2 where our group may hand the controller down), which counts
//! what all its processes use and whose OOM kills are counted separately; elsewhere by `RLIMIT_DATA`, which is what each
//! process reserves. `life.memory_by` says which. The forked child has one thread, as the supervisor has, so it may allocate there;
//! users and groups were looked up by the starter, and no name service is asked.
//!
//! # Room
//!
//! The supervisor shares its pages with all others and keeps little of its own: it copies without a buffer, and the child's
//! environment is put together in the forked child. The room imports nothing but the `.env` parser, so it could be a program.
#![allow(unsafe_code)]

use std::path::PathBuf;

mod cgroup;
pub mod client;
pub mod clock;
pub(crate) mod environment;
pub mod events;
mod exit_record;
mod exit_status;
mod guard;
pub mod index;
pub mod limits;
mod lock;
mod log_writer;
mod machine;
mod memory_cgroup;
pub mod meta;
pub mod monitor_spec;
mod oom;
pub mod ownership;
mod pipe;
pub mod proc;
pub mod process_scan;
pub mod protocol;
pub mod recovery;
mod resume;
pub mod rotation;
mod run;
mod sigio;
mod spawn;
mod sweep;
mod systemd_unit;
mod tolerant;
mod unit_group;
pub(crate) mod version_dirs;
mod wait;
mod worker;

/// The word after the program's name that makes it a supervisor.
const FLAG: &str = "--supervise";

/// The process directory, when this process was started as its supervisor.
#[must_use]
pub fn requested_dir() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    let flagged = words.next().is_some_and(|word| word == FLAG);
    flagged.then(|| words.next().map(PathBuf::from)).flatten()
}

/// Supervises the process in `dir` and ends with it. Never comes back to the starter's stack: what follows runs in a process of
/// its own, in its own session.
pub fn main(dir: PathBuf) -> ! {
    guard::start(&dir)
}
