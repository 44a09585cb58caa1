//! One request and one reply, each as `tetra-agent VERSION NONCE LENGTH`, a line end, so many bytes of JSON, and a line end.
//!
//! The nonce is the client's, and a host cannot know it before: what a login shell prints around a reply is not taken for one.

use std::io::{self, Read};

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tkm::authorized_keys::MAX_KEYS_FILE;

/// The version of frames, requests and replies.
pub const VERSION: u32 = 1;

/// Before everything.
const MAGIC: &str = "tetra-agent";

/// The nonce of an answer to what was not a frame.
pub const NO_NONCE: &str = "-";

/// The longest line before the JSON, in bytes.
const MAX_HEADER: usize = 128;

/// The longest JSON, in bytes: a file of keys in base64, and what is around it.
const MAX_LENGTH: usize = MAX_KEYS_FILE * 4 / 3 + 4096;

/// The longest JSON of a frame in a session, in bytes: the manifest of a release.
pub const MAX_SESSION_LENGTH: usize = 8 << 20;

/// The most bytes around the frames of a session: what a login shell prints.
const MAX_NOISE: usize = 64 << 10;

/// What an agent does. There is nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Says its version and environment.
    Hello,
    /// The same, for people.
    Ping,
    /// The processes of the environment.
    List,
    /// How many of them run.
    Status,
    /// How the enabled services of the environment are.
    Health,
    /// `authorized_keys` with its sum.
    ReadKeys,
    /// Another `authorized_keys`, of which only the lines of tetra for this environment differ.
    WriteKeys {
        /// The sum of the file that is replaced.
        old: String,
        /// The sum of the new one.
        new: String,
        /// The new one.
        bytes: AgentBlob,
    },
    /// The present `authorized_keys` comes back after a while, if it is another then.
    Arm {
        /// The sum that the other has.
        after: String,
    },
    /// It does not come back.
    Disarm,
    /// A command of tetra that only looks, for processes of the environment.
    Run {
        /// The words of the command, without global options before them.
        words: Vec<String>,
    },
    /// Many frames over this connection: a deploy of the environment.
    Session,
}

impl Request {
    /// The requests that are a word.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("hello", Self::Hello),
        ("ping", Self::Ping),
        ("list", Self::List),
        ("status", Self::Status),
        ("health", Self::Health),
    ];

    /// The request of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, request)| request)
    }

    /// True if something is another after it.
    #[must_use]
    pub fn changes(&self) -> bool {
        matches!(self, Self::WriteKeys { .. } | Self::Arm { .. } | Self::Disarm | Self::Session)
    }

    /// What it is called in the log of a host.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Ping => "ping",
            Self::List => "list",
            Self::Status => "status",
            Self::Health => "health",
            Self::ReadKeys => "read-keys",
            Self::WriteKeys { .. } => "write-keys",
            Self::Arm { .. } => "arm",
            Self::Disarm => "disarm",
            Self::Run { .. } => "run",
            Self::Session => "session",
        }
    }
}

/// What an agent answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To hello and ping.
    Hello {
        /// The version of the program.
        version: String,
        /// The environment that the key is bound to.
        env: String,
    },
    /// Something was done.
    Done {
        /// What it ended with.
        status: i32,
        /// What it said.
        output: AgentBlob,
    },
    /// Rows or counts.
    Data(serde_json::Value),
    /// A command was run.
    Ran(AgentOutput),
    /// Nothing was done.
    Error {
        /// A word for programs.
        kind: ErrorKind,
        /// Why.
        message: String,
    },
}

/// What a command of tetra with `--json` printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentOutput {
    /// Its exit code.
    pub code: u8,
    /// JSON on its standard output.
    pub output: AgentBlob,
    /// Faults as JSON, and notes, on its standard error.
    pub errors: AgentBlob,
}

/// Why an agent did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// It is not on the list, or would allow more than the key may.
    Refused,
    /// It is not a frame, or not a whole one.
    Malformed,
    /// It is of another version.
    Version,
    /// It is on the list, and failed.
    Failed,
    /// A kind of a later version.
    #[serde(other)]
    Other,
}

/// Bytes; base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentBlob(pub Vec<u8>);

impl Serialize for AgentBlob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Base64::encode_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for AgentBlob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Base64::decode_vec(&text).map(Self).map_err(|_| serde::de::Error::custom("not base64"))
    }
}

/// A text that is not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It ended too early, is too long, or is something else.
    #[error("not a frame: {0}")]
    Malformed(String),
    /// It is of another version.
    #[error("the frame has the version {0}, and this program knows {VERSION}")]
    Version(u32),
    /// There is no frame, only this.
    #[error("the connection ended")]
    Ended(Vec<u8>),
}

/// What was in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The client's.
    pub nonce: String,
    /// JSON.
    pub json: Vec<u8>,
}

/// A frame.
#[must_use]
pub fn frame(nonce: &str, content: &impl Serialize) -> String {
    let json = serde_json::to_string(content).expect("texts and numbers can be written");
    format!("{MAGIC} {VERSION} {nonce} {}\n{json}\n", json.len())
}

/// Reads a frame with its line end, and nothing behind it.
///
/// # Errors
///
/// Fails if there is none, or if it is too long or of another version.
pub fn read_frame(from: &mut impl Read) -> Result<Frame, FrameError> {
    read_frame_within(from, MAX_LENGTH)
}

