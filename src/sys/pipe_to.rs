//! A program of the operator's that reads what a command says: the right side of `|`.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::child;
use super::signal::{self, SigintGuard};

/// A running `sh -c`. Its output and errors are the operator's.
pub struct PipedCommand {
    child: Child,
    _sigint_guard: SigintGuard,
}

impl PipedCommand {
    /// Starts `sh -c text` in `cwd` and gives the end to write to. Dropping that end tells the program that there is no more.
    ///
    /// # Errors
    ///
    /// Fails if `sh` cannot be started.
    pub fn start(text: &str, cwd: &Path) -> io::Result<(Self, Box<dyn Write>)> {
        let mut child = Command::new("sh").arg("-c").arg(text).current_dir(cwd).stdin(Stdio::piped()).spawn()?;
        let input: Box<dyn Write> = match child.stdin.take() {
            Some(input) => Box::new(input),
            None => Box::new(io::sink()),
        };
        Ok((Self { child, _sigint_guard: signal::ignore_sigint() }, input))
    }

    /// Waits for its end; its exit code, 128 + n for a signal.
    ///
    /// # Errors
    ///
    /// Fails if another thread waited for it.
    pub fn wait(mut self) -> io::Result<i32> {
        child::wait(&mut self.child)
    }
}
