//! The keys of an environment that tetra knows, and the type of each; those of services are in `ops::service_keys`.

use super::draft::{METADATA, OVERRIDES};
use crate::config::path::KeyPath;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    String,
    Strings,
    Boolean,
    Number,
    Port,
    OneOf(&'static [&'static str]),
}

const KEYS: [(&str, ValueType); 40] = [
    ("environment.name", ValueType::String),
    ("environment.type", ValueType::OneOf(&["local", "development", "dev", "staging", "stage", "production", "prod"])),
    ("environment.description", ValueType::String),
    ("environment.readonly", ValueType::Boolean),
    ("deployment.user", ValueType::String),
    ("deployment.group", ValueType::String),
    ("deployment.tetra_src", ValueType::String),
    ("deployment.tetra_dir", ValueType::String),
    ("deployment.hostname", ValueType::String),
    ("deployment.domain", ValueType::String),
    ("system.os", ValueType::String),
    ("system.init", ValueType::String),
    ("system.auto_start", ValueType::Boolean),
    ("ports.*", ValueType::Port),
    ("resources.memory_max", ValueType::Number),
    ("resources.limit_nofile", ValueType::Number),
    ("resources.limit_nproc", ValueType::Number),
    ("security.firewall_enabled", ValueType::Boolean),
    ("security.firewall_policy", ValueType::OneOf(&["off", "open", "restricted", "strict"])),
    ("security.ssl_enabled", ValueType::Boolean),
    ("security.hsts_enabled", ValueType::Boolean),
    ("security.internal_cidrs", ValueType::Strings),
    ("logging.level", ValueType::OneOf(&["trace", "debug", "info", "warn", "error"])),
    ("logging.format", ValueType::OneOf(&["pretty", "json"])),
    ("logging.retention_days", ValueType::Number),
    ("monitoring.enabled", ValueType::Boolean),
    ("monitoring.alerts_enabled", ValueType::Boolean),
    ("monitoring.apm_enabled", ValueType::Boolean),
    ("monitoring.metrics_enabled", ValueType::Boolean),
    ("backup.enabled", ValueType::Boolean),
    ("backup.schedule", ValueType::String),
    ("backup.offsite", ValueType::Boolean),
    ("compliance.audit_logging", ValueType::Boolean),
    ("compliance.retention_days", ValueType::Number),
    ("daemon.unit", ValueType::String),
    ("daemon.scope", ValueType::OneOf(&["system", "user"])),
    ("daemon.hardening", ValueType::String),
    ("release.from", ValueType::String),
    ("release.exclude", ValueType::Strings),
    ("release.build", ValueType::String),
];

/// Tables that tetra knows.
pub(super) const TABLES: [&str; 17] = [
    "environment",
    "deployment",
    "system",
    "ports",
    "services",
    "resources",
    "security",
    "logging",
    "monitoring",
    "backup",
    "compliance",
    "daemon",
    "release",
    METADATA,
    OVERRIDES,
    "sync",
    "variables",
];

/// Every key with what it holds.
pub(super) fn keys() -> Vec<(KeyPath, ValueType)> {
    KEYS.iter().map(|(path, holds)| (path.parse().expect("a test reads the keys"), *holds)).collect()
}

/// Every key; a `*` is any name.
pub fn paths() -> impl Iterator<Item = KeyPath> {
    keys().into_iter().map(|(path, _)| path)
}
