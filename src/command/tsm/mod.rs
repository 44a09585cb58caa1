//! `tsm`: start, watch, log and stop processes.

pub mod delete;
pub mod events;
pub mod info;
pub mod kill;
pub mod list;
pub mod logs;
pub mod monitor;
pub mod restart;
mod services;
pub mod start;
pub mod stop;
mod targets;
