//! Looking whether a process is well: over HTTP, by connecting, or with a command.

use std::fmt;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::sys::process;
use crate::sys::timeout::{self, CommandEnv, TimedRun};

use super::http::{self, remaining};

/// How to see whether a process is well. `$PORT` is its own port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthCheck {
    /// An answer below 400 that comes to an end.
    Http {
        /// The host, as in the URL.
        host: String,
        /// The port.
        port: CheckPort,
        /// The path with its query; begins with `/`.
        path: String,
    },
    /// The connection is accepted.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: CheckPort,
    },
    /// A line of `sh` that ends with 0, in the directory and with the variables of the process.
    Exec(String),
}

/// A port of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckPort {
    /// This one.
    Number(u16),
    /// That of the process.
    Process,
}

/// A text that is not a check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid health check `{0}`: expected http://host:port/path, tcp://host:port or exec:command")]
pub struct InvalidHealthCheck(pub String);

impl FromStr for HealthCheck {
    type Err = InvalidHealthCheck;

    fn from_str(given: &str) -> Result<Self, InvalidHealthCheck> {
        parse(given.trim()).ok_or_else(|| InvalidHealthCheck(given.to_owned()))
    }
}

fn parse(given: &str) -> Option<HealthCheck> {
    if let Some(line) = given.strip_prefix("exec:") {
        return Some(line.trim()).filter(|line| !line.is_empty()).map(|line| HealthCheck::Exec(line.to_owned()));
    }
    if let Some(rest) = given.strip_prefix("tcp://") {
        let (host, port) = authority(rest, None)?;
        return Some(HealthCheck::Tcp { host, port });
    }
    let rest = given.strip_prefix("http://")?;
    let (at, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = authority(at, Some(80))?;
    let path = if path.is_empty() { "/" } else { path };
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| HealthCheck::Http { host, port, path: path.to_owned() })
}

fn authority(text: &str, usual: Option<u16>) -> Option<(String, CheckPort)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, "$PORT" | "${PORT}")) => (host, CheckPort::Process),
        Some((host, port)) if !port.ends_with(']') => {
            (host, CheckPort::Number(port.parse().ok().filter(|port| *port > 0)?))
        }
        _ => (text, CheckPort::Number(usual?)),
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    (!host.is_empty() && host.bytes().all(legal)).then(|| (host.to_owned(), port))
}

impl fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port, path } => write!(f, "http://{host}:{port}{path}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Exec(line) => write!(f, "exec:{line}"),
        }
    }
}

impl fmt::Display for CheckPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(port) => port.fmt(f),
            Self::Process => f.write_str("$PORT"),
        }
    }
}

/// The process that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct ProbeTarget<'a> {
    /// Its pid.
    pub pid: u32,
    /// Its port.
    pub port: Option<u16>,
    /// Its directory.
    pub cwd: &'a Path,
    /// The user and group that it runs as, if they are not ours.
    pub user: Option<(u32, u32)>,
}

impl HealthCheck {
    /// Looks once, for at most `limit`.
    ///
    /// # Errors
    ///
    /// Says in words why it is not well.
    pub fn probe(&self, patient: &ProbeTarget, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        match self {
            Self::Http { host, port, path } => {
                let target = ProbeAddress::of(host, *port, patient)?;
                let authority = format!("{}:{}", target.host, target.port);
                http::get(&authority, path, deadline, || connect(&target, deadline))
            }
            Self::Tcp { host, port } => connect(&ProbeAddress::of(host, *port, patient)?, deadline).map(drop),
            Self::Exec(line) => exec(line, patient, limit),
        }
    }
}

struct ProbeAddress {
    host: String,
    port: u16,
}

