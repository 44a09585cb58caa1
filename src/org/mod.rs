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
pub mod apply_profile;
pub mod arguments;
pub mod constraints;
pub mod diff;
pub mod draft;
pub mod env_status;
pub mod error;
pub mod git;
pub mod hand_edits;
pub mod header;
pub mod history;
pub mod inputs;
pub mod known_keys;
pub mod manifest;
mod manifest_keys;
pub mod operations;
pub mod overrides;
pub mod path_rewrite;
pub mod profile;
pub mod promote;
pub mod read;
pub mod release;
pub mod render;
pub mod rollback;
mod rollout;
pub mod schema;
pub mod services;
pub mod set_option;
pub mod shape;
pub mod store;
pub mod template;
pub mod variables;
pub mod versions;
