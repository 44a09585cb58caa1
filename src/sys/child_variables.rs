//! Variables that programs get beside those of this process, or do not get: what `setenv` would do, which is not safe beside threads.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Of the process, as its variables are.
static CHANGED: Mutex<BTreeMap<&'static str, Option<String>>> = Mutex::new(BTreeMap::new());

/// Gives a variable to programs that are started from now on, or withholds it from them.
pub fn set(name: &'static str, value: Option<&str>) {
    CHANGED.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value.map(str::to_owned));
}

/// Gives a program what it is to have.
pub fn apply(command: &mut Command) -> &mut Command {
    for (name, value) in &*CHANGED.lock().unwrap_or_else(PoisonError::into_inner) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
