//! `tetra serve`: health, metrics and the state of processes over HTTP, read only.
//!
//! One thread answers, another reads files, and the caller writes the lines of the log ([`Server::start`]). So neither a slow disk
//! nor a log that is not read delays an answer, and no client does: connections are limited, heads have a largest size and a timeout,
//! bodies are refused, and clients that do not read are disconnected.
//!
//! ```text
//! connection   accepts, bounds, closes          stream     fails if the client does not read
//! busy         which connections have an answer under way
//! handler      request -> answer                access     Host and token
//! route        path -> what is asked for        answer     head and body
//! worker       a thread that waits for disks    desk       what is read there of processes
//! logs         what is read there of logs       reader     what was read last
//! health       how services are, as JSON        metrics    measurements, for Prometheus
//! events       what happens to processes        log_feed   logs that are followed
//! follow       followers of both                log        what the server says
//! ```

mod access;
mod answer;
mod busy;
mod connection;
mod desk;
mod events;
mod follow;
mod handler;
mod health;
mod log;
mod log_feed;
mod logs;
mod metrics;
mod reader;
mod route;
mod stream;
mod worker;

use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::net::unix::pipe;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::ops::snapshot::Usage;
use crate::report::{Fields, Message, Table};
use crate::sys::paths::Paths;
use crate::sys::{listen_socket, signal};
use crate::tsm::logs::{LogLine, LogSource};
use crate::tsm::store::Process;

pub use access::AccessRule;
use desk::Desk;
use events::EventFeed;
use handler::Handler;
pub use log::LogOptions;
use log::{Log, LogLevel};
use log_feed::LogFeeds;
use logs::LogDesk;
use reader::ProcessReader;

/// The port without another one.
pub const DEFAULT_PORT: u16 = 4444;

/// More connections than this are not open at once, whatever the limit of descriptors says.
const MAX_CONNECTIONS: usize = 4096;

/// So many answers of logs are under way at once.
const MAX_LARGE: usize = 16;

/// How often a comment is sent to followers, so that their connection stays open.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Descriptors that are left for files.
const SPARE_FDS: u64 = 64;

/// What this server is, and for what.
#[derive(Debug, Clone, Serialize)]
pub struct ServerIdentity {
    /// Of this program.
    pub version: &'static str,
    /// What runs here: `TETRA_RELEASE`, or the version.
    pub release: String,
    /// The organization, if one is known.
    pub org: Option<String>,
    /// The environment, if one is known.
    pub env: Option<String>,
}

/// Makes the JSON of one line after the other.
pub type LineWriter = Box<dyn FnMut(LogLine) -> String>;

/// How values become rows: as the commands have them, so that the answers have the shapes of `--json`.
#[derive(Debug, Clone, Copy)]
pub struct Views {
    /// Of `tsm list`.
    pub list: fn(&[Process], Timestamp, &Usage) -> Table,
    /// Of `tsm info`.
    pub info: fn(&Process, Timestamp, &Usage) -> Result<Fields, Fault>,
    /// Of `tsm logs`: makes the JSON of lines, one after the other.
    pub log_lines: fn(&[LogSource]) -> LineWriter,
}

/// What a server needs.
pub struct ServerOptions {
    /// The socket that it accepts connections on.
    pub socket: TcpListener,
    /// Where the processes are.
    pub paths: Paths,
    /// How values become rows.
    pub views: Views,
    /// Who is answered.
    pub access: AccessRule,
    /// What it is.
    pub identity: ServerIdentity,
    /// What it writes about itself.
    pub log: LogOptions,
    /// The first lines of the log, which say what is wrong with its options.
    pub warnings: Vec<String>,
}

/// A server that runs.
pub struct Server {
    /// What it says, until it has ended.
    pub lines: Receiver<Message>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts it in a thread of its own. It runs until this program is asked to end.
    ///
    /// # Errors
    ///
    /// Fails if a thread or what it waits with cannot be made.
    pub fn start(options: ServerOptions) -> io::Result<Self> {
        let (log, lines) = Log::open(options.log);
        let (log, identity) = (Arc::new(log), Arc::new(options.identity));
        for warning in &options.warnings {
            log.write(LogLevel::Warn, warning);
        }
        let (paths, views, about) = (options.paths.clone(), options.views, Arc::clone(&identity));
        let (events, reading) = EventFeed::start(&paths.events());
        if let Err(error) = reading {
            log.write(LogLevel::Warn, &format!("events cannot be read: {error}"));
        }
        let feeds = LogFeeds::new(paths.clone(), views);
        let log_desk = LogDesk { paths: options.paths, views };
        let counted = Arc::clone(&events);
        let desk = move || Desk::new(paths, views, about, counted);
        let reader = ProcessReader::start(desk, move || log_desk, Arc::clone(&feeds))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = options.socket.local_addr()?;
        let handler = Handler {
            access: options.access,
            identity,
            reader,
            events,
            log: Arc::clone(&log),
            started: Instant::now(),
            shares: Arc::new(Semaphore::new(MAX_LARGE)),
        };
        let most =
            usize::try_from(listen_socket::raise_fd_limit().saturating_sub(SPARE_FDS)).unwrap_or(MAX_CONNECTIONS);
        let most = most.clamp(1, MAX_CONNECTIONS);
        let socket = options.socket;
        let run = move || {
            runtime.block_on(async move {
                let socket = match tokio::net::TcpListener::from_std(socket) {
                    Ok(socket) => socket,
                    Err(error) => return log.write(LogLevel::Error, &error.to_string()),
                };
                log.write(LogLevel::Info, &format!("listening on http://{address}"));
                let (close, closing) = watch::channel(false);
                let (open_events, open_feeds) = (Arc::clone(&handler.events), Arc::clone(&feeds));
                tokio::spawn(async move {
                    asked_to_end().await;
                    open_events.close();
                    open_feeds.close();
                    let _ = close.send(true);
                });
                let open_events = Arc::clone(&handler.events);
                tokio::spawn(async move {
                    loop {
                        sleep(KEEP_ALIVE_INTERVAL).await;
                        open_events.keep_alive();
                        feeds.keep_alive();
                    }
                });
                connection::serve(socket, Arc::new(handler), closing, most).await;
                log.write(LogLevel::Info, "stopped");
            });
            // What still runs in it is not waited for.
            runtime.shutdown_background();
        };
        Ok(Self { lines, thread: thread::Builder::new().name("serve".to_owned()).spawn(run)? })
    }

    /// Waits for the end, after the last line; true if it was an orderly one.
    #[must_use]
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}

/// Waits for Ctrl-C or a signal that asks this program to end.
async fn asked_to_end() {
    let ends = signal::stop_fds()
        .into_iter()
        .filter_map(|fd| pipe::Receiver::from_owned_fd(fd.try_clone_to_owned().ok()?).ok());
    let ends: Vec<pipe::Receiver> = ends.collect();
    let mut waits: Vec<_> = ends.iter().map(|end| Box::pin(end.readable())).collect();
    poll_fn(|cx| match waits.iter_mut().any(|wait| wait.as_mut().poll(cx).is_ready()) || signal::interrupted() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}
