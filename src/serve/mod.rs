//! `tetra serve`: health, metrics and the state of processes over HTTP, read only.
