//! tetra: an operator shell.
pub mod supervise;
