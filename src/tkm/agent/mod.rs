//! `tetra agent`: what a key of staging and prod is bound to on its hosts, by `command=` in `authorized_keys`.
//!
//! ```text
//! protocol         a request and its reply, each in one frame with its length and the version
//! client           the operator's side: one request over ssh
//! host             the host's side: what is allowed, and what is done
//! command          a command of tetra run where a key is not bound
//! session          the operator's side: many frames over one connection
//! install          the program put on a host, by its hash and architecture
//! ```
//!
//! # What must not happen
//!
//! * Nothing that a client sends is run. What is not on the list of [`protocol::Request`] is refused, and written down.
//! * A key that is bound adds no line that allows more than its own does, and changes no line of others.

use crate::base::environment::EnvRef;

pub mod client;
pub mod command;
pub mod host;
pub mod install;
pub mod protocol;
pub mod session;

/// The words behind the program: what a key of an environment is bound to.
#[must_use]
pub fn words(env: &EnvRef) -> String {
    format!("agent {env}")
}

/// True for what tetra itself has ssh run on a host, whatever the path of the program there.
#[must_use]
pub fn is_own_line(line: &str, env: &EnvRef) -> bool {
    line.strip_suffix(&words(env)).is_some_and(|program| program.ends_with(' '))
}
