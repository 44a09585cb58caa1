//! `daemon`: tetra under systemd.

pub mod run;
pub mod sweep;
