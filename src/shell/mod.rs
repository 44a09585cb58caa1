//! The shell: sources of lines, confirmation, execution, the prompt.

pub mod audit;
pub mod complete;
pub mod config;
pub mod confirm;
pub mod context;
pub mod cursor;
pub mod editor;
pub mod eval;
pub mod execute;
pub mod external_editor;
pub mod highlight;
pub mod hint;
pub mod history;
pub mod line_reader;
pub mod monitor;
pub mod panics;
pub mod parse;
pub mod plain_prompt;
pub mod prompt;
pub mod redirect;
pub mod repl;
pub mod session;
pub mod source;
pub mod stdin;
