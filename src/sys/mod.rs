//! The machine behind small doors: paths, files, locks, programs, /proc, signals.
#![allow(unsafe_code)]

pub mod file;
pub mod history;
pub mod host;
pub mod paths;
pub mod process;
