//! Ports for tests. Each is given out once in a run, from below the range that the kernel chooses from (32768 to 60999).

use std::net::{TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

const RANGE: Range<u16> = 20_000..32_000;

/// Ports after each that no other test is given: for tests in which the next free port is taken.
const SPARE: u16 = 4;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nothing uses, and that no other test of this run is given.
pub(crate) fn free_port() -> u16 {
    free_ports(SPARE).start
}

/// So many ports in a row.
pub(crate) fn free_ports(count: u16) -> Range<u16> {
    let all = RANGE.end - RANGE.start;
    // Another run at the same time begins at another port.
    let first = u16::try_from(std::process::id() % u32::from(all)).expect("below the range");
    for _ in 0..all / count {
        let offset = NEXT.fetch_add(count, Ordering::Relaxed);
        let start = RANGE.start + (first.wrapping_add(offset)) % (all - count);
        if (start..start + count).all(is_free) {
            return start..start + count;
        }
    }
    panic!("no {count} ports are free in {RANGE:?}");
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("0.0.0.0", port)).is_ok() && UdpSocket::bind(("0.0.0.0", port)).is_ok()
}

#[test]
fn no_port_is_given_twice() {
    let mut given: Vec<u16> = (0..50).map(|_| free_port()).collect();
    given.sort_unstable();
    assert!(given.windows(2).all(|pair| pair[1] - pair[0] >= SPARE), "{given:?}");
    assert!(given.iter().all(|port| RANGE.contains(port)));
    assert_eq!(free_ports(20).len(), 20);
}
