//! The verbs of tsm on real processes.
