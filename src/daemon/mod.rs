//! The daemon of an environment: its unit under systemd, and the loop that runs in it.

pub mod run;
