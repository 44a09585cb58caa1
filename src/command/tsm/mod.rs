//! `tsm`: start, watch, log and stop processes.
