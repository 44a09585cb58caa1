//! The frames around a session on its host: read, answered, and ended when the deployer goes silent.

use std::io::{Read, Write};
use std::time::Instant;

use super::host::{Bounds, HostSession};
use crate::base::fault::Fault;
use crate::deploy::wire::{Answer, Ask, MAX_PUT, Said};
use crate::sys::poll::{StdinUntil, StdoutUntil};
use crate::tkm::agent::protocol::{self, Frame, MAX_SESSION_LENGTH, Reply};
use crate::tkm::agent::session::SILENCE;
use crate::tsm::progress::Progress;

/// Answers what is asked on standard input until it ends, or nothing comes for [`SILENCE`].
pub fn serve(bounds: Bounds, nonce: &str) {
    let hello = Reply::Hello { version: bounds.version.to_owned(), env: bounds.env.to_string() };
    if write(&protocol::frame(nonce, &hello)).is_err() {
        return;
    }
    let mut session = HostSession::new(bounds);
    while let Some(asked) = next(nonce) {
        let (ask, bytes) = match asked {
            Ok((Ask::Beat, _)) => continue,
            Ok(asked) => asked,
            Err(fault) => {
                // What follows cannot be understood any more.
                let _ = say(nonce, &session, Said::Failed(fault.into()));
                break;
            }
        };
        let state = session.state();
        let mut on_text = |progress: Progress| {
            let answer = Answer { deploy: state.clone(), said: Said::Progress(progress.to_string()) };
            // A deployer that is gone is found out by the next read.
            let _ = write(&protocol::frame(nonce, &answer));
        };
        let said = session.answer(ask, &bytes, &mut on_text).unwrap_or_else(|fault| Said::Failed(fault.into()));
        if say(nonce, &session, said).is_err() {
            break;
        }
    }
    session.end();
}

fn say(nonce: &str, session: &HostSession, said: Said) -> std::io::Result<()> {
    write(&protocol::frame(nonce, &Answer { deploy: session.state(), said }))
}

fn write(frame: &str) -> std::io::Result<()> {
    StdoutUntil(Instant::now() + SILENCE).write_all(frame.as_bytes())
}

/// What is asked next; none at the end.
fn next(nonce: &str) -> Option<Result<(Ask, Vec<u8>), Fault>> {
    let mut input = StdinUntil(Instant::now() + SILENCE);
    let Frame { nonce: found, json } = protocol::read_frame_within(&mut input, MAX_SESSION_LENGTH).ok()?;
    if found != nonce {
        return Some(Err(Fault::usage("the frame is of another session")));
    }
    let ask: Ask = match serde_json::from_slice(&json) {
        Ok(ask) => ask,
        Err(error) => {
            return Some(Err(Fault::usage(format!("the request is not one that this version knows: {error}"))));
        }
    };
    let length = match &ask {
        Ask::Put { length, .. } | Ask::Carry { length, .. } => *length,
        _ => 0,
    };
    if length > MAX_PUT {
        return Some(Err(Fault::usage(format!("a part has at most {MAX_PUT} bytes"))));
    }
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    input.read_exact(&mut bytes).ok()?;
    Some(Ok((ask, bytes)))
}
