//! Supervision of one process.
#![allow(unsafe_code)]
pub mod meta;
