//! Operations over several domains: start, reconcile, read a snapshot. What a command does, and what other callers do without one.
//!
//! An operation takes plain values and [`OpContext`], reports what happens meanwhile as
//! [`Progress`](crate::tsm::progress::Progress), and returns a value. It prints nothing, asks nothing, and knows no words of a
//! command line.

pub mod answers;
pub mod apply;
pub mod context;
pub mod deploy;
pub mod environments;
pub mod fleet;
pub mod limits;
pub mod process_feed;
pub mod reconcile;
pub mod repeat;
pub mod restart;
pub mod scale;
pub mod secrets;
pub mod service_health;
pub mod service_keys;
pub mod snapshot;
pub mod stack;
pub mod start;
pub mod startup;
pub mod stop_order;
pub mod unit;
pub mod up;

pub use context::OpContext;
