//! What reaches the prompt while a line is edited: the counts of the processes, and notices above the line.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reedline::{ExternalPrinter, Reedline};

use super::notices::{MAX_NOTICES, Notices};
use super::overview::SharedOverview;
use super::session::Session;
use super::{paint, terminal};
use crate::ops::process_feed::{ProcessFeed, ProcessNews};
use crate::report::Tone;
use crate::report::theme::{Role, Theme};
use crate::sys::paths::Paths;

/// Feeds the editor with what happens to the processes.
#[derive(Default)]
pub struct Pulse {
    repaint: Arc<Mutex<Option<Repaint>>>,
    /// Notices that the editor shows when it can.
    pub(super) notices: Notices,
    is_talkative: Arc<AtomicBool>,
    theme: Arc<Mutex<Theme>>,
    feed: Option<(Paths, ProcessFeed)>,
}

/// Has the editor of this moment paint its prompt anew. (It does not export the type of its signal.)
type Repaint = Box<dyn Fn() + Send>;

impl Pulse {
    /// An editor that gets the news from now on.
    pub fn attach(&self, mut editor: Reedline) -> Reedline {
        let printer = ExternalPrinter::new(MAX_NOTICES);
        let signal = editor.repaint_signal();
        *self.repaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(move || signal.request_repaint()));
        let sender = printer.sender();
        // It is dropped rather than waited with.
        self.notices.show_with(Box::new(move |text| drop(sender.try_send(text))));
        editor.with_external_printer(printer)
    }

    /// Has the processes of the session looked at again. Does not wait for it.
    pub fn refresh(&mut self, session: &Session) {
        self.is_talkative.store(session.settings.is_on("notices"), Ordering::Release);
        *self.theme.lock().unwrap_or_else(PoisonError::into_inner) = session.theme();
        match &self.feed {
            Some((paths, feed)) if *paths == session.paths => feed.refresh(),
            _ => {
                self.feed = None;
                let publish = self.publisher(session.processes.clone(), terminal::colors(session));
                let answers = session.answers.clone();
                self.notices.leave_out(answers.clone());
                // Without it the prompt has no counts, for example where no thread can be made.
                let started = ProcessFeed::start(session.paths.clone(), answers, publish).ok();
                self.feed = started.map(|feed| (session.paths.clone(), feed));
            }
        }
    }

    fn publisher(&self, overview: SharedOverview, colors: bool) -> impl FnMut(ProcessNews) + Send + 'static {
        let (repaint, notices) = (Arc::clone(&self.repaint), self.notices.clone());
        let is_talkative = Arc::clone(&self.is_talkative);
        let theme = Arc::clone(&self.theme);
        move |news| {
            overview.set(news.overview);
            if is_talkative.load(Ordering::Acquire) {
                let style =
                    paint::style(*theme.lock().unwrap_or_else(PoisonError::into_inner), Role::Output(Tone::Warn));
                for notice in news.notices {
                    let paint = |text| if colors { style.paint(text).to_string() } else { text };
                    notices.add(notice, paint);
                }
            }
            if let Some(repaint) = &*repaint.lock().unwrap_or_else(PoisonError::into_inner) {
                repaint();
            }
        }
    }
}
