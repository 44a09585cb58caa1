//! The one integration crate: it links once, and its parts share what they need.

mod ask;
mod attend;
mod completions;
mod examples;
mod launch;
mod pty;
mod readme;
mod repl;
mod road;
mod schema;
mod services;
mod setup;
mod start;
mod supervise;
mod tidy;
mod transcript;
mod verbs;
mod world;
