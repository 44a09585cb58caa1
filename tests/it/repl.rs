//! The prompt in a real pseudo-terminal.
