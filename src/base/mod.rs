//! Words that everyone speaks: names, environments, times, faults. No input or output, no clap, no terminal.

pub mod control;
pub mod diagnostic;
pub mod dialect;
pub mod dotenv;
pub mod environment;
pub mod expand;
pub mod fault;
pub mod line;
pub mod moment;
pub mod name;
pub mod near;
pub mod redact;
pub mod signal;
pub mod size;
pub mod template;
pub mod time;
pub mod trouble;
