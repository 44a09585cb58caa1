//! What the commands of a session answered about processes that ended: it is not said a second time in a notice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::time::Timestamp;

/// The oldest are dropped beyond so many.
const MAX_ANSWERS: usize = 1000;

/// The answers of this session; all copies share them.
#[derive(Debug, Clone, Default)]
pub struct Answers(Arc<Mutex<VecDeque<Answer>>>);

/// A command that said how a process ended, and when it ran.
#[derive(Debug)]
struct Answer {
    process: String,
    began: Timestamp,
    ended: Timestamp,
}

impl Answers {
    /// A command that ran from `began` to `ended` said how the process ended.
    pub fn add(&self, process: &str, began: Timestamp, ended: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_ANSWERS {
            all.pop_front();
        }
        all.push_back(Answer { process: process.to_owned(), began, ended });
    }

    /// True if the end of the process at that moment was answered.
    #[must_use]
    pub fn cover(&self, process: &str, at: Timestamp) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().any(|it| it.process == process && (it.began..=it.ended).contains(&at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_about_one_process_and_the_time_of_its_command() {
        let answers = Answers::default();
        answers.clone().add("api", Timestamp(10), Timestamp(20));
        let covered = |name, at| answers.cover(name, Timestamp(at));
        assert!(covered("api", 10) && covered("api", 20));
        assert!(!covered("api", 9) && !covered("api", 21) && !covered("web", 15));
        (0..MAX_ANSWERS).for_each(|_| answers.add("api", Timestamp(30), Timestamp(40)));
        assert!(!covered("api", 15) && covered("api", 35), "the oldest are dropped");
    }
}
