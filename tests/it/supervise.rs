//! The supervisor with real children.

mod events;
pub(crate) mod fixture;
mod logs;
mod policy;
mod start;
mod stop;
mod survival;
