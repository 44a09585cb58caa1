//! Launching what commands of other logins ask for, so that it belongs to the unit of the daemon.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::base::name::ProcessName;
use crate::supervise::client;
use crate::sys::launch_socket::{LaunchConnection, LaunchListener};
use crate::sys::paths::Paths;
use crate::sys::pidfd::ChildHandle;
use crate::sys::process;
use crate::tsm::launch::request::{LaunchAnswer, LaunchKind, LaunchRequest};
use crate::tsm::sidecar;

/// So many may ask at the same time; others wait for their turn.
const MAX_CONNECTIONS: usize = 64;

/// How long one who connected may take to say what is wanted.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long what was executed may take to leave us. It says itself what became of it.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two looks at what was executed where no handle on it is to be had.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The daemon's end of the socket, and what goes on there.
#[derive(Debug)]
pub struct Launcher {
    listener: LaunchListener,
    processes: PathBuf,
    program: PathBuf,
    open: Vec<LaunchExchange>,
}

/// One who asks.
#[derive(Debug)]
struct LaunchExchange {
    connection: LaunchConnection,
    state: ExchangeState,
    until: Instant,
}

#[derive(Debug)]
enum ExchangeState {
    /// The request was not read yet.
    Asked,
    /// It was executed, and has not left us.
    Executed { child: Child, handle: ChildHandle },
}

impl Launcher {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// Fails if the socket cannot be made.
    pub fn open(paths: &Paths, program: &Path) -> io::Result<Self> {
        let listener = LaunchListener::bind(&paths.daemon_socket())?;
        Ok(Self { listener, processes: paths.processes(), program: program.to_owned(), open: Vec::new() })
    }

    /// What to wait for.
    #[must_use]
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let listener = (self.open.len() < MAX_CONNECTIONS).then(|| self.listener.as_fd());
        let open = self.open.iter().filter_map(|exchange| match &exchange.state {
            ExchangeState::Asked => Some(exchange.connection.as_fd()),
            ExchangeState::Executed { handle, .. } => handle.held().map(AsFd::as_fd),
        });
        listener.into_iter().chain(open).collect()
    }

    /// When something is over that does not end by itself.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let due = self.open.iter().map(|exchange| match &exchange.state {
            // Nothing tells when it ends.
            ExchangeState::Executed { handle, .. } if handle.held().is_none() => {
                exchange.until.min(Instant::now() + LOOK_INTERVAL)
            }
            _ => exchange.until,
        });
        due.min()
    }

    /// Goes on with what can go on. `refusal` says why nothing is launched any more. Returns what was launched.
    pub fn serve(&mut self, refusal: Option<&str>) -> Vec<(LaunchKind, String)> {
        while self.open.len() < MAX_CONNECTIONS
            && let Some(connection) = self.listener.accept()
        {
            let until = Instant::now() + REQUEST_TIMEOUT;
            self.open.push(LaunchExchange { connection, state: ExchangeState::Asked, until });
        }
        let mut launched = Vec::new();
        let mut open = Vec::new();
        for exchange in std::mem::take(&mut self.open) {
            open.extend(self.step(exchange, refusal, &mut launched));
        }
        self.open = open;
        launched
    }

    /// The exchange as it goes on; none if it is over.
    fn step(
        &self,
        mut exchange: LaunchExchange,
        refusal: Option<&str>,
        launched: &mut Vec<(LaunchKind, String)>,
    ) -> Option<LaunchExchange> {
        match exchange.state {
            ExchangeState::Asked => match exchange.connection.receive() {
                Ok((message, output)) if !message.is_empty() => {
                    let (child, request) = self.answer(&exchange.connection, &message, output, refusal)?;
                    let handle = ChildHandle::of(&child);
                    launched.push((request.launch, request.name));
                    let until = Instant::now() + LEAVE_TIMEOUT;
                    Some(LaunchExchange { state: ExchangeState::Executed { child, handle }, until, ..exchange })
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < exchange.until => {
                    Some(exchange)
                }
                _ => None,
            },
            ExchangeState::Executed { ref mut child, .. } => match child.try_wait() {
                Ok(None) if Instant::now() < exchange.until => Some(exchange),
                Ok(Some(status)) => {
                    let code = crate::sys::child::exit_code(status);
                    let _ = exchange.connection.send(&LaunchAnswer::Done { code }.encode(), None);
                    None
                }
                // It is collected when it ends after all: by init, once we are gone.
                Ok(None) | Err(_) => None,
            },
        }
    }

    /// Executes a request, once the client knows that it must not do it itself.
    fn answer(
        &self,
        connection: &LaunchConnection,
        message: &[u8],
        output: Option<OwnedFd>,
        refusal: Option<&str>,
    ) -> Option<(Child, LaunchRequest)> {
        let refuse = |why: String| {
            let _ = connection.send(&LaunchAnswer::Refused { why }.encode(), None);
        };
        if let Some(why) = refusal {
            refuse(why.to_owned());
            return None;
        }
        let Some((request, output)) = LaunchRequest::decode(message).zip(output) else {
            refuse("the daemon is of another version; restart it".to_owned());
            return None;
        };
        let dir = match self.directory(&request.name) {
            Ok(dir) => dir,
            Err(why) => {
                refuse(why);
                return None;
            }
        };
        connection.send(&LaunchAnswer::Taken.encode(), None).ok()?;
        let mut command = match request.launch {
            LaunchKind::Supervisor => client::starter(&self.program, &dir, output),
            LaunchKind::Sidecar => sidecar::starter(&self.program, &dir, output),
        };
        match command.spawn() {
            Ok(child) => Some((child, request)),
            Err(error) => {
                refuse(format!("failed to execute `{}`: {error}", self.program.display()));
                None
            }
        }
    }

    /// The directory of a process of ours.
    fn directory(&self, name: &str) -> Result<PathBuf, String> {
        let name: ProcessName = name.parse().map_err(|_| format!("`{name}` is not the name of a process"))?;
        let dir = self.processes.join(name.as_str());
        match crate::disk::owner_of(&dir) {
            Some((uid, _)) if uid == process::own_uid() => Ok(dir),
            Some(_) => Err(format!("`{}` belongs to another user than the daemon", dir.display())),
            None => Err(format!("`{}` does not exist", dir.display())),
        }
    }
}
