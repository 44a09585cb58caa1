//! Units of systemd as text: rendered from plain settings, with a header that shows an edit.
//!
//! [`UnitSettings::text`] is the only place that knows what a unit of ours looks like: `daemon install`, `org apply` and the
//! templates of `setup` all take it from there. [`origin`] tells what became of a unit that was written, [`kept_environment`]
//! what an operator added to it, and [`UnitSettings::highest_exposure`] what `systemd-analyze security` may say of it at most.

mod exposure;
mod header;
mod line_diff;
mod lines;
mod read;
mod render;
mod sandbox;
mod settings;
mod words;

pub use header::{UnitOrigin, kept_environment, origin};
pub use line_diff::{DiffLine, diff};
pub use read::{program, values, variable};
pub use settings::{Account, Hardening, Owner, UnitLimits, UnitSettings, unit_name};

/// Where system programs are searched for by a unit that says nothing about it.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests;
