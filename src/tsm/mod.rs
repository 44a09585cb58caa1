//! The process manager: what runs, how it was started, what it said.
