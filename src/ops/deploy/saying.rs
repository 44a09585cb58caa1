//! What is said of a host while it is worked on: where it is, and what is to be known beside that.

/// What is said of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying {
    /// Where it is, or what is done with it.
    State(String),
    /// Something to be known; it is where it was.
    Note(String),
}

/// Hands it on to what shows it.
#[derive(Clone, Copy)]
pub struct Say<'a>(&'a dyn Fn(Saying));

impl<'a> Say<'a> {
    /// To `hear`.
    #[must_use]
    pub fn to(hear: &'a dyn Fn(Saying)) -> Self {
        Self(hear)
    }

    /// It is not shown.
    #[must_use]
    pub fn to_none() -> Self {
        Self(&|_| {})
    }

    /// Where the host is.
    pub fn state(self, text: &str) {
        (self.0)(Saying::State(text.to_owned()));
    }

    /// What is to be known of it.
    pub fn note(self, text: &str) {
        (self.0)(Saying::Note(text.to_owned()));
    }
}
