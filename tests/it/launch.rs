//! The real binary: ways in, exit codes, broken pipes.
