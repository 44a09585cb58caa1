//! Listening TCP sockets, asked of the kernel by netlink.
//!
//! The tables in `/proc/net` cost milliseconds, because the kernel walks all buckets of all connections for them; this walks the
//! listening sockets only, in microseconds. Not every kernel offers it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use super::{Listener, Protocol};

/// The kind of a request for sockets of one family.
const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// A request that is answered by a list.
const REQUEST_LIST: u16 = 0x301;

/// The kinds of answers that are no socket.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// The bit of the state in which a socket listens.
const LISTENING: u32 = 1 << 10;

const TCP: u8 = 6;
const FAMILIES: [u8; 2] = [libc::AF_INET as u8, libc::AF_INET6 as u8];

/// The length of a header, and of a header with the record of one socket.
const HEADER_SIZE: usize = 16;
const REQUEST_SIZE: usize = 72;

/// The listening TCP sockets, on one port if one is given; `None` if this kernel does not say.
#[must_use]
pub(super) fn listening(port: Option<u16>) -> Option<Vec<Listener>> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let kernel = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkSockDiag).ok()?;
    let mut found = Vec::new();
    for family in FAMILIES {
        send(kernel.as_raw_fd(), &request(family, port.unwrap_or(0)), MsgFlags::empty()).ok()?;
        read_replies(&kernel, &mut found)?;
    }
    // The kernel takes the port as a wish.
    found.retain(|listener| port.is_none_or(|port| port == listener.port));
    Some(found)
}

/// A header, the family, protocol and states, and an address of zeros with the port.
fn request(family: u8, port: u16) -> [u8; REQUEST_SIZE] {
    let mut bytes = [0; REQUEST_SIZE];
    bytes[0..4].copy_from_slice(&(REQUEST_SIZE as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST_LIST.to_ne_bytes());
    bytes[HEADER_SIZE] = family;
    bytes[HEADER_SIZE + 1] = TCP;
    bytes[HEADER_SIZE + 4..HEADER_SIZE + 8].copy_from_slice(&LISTENING.to_ne_bytes());
    bytes[HEADER_SIZE + 8..HEADER_SIZE + 10].copy_from_slice(&port.to_be_bytes());
    bytes
}

/// Reads until the list is done.
fn read_replies(kernel: &OwnedFd, found: &mut Vec<Listener>) -> Option<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // Each part of a list is there as soon as it is asked for.
        let length = recv(kernel.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).ok()?;
        let mut rest = buffer.get(..length)?;
        while rest.len() >= HEADER_SIZE {
            let size = u32::from_ne_bytes(rest[0..4].try_into().ok()?) as usize;
            let message = rest.get(..size).filter(|message| message.len() >= HEADER_SIZE)?;
            match u16::from_ne_bytes(message[4..6].try_into().ok()?) {
                DONE => return Some(()),
                ERROR => return None,
                _ => found.extend(listener(&message[HEADER_SIZE..])),
            }
            // Messages begin at multiples of four.
            rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

fn listener(record: &[u8]) -> Option<Listener> {
    let number = |at: usize| Some(u32::from_ne_bytes(record.get(at..at + 4)?.try_into().ok()?));
    let address = if i32::from(*record.first()?) == libc::AF_INET {
        IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(record.get(8..12)?).ok()?))
    } else {
        IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(record.get(8..24)?).ok()?))
    };
    Some(Listener {
        protocol: Protocol::Tcp,
        address,
        port: u16::from_be_bytes(record.get(4..6)?.try_into().ok()?),
        uid: number(64)?,
        inode: number(68)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::sys::net;

    #[test]
    fn says_the_same_as_the_tables() {
        let sockets = ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0"].map(|address| TcpListener::bind(address).ok());
        for socket in sockets.iter().flatten() {
            let port = socket.local_addr().expect("its address").port();
            let Some(found) = listening(Some(port)) else { return };
            assert_eq!(found, net::listening_by_table(port), "{socket:?}");
            assert_eq!(found.len(), 1);
            assert!(listening(None).is_some_and(|all| all.contains(&found[0])));
        }
    }

    #[test]
    fn a_port_without_a_listener_has_none() {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        assert!(listening(Some(port)).unwrap_or_default().is_empty());
    }
}
