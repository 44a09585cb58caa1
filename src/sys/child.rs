//! Programs that this one waits for.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use super::pidfd::{Handle, Push};
use super::signal;

/// Waits for a child that has the terminal; its exit code. Ctrl-C is the child's affair. If this program is asked to end, it asks
/// the child to end too.
///
/// # Errors
///
/// Fails if somebody else waited for it.
pub fn wait(child: &mut Child) -> io::Result<i32> {
    if let Ok(handle) = Handle::open(child.id())
        && !signal::wait_unless_ended(&handle)
    {
        // It may have ended by now, or belong to somebody else; waiting for it is all that is left.
        let _ = handle.push(Push::Polite);
    }
    child.wait().map(code)
}

/// The exit code of a program; 128 + n for a signal.
#[must_use]
pub fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
