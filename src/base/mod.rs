//! Words that everyone speaks: names, environments, times, faults. No input or output, no clap, no terminal.

pub mod columns;
pub mod control;
pub mod diagnostic;
pub mod dotenv;
pub mod environment;
pub mod fault;
pub mod glob;
pub mod home;
pub mod invalid_value;
pub mod key_filter;
pub mod key_queue;
pub mod line;
pub mod location;
pub mod name;
pub mod plural;
pub mod redact;
pub mod rollout;
pub mod signal;
pub mod size;
pub mod sort;
pub mod suggest;
pub mod time;
pub mod time_spec;
