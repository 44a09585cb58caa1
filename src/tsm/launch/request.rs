//! What the daemon is asked for, and what it answers: one line of JSON each.

use std::io;

use serde::{Deserialize, Serialize};

/// The version of both.
const VERSION: u32 = 1;

/// Something to be executed for a process, whose directory its name tells. With it comes the descriptor that it writes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRequest {
    v: u32,
    /// What.
    pub launch: LaunchKind,
    /// The name of the process.
    pub name: String,
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaunchKind {
    /// A supervisor, which writes its first word.
    Supervisor,
    /// A sidecar, which writes why it cannot begin.
    Sidecar,
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum LaunchAnswer {
    /// It will be done: the client does not do it as well.
    Taken,
    /// What was executed has left the daemon, or failed with this exit code.
    Done {
        /// The exit code; 0 if all is well.
        code: i32,
    },
    /// It was not executed.
    Refused {
        /// Why.
        why: String,
    },
}

impl LaunchRequest {
    /// A request of this version.
    #[must_use]
    pub fn new(launch: LaunchKind, name: &str) -> Self {
        Self { v: VERSION, launch, name: name.to_owned() }
    }

    /// As it is sent.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Of numbers and texts only, which JSON can hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What was sent; none if it is of another version, or something else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|request: &Self| request.v == VERSION)
    }
}

impl LaunchAnswer {
    /// As it is sent.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // As above.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What was sent.
    ///
    /// # Errors
    ///
    /// Fails if it is something else.
    pub fn decode(bytes: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_come_back() {
        let request = LaunchRequest::new(LaunchKind::Supervisor, "web-3000");
        assert_eq!(String::from_utf8_lossy(&request.encode()), r#"{"v":1,"launch":"supervisor","name":"web-3000"}"#);
        assert_eq!(LaunchRequest::decode(&request.encode()), Some(request));
        for answer in
            [LaunchAnswer::Taken, LaunchAnswer::Done { code: 1 }, LaunchAnswer::Refused { why: "it stops".to_owned() }]
        {
            assert_eq!(LaunchAnswer::decode(&answer.encode()).expect("an answer"), answer);
        }
        let newer = br#"{"v":2,"launch":"supervisor","name":"web-3000"}"#;
        assert_eq!((LaunchRequest::decode(newer), LaunchRequest::decode(b"")), (None, None));
    }
}
