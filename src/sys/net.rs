//! Listening sockets as the kernel lists them, and the processes that hold them. Looks only.
//!
//! Only sockets of our own network namespace are seen. Who holds a socket of another user is known to root alone.

mod sock_diag;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::fs::{Dir, Mode, OFlags};

use super::process;

use crate::base::sort::SortExt;

/// How a listening socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams: a bound, unconnected socket.
    Udp,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// How it speaks.
    pub protocol: Protocol,
    /// The address it is bound to; all zeros for every address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The user that made it.
    pub uid: u32,
    /// Its number among all sockets; [`owner`] finds the process.
    pub inode: u64,
}

/// The process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketOwner {
    /// Its pid.
    pub pid: u32,
    /// The words it was started with.
    pub command: String,
    /// The login name of its user, or the number where it has none.
    pub user: String,
}

/// The four tables; the kernel lists listening TCP sockets before all others.
const TABLES: [(&str, Protocol); 4] = [
    ("/proc/net/tcp", Protocol::Tcp),
    ("/proc/net/tcp6", Protocol::Tcp),
    ("/proc/net/udp", Protocol::Udp),
    ("/proc/net/udp6", Protocol::Udp),
];

/// Processes looked at in search of one owner, at most.
const MAX_PROCESSES: usize = 20_000;

/// Descriptors looked at in one process, at most.
const MAX_DESCRIPTORS: usize = 65_536;

/// Every listening socket, TCP before UDP.
#[must_use]
pub fn listeners() -> Vec<Listener> {
    let asked = sock_diag::listening(None);
    let left = TABLES.iter().filter(|(_, protocol)| asked.is_none() || *protocol == Protocol::Udp);
    let tables: Vec<Listener> = left.flat_map(|(path, protocol)| table(path, *protocol)).collect();
    asked.into_iter().flatten().chain(tables).collect()
}

/// The TCP sockets that listen on `port`, on any address.
#[must_use]
pub fn listening_on(port: u16) -> Vec<Listener> {
    sock_diag::listening(Some(port)).unwrap_or_else(|| listening_by_table(port))
}

/// The UDP sockets that wait for datagrams on `port`, on any address.
#[must_use]
pub fn bound_on(port: u16) -> Vec<Listener> {
    let udp = TABLES.iter().filter(|(_, protocol)| *protocol == Protocol::Udp);
    udp.flat_map(|(path, protocol)| table(path, *protocol)).filter(|listener| listener.port == port).collect()
}

/// The same by the tables, for kernels that cannot be asked.
pub(super) fn listening_by_table(port: u16) -> Vec<Listener> {
    let tcp = TABLES.iter().filter(|(_, protocol)| *protocol == Protocol::Tcp);
    tcp.flat_map(|(path, protocol)| table(path, *protocol)).filter(|listener| listener.port == port).collect()
}

/// The process that holds the socket `inode`, if we may see it. The oldest (lowest pid) of several.
#[must_use]
pub fn owner(inode: u64) -> Option<SocketOwner> {
    let mut pids = process::all_pids();
    pids.order();
    let pid = pids.into_iter().take(MAX_PROCESSES).find(|pid| holds_socket(*pid, &[inode]))?;
    Some(describe(pid))
}

/// The pids that hold these sockets, found in one walk over all processes; the oldest (lowest pid) of several. Sockets whose
/// holder we may not see are left out.
#[must_use]
pub fn owners(inodes: impl IntoIterator<Item = u64>) -> HashMap<u64, u32> {
    let mut wanted: HashSet<u64> = inodes.into_iter().collect();
    let mut found = HashMap::new();
    let mut pids = process::all_pids();
    pids.order();
    for pid in pids.into_iter().take(MAX_PROCESSES) {
        if wanted.is_empty() {
            break;
        }
        found.extend(sockets_of(pid).into_iter().filter(|inode| wanted.remove(inode)).map(|inode| (inode, pid)));
    }
    found
}

/// What can be said of a process that holds a socket.
#[must_use]
pub fn describe(pid: u32) -> SocketOwner {
    let command = process::command_line(pid).unwrap_or_default();
    SocketOwner { pid, command, user: process::owner(pid).map(user_name).unwrap_or_default() }
}

/// The process of `root`'s tree, itself included, that holds one of the sockets.
#[must_use]
pub fn listener_in_tree(root: u32, inodes: &[u64]) -> Option<u32> {
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(pid) = tree.get(at).copied() {
        if holds_socket(pid, inodes) {
            return Some(pid);
        }
        let below = process::children(pid).into_iter().filter(|child| !tree.contains(child)).collect::<Vec<_>>();
        tree.extend(below);
        at += 1;
    }
    None
}

