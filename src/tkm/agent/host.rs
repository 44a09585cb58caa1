//! The host's side of the agent.

use std::collections::BTreeMap;
use std::time::Duration;

use super::protocol::{AgentBlob, ErrorKind, FrameError, Reply, Request};
use crate::base::environment::EnvRef;
use crate::sys::capture::Capture;
use crate::sys::child::ChildExit;
use crate::tkm::authorized_keys::{MAX_KEYS_FILE, ManagedBlock};
use crate::tkm::key::PublicKey;
use crate::tkm::remote;

/// How long a script of ours may take on its host.
const LIMIT: Duration = Duration::from_secs(30);

/// What answers on a host, for one environment.
#[derive(Debug, Clone, Copy)]
pub struct Agent<'a> {
    /// What the key is bound to.
    pub env: &'a EnvRef,
    /// The variables of the login.
    pub variables: &'a BTreeMap<String, String>,
    /// The version of this program.
    pub version: &'a str,
}

impl Agent<'_> {
    /// Does what is asked; none for what is about processes and deploys, which the caller knows.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request {
            Request::List | Request::Status | Request::Health | Request::Run { .. } | Request::Session => None,
            Request::Hello | Request::Ping => {
                Some(Reply::Hello { version: self.version.to_owned(), env: self.env.to_string() })
            }
            Request::ReadKeys | Request::Arm { .. } | Request::Disarm => Some(self.perform(request)),
            Request::WriteKeys { old, bytes, .. } => Some(match self.check_keys(old, &bytes.0) {
                Ok(()) => self.perform(request),
                Err(reply) => reply,
            }),
        }
    }

    /// Does it as it is done where there is no agent.
    fn perform(&self, request: &Request) -> Reply {
        let Some(script) = remote::script(request) else { return refused("a sum is not one of `cksum`") };
        let arguments = ["-c".to_owned(), script];
        let capture = Capture {
            program: "sh",
            arguments: &arguments,
            variables: self.variables,
            input: remote::input(request),
            limit: LIMIT,
            max_output: MAX_KEYS_FILE as u64 + 4096,
        };
        match capture.run() {
            Ok(found) => match found.exit {
                ChildExit::Code(status) => Reply::Done { status, output: AgentBlob(found.stdout) },
                _ => failed(format!("no answer within {} s", LIMIT.as_secs())),
            },
            Err(error) => failed(format!("sh: {error}")),
        }
    }

    /// Fails if the new file of keys is not one that this key may write.
    fn check_keys(&self, old: &str, wanted: &[u8]) -> Result<(), Reply> {
        let now = match self.perform(&Request::ReadKeys) {
            Reply::Done { status: 0, output } => output.0,
            other => return Err(other),
        };
        let end = now.iter().position(|byte| *byte == b'\n').unwrap_or(now.len());
        if now[..end].trim_ascii() != old.as_bytes() {
            return Err(Reply::Done { status: 3, output: AgentBlob(b"changed\n".to_vec()) });
        }
        let now = now.get(end + 1..).unwrap_or_default();
        check_change(&ManagedBlock::of(self.env), now, wanted).map_err(refused)
    }
}

/// What is answered to what is not on the list.
#[must_use]
pub fn refused(message: impl Into<String>) -> Reply {
    Reply::Error { kind: ErrorKind::Refused, message: message.into() }
}

/// What is answered where something of the list did not work.
#[must_use]
pub fn failed(message: impl Into<String>) -> Reply {
    Reply::Error { kind: ErrorKind::Failed, message: message.into() }
}

/// What is answered to what is not a frame.
#[must_use]
pub fn malformed(error: &FrameError) -> Reply {
    let kind = match error {
        FrameError::Malformed(_) | FrameError::Ended(_) => ErrorKind::Malformed,
        FrameError::Version(_) => ErrorKind::Version,
    };
    Reply::Error { kind, message: error.to_string() }
}

/// Only the block of the environment may change, and a line that is new there may allow no more than one that is there.
fn check_change(block: &ManagedBlock, now: &[u8], wanted: &[u8]) -> Result<(), &'static str> {
    let (present, lines) = (block.lines(now), block.lines(wanted));
    if block.replace(now, &lines) != wanted {
        return Err("it changes lines of `authorized_keys` that are not of this environment");
    }
    let is_allowed = |line: &Vec<u8>| present.contains(line) || present.iter().any(|old| allows_no_more(line, old));
    if lines.iter().all(is_allowed) { Ok(()) } else { Err("a new line would allow more than this key may") }
}

