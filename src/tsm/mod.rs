//! The process manager: what runs, how it was started, what it said.

pub mod control;
pub mod definition;
pub mod detect;
pub mod environment;
pub mod exit;
pub mod interpreter;
pub mod logs;
pub mod name;
pub mod port;
pub mod resolve;
pub mod store;
pub mod view;
pub mod words;
