//! Supervision of one process.
#![allow(unsafe_code)]

use std::path::PathBuf;

mod adopt;
pub mod client;
mod clock;
mod environment;
mod exit;
mod guard;
pub mod index;
mod life;
mod lock;
mod machine;
pub mod meta;
mod output;
mod pipe;
pub mod proc;
mod rotation;
mod spawn;
mod sweep;
pub mod wire;
mod worker;

/// The word after the program's name that makes it a supervisor.
const FLAG: &str = "--supervise";

/// The process directory, when this process was started as its supervisor.
#[must_use]
pub fn asked() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    let flagged = words.next().is_some_and(|word| word == FLAG);
    flagged.then(|| words.next().map(PathBuf::from)).flatten()
}

/// Supervises the process in `dir` and ends with it. Never comes back to the starter's stack: what follows runs in a process of
/// its own, in its own session.
pub fn main(dir: PathBuf) -> ! {
    guard::start(&dir)
}
