//! The process manager: what runs, how it was started, what it said.

pub mod control;
pub mod definition;
pub mod detect;
pub mod ends;
pub mod environment;
pub mod interpreter;
pub mod kill;
pub mod logs;
pub mod name;
pub mod port;
pub mod remove;
pub mod resolve;
pub mod restart;
pub mod store;
pub mod view;
pub mod words;
