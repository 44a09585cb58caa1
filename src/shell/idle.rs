//! A session that is left alone in production returns to the default environment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::session::{Session, SessionMode};
use crate::base::environment::{BUILT_IN, Tier};
use crate::base::time::HumanDuration;
use crate::command::Selection;
use crate::command::global::Globals;
use crate::ops::environments;
use crate::report::{Console, SelectionChange};

/// When a key was pressed last.
#[derive(Debug, Clone)]
pub struct LastKey {
    pressed_at: Arc<Mutex<Instant>>,
    /// One that may end a line was pressed.
    may_have_ended: Arc<AtomicBool>,
}

impl Default for LastKey {
    fn default() -> Self {
        Self { pressed_at: Arc::new(Mutex::new(Instant::now())), may_have_ended: Arc::default() }
    }
}

impl LastKey {
    /// A key was pressed now.
    pub fn touch(&self) {
        *self.pressed_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// It may have ended the line, or the line goes on.
    pub(super) fn set_may_have_ended(&self, may_have: bool) {
        self.may_have_ended.store(may_have, Ordering::Release);
    }

    /// The line may have ended.
    pub(super) fn may_have_ended(&self) -> bool {
        self.may_have_ended.load(Ordering::Acquire)
    }

    /// How long ago that was.
    pub(super) fn age(&self) -> Duration {
        self.pressed_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// How long this session may be left alone where it is; none outside of production.
pub(super) fn limit(session: &Session, tier: Option<Tier>) -> Option<Duration> {
    session.settings.time("idle").filter(|_| tier == Some(Tier::Prod))
}

/// How long a question of a command may stay open at this prompt, where the session or the command is in production.
pub(super) fn answer_limit(session: &Session, globals: &Globals) -> Option<Duration> {
    let limit = session.settings.time("idle").filter(|_| session.mode == SessionMode::Interactive)?;
    let concerned = [session.selection(), session.selection_with(&session.paths, globals)];
    concerned.into_iter().flatten().any(|it| is_production(session, &it)).then_some(limit)
}

fn is_production(session: &Session, selection: &Selection) -> bool {
    selection.environment().is_some_and(|env| environments::tier(&session.paths, &env) == Tier::Prod)
}

/// Leaves production after a line with a question that was left open for too long.
pub(super) fn leave_after_question(session: &mut Session, console: &mut dyn Console) {
    let is_in_production = session.selection().is_ok_and(|it| is_production(session, &it));
    if console.take_left_alone() && is_in_production {
        leave_production(session, console);
    }
}

/// Waits beside the editor, until no key was pressed for so long.
pub(super) struct IdleWatch {
    is_over: Arc<AtomicBool>,
    has_expired: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl IdleWatch {
    /// Sets `give_up` when no key was pressed for `limit`, and then ends.
    ///
    /// # Errors
    ///
    /// Fails if no thread can be made.
    pub(super) fn start(limit: Duration, last_key: LastKey, give_up: Arc<AtomicBool>) -> std::io::Result<Self> {
        let (is_over, has_expired) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (over, expired) = (Arc::clone(&is_over), Arc::clone(&has_expired));
        last_key.touch();
        let wait = move || {
            while !over.load(Ordering::Acquire) {
                match limit.checked_sub(last_key.age()).filter(|rest| !rest.is_zero()) {
                    Some(rest) => thread::park_timeout(rest),
                    None => {
                        expired.store(true, Ordering::Release);
                        give_up.store(true, Ordering::Release);
                        return;
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("idle".to_owned()).spawn(wait)?;
        Ok(Self { is_over, has_expired, thread: Some(thread) })
    }

    /// True if the time has passed.
    pub(super) fn has_expired(&self) -> bool {
        self.has_expired.load(Ordering::Acquire)
    }
}

impl Drop for IdleWatch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does nothing that panics.
            let _ = thread.join();
        }
    }
}

/// Leaves production for the default environment, or for `local` if that is production too; says so.
pub(super) fn leave_production(session: &mut Session, console: &mut dyn Console) {
    let before = session.selection().unwrap_or_default();
    let change = |env| SelectionChange { env: Some(env), ..SelectionChange::default() };
    session.change_selection(change(None));
    if session.selection().is_ok_and(|it| is_production(session, &it)) {
        session.change_selection(change(BUILT_IN[0].0.parse().ok()));
    }
    let place = |it: &Selection| it.environment().map_or_else(|| "no environment".to_owned(), |env| env.to_string());
    let after = session.selection().unwrap_or_default();
    let limit = session.settings.time("idle").unwrap_or_default();
    let back = before.env.as_ref().map(|env| format!("; `use @{env}` returns")).unwrap_or_default();
    console.note(&format!(
        "nothing was typed for {}: this session has left {} for {}{back}",
        HumanDuration(limit),
        place(&before),
        place(&after)
    ));
}
