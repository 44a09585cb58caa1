//! The supervisor with real children.

mod logs;
mod nest;
mod policy;
mod start;
mod stop;
mod survival;
