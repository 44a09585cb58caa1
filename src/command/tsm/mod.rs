//! `tsm`: start, watch, log and stop processes.

pub mod list;
mod services;
mod targets;
