//! Clients that mean harm, or are broken: each gets a short answer or none, and other clients are not affected.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::Serving;
use super::client::{connect, exchange, get, read_all};

/// The status of the answer; none if it has none.
fn status(port: u16, request: &str) -> Option<u16> {
    exchange(port, request.as_bytes()).get(9..12)?.parse().ok()
}

#[test]
fn what_is_not_a_proper_request_is_refused() {
    let serving = Serving::alone();
    let port = serving.port;
    let mut wrong = Vec::new();
    let many: String = (0..10_000).map(|number| format!("X-{number}: y\r\n")).collect();
    let long = "x".repeat(1 << 20);
    // Only the first words of HTTP/2 are closed without an answer: an answer of HTTP/1.1 would mean nothing to that side.
    for (what, request, expected) in [
        ("no Host", "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), Some(400)),
        ("two Hosts", "GET /health HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n".to_owned(), Some(400)),
        (
            "foreign Host",
            "GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned(),
            Some(421),
        ),
        ("10 000 headers", format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"), Some(431)),
        ("a long header", format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"), Some(431)),
        ("a long path", format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"), Some(431)),
        ("no HTTP", "hello\r\n\r\n".to_owned(), Some(400)),
        ("TLS", "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n".to_owned(), Some(400)),
        ("HTTP/0.9", "GET /health\r\n\r\n".to_owned(), Some(400)),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), None),
        (
            "a body",
            "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n".to_owned(),
            Some(413),
        ),
        (
            "chunks",
            "GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n".to_owned(),
            Some(413),
        ),
        (
            "two lengths",
            "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
            Some(400),
        ),
        ("a tunnel", "CONNECT evil:80 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), Some(405)),
    ] {
        let found = status(port, &request);
        if found != expected {
            wrong.push(format!("{what}: {found:?}"));
        }
        assert_eq!(get(port, "/health").status, 200, "after {what}");
    }
    assert_eq!(wrong, Vec::<String>::new());
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONSENSE"] {
        let request = format!("{method} /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(status(port, &request), Some(405), "{method}");
    }
}

#[test]
fn a_head_over_the_limit_is_answered_and_the_connection_closed() {
    const TOO_LARGE: &str = "HTTP/1.1 431 Request Header Fields Too Large";
    let serving = Serving::alone();
    let head = |target: &str, more: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{more}");
    let mut rows = vec![
        (
            "64 headers",
            head("/nothing", &format!("Connection: close\r\n{}\r\n", "X: y\r\n".repeat(62))),
            "HTTP/1.1 404",
        ),
        ("65 headers", head("/nothing", &format!("Connection: close\r\n{}\r\n", "X: y\r\n".repeat(63))), TOO_LARGE),
    ];
    for size in [16 << 10, 17 << 10, 64 << 10, 128 << 10, 1 << 20] {
        let long = "x".repeat(size);
        let target = head(&format!("/{long}"), "\r\n");
        rows.push(("a header", head("/", &format!("X: {long}\r\n\r\n")), TOO_LARGE));
        rows.push(("a head without end", head("/", &format!("X: {long}")), TOO_LARGE));
        rows.push(("a second request", head("/health/live", "\r\n") + &target, "HTTP/1.1 200"));
        rows.push(("a target", target, TOO_LARGE));
    }
    let mut wrong = Vec::new();
    for (what, request, line) in rows {
        // Whether unread bytes are there when the server closes is a matter of moments.
        for _ in 0..5 {
            let text = exchange(serving.port, request.as_bytes());
            if !text.starts_with(line) || !text.contains("connection: close") {
                wrong.push(format!("{what}, {} bytes: {text:?}", request.len()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(get(serving.port, "/health").status, 200);
}

#[test]
fn a_body_that_is_refused_does_not_take_the_answer_with_it() {
    let serving = Serving::alone();
    let body = "x".repeat(1 << 20);
    let request = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for _ in 0..20 {
        assert_eq!(status(serving.port, &request), Some(413));
    }
}

#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let serving = Serving::alone();
    let mut stream = connect(serving.port);
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /noth").expect("sent");
    let mut first = [0; 15];
    stream.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream.write_all(b"ing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
    let rest = read_all(&mut stream);
    assert!(rest.contains("HTTP/1.1 404 Not Found"), "{rest}");
}

#[test]
fn a_body_without_end_is_not_read() {
    let serving = Serving::alone();
    let mut stream = connect(serving.port);
    stream.write_all(b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n").expect("sent");
    let block = vec![b'x'; 64 * 1024];
    let mut sent = 0_u64;
    while stream.write_all(&block).is_ok() {
        sent += block.len() as u64;
        assert!(sent < 256 << 20, "it reads and reads");
    }
    assert_eq!(get(serving.port, "/health").status, 200);
}

#[test]
fn requests_one_after_the_other_on_a_connection_are_answered_in_order() {
    let serving = Serving::alone();
    let one = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
    let all = [one("/health/live", ""), one("/nothing", ""), one("/health/ready", "Connection: close\r\n")].concat();
    let text = exchange(serving.port, all.as_bytes());
    let answers: Vec<&str> = text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    assert_eq!(answers, ["200", "404", "200"], "{text}");
    let head = exchange(serving.port, b"HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    let old = exchange(serving.port, b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert!(old.starts_with("HTTP/1.0 200") && old.contains("\"status\":\"ok\""), "{old}");
}

#[test]
fn a_head_that_comes_byte_by_byte_is_cut_off_and_delays_no_other() {
    let serving = Serving::alone();
    let mut slow: Vec<TcpStream> = (0..100).map(|_| connect(serving.port)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: local").expect("sent");
    }
    assert_eq!(get(serving.port, "/health").status, 200);
    for stream in &mut slow {
        // The server closes, with or without an answer, whatever else comes.
        let text = read_all(stream);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
}

#[test]
fn a_flood_of_connections_closes_the_oldest_that_ask_nothing() {
    // More than may be open at once.
    let sandbox = crate::sandbox::Sandbox::new();
    let port = crate::ports::free_port();
    let serving = {
        let child = sandbox
            .command_under(&["sh", "-c", "ulimit -n 128; exec \"$@\"", "sh"], &["serve", "--port", &port.to_string()])
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("tetra runs");
        Serving { child, port, first_line: String::new(), _sandbox: None }
    };
    crate::waiting::eventually("it answers", || super::client::try_get(port, "/health").is_some());
    let flood: Vec<TcpStream> = (0..500).map(|_| connect(port)).collect();
    for _ in 0..10 {
        assert_eq!(get(serving.port, "/health").status, 200);
    }
    drop(flood);
    assert_eq!(get(serving.port, "/health").status, 200);
}
