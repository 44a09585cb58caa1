//! Starting real programs.
