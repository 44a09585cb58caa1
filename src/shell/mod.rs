//! Lines: where words come from, what is asked before they run, and what an outcome does.

pub mod attempt;
pub mod audit;
mod complete;
pub mod config;
pub mod context;
mod editor;
mod elsewhere;
pub mod eval;
pub mod guard;
mod highlight;
mod hint;
mod history;
pub mod input;
pub mod mistake;
pub mod output;
mod plain;
pub mod prepare;
mod prompt;
pub mod repl;
pub mod session;
pub mod source;
