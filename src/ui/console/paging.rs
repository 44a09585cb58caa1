//! What is longer than the screen goes to a pager.

use std::io;

use super::Terminal;
use crate::report::Block;
use crate::ui::frame;
use crate::ui::render::{self, Chunk};
use crate::ui::streams::Pager;

/// The pager as long as none is named. Whatever fits on the screen it only prints; without `less`, all.
const DEFAULT_PAGER: &str = "if command -v less >/dev/null; then exec less -FRSX; else exec cat; fi";

impl Terminal {
    /// What pages; none where nothing is paged, or nothing could be pressed to go on.
    fn pager(&self) -> Option<(Pager, &str)> {
        let can_page = self.streams.output_is_terminal && self.streams.answer_source.is_some() && !self.is_dumb();
        let pager = self.streams.pager.filter(|_| can_page && !self.unpaged && self.reader.is_none())?;
        let named = |name| self.variables.get(name).map(|command| command.trim());
        let command = named("TETRA_PAGER").or_else(|| named("PAGER")).unwrap_or(DEFAULT_PAGER);
        (!matches!(command, "" | "cat")).then_some((pager, command))
    }

    /// True for a text that does not fit on the screen, with a row left for the prompt.
    fn is_longer_than_screen(&self, text: &[u8]) -> bool {
        let (Some(width), Some(height)) = (self.terminal_width(), (self.streams.size.height)()) else { return false };
        frame::rows(&String::from_utf8_lossy(text), width) >= height
    }

    /// What is shown of blocks without rows that are still to come, if that is longer than the screen. Notes come after it.
    pub(super) fn show_paged(&self, blocks: &[Block]) -> io::Result<bool> {
        let Some((pager, command)) = self.pager() else { return Ok(false) };
        let options = self.render_options();
        let (mut output, mut notes) = (Vec::new(), String::new());
        for block in blocks {
            match render::block(block, &options, self.target()) {
                Some(Chunk::Output(bytes)) => output.extend(bytes),
                Some(Chunk::Stderr(text)) if !self.quiet => notes.push_str(&text),
                Some(Chunk::Stderr(_)) => {}
                None => return Ok(false),
            }
        }
        if !self.is_longer_than_screen(&output) {
            return Ok(false);
        }
        self.page(pager, command, &output)?;
        self.write_stderr(&notes);
        Ok(true)
    }

    fn page(&self, pager: Pager, command: &str, output: &[u8]) -> io::Result<()> {
        if let Err(error) = pager(command, output) {
            self.write(output)?;
            self.write_note(&format!("failed to start the pager `{command}`: {error}"));
        }
        Ok(())
    }

    /// A document of more lines than the screen has is paged. One of few and long lines is not: `less` would cut them.
    pub(super) fn show_document(&self, text: &str) -> io::Result<()> {
        let is_long = (self.streams.size.height)().is_some_and(|height| text.lines().count() >= height);
        match self.pager().filter(|_| is_long) {
            Some((pager, command)) => self.page(pager, command, text.as_bytes()),
            None => self.write(text),
        }
    }
}
