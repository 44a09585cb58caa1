//! Lines: where words come from, what is asked before they run, and what an outcome does.

pub mod audit;
mod complete;
pub mod config;
pub mod context;
mod editor;
pub mod eval;
pub mod guard;
mod highlight;
mod hint;
mod history;
pub mod input;
pub mod mistake;
pub mod output;
pub mod prepare;
mod prompt;
pub mod session;
mod shield;
pub mod source;
