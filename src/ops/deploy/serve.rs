//! The frames around a session on its host: read, answered, and ended when the deployer goes silent.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::host::{Bounds, HostSession};
use crate::base::fault::Fault;
use crate::deploy::machine::State;
use crate::deploy::wire::{Answer, Ask, MAX_PUT, ProgressKind, Said};
use crate::sys::poll::{StdinUntil, StdoutUntil};
use crate::tkm::agent::protocol::{self, Frame, MAX_SESSION_LENGTH, Reply};
use crate::tkm::agent::session::SILENCE;
use crate::tsm::progress::Progress;

/// How often a session says that it is at work while it has nothing else to say: a service may take minutes to stop.
const BEAT: Duration = Duration::from_secs(10);

/// Answers what is asked on standard input until it ends, or nothing comes for [`SILENCE`].
pub fn serve(bounds: Bounds, nonce: &str) {
    let hello = Reply::Hello { version: bounds.version.to_owned(), env: bounds.env.to_string() };
    let output = Output { nonce, one_at_a_time: Mutex::new(()) };
    if output.write(&protocol::frame(nonce, &hello)).is_err() {
        return;
    }
    let mut session = HostSession::new(bounds);
    while let Some(asked) = next(nonce) {
        let (ask, bytes) = match asked {
            Ok((Ask::Beat, _)) => continue,
            Ok(asked) => asked,
            Err(fault) => {
                // What follows cannot be understood any more.
                let _ = output.answer(session.state(), Said::Failed(fault.into()));
                break;
            }
        };
        let state = session.state();
        let mut on_progress = |progress: Progress| output.progress(state.clone(), kind(&progress), text(&progress));
        let answered = output.with_beat(&state, || session.answer(ask, &bytes, &mut on_progress));
        let said = answered.unwrap_or_else(|fault| Said::Failed(fault.into()));
        if output.answer(session.state(), said).is_err() {
            break;
        }
    }
    session.end();
}

/// The deploy of a session, and where it is.
type Deploy = Option<(String, State)>;

/// What leads to the deployer.
struct Output<'a> {
    nonce: &'a str,
    one_at_a_time: Mutex<()>,
}

impl Output<'_> {
    /// Does something, and says from time to time that it is being done.
    fn with_beat<R>(&self, deploy: &Deploy, work: impl FnOnce() -> R) -> R {
        let (end, ended) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                    self.progress(deploy.clone(), ProgressKind::Beat, "at work".to_owned());
                }
            });
            let done = work();
            drop(end);
            done
        })
    }

    fn progress(&self, deploy: Deploy, progress: ProgressKind, text: String) {
        let answer = Answer { deploy, said: Said::Progress(text), progress };
        // A deployer that is gone is found out by the next read.
        let _ = self.write(&protocol::frame(self.nonce, &answer));
    }

    fn answer(&self, deploy: Deploy, said: Said) -> io::Result<()> {
        let answer = Answer { deploy, said, progress: ProgressKind::default() };
        self.write(&protocol::frame(self.nonce, &answer))
    }

    fn write(&self, frame: &str) -> io::Result<()> {
        let _alone = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        StdoutUntil(Instant::now() + SILENCE).write_all(frame.as_bytes())
    }
}

/// What is waited for is a state; most of what is said meanwhile is not.
fn kind(progress: &Progress) -> ProgressKind {
    match progress {
        Progress::Waiting { .. } | Progress::DependencyReady { .. } => ProgressKind::State,
        Progress::Note { .. }
        | Progress::SecretsRestricted { .. }
        | Progress::SecretsUnsealed { .. }
        | Progress::GuessedPortInUse(_)
        | Progress::PortInUse(_)
        | Progress::PortMismatch { .. }
        | Progress::WeakerMemoryLimit { .. } => ProgressKind::Note,
    }
}

/// Without the hint about Ctrl-C for an operator at the host: here it is that of the deployer.
fn text(progress: &Progress) -> String {
    match progress {
        Progress::Waiting { expected } => format!("waiting for it to {expected}"),
        other => other.to_string(),
    }
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
