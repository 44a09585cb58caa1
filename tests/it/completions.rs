//! The shell completions, loaded by the real shells.
