//! From a request to its answer.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::sync::Semaphore;

use super::ServerIdentity;
use super::access::{AccessRefusal, AccessRule, Secrecy};
use super::answer::{self, HttpAnswer, MediaType};
use super::events::EventFeed;
use super::health;
use super::log::{Log, LogLevel};
use super::logs::LogQuery;
use super::reader::ProcessReader;
use super::route::{HttpRoute, parse_query};
use super::worker::WorkerReadError;

/// What can be asked for, in the format of OpenAPI.
const DESCRIPTION: &str = include_str!("assets/openapi.json");

/// The page for people, with its style and its script.
const PAGE: &str = include_str!("assets/index.html");
const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/app.js");

/// What answers are made from.
pub(super) struct Handler {
    pub(super) access: AccessRule,
    pub(super) identity: Arc<ServerIdentity>,
    pub(super) reader: ProcessReader,
    pub(super) log: Arc<Log>,
    pub(super) started: Instant,
    pub(super) events: Arc<EventFeed>,
    /// Answers that are as large as what was asked for; there are only so many at once.
    pub(super) shares: Arc<Semaphore>,
}

impl Handler {
    /// Answers a request.
    pub(super) async fn answer(&self, request: &Request<Incoming>) -> HttpAnswer {
        let answer = match self.route(request) {
            Ok(route) => self.answer_route(route, request).await,
            Err(problem) => problem.answer(),
        };
        if self.log.wants(LogLevel::Debug) {
            self.log.write_request(request.method().as_str(), request.uri().path(), answer.status().as_u16());
        }
        answer
    }

    /// What is asked for, or why it is not answered.
    fn route(&self, request: &Request<Incoming>) -> Result<HttpRoute, Problem> {
        let route = HttpRoute::parse(request.uri().path());
        let secrecy = route.as_ref().map_or(Secrecy::Protected, HttpRoute::secrecy);
        self.access.check(request.headers(), secrecy).map_err(Problem::Refused)?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Problem::Writes);
        }
        if !request.body().is_end_stream() {
            return Err(Problem::HasBody);
        }
        route.ok_or(Problem::NotFound("no such path"))
    }

    async fn answer_route(&self, route: HttpRoute, request: &Request<Incoming>) -> HttpAnswer {
        match route {
            HttpRoute::Live => json(StatusCode::OK, health::live(&self.identity, self.started.elapsed().as_secs())),
            HttpRoute::Health => self.health(|health| Some(health.all.clone())).await,
            HttpRoute::Ready => self.health(|health| Some(health.ready.clone())).await,
            HttpRoute::HealthOf(name) => self.health(|health| health.one(&name)).await,
            HttpRoute::Metrics => self.text(MediaType::Metrics, self.reader.metrics().await),
            HttpRoute::Processes => self.text(MediaType::Json, self.reader.processes().await),
            HttpRoute::Process(name) => self.text(MediaType::Json, self.reader.process(name).await.map(Bytes::from)),
            HttpRoute::Logs(name) => self.logs(name, request).await,
            HttpRoute::Events => answer::stream(self.events.follow(last_event(request).as_deref())),
            HttpRoute::Page => answer::whole(StatusCode::OK, MediaType::Html, PAGE),
            HttpRoute::Style => answer::whole(StatusCode::OK, MediaType::Css, STYLE),
            HttpRoute::Script => answer::whole(StatusCode::OK, MediaType::JavaScript, SCRIPT),
            HttpRoute::Description => answer::whole(StatusCode::OK, MediaType::Json, DESCRIPTION),
        }
    }

    async fn health(&self, part: impl FnOnce(&health::HealthSnapshot) -> Option<(StatusCode, String)>) -> HttpAnswer {
        match self.reader.health().await {
            Ok(health) => part(&health).map_or_else(
                || Problem::NotFound("no enabled service and no process has this name").answer(),
                |(status, body)| json(status, body),
            ),
            Err(error) => self.unreadable(&error),
        }
    }

    fn text(&self, kind: MediaType, text: Result<Bytes, WorkerReadError>) -> HttpAnswer {
        match text {
            Ok(text) => answer::whole(StatusCode::OK, kind, text),
            Err(error) => self.unreadable(&error),
        }
    }

    async fn logs(&self, name: String, request: &Request<Incoming>) -> HttpAnswer {
        let parts = parse_query(request.uri().query().unwrap_or_default());
        let parts = parts.ok_or_else(|| "the query is malformed".to_owned());
        let query = match parts.and_then(|parts| LogQuery::parse(&parts)) {
            Ok(query) => query,
            Err(message) => return answer::error(StatusCode::BAD_REQUEST, "usage", &message),
        };
        let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if query.follow || accepts.contains("text/event-stream") {
            return match self.reader.follow(name, query, last_event(request)).await {
                Ok(pieces) => answer::stream(pieces),
                Err(error) => self.unreadable(&error),
            };
        }
        let Ok(share) = Arc::clone(&self.shares).try_acquire_owned() else {
            return answer::error(StatusCode::SERVICE_UNAVAILABLE, "failed", "too many logs are being read");
        };
        match self.reader.lines(name, query).await {
            Ok(text) => answer::counted(MediaType::Json, text, share),
            Err(error) => self.unreadable(&error),
        }
    }

    fn unreadable(&self, error: &WorkerReadError) -> HttpAnswer {
        let text = error.to_string();
        match error {
            WorkerReadError::NotFound(_) => answer::error(StatusCode::NOT_FOUND, "not-found", &text),
            WorkerReadError::Invalid(_) => answer::error(StatusCode::BAD_REQUEST, "usage", &text),
            WorkerReadError::Slow | WorkerReadError::Failed(_) => {
                self.log.write(LogLevel::Error, &text);
                answer::error(StatusCode::SERVICE_UNAVAILABLE, "failed", &text)
            }
        }
    }
}

