//! Output: the only place that prints.
//!
//! [`console::Terminal`] owns the streams. Text is rendered by pure functions ([`render`]); untrusted values
//! are escaped on the way ([`sanitize`]).

mod answer;
pub mod console;
pub mod diagnostic;
pub mod fault;
mod frame;
mod progress;
pub mod render;
pub mod sanitize;
pub mod streams;
pub mod style;
pub mod table;
pub mod text;
mod wrap;