impl ProbeAddress {
    fn of(host: &str, port: CheckPort, target: &ProbeTarget) -> Result<Self, String> {
        let port = match port {
            CheckPort::Number(port) => port,
            CheckPort::Process => target.port.ok_or("the process has no port, and the check uses $PORT")?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

/// A connection is tried at every address of the host.
fn connect(target: &ProbeAddress, deadline: Instant) -> Result<TcpStream, String> {
    let ProbeAddress { host, port } = target;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, *port).to_socket_addrs().map_err(|error| format!("cannot resolve {host}: {error}"))?;
    let mut why = format!("{host} has no address");
    for address in found {
        match TcpStream::connect_timeout(&address, remaining(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => why = format!("no connection to {address}: {error}"),
        }
    }
    Err(why)
}

/// The marks of a managed process: who has them belongs to it, and a check does not.
const PROCESS_MARKERS: [&[u8]; 3] = [b"TSM_RUN", b"TSM_PROCESS_DIR", b"NOTIFY_SOCKET"];

fn exec(line: &str, target: &ProbeTarget, limit: Duration) -> Result<(), String> {
    let mut variables = process::variables(target.pid);
    variables.retain(|(name, _)| !PROCESS_MARKERS.contains(&name.as_slice()));
    match timeout::run(line, &CommandEnv { cwd: target.cwd, variables: &variables, user: target.user }, limit) {
        Ok(TimedRun::Exited { code: 0, .. }) => Ok(()),
        Ok(TimedRun::Exited { code, said }) if said.is_empty() => Err(format!("exit {code}")),
        Ok(TimedRun::Exited { code, said }) => Err(format!("exit {code}: {said}")),
        Ok(TimedRun::TimedOut) => Err(format!("timed out after {} ms", limit.as_millis())),
        Err(error) => Err(format!("failed to run the check: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use std::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(20);

    fn patient(port: Option<u16>) -> ProbeTarget<'static> {
        ProbeTarget { pid: std::process::id(), port, cwd: Path::new("/"), user: None }
    }

    fn look(check: &str, port: Option<u16>, limit: Duration) -> Result<(), String> {
        check.parse::<HealthCheck>().expect("a check").probe(&patient(port), limit)
    }

    #[test]
    fn checks_are_read_and_written_back() {
        for (given, shown) in [
            ("http://localhost:4000/health?x=1", "http://localhost:4000/health?x=1"),
            ("http://127.0.0.1", "http://127.0.0.1:80/"),
            ("http://localhost:$PORT/", "http://localhost:$PORT/"),
            ("http://[::1]:80/", "http://[::1]:80/"),
            ("tcp://db:5432", "tcp://db:5432"),
            ("tcp://db:${PORT}", "tcp://db:$PORT"),
            ("exec: pg_isready -q", "exec:pg_isready -q"),
        ] {
            let check: HealthCheck = given.parse().expect(given);
            assert_eq!(check.to_string(), shown);
            assert_eq!(shown.parse(), Ok(check));
        }
        for given in [
            "",
            "https://x/",
            "tcp://db",
            "tcp://:1",
            "http://",
            "http://a b/",
            "http://x:0/",
            "http://x/\r\nA: b",
            "exec:",
            "ftp://x",
        ] {
            assert!(given.parse::<HealthCheck>().is_err(), "{given:?}");
        }
    }

    /// A server that answers one connection, and its port.
    fn server(answer: &'static [u8]) -> (u16, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1024];
            let count = stream.read(&mut request).expect("a request");
            stream.write_all(answer).expect("an answer");
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        (port, serving)
    }

    #[test]
    fn an_answer_below_400_is_well() {
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Ok(())),
            (b"HTTP/1.0 302 Found\r\n\r\n", Ok(())),
            (b"HTTP/1.1 503 No\r\n\r\n", Err("HTTP 503".to_owned())),
            (b"SSH-2.0\r\n", Err("not an HTTP response".to_owned())),
        ] {
            let (port, serving) = server(answer);
            assert_eq!(look("http://127.0.0.1:$PORT/health", Some(port), LIMIT), expected);
            let request = serving.join().expect("it served");
            assert!(request.starts_with("GET /health HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
        }
    }

    #[test]
    fn silence_and_refusal_are_distinguished() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let silent = look("http://127.0.0.1:$PORT/", Some(port), Duration::from_millis(50));
        assert_eq!(silent, Err("timed out".to_owned()));
        assert_eq!(look("tcp://localhost:$PORT", Some(port), LIMIT), Ok(()));
        drop(listener);
        let refused = look("tcp://127.0.0.1:$PORT", Some(port), LIMIT).expect_err("no process listens");
        assert!(refused.starts_with("no connection to 127.0.0.1:"), "{refused}");
        assert!(look("tcp://127.0.0.1:$PORT", None, LIMIT).is_err());
    }

    #[test]
    fn a_command_says_why() {
        assert_eq!(look("exec:true", None, LIMIT), Ok(()));
        assert_eq!(look("exec:echo no disk; exit 3", None, LIMIT), Err("exit 3: no disk".to_owned()));
    }
}
