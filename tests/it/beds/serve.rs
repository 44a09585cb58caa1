//! `serve` as a unit of its own, without the daemon.

use super::Bed;

/// A unit that may do as little as one of prod: it sees neither other users' processes nor writes anywhere.
const SERVICE: &str = "\
[Service]
User=ann
Environment=TETRA_DIR=/home/ann/tetra
ExecStart=/usr/local/bin/tetra serve --socket
ProtectSystem=strict
ProtectHome=read-only
ProtectProc=invisible
PrivateTmp=yes
PrivateDevices=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
";

#[test]
fn a_socket_unit_starts_a_server_that_may_only_read() {
    let Some(bed) = Bed::start("serve-socket") else { return };
    bed.root(&format!("cat > /etc/systemd/system/health.service <<'END'\n{SERVICE}END")).ok();
    let socket = "[Socket]\\nListenStream=127.0.0.1:4480\\n";
    bed.root(&format!("printf '{socket}' > /etc/systemd/system/health.socket && systemctl daemon-reload")).ok();
    bed.user("ann", "tsm start --name web -- sleep 1000 && tsm start --name over -- false; true").ok();
    bed.root("systemctl start health.socket && ! systemctl is-active health.service").ok();
    assert!(bed.root("curl -sf localhost:4480/health").ok().contains("\"status\":\"ok\""));
    let metrics = bed.root("systemctl is-active health.service && curl -sf localhost:4480/metrics").ok();
    for line in ["tetra_process_up{name=\"web\"} 1", "tetra_process_up{name=\"over\"} 0", "memory_bytes{name=\"web\"} "]
    {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // The socket stays when the server ends, in order or not.
    for end in ["systemctl stop health.service", "systemctl kill -s KILL health.service"] {
        bed.root(end).ok();
        bed.eventually("it ended", "! systemctl is-active health.service");
        bed.root("systemctl reset-failed; curl -sf localhost:4480/health").ok();
    }
}
