//! The way between an operator's machine and a host: it counts what passes, and can hang or be cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::linux::net::TcpStreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::waiting::pause;

/// How often a connection looks whether the link is still as it was.
const LOOK: Duration = Duration::from_millis(20);

const PASSES: u8 = 0;
const HANGS: u8 = 1;
const CUT: u8 = 2;
const CLOSED: u8 = 3;
const ENDED: u8 = 4;

/// A port of the loopback that leads to another one.
pub(super) struct Link {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: AtomicU16,
    state: AtomicU8,
    connections: AtomicUsize,
    /// Bytes from the operator to the host.
    sent: AtomicU64,
    /// Once so many were sent, the link gets the state `then`.
    until: AtomicU64,
    then: AtomicU8,
}

impl Link {
    /// Leads to a port.
    pub(super) fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared {
            target: AtomicU16::new(target),
            state: AtomicU8::new(PASSES),
            connections: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            until: AtomicU64::new(u64::MAX),
            then: AtomicU8::new(PASSES),
        });
        let own = shared.clone();
        std::thread::spawn(move || accept(&listener, &own));
        Self { port, shared }
    }

    /// The port that leads there.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Nothing passes any more, and nothing is closed.
    pub(super) fn hang(&self) {
        self.shared.state.store(HANGS, Ordering::SeqCst);
    }

    /// All connections are closed, and new ones at once.
    pub(super) fn cut(&self) {
        self.shared.state.store(CUT, Ordering::SeqCst);
    }

    /// New connections are closed at once; those that there are go on.
    pub(super) fn hold_new(&self) {
        self.shared.state.store(CLOSED, Ordering::SeqCst);
    }

    /// The same once so many more bytes were sent to the host.
    pub(super) fn cut_after(&self, bytes: u64) {
        self.after(bytes, CUT);
    }

    /// It hangs once so many more bytes were sent to the host.
    pub(super) fn hang_after(&self, bytes: u64) {
        self.after(bytes, HANGS);
    }

    fn after(&self, bytes: u64, then: u8) {
        self.shared.then.store(then, Ordering::SeqCst);
        self.shared.until.store(self.sent() + bytes, Ordering::SeqCst);
    }

    /// True while nothing passes.
    pub(super) fn hangs(&self) -> bool {
        self.shared.state.load(Ordering::SeqCst) == HANGS
    }

    /// How many bytes were sent to the host.
    pub(super) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// All passes again.
    pub(super) fn mend(&self) {
        self.shared.until.store(u64::MAX, Ordering::SeqCst);
        self.shared.state.store(PASSES, Ordering::SeqCst);
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.state.store(ENDED, Ordering::SeqCst);
        // It wakes the one that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(client) = stream else { continue };
        match shared.state.load(Ordering::SeqCst) {
            ENDED => return,
            CUT | CLOSED => {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            _ => shared.connections.fetch_add(1, Ordering::SeqCst),
        };
        let shared = shared.clone();
        std::thread::spawn(move || connect(client, &shared));
    }
}

/// Both ways of a connection, until it ends or is cut.
fn connect(client: TcpStream, shared: &Arc<Shared>) {
    while shared.state.load(Ordering::SeqCst) == HANGS {
        pause();
    }
    let target = shared.target.load(Ordering::SeqCst);
    let Ok(host) = TcpStream::connect(("127.0.0.1", target)) else { return };
    let (Ok(client_too), Ok(host_too), own) = (client.try_clone(), host.try_clone(), shared.clone()) else { return };
    let back = std::thread::spawn(move || pump(&host_too, &client_too, &own, |_| {}));
    pump(&client, &host, shared, |bytes| {
        let sent = shared.sent.fetch_add(bytes, Ordering::SeqCst) + bytes;
        if sent >= shared.until.load(Ordering::SeqCst) {
            shared.state.store(shared.then.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    });
    let _ = back.join();
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, shared: &Shared, passed: impl Fn(u64)) {
    let mut bytes = [0; 16 << 10];
    let _ = from.set_read_timeout(Some(LOOK));
    let _ = to.set_nodelay(true);
    loop {
        // ssh sends the next small part when this one is acknowledged, and that may be after 40 ms otherwise. It lasts for some reads.
        let _ = from.set_quickack(true);
        let found = from.read(&mut bytes);
        while shared.state.load(Ordering::SeqCst) == HANGS {
            pause();
        }
        let is_cut = matches!(shared.state.load(Ordering::SeqCst), CUT | ENDED);
        let length = match found {
            Ok(length) if !is_cut => length,
            Err(error) if !is_cut && is_passing(error.kind()) => continue,
            _ => 0,
        };
        if length == 0 || to.write_all(&bytes[..length]).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
        passed(length as u64);
    }
}

/// Nothing came for a while; or a signal came, and no read that has a limit of time is begun again after one.
fn is_passing(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
