//! `tkm`: keys, pins, hosts.
