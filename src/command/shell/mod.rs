//! The shell's own commands.

pub mod exit;
