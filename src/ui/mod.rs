//! The terminal: the one place that prints.
//!
//! [`console::Terminal`] owns the streams. What it writes is made by pure functions: [`render`] for people, [`json`] for
//! programs. Values that come from outside are [`sanitize`]d on the way.

pub mod console;
pub mod diagnostic;
pub mod fault;
pub mod json;
pub mod render;
pub mod sanitize;
pub mod style;
pub mod table;
pub mod text;
