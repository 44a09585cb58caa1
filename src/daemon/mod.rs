//! The daemon of an environment: its unit under systemd, and the loop that runs in it.

pub mod install;
pub mod run;
pub mod status;
pub mod temporary_files;
pub mod uninstall;
