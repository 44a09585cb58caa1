//! The process manager: what runs, how it was started, what it said.

pub mod again;
pub mod conflict;
pub mod control;
pub mod create;
pub mod deeds;
pub mod definition;
pub mod detect;
pub mod doctor;
pub mod ends;
pub mod environment;
pub mod events;
pub mod interpreter;
pub mod kill;
pub mod logs;
pub mod name;
pub mod nginx;

pub mod placement;
pub mod plan;
pub mod port;
pub mod ports;
pub mod remove;
pub mod request;
pub mod resolve;
pub mod restart;
pub mod start;
pub mod stats;
pub mod store;
pub mod upgrade;
pub mod view;
pub mod watch;
pub mod why;
pub mod words;
