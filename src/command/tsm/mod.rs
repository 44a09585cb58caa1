//! `tsm`: start, watch, log and stop processes.

pub mod audit;
pub mod delete;
pub mod doctor;
pub mod events;
mod findings;
pub mod info;
pub mod inside;
pub mod kill;
pub mod list;
pub mod logs;
pub mod monitor;
pub mod nginx;
pub mod patrol;
pub mod ports;
pub mod restart;
mod services;
pub mod start;
pub mod stats;
pub mod stop;
mod targets;
pub mod tview;
pub mod upgrade;
pub mod why;
