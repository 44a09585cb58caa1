//! Configuration as operators write it: TOML with the place of everything, key paths, expansion, and what must not be shown.
//!
//! ```text
//! read      a file, bounded, as text             -> document  values, tables and their places
//! path      services.*.command                      value     equality and spelling
//! template  a text with ${…} -> lookup, expand      what its names mean, what it becomes
//! secret    the one rule for what is hidden -> patterns, mask; secret_scan  finds secrets in any text
//! ```

pub mod document;
pub mod edits;
pub mod expand;
pub mod expand_error;
pub mod line_editor;
pub mod lookup;
pub mod mask;
pub mod path;
pub mod patterns;
pub mod read;
pub mod secret;
pub mod secret_scan;
pub mod template;
pub mod toml_hints;
pub mod value;

pub use toml::Value;
