//! What a unit closes off. Measured: node still finds its network interfaces and counts its processors under all of it.
//!
//! Left out on purpose: `MemoryDenyWriteExecute=` stops every engine that compiles while it runs, `ProcSubset=pid` makes node
//! count no processors, and `RemoveIPC=` takes the shared memory of services that outlive a daemon which crashed.

use std::path::Path;

use super::lines::UnitLines;
use super::settings::{Hardening, Owner, UnitSettings};
use super::words::word;
use crate::base::environment::Tier;

/// Where systemd keeps the state of services; a directory below it is made and owned by the user of the unit.
const STATE_DIR: &str = "/var/lib";

/// What costs no program anything, for any manager.
const FOR_EVERYONE: [&str; 4] =
    ["NoNewPrivileges=yes", "RestrictRealtime=yes", "LockPersonality=yes", "SystemCallArchitectures=native"];

/// What only the manager of the machine can do.
const FOR_THE_MACHINE: [&str; 9] = [
    "UMask=0077",
    "PrivateTmp=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictSUIDSGID=yes",
];

/// What programs that serve the network do without.
const STRICT: [&str; 7] = [
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    "ProtectProc=invisible",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
];

/// Where the groups of a unit are: with version 2, and with version 1, where systemd delegates these hierarchies.
const GROUP_ROOTS: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/memory"];

/// What root keeps where it is closed in: files of others, their processes, low ports.
const ROOT_CAPABILITIES: &str =
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID";

/// What root gives up where it is not.
const DROPPED_CAPABILITIES: &str = "~CAP_SYS_BOOT CAP_WAKE_ALARM CAP_LINUX_IMMUTABLE CAP_LEASE CAP_IPC_LOCK CAP_BLOCK_SUSPEND CAP_SYS_PACCT CAP_MAC_ADMIN CAP_MAC_OVERRIDE";

/// Adds what the unit closes off.
pub(super) fn lines(settings: &UnitSettings, lines: &mut UnitLines) {
    lines.all(&FOR_EVERYONE);
    match &settings.owner {
        Owner::Session => {}
        Owner::Instance => {
            for_the_machine(settings, lines);
            lines.all(&["ProtectSystem=full"]);
            lines.add("CapabilityBoundingSet", DROPPED_CAPABILITIES);
        }
        Owner::Account(_) => {
            for_the_machine(settings, lines);
            match settings.hardening {
                Hardening::Relaxed => {
                    lines.all(&["ProtectSystem=full"]);
                    lines.add("CapabilityBoundingSet", DROPPED_CAPABILITIES);
                }
                Hardening::Strict => strict(settings, lines),
            }
        }
    }
}

fn for_the_machine(settings: &UnitSettings, lines: &mut UnitLines) {
    lines.all(&FOR_THE_MACHINE);
    // Of all groups its own stay writable: each process is limited and stopped in one of its own.
    let slice = if settings.owner == Owner::Instance { "system.slice/system-tetra.slice" } else { "system.slice" };
    lines.add("ReadWritePaths", GROUP_ROOTS.map(|root| format!("-{root}/{slice}/%n")).join(" "));
}

fn strict(settings: &UnitSettings, lines: &mut UnitLines) {
    lines.all(&["ProtectSystem=strict"]);
    match settings.home.strip_prefix(STATE_DIR) {
        Ok(below) if !below.as_os_str().is_empty() => lines.add("StateDirectory", word(&below.to_string_lossy())),
        _ => lines.add("ReadWritePaths", word(&settings.home.to_string_lossy())),
    }
    if hides_homes(settings) {
        lines.all(&["ProtectHome=yes"]);
    }
    lines.all(&STRICT);
    if settings.is_root() {
        lines.add("CapabilityBoundingSet", ROOT_CAPABILITIES);
        return;
    }
    lines.all(&["SystemCallFilter=~@privileged"]);
    // What systemd makes for PrivateTmp= is emptied when a daemon crashes whose services live on.
    let cache = format!("/var/cache/{}", settings.identifier());
    lines.add("CacheDirectory", settings.identifier());
    lines.all(&["CacheDirectoryMode=0700"]);
    lines.add("BindPaths", format!("{cache}:/tmp {cache}:/var/tmp"));
    let capabilities = if settings.has_low_port { "CAP_NET_BIND_SERVICE" } else { "" };
    lines.add("CapabilityBoundingSet", capabilities);
    lines.add("AmbientCapabilities", capabilities);
    if settings.tier == Tier::Prod {
        lines.all(&["PrivateMounts=yes"]);
        if !settings.has_low_port {
            // With users of its own a unit has no rights on the ports of the machine.
            lines.all(&["PrivateUsers=yes"]);
        }
    }
}

/// True if home directories are hidden: the unit is strict, and nothing that it needs is in one.
pub(super) fn hides_homes(settings: &UnitSettings) -> bool {
    let is_account = matches!(settings.owner, Owner::Account(_));
    let needed = [&settings.home, &settings.source, &settings.program];
    is_account && settings.hardening == Hardening::Strict && !needed.into_iter().any(|path| is_in_a_home(path))
}

/// True for what `ProtectHome=` hides.
fn is_in_a_home(path: &Path) -> bool {
    ["/home", "/root", "/run/user"].iter().any(|dir| path.starts_with(dir))
}
