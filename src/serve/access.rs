//! Which requests are answered: `Host` must name this machine (against DNS rebinding), and requests from other machines need the token.

use std::net::IpAddr;

use hyper::header::{self, HeaderMap};

/// What is asked of a request before it is looked at.
#[derive(Debug, Clone, Default)]
pub struct AccessRule {
    /// The token that a request has to show; none if this machine alone can reach the server.
    pub token: Option<String>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessRefusal {
    /// It does not say whom it is for, or more than once.
    BadHost,
    /// It is for another machine: a page of another site made a name lead here.
    ForeignHost,
    /// It shows no token, or another one.
    NoToken,
}

/// Which requests need the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Says nothing about this machine: the files of the page, and that the server runs.
    Open,
    /// All else.
    Protected,
}

impl AccessRule {
    /// Whether a request is answered.
    pub(super) fn check(&self, headers: &HeaderMap, secrecy: Secrecy) -> Result<(), AccessRefusal> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).ok_or(AccessRefusal::BadHost)?;
        if hosts.next().is_some() {
            return Err(AccessRefusal::BadHost);
        }
        let Some(token) = &self.token else {
            return if is_local_name(host) { Ok(()) } else { Err(AccessRefusal::ForeignHost) };
        };
        // Another site does not know the token, so any name will do.
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        match (secrecy, shown) {
            (Secrecy::Open, _) => Ok(()),
            (Secrecy::Protected, Some(shown)) if is_same(token.as_bytes(), shown) => Ok(()),
            (Secrecy::Protected, _) => Err(AccessRefusal::NoToken),
        }
    }
}

/// True for an address and for names of this machine that no name server is asked for. A page that makes a name of its own lead
/// here (DNS rebinding) has that name in `Host`.
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

/// Compares without saying by its time where the difference is; only the length shows.
fn is_same(expected: &[u8], given: &[u8]) -> bool {
    let difference = expected.iter().zip(given).fold(0, |sum, (one, two)| sum | (one ^ two));
    expected.len() == given.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: Option<&str>, secrecy: Secrecy, headers: &[(&'static str, &str)]) -> Result<(), AccessRefusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        AccessRule { token: token.map(str::to_owned) }.check(&map, secrecy)
    }

    #[test]
    fn without_a_token_only_names_of_this_machine_are_answered() {
        for host in
            ["localhost", "LOCALHOST:4444", "127.0.0.1:4444", "[::1]:4444", "[::1]", "web.localhost:1", "10.0.0.1"]
        {
            assert_eq!(check(None, Secrecy::Protected, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:4444", "127.0.0.1.nip.io", "", "[evil", "notlocalhost"] {
            assert_eq!(check(None, Secrecy::Open, &[("host", host)]), Err(AccessRefusal::ForeignHost), "{host}");
        }
        assert_eq!(check(None, Secrecy::Open, &[]), Err(AccessRefusal::BadHost));
        assert_eq!(
            check(None, Secrecy::Open, &[("host", "localhost"), ("host", "localhost")]),
            Err(AccessRefusal::BadHost)
        );
    }

    #[test]
    fn with_a_token_nothing_else_counts() {
        let host = ("host", "tetra.example");
        let ask = |secrecy, value| check(Some("s3cret"), secrecy, &[host, ("authorization", value)]);
        assert_eq!(ask(Secrecy::Protected, "Bearer s3cret"), Ok(()));
        for value in ["Bearer s3cre", "Bearer s3cret2", "Bearer S3cret", "s3cret", "Basic s3cret", "Bearer "] {
            assert_eq!(ask(Secrecy::Protected, value), Err(AccessRefusal::NoToken), "{value}");
            assert_eq!(ask(Secrecy::Open, value), Ok(()));
        }
        assert_eq!(check(Some("s3cret"), Secrecy::Protected, &[host]), Err(AccessRefusal::NoToken));
    }
}
