//! The process manager: what runs, how it was started, what it said.

pub mod control;
pub mod exit;
pub mod logs;
pub mod resolve;
pub mod store;
pub mod view;
