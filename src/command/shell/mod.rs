//! The shell's own commands.

pub mod abbr;
pub mod alias;
pub mod complete;
pub mod config;
pub mod context;
pub mod directory;
pub mod exit;
pub mod help;
pub mod history;
mod history_export;
pub mod manual;
pub mod repl;
pub mod select;
pub mod set;
pub mod setup;
mod shorthand;
pub mod source;
pub mod tour;
pub mod use_cmd;
pub mod version;
pub mod watch;
