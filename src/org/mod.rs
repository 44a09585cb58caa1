//! Organizations: one file that is edited by hand, and the environments that are made from it.
//!
//! ```text
//! local.toml -> document   the text with the place of every value
//!               draft      every value with its story, layer by layer:
//!                            alias      former names of keys
//!                            apply      profiles, from the root of the chain to the leaf
//!                            promote    overrides, options, metadata
//!                            variables  ${…}
//!               condition  what must hold, and what must not
//!               render     the text of local.toml with the changed values put in
//!               header     who made it from what, with hashes
//!               versions   written at once, with its history
//! ```
//!
//! Everything down to `render` is pure: the same files give the same bytes.

pub mod alias;
pub mod apply;
pub mod arguments;
pub mod change;
pub mod condition;
pub mod difference;
pub mod document;
pub mod draft;
pub mod edits;
pub mod error;
pub mod header;
pub mod history;
pub mod keep;
pub mod manifest;
pub mod overrides;
pub mod path;
pub mod profile;
pub mod promote;
pub mod read;
pub mod rebase;
pub mod render;
pub mod schema;
pub mod services;
pub mod setting;
pub mod shape;
pub mod sheet;
pub mod standing;
pub mod store;
pub mod template;
pub mod value;
pub mod variables;
pub mod versions;
pub mod workbench;

pub use toml::Value;
