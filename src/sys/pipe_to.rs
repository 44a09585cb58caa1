//! A program of the operator's that reads what a command says: the right side of `|`.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::second_interrupt::{Meant, ReadOutput, SecondInterrupt};
use super::signal::{self, SigintGuard};
use super::{child, child_variables};

/// A running `sh -c`. Its output and errors are the operator's.
pub struct PipedCommand {
    child: Child,
    kept: Option<ReadOutput>,
    _second_interrupt: SecondInterrupt,
    _sigint_guard: SigintGuard,
}

/// Where the output of the program goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipedOutput {
    /// To the operator.
    Inherited,
    /// Into memory, at most 1 MiB of it.
    Kept,
}

/// The most bytes that are kept of an output: more than any screen shows. The rest is read and dropped.
const MAX_KEPT: u64 = 1024 * 1024;

impl PipedCommand {
    /// Starts `sh -c text` in `cwd` and gives the end to write to. Dropping that end tells the program that there is no more.
    ///
    /// # Errors
    ///
    /// Fails if `sh` cannot be started.
    pub fn start(text: &str, cwd: &Path, output: PipedOutput) -> io::Result<(Self, Box<dyn Write>)> {
        let stdout = || if output == PipedOutput::Kept { Stdio::piped() } else { Stdio::inherit() };
        let mut command = Command::new("sh");
        child_variables::apply(&mut command)
            .arg("-c")
            .arg(text)
            .current_dir(cwd)
            .stdin(Stdio::piped())
            .stdout(stdout());
        let mut child = command.spawn()?;
        // Read while it is written to: it may not read on before its own output is taken.
        let kept = child.stdout.take().map(|stdout| ReadOutput::of(stdout, MAX_KEPT));
        let meant = if output == PipedOutput::Kept { Meant::All } else { Meant::Ignoring };
        let second_interrupt = SecondInterrupt::watch(&child, meant);
        let input: Box<dyn Write> = match child.stdin.take() {
            Some(input) => Box::new(input),
            None => Box::new(io::sink()),
        };
        let piped = Self { child, kept, _second_interrupt: second_interrupt, _sigint_guard: signal::ignore_sigint() };
        Ok((piped, input))
    }

    /// Waits for its end; its exit code, 128 + n for a signal, and what was kept of its output.
    ///
    /// # Errors
    ///
    /// Fails if another thread waited for it.
    pub fn wait(mut self) -> io::Result<(i32, Vec<u8>)> {
        let code = child::wait(&mut self.child)?;
        Ok((code, self.kept.map(ReadOutput::take).unwrap_or_default()))
    }
}

/// The exit codes of `sh` for a command that it could not run.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Shows a text with a program of the operator's, a pager, and waits for its end.
///
/// # Errors
///
/// Fails if `sh` cannot be started, or cannot run the pager.
pub fn page(command: &str, text: &[u8]) -> io::Result<()> {
    let (pager, mut input) = PipedCommand::start(command, Path::new("."), PipedOutput::Inherited)?;
    // A pager may be left before its end.
    let _ = input.write_all(text);
    drop(input);
    match pager.wait()?.0 {
        code @ (NOT_EXECUTABLE | NOT_FOUND) => Err(io::Error::other(format!("exit code {code}"))),
        _ => Ok(()),
    }
}
