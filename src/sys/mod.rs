//! The machine behind small doors: paths, files, locks, programs, /proc, signals.
#![allow(unsafe_code)]

pub mod account;
pub mod bounded;
pub mod child;
pub mod continued;
pub mod detach;
pub mod diag;
pub mod ear;
pub mod file;
pub mod filter;
pub mod hidden;
pub mod history;
pub mod host;
pub mod install;
pub mod kernel;
pub mod net;
pub mod notice;
pub mod paths;
pub mod pidfd;
pub mod privileges;
pub mod process;
pub mod program;
pub mod real;
pub mod room;
pub mod signal;
pub mod systemd;
pub mod terminal;
pub mod tty;
pub mod usage;
pub mod watch;
