//! Lines: where words come from, what is asked before they run, and what an outcome does.

pub mod attempt;
pub mod audit;
pub mod complete;
pub mod config;
pub mod context;
pub mod cursor;
pub mod editor;
pub mod elsewhere;
pub mod eval;
pub mod guard;
pub mod highlight;
pub mod hint;
pub mod history;
pub mod input;
pub mod mistake;
pub mod monitor;
pub mod output;
pub mod plain;
pub mod prepare;
pub mod prompt;
pub mod repl;
pub mod session;
pub mod source;
pub mod typing;
