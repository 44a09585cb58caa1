//! The process manager: what runs, how it was started, what it said.

pub mod store;
pub mod view;