fn json(status: StatusCode, body: String) -> HttpAnswer {
    answer::whole(status, MediaType::Json, body)
}

/// What the client of a stream had last.
fn last_event(request: &Request<Incoming>) -> Option<String> {
    let last = request.headers().get("last-event-id")?;
    Some(last.to_str().unwrap_or_default().to_owned())
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    Refused(AccessRefusal),
    /// It is a request to change something.
    Writes,
    HasBody,
    NotFound(&'static str),
}

impl Problem {
    fn answer(self) -> HttpAnswer {
        let (status, kind, message) = match self {
            Self::Refused(AccessRefusal::BadHost) => {
                (StatusCode::BAD_REQUEST, "usage", "one `Host` header is required")
            }
            Self::Refused(AccessRefusal::ForeignHost) => (
                StatusCode::MISDIRECTED_REQUEST,
                "refused",
                "the name in `Host` is not one of this machine: use localhost or an address",
            ),
            Self::Refused(AccessRefusal::NoToken) => {
                (StatusCode::UNAUTHORIZED, "auth", "a token is required: `Authorization: Bearer TOKEN`")
            }
            Self::Writes => (StatusCode::METHOD_NOT_ALLOWED, "usage", "this server only reads: use GET"),
            Self::HasBody => (StatusCode::PAYLOAD_TOO_LARGE, "usage", "requests have no body here"),
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "not-found", message),
        };
        let mut answer = answer::error(status, kind, message);
        let header = match self {
            Self::Refused(AccessRefusal::NoToken) => Some((header::WWW_AUTHENTICATE, "Bearer")),
            Self::Writes => Some((header::ALLOW, "GET, HEAD")),
            _ => None,
        };
        answer.headers_mut().extend(header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        if matches!(self, Self::Writes | Self::HasBody | Self::Refused(AccessRefusal::BadHost)) {
            // What may still come is not read.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}
