//! The manuals of the operators (`tests/documents/*.md`), whose lines have to work as they stand there.
//!
//! * [`parse`] takes the commands out of a document: its fenced blocks of bash, the `run:` of its workflows, and whole commands
//!   that stand in backquotes.
//! * [`Reader`] is a person who reads a document from top to bottom at a terminal and types every command.
//! * A line that cannot work is a row of `exceptions.txt`, with the reason. It is typed too, and has to fail.
//!
//! `tsm-reference.md` needs no more than this machine; what needs a machine with systemd is in `beds/documents.rs`.

mod parse;
mod reader;

use std::collections::BTreeSet;
use std::path::Path;

pub(crate) use parse::{Block, blocks};
pub(crate) use reader::{Laptop, Reader};

/// The documents: name and text.
pub(crate) const DOCUMENTS: [(&str, &str); 5] = [
    ("daemon-setup.md", include_str!("../../documents/daemon-setup.md")),
    ("deployment-guide.md", include_str!("../../documents/deployment-guide.md")),
    ("multi-env.md", include_str!("../../documents/multi-env.md")),
    ("setup-audit.md", include_str!("../../documents/setup-audit.md")),
    ("tsm-reference.md", include_str!("../../documents/tsm-reference.md")),
];

const EXCEPTIONS: &str = include_str!("../../documents/exceptions.txt");

/// Lines of a document that cannot work.
pub(crate) struct Exception {
    document: &'static str,
    first: usize,
    last: usize,
}

/// The rows of `exceptions.txt`: `document:line  reason` or `document:first-last  reason`.
pub(crate) fn exceptions() -> Vec<Exception> {
    let rows = EXCEPTIONS.lines().filter(|row| !row.is_empty() && !row.starts_with('#'));
    rows.map(|row| {
        let (place, reason) = row.split_once("  ").unwrap_or_else(|| panic!("`{row}`: expected a place and a reason"));
        assert!(!reason.trim().is_empty(), "`{row}` has no reason");
        let (document, lines) = place.split_once(':').unwrap_or_else(|| panic!("`{row}`: expected document:line"));
        let (first, last) = lines.split_once('-').unwrap_or((lines, lines));
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{row}`: `{text}` is not a line number"));
        Exception { document, first: number(first), last: number(last) }
    })
    .collect()
}

/// Whether a line is one that cannot work.
pub(crate) fn is_excepted(document: &str, line: usize) -> bool {
    let names = |row: &Exception| row.document == document && (row.first..=row.last).contains(&line);
    exceptions().iter().any(names)
}

/// The commands of a document of this name.
pub(crate) fn document(name: &str) -> Vec<Block> {
    let (_, text) = DOCUMENTS.iter().find(|(known, _)| *known == name).expect("a document of this name");
    blocks(text)
}

#[test]
fn every_exception_names_lines_that_are_there() {
    let mut seen = BTreeSet::new();
    for row in exceptions() {
        let place = format!("{}:{}-{}", row.document, row.first, row.last);
        assert!(DOCUMENTS.iter().any(|(name, _)| *name == row.document), "{place}: this document does not exist");
        let lines: Vec<usize> = document(row.document)
            .iter()
            .flat_map(|block| block.statements.iter().map(|statement| statement.line))
            .filter(|line| (row.first..=row.last).contains(line))
            .collect();
        assert!(lines.contains(&row.first), "{place}: no command begins there");
        assert!(row.first == row.last || lines.len() > 1, "{place}: there is only one command");
        assert!(lines.into_iter().all(|line| seen.insert((row.document, line))), "{place} has two rows");
    }
}

#[test]
fn every_file_of_the_documents_is_read() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents");
    for entry in std::fs::read_dir(dir).expect("ours").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        let is_document = Path::new(&name).extension().is_some_and(|ending| ending == "md");
        assert!(!is_document || DOCUMENTS.iter().any(|(known, _)| *known == name), "{name} is read by no test");
    }
}

#[test]
fn every_line_of_the_reference_works() {
    let laptop = Laptop::new();
    // What the reference takes for granted: three programs, one of them defined as a service.
    laptop.file("projects/myapp/server.js", SERVER);
    laptop.script("projects/myapp/server.sh", "#!/bin/bash\nexec sleep 1000\n");
    laptop.file("projects/myapp/env/local.env", "export LOG_LEVEL=debug\n");
    let mut reader = Reader::start("tsm-reference.md", &laptop);
    reader.prepare("cd ~/projects/myapp");
    reader.prepare("tsm save devpages 'python3 -m http.server'");
    for block in document("tsm-reference.md") {
        match block.heading.as_str() {
            // There each process of the block before has to be running.
            "`tetra_tsm_stop(process_identifier)`" => reader.prepare("tsm stop all; tsm start devpages; tsm list"),
            "Stop Flow" => reader.prepare("tsm start --name zero sleep 1000; tsm list"),
            _ => {}
        }
        reader.read(&block);
    }
    reader.finish();
}

/// A server in JavaScript that answers at `/health`.
pub(crate) const SERVER: &str = "\
const http = require('http');
const answer = (request, response) => response.end(request.url === '/health' ? 'ok\\n' : 'tetra\\n');
http.createServer(answer).listen(process.env.PORT || 0, '127.0.0.1', () => console.log('listening'));
";