/// The TCP ports on which `root` and what it started listen, lowest first.
#[must_use]
pub fn ports_of_tree(root: u32) -> Vec<u16> {
    let tcp = listeners().into_iter().filter(|listener| listener.protocol == Protocol::Tcp);
    let mut ports: Vec<u16> = tcp
        .filter(|listener| listener_in_tree(root, &[listener.inode]).is_some())
        .map(|listener| listener.port)
        .collect();
    ports.order();
    ports.dedup();
    ports
}

/// The login name of a user, or the number where it has none.
#[must_use]
pub fn user_name(uid: u32) -> String {
    passwd_name(uid).unwrap_or_else(|| uid.to_string())
}

/// The login name of a user in `/etc/passwd`. The C library would ask further, and in a static program cannot: it crashes
/// where the user is unknown.
#[must_use]
pub fn passwd_name(uid: u32) -> Option<String> {
    let wanted = uid.to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == wanted).then(|| name.to_owned())
    })
}

fn table(path: &str, protocol: Protocol) -> Vec<Listener> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let rows = BufReader::new(file).lines().skip(1).map_while(Result::ok);
    match protocol {
        // What follows the listening sockets is of no interest and may be long.
        Protocol::Tcp => rows.map_while(|row| parse_row(&row, protocol)).collect(),
        Protocol::Udp => rows.filter_map(|row| parse_row(&row, protocol)).collect(),
    }
}

/// A row of a table; `None` if the socket does not listen.
fn parse_row(row: &str, protocol: Protocol) -> Option<Listener> {
    let fields: Vec<&str> = row.split_ascii_whitespace().take(10).collect();
    let listening = match protocol {
        Protocol::Tcp => "0A",
        Protocol::Udp => "07",
    };
    if *fields.get(3)? != listening {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    Some(Listener {
        protocol,
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Addresses are printed as 32-bit words in the machine's own byte order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for part in 0..4 {
                bytes[part * 4..part * 4 + 4].copy_from_slice(&word(part * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

fn holds_socket(pid: u32, inodes: &[u64]) -> bool {
    sockets_of(pid).iter().any(|inode| inodes.contains(inode))
}

/// The sockets among the descriptors of a process; none where they may not be seen.
///
/// Links are read relative to their directory: a walk over all processes reads thousands, and the way to each costs as much.
fn sockets_of(pid: u32) -> Vec<u64> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(format!("/proc/{pid}/fd"), flags, Mode::empty());
    let Ok(directory) = dir else { return Vec::new() };
    let Ok(entries) = Dir::read_from(&directory) else { return Vec::new() };
    let mut link = Vec::new();
    let mut found = Vec::new();
    for entry in entries.flatten().take(MAX_DESCRIPTORS) {
        let Ok(read) = rustix::fs::readlinkat(&directory, entry.file_name(), std::mem::take(&mut link)) else {
            continue;
        };
        link = read.into_bytes();
        found.extend(std::str::from_utf8(&link).ok().and_then(socket_inode));
    }
    found
}

fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn reads_a_row_of_each_family() {
        let row = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0";
        let listener = parse_row(row, Protocol::Tcp).expect("a listener");
        assert_eq!((listener.port, listener.uid, listener.inode), (8080, 1000, 4711));
        assert_eq!(listener.address, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(parse_row(&row.replace(" 0A ", " 01 "), Protocol::Tcp), None, "a connection does not listen");
        assert_eq!(parse_address("00000000000000000000000001000000"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn a_socket_of_ours_is_found_with_its_owner() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("its address").port();
        let found = listening_on(port);
        assert_eq!(found.len(), 1, "{found:?}");
        let owner = owner(found[0].inode).expect("ourselves");
        assert_eq!(owner.pid, process::own_pid());
        assert!(!owner.command.is_empty() && !owner.user.is_empty());
        assert_eq!(listener_in_tree(process::own_pid(), &[found[0].inode]), Some(process::own_pid()));
        assert_eq!(owners([found[0].inode, u64::MAX]), HashMap::from([(found[0].inode, process::own_pid())]));
        assert!(ports_of_tree(process::own_pid()).contains(&port));
        drop(socket);
        assert!(listening_on(port).is_empty());
    }

    #[test]
    fn datagram_sockets_are_listed_and_do_not_take_a_tcp_port() {
        let socket = UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0")).expect("a socket");
        let port = socket.local_addr().expect("its address").port();
        assert!(listeners().iter().any(|found| found.port == port && found.protocol == Protocol::Udp));
        assert!(listening_on(port).is_empty());
    }
}
