//! `daemon`: tetra under systemd.
