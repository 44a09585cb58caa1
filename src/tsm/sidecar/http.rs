//! A look over HTTP: one request, its whole answer, and where it redirects to on the same server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest head of an answer.
const MAX_HEAD: usize = 64 * 1024;

/// Of a body that is longer no more is read. One that does not say its length has to end before.
const MAX_BODY: u64 = 1 << 20;

/// How often a server may send on.
const MAX_REDIRECTS: usize = 10;

/// What an answer says before its body.
#[derive(Debug, PartialEq, Eq)]
struct ResponseHead {
    status: u16,
    /// Where to go on.
    location: Option<String>,
    body: Body,
}

/// How to know that a body has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// With an empty chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// Asks for `path`, and goes on where the same server redirects to. Well is an answer below 400 that ends.
///
/// # Errors
///
/// Says in words why it is not well.
pub(super) fn get(
    authority: &str,
    path: &str,
    deadline: Instant,
    connect: impl Fn() -> Result<TcpStream, String>,
) -> Result<(), String> {
    let mut path = path.to_owned();
    let mut seen = Vec::new();
    while seen.len() <= MAX_REDIRECTS {
        let head = send_request(connect()?, authority, &path, deadline)?;
        if head.status >= 400 || head.status < 200 {
            return Err(format!("HTTP {}", head.status));
        }
        let next = head.location.filter(|_| (300..400).contains(&head.status));
        // What is on another server says nothing about this one, which has answered.
        let Some(next) = next.and_then(|location| on_same_server(&location, authority, &path)) else { return Ok(()) };
        seen.push(std::mem::replace(&mut path, next));
        if seen.contains(&path) {
            return Err(format!("{path} redirects to itself"));
        }
    }
    Err(format!("more than {MAX_REDIRECTS} redirects"))
}

fn send_request(mut stream: TcpStream, authority: &str, path: &str, deadline: Instant) -> Result<ResponseHead, String> {
    stream.set_write_timeout(Some(remaining(deadline)?)).map_err(describe_error)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(describe_error)?;
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = end_of_head(&bytes) {
            break end;
        }
        let more = bytes.len() < MAX_HEAD && (bytes.len() < 5 || bytes.starts_with(b"HTTP/"));
        if !more || read(&mut stream, &mut bytes, deadline)? == 0 {
            break bytes.len();
        }
    };
    let head = parse(&bytes[..end]).ok_or("not an HTTP response")?;
    read_body(&mut stream, head.body, bytes.split_off(end), deadline)?;
    Ok(head)
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let found = ends.iter().filter_map(|end| Some(bytes.windows(end.len()).position(|it| it == *end)? + end.len()));
    found.min()
}

fn parse(head: &[u8]) -> Option<ResponseHead> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let status = lines.next()?.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse::<u16>().ok()?;
    let (mut location, mut body) = (None, Body::UntilClose);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "location" => location = Some(value.to_owned()),
            "transfer-encoding" if value.to_ascii_lowercase().contains("chunked") => body = Body::Chunked,
            "content-length" if body == Body::UntilClose => body = value.parse().map_or(Body::UntilClose, Body::Length),
            _ => {}
        }
    }
    if status < 200 || matches!(status, 204 | 304) {
        body = Body::Empty;
    }
    Some(ResponseHead { status, location, body })
}

/// Reads a body to its end; of one that says its length only the beginning. `bytes` came with the head.
fn read_body(stream: &mut TcpStream, body: Body, mut bytes: Vec<u8>, deadline: Instant) -> Result<(), String> {
    const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
    let mut count = bytes.len() as u64;
    loop {
        let over = match body {
            Body::Empty => true,
            Body::Length(length) => count >= length.min(MAX_BODY),
            Body::Chunked => bytes == LAST_CHUNK || bytes.ends_with(&[b"\r\n", LAST_CHUNK].concat()),
            Body::UntilClose => false,
        };
        if over {
            return Ok(());
        }
        if count > MAX_BODY {
            return Err(format!("response larger than {} KiB", MAX_BODY >> 10));
        }
        // Of what came before, the end tells whether the last chunk was there.
        bytes.drain(..bytes.len().saturating_sub(LAST_CHUNK.len() + 2));
        match read(stream, &mut bytes, deadline) {
            Ok(0) => return Ok(()),
            Ok(more) => count += more as u64,
            Err(why) if why == TIMEOUT_MESSAGE => return Err("the response did not end in time".to_owned()),
            Err(why) => return Err(why),
        }
    }
}

fn read(stream: &mut TcpStream, into: &mut Vec<u8>, deadline: Instant) -> Result<usize, String> {
    let mut some = [0; 4096];
    loop {
        stream.set_read_timeout(Some(remaining(deadline)?)).map_err(describe_error)?;
        match stream.read(&mut some) {
            // The kernel begins no read with a limit of time again: neither after a signal, nor after a stop and a continue.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => {
                let count = read.map_err(describe_error)?;
                into.extend_from_slice(&some[..count]);
                return Ok(count);
            }
        }
    }
}

const TIMEOUT_MESSAGE: &str = "timed out";

