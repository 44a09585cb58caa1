//! HTTP as bytes, so that a test sees what is really said.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::waiting::PATIENCE;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A connection to the server.
pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// Asks for a path.
#[track_caller]
pub(crate) fn get(port: u16, path: &str) -> Answer {
    get_with(port, path, &[])
}

/// The same with further headers.
#[track_caller]
pub(crate) fn get_with(port: u16, path: &str, headers: &[(&str, &str)]) -> Answer {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{more}Connection: close\r\n\r\n");
    let text = exchange(port, request.as_bytes());
    Answer::parse(&text).unwrap_or_else(|| panic!("no answer: {text:?}"))
}

/// The same, if it listens.
pub(crate) fn try_get(port: u16, path: &str) -> Option<Answer> {
    TcpStream::connect(("127.0.0.1", port)).ok()?;
    Some(get(port, path))
}

/// Sends bytes, and reads until the server closes.
pub(crate) fn exchange(port: u16, bytes: &[u8]) -> String {
    let mut stream = connect(port);
    // The server may close before it has read all.
    let _ = stream.write_all(bytes);
    read_all(&mut stream)
}

/// All until the end of the connection, however it ends.
pub(crate) fn read_all(stream: &mut TcpStream) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        all.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

impl Answer {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "))?;
        let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked { unchunk(body) } else { body.to_owned() };
        Some(Self { status: status.get(..3)?.parse().ok()?, body })
    }
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n")
        && let Ok(size @ 1..) = usize::from_str_radix(size, 16)
        && let Some(chunk) = after.get(..size)
    {
        body.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    body
}