/// True if a line is bound to the same command as another, with no other option than `from=` and `expiry-time=`, and those of a key
/// that signs certificates: what it signs is bound to the command too.
fn allows_no_more(new: &[u8], old: &[u8]) -> bool {
    let parse = |line| BoundLine::parse(std::str::from_utf8(line).ok()?);
    let (Some(new), Some(old)) = (parse(new), parse(old)) else { return false };
    new.command == old.command && (old.from.is_none() || new.from == old.from)
}

/// The options of a line that is bound to a command.
#[derive(Debug, PartialEq, Eq)]
struct BoundLine<'a> {
    command: &'a str,
    from: Option<&'a str>,
}

impl<'a> BoundLine<'a> {
    /// None for every other line, also one with options that are not known here.
    fn parse(line: &'a str) -> Option<Self> {
        let (options, key) = split_unquoted(line, b' ')?;
        PublicKey::parse(key).ok()?.check_strength().ok()?;
        let mut rest = options.strip_prefix("restrict,")?;
        let (mut command, mut from, mut expiry, mut principals) = (None, None, None, None);
        while !rest.is_empty() {
            let (option, after) = split_unquoted(rest, b',').unwrap_or((rest, ""));
            rest = after;
            if option == "cert-authority" {
                continue;
            }
            let (name, value) = option.split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            let place = match name {
                "command" => &mut command,
                "from" => &mut from,
                "expiry-time" => &mut expiry,
                "principals" => &mut principals,
                _ => return None,
            };
            // A quote inside would end the value for sshd, or not, by its version.
            if value.contains(['"', '\\']) || place.replace(value).is_some() {
                return None;
            }
        }
        Some(Self { command: command?, from })
    }
}

/// The text before and behind the first such byte that is not between quotes.
fn split_unquoted(text: &str, at: u8) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let found = text.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == at && !is_quoted
    })?;
    Some((&text[..found], &text[found + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqoyOuAVbuaYz6VPHmPSIbPDOBPfgEYcTYq8oNTBzVV y";

    fn check(now: &[&str], wanted: &[&str]) -> Result<(), &'static str> {
        let block = ManagedBlock::of(&"prod".parse().expect("an environment"));
        let file = |lines: &[&str]| {
            let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
            block.replace(b"ssh-rsa foreign\n", &lines)
        };
        check_change(&block, &file(now), &file(wanted))
    }

    #[test]
    fn a_line_that_allows_no_more_may_be_added_and_removed() {
        let command = "command=\"/r/tetra agent prod\"";
        let (mine, new) = (format!("restrict,{command} {KEY}"), format!("restrict,{command} {OTHER}"));
        let with = |options: &str| format!("restrict,{command},{options} {OTHER}");
        let authority = with("cert-authority,principals=\"tetra:prod\"");
        for wanted in [&new, &with("from=\"10.0.0.0/8,!10.0.0.1\""), &with("expiry-time=\"202701010000Z\""), &authority]
        {
            assert_eq!(check(&[&mine], &[&mine, wanted]), Ok(()), "{wanted}");
            assert_eq!(check(&[&mine, wanted], &[wanted]), Ok(()), "{wanted}");
        }
        let bound = format!("restrict,{command},from=\"10.*\" {KEY}");
        assert_eq!(check(&[&bound], &[&bound, &with("from=\"10.*\"")]), Ok(()));
        for wanted in [
            OTHER.to_owned(),
            format!("restrict {OTHER}"),
            format!("restrict,pty,{command} {OTHER}"),
            with("pty"),
            with("port-forwarding"),
            with("command=\"sh\""),
            format!("{command} {OTHER}"),
            format!("restrict,cert-authority,principals=\"tetra:prod\" {OTHER}"),
            format!("restrict,pty,{command},cert-authority,principals=\"tetra:prod\" {OTHER}"),
            format!("restrict,command=\"sh\" {OTHER}"),
            format!("restrict,command=\"/r/tetra agent prod\\\" x\" {OTHER}"),
            with("from=\"*\",from=\"10.*\""),
            with("environment=\"LD_PRELOAD=x\""),
            "ssh-rsa AAAA".to_owned(),
            "# <<< tetra dev <<<".to_owned(),
        ] {
            assert!(check(&[&mine], &[&mine, &wanted]).is_err(), "{wanted}");
        }
        assert!(check(&[&bound], &[&bound, &new]).is_err(), "`from=` may not go");
    }

    #[test]
    fn lines_of_others_do_not_change() {
        let block = ManagedBlock::of(&"prod".parse().expect("an environment"));
        assert!(check_change(&block, b"ssh-rsa foreign\n", b"").is_err());
        assert!(check_change(&block, b"a\n", b"a\nssh-ed25519 mine\n").is_err());
        assert_eq!(check_change(&block, b"a\n", b"a\n"), Ok(()));
    }
}
