//! The one integration crate: it links once, and its parts share what they need.

mod ask;
mod attend;
mod breaking;
mod completions;
mod env;
mod examples;
mod faults;
mod launch;
mod monitor;
mod org;
mod program;
mod pty;
mod readme;
mod repl;
mod road;
mod rough;
mod schema;
mod services;
mod setup;
mod sshd;
mod start;
mod supervise;
mod tidy;
mod transcript;
mod verbs;
mod world;
