//! Kinds of events with a name of their own.

use std::time::Duration;

use super::ReportedEvent;

/// A kind of events that operators ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedKind {
    /// An administrator came in.
    AdminLogin,
    /// A request failed.
    ApiError,
    /// An answer took longer than [`SLOW_RESPONSE`].
    HighResponseTime,
    /// What was gathered was written.
    BatchFlush,
    /// A visit began.
    SessionStart,
    /// A form was submitted.
    FormInteraction,
    /// A click.
    ClickTracking,
    /// A search.
    SearchActivity,
}

/// An answer that takes longer is slow.
pub const SLOW_RESPONSE: Duration = Duration::from_secs(1);

impl ReportedKind {
    /// All of them with their names.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::AdminLogin, "ADMIN_LOGIN"),
        (Self::ApiError, "API_ERROR"),
        (Self::HighResponseTime, "HIGH_RESPONSE_TIME"),
        (Self::BatchFlush, "BATCH_FLUSH"),
        (Self::SessionStart, "SESSION_START"),
        (Self::FormInteraction, "FORM_INTERACTION"),
        (Self::ClickTracking, "CLICK_TRACKING"),
        (Self::SearchActivity, "SEARCH_ACTIVITY"),
    ];

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// True if an event is of this kind.
    #[must_use]
    pub fn matches(self, event: &ReportedEvent) -> bool {
        match self {
            Self::AdminLogin => event.has("LOGIN") && (event.has("ADMIN") || role(event) == Some("admin")),
            Self::ApiError => event.category == "API" && event.is_error(),
            Self::HighResponseTime => event.response_time().is_some_and(|time| time > SLOW_RESPONSE),
            Self::BatchFlush => event.has("BATCH") && event.has("FLUSH"),
            Self::SessionStart => event.has("SESSION") && event.has("START"),
            Self::FormInteraction => event.has("FORM"),
            Self::ClickTracking => event.has("CLICK"),
            Self::SearchActivity => event.has("SEARCH"),
        }
    }

    /// The names of the kinds that an event is of.
    #[must_use]
    pub fn names(event: &ReportedEvent) -> Vec<&'static str> {
        Self::ALL.iter().filter(|(kind, _)| kind.matches(event)).map(|(_, name)| *name).collect()
    }
}

fn role(event: &ReportedEvent) -> Option<&str> {
    event.data.get("role")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    #[test]
    fn each_kind_is_distinguished_from_the_others() {
        for (text, names) in [
            ("TETRA:ADMIN:LOGIN {}", &["ADMIN_LOGIN"][..]),
            ("TETRA:AUTH:LOGIN {\"role\":\"admin\"}", &["ADMIN_LOGIN"]),
            ("TETRA:AUTH:LOGIN {\"role\":\"guest\"}", &[]),
            ("TETRA:API:REQUEST {\"status\":500,\"responseTime\":1200}", &["API_ERROR", "HIGH_RESPONSE_TIME"]),
            ("TETRA:API:REQUEST {\"status\":200,\"responseTime\":1000}", &[]),
            ("TETRA:BATCH:FLUSH {}", &["BATCH_FLUSH"]),
            ("TETRA:SESSION:START {}", &["SESSION_START"]),
            ("TETRA:UI:FORM_FOCUS {}", &["FORM_INTERACTION"]),
            ("TETRA:CLICK:BUTTON {}", &["CLICK_TRACKING"]),
            ("TETRA:USER:SEARCH {}", &["SEARCH_ACTIVITY"]),
        ] {
            assert_eq!(ReportedKind::names(&event(text)), names, "{text}");
        }
        assert_eq!(ReportedKind::named("API_ERROR"), Some(ReportedKind::ApiError));
        assert_eq!(ReportedKind::named("NONE"), None);
    }
}
