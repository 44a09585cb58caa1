//! Lines and the editor: where words come from, what is asked before they run, and what an outcome does.

pub mod audit;
pub mod config;
pub mod context;
pub mod eval;
pub mod guard;
pub mod output;
pub mod prepare;
pub mod session;
pub mod source;

mod complete;
mod editor;
mod highlight;
mod hint;
mod history;
mod prompt;
mod shield;
