//! What is brought to hosts.
//!
//! [`release`] knows what a release is and how a host keeps it; nothing here knows of a network.

pub mod release;