fn describe_error(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => TIMEOUT_MESSAGE.to_owned(),
        _ => format!("no response: {error}"),
    }
}

/// The time that is left.
///
/// # Errors
///
/// Fails if there is none.
pub(super) fn remaining(deadline: Instant) -> Result<Duration, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(TIMEOUT_MESSAGE.to_owned()) } else { Ok(left) }
}

/// The path that a redirect of `path` leads to; none if it leads to another server, or to no place at all.
fn on_same_server(location: &str, authority: &str, path: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or_default();
    let absolute = match location.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Some(rest),
        Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => return None,
        _ => location.strip_prefix("//"),
    };
    let next = if let Some(rest) = absolute {
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let same = [host.to_owned(), format!("{host}:80")].iter().any(|it| it.eq_ignore_ascii_case(authority));
        same.then(|| if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })?
    } else if location.starts_with('/') {
        location.to_owned()
    } else {
        let before = path.split('?').next().unwrap_or_default();
        let dir = &before[..=before.rfind('/')?];
        if location.starts_with('?') { format!("{before}{location}") } else { format!("{dir}{location}") }
    };
    next.bytes().all(|byte| byte.is_ascii_graphic()).then_some(next)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Asks a server that says these answers, one to each connection, each as often as given, until it is left.
    fn asked(answers: Vec<Vec<(&'static str, usize)>>, limit: Duration) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let authority = listener.local_addr().expect("an address").to_string();
        let name = authority.clone();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut request = [0; 1024];
                let _ = stream.read(&mut request);
                for (part, times) in answer {
                    let part = part.replace("{me}", &name);
                    let _ = (0..times).try_for_each(|_| stream.write_all(part.as_bytes()));
                }
                // It hangs up when the other side does.
                if request.starts_with(b"GET /slow") {
                    let _ = stream.read(&mut request);
                }
            }
        });
        let path = if limit < LIMIT { "/slow" } else { "/a" };
        get(&authority, path, Instant::now() + limit, || TcpStream::connect(&authority).map_err(|it| it.to_string()))
    }

    #[test]
    fn a_body_has_to_end() {
        const MANY: usize = 1 << 20;
        for (answer, well) in [
            (vec![("HTTP/1.1 200 OK\r\n\r\nshort", 1)], true),
            (vec![("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1)], true),
            (vec![("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n", 1), ("12345678", MANY / 8)], true),
            (vec![("HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", 1), ("12345678", MANY)], true),
            (vec![("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1)], true),
            (vec![("HTTP/1.1 204 No Content\r\n\r\n", 1)], true),
            (vec![("HTTP/1.1 200 OK\r\n\r\n", 1), ("12345678", MANY)], false),
            (vec![("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 1), ("4\r\nmore\r\n", MANY)], false),
            (vec![("HTTP/1.1 200 OK\r\n", 1), ("X: y\r\n", MANY)], false),
        ] {
            let shown = answer[0].0;
            let found = asked(vec![answer], LIMIT);
            assert_eq!(found.is_ok(), well, "{shown:?}: {found:?}");
            assert!(well || found == Err("response larger than 1024 KiB".to_owned()), "{found:?}");
        }
        let slow = asked(vec![vec![("HTTP/1.1 200 OK\r\n\r\nand then", 1)]], Duration::from_millis(300));
        assert_eq!(slow, Err("the response did not end in time".to_owned()));
        let slow =
            asked(vec![vec![("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1)]], LIMIT - Duration::from_millis(1));
        assert_eq!(slow, Ok(()), "what says its length is not waited for");
    }

    #[test]
    fn redirects_on_the_same_server_are_followed_to_an_end() {
        let to = |location: &'static str| {
            vec![("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ", 1), (location, 1), ("\r\n\r\n", 1)]
        };
        let ok = || vec![("HTTP/1.1 200 OK\r\n\r\n", 1)];
        let no = || vec![("HTTP/1.1 500 No\r\n\r\n", 1)];
        for (answers, expected) in [
            (vec![to("/a")], Err("/a redirects to itself")),
            (vec![to("http://{me}/a#x")], Err("/a redirects to itself")),
            (vec![to("a")], Err("/a redirects to itself")),
            (vec![to("/b"), to("/a")], Err("/a redirects to itself")),
            (vec![to("/b"), ok()], Ok(())),
            (vec![to("//{me}/b"), no()], Err("HTTP 500")),
            (vec![to("?b"), no()], Err("HTTP 500")),
            (vec![to("https://{me}/a")], Ok(())),
            (vec![to("http://elsewhere.example/a")], Ok(())),
            (vec![vec![("HTTP/1.0 302 Found\r\n\r\n", 1)]], Ok(())),
        ] {
            let shown = format!("{answers:?}");
            assert_eq!(asked(answers, LIMIT), expected.map_err(str::to_owned), "{shown}");
        }
        let paths = ["/b", "/c", "/d", "/e", "/f", "/g", "/h", "/i", "/j", "/k", "/l", "/m"];
        let many = asked(paths.into_iter().map(to).collect(), LIMIT);
        assert_eq!(many, Err("more than 10 redirects".to_owned()));
    }
}
