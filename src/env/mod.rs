//! Environments of a project: variables and their resolution, generated env files, secrets.
//!
//! `tetra.toml` (or a template) is the source, `env/<env>.env` what is made of it. Secrets are in files of their own and
//! come in when such a file is made. Nothing here prints, and no error holds the value of a secret.

pub mod compare;
pub mod env_file;
pub mod format;
pub mod generate;
pub mod lint;
pub mod project;
pub mod promote;
pub mod scope;
pub mod seal;
pub mod secrets;
pub mod write;