/// The same with another longest JSON.
///
/// # Errors
///
/// As [`read_frame`].
pub fn read_frame_within(from: &mut impl Read, most: usize) -> Result<Frame, FrameError> {
    let broken = |error: io::Error| FrameError::Malformed(error.to_string());
    let mut header = Vec::new();
    loop {
        let mut byte = [0];
        from.read_exact(&mut byte).map_err(broken)?;
        if byte == *b"\n" {
            break;
        }
        if header.len() == MAX_HEADER {
            return Err(FrameError::Malformed(format!("its first line has more than {MAX_HEADER} bytes")));
        }
        header.push(byte[0]);
    }
    let (nonce, length) = parse_header(&header, most)?;
    let mut json = vec![0; length];
    from.read_exact(&mut json).map_err(broken)?;
    // Its line end; what follows may be bytes.
    io::copy(&mut from.by_ref().take(1), &mut io::sink()).map_err(broken)?;
    Ok(Frame { nonce, json })
}

/// Reads the next frame of a session with this nonce, and skips what a login shell says before it.
///
/// # Errors
///
/// Fails if there is none, or if it is too long or of another version; with what was said instead.
pub fn next_frame(from: &mut impl Read, nonce: &str) -> Result<Vec<u8>, FrameError> {
    let broken = |error: io::Error| FrameError::Malformed(error.to_string());
    let mark = format!("{MAGIC} {VERSION} {nonce} ");
    let mut said = Vec::new();
    while !said.ends_with(mark.as_bytes()) {
        let mut byte = [0];
        if said.len() == MAX_NOISE {
            return Err(FrameError::Malformed(format!("the host said {MAX_NOISE} bytes of something else")));
        }
        match from.read(&mut byte).map_err(broken)? {
            0 => return Err(FrameError::Ended(said)),
            _ => said.push(byte[0]),
        }
    }
    let mut frame = mark.as_bytes().chain(from);
    Ok(read_frame_within(&mut frame, MAX_SESSION_LENGTH)?.json)
}

/// The reply with this nonce, wherever it is in what a host said; none if there is none.
///
/// # Errors
///
/// Fails if it is cut off, too long, or of another version.
pub fn find_reply(said: &[u8], nonce: &str) -> Result<Option<Reply>, FrameError> {
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&said[from..], MAGIC.as_bytes()) {
        let mut rest = &said[from + at..];
        from += at + MAGIC.len();
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.split(|byte| *byte == b' ').nth(2) != Some(nonce.as_bytes()) {
            continue;
        }
        let json = read_frame(&mut rest)?.json;
        let broken = |error: serde_json::Error| FrameError::Malformed(error.to_string());
        return serde_json::from_slice(&json).map(Some).map_err(broken);
    }
    Ok(None)
}

/// Why an agent refused what was not a frame; none if no agent said it.
#[must_use]
pub fn refusal(said: &[u8]) -> Option<String> {
    match find_reply(said, NO_NONCE) {
        Ok(Some(Reply::Error { message, .. })) => Some(message),
        Err(other @ FrameError::Version(_)) => Some(other.to_string()),
        _ => None,
    }
}

fn parse_header(header: &[u8], most: usize) -> Result<(String, usize), FrameError> {
    let malformed = || FrameError::Malformed(format!("it does not begin with `{MAGIC} VERSION NONCE LENGTH`"));
    let text = std::str::from_utf8(header).map_err(|_| malformed())?;
    let [MAGIC, version, nonce, length] = text.split(' ').collect::<Vec<_>>()[..] else { return Err(malformed()) };
    match version.parse() {
        Ok(VERSION) => {}
        Ok(other) => return Err(FrameError::Version(other)),
        Err(_) => return Err(malformed()),
    }
    if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(malformed());
    }
    match length.parse() {
        Ok(length) if length <= most => Ok((nonce.to_owned(), length)),
        Ok(_) => Err(FrameError::Malformed(format!("it has more than {most} bytes"))),
        Err(_) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let request = Request::WriteKeys { old: "1 2".into(), new: "3 4".into(), bytes: AgentBlob(b"\xff\n".to_vec()) };
        let written = frame("abc", &request) + "more";
        let read = read_frame(&mut written.as_bytes()).expect("a frame");
        assert_eq!((read.nonce.as_str(), serde_json::from_slice(&read.json).ok()), ("abc", Some(request)));
        let reply = Reply::Done { status: 3, output: AgentBlob(b"link".to_vec()) };
        let said = format!("noise\ntetra-agent 1 other 4\nnull\n{}bye\n", frame("abc", &reply));
        assert_eq!(find_reply(said.as_bytes(), "abc"), Ok(Some(reply)));
        assert_eq!(find_reply(b"noise tetra-agent", "abc"), Ok(None));
        assert!(find_reply(b"tetra-agent 1 abc 9\n{}\n", "abc").is_err());
    }

    #[test]
    fn what_is_no_frame_is_refused_before_it_is_kept() {
        for text in [
            "",
            "ls -l\n",
            "tetra-agent 1 n 5\n{}",
            "tetra-agent 1 n 99999999999\n",
            "tetra-agent 1 n 18446744073709551616\n",
            "tetra-agent 1 n -1\n",
            "tetra-agent x n 2\n{}",
            "tetra-agent 1  2\n{}",
            "tetra-agent 1 $(id) 2\n{}",
            "tetra-agent 1 n 2 3\n{}",
        ] {
            assert!(matches!(read_frame(&mut text.as_bytes()), Err(FrameError::Malformed(_))), "{text:?}");
        }
        assert_eq!(read_frame(&mut &b"tetra-agent 2 n 2\n{}"[..]), Err(FrameError::Version(2)));
        assert!(read_frame(&mut io::repeat(b'a')).is_err());
    }

    #[test]
    fn every_word_is_its_own_name() {
        for (word, request) in Request::WORDS {
            assert_eq!((request.name(), serde_json::to_value(&request).ok()), (word, Some(word.into())));
        }
        assert_eq!(Request::of_word("read-keys"), None);
    }
}
