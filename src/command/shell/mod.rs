//! The shell's own commands.

pub mod exit;
pub mod setup;
