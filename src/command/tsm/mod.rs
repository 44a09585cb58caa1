//! `tsm`: start, watch, log and stop processes.

pub mod delete;
pub mod enable;
pub mod import;
pub mod info;
pub mod keeping;
pub mod kill;
pub mod list;
pub mod logs;
pub mod restart;
pub mod rm;
pub mod save;
pub mod services;
pub mod show;
pub mod stack;
pub mod start;
pub mod startup;
pub mod stop;
mod targets;
