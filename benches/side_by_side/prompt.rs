//! The way to the first prompt, on a terminal of its own.

use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::home::{Home, PATIENCE};

/// From the start in a terminal to the prompt on the screen.
pub(crate) fn first(home: &Home) -> io::Result<Duration> {
    let terminal = native_pty_system()
        .openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 })
        .map_err(io::Error::other)?;
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tetra"));
    command.env("HOME", home.directory());
    command.env("TETRA_DIR", home.path("tetra"));
    command.env("TERM", "xterm-256color");
    command.cwd(home.directory());
    let mut reader = terminal.master.try_clone_reader().map_err(io::Error::other)?;
    let mut writer = terminal.master.take_writer().map_err(io::Error::other)?;
    let (sender, bytes) = mpsc::channel();
    thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut part) {
            if sender.send(part[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    let start = Instant::now();
    let mut shell = terminal.slave.spawn_command(command).map_err(io::Error::other)?;
    let mut screen = vt100::Parser::default();
    let took = loop {
        let part = bytes.recv_timeout(PATIENCE).map_err(io::Error::other)?;
        if part.windows(4).any(|four| four == b"\x1b[6n") {
            writer.write_all(b"\x1b[1;1R")?;
        }
        screen.process(&part);
        if current_line(screen.screen()).trim_end().ends_with(PROMPT) {
            break start.elapsed();
        }
    };
    shell.kill()?;
    shell.wait()?;
    Ok(took)
}

/// The end of the prompt.
const PROMPT: char = '>';

/// The line that the cursor is in.
fn current_line(screen: &vt100::Screen) -> String {
    let (row, _) = screen.cursor_position();
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).nth(row.into()).unwrap_or_default()
}
