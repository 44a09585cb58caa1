//! The supervisor with real children.

mod logs;
pub(crate) mod nest;
mod policy;
mod start;
mod stop;
mod survival;
