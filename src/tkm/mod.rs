//! Keys, pins and hosts.
