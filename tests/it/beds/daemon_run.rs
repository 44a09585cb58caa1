//! `daemon run` as a unit: what becomes of services when systemd stops it, when it dies, and when the machine goes down.

use super::Bed;

/// The unit of the project for `@dev`.
const UNIT: &str = include_str!("../../../templates/systemd/tetra@dev.service");

/// Puts the unit and services in place: name and lines of each.
fn install(bed: &Bed, services: &[(&str, &str)]) {
    bed.root(&format!("cat > /etc/systemd/system/tetra-dev.service <<'END'\n{UNIT}END\nsystemctl daemon-reload")).ok();
    for (name, lines) in services {
        let file = format!("/root/tetra/tsm/services-available/{name}.tsm");
        bed.root(&format!("mkdir -p $(dirname {file}) && cat > {file} <<'END'\nTSM_NAME={name}\n{lines}\nEND")).ok();
        bed.root(&format!("tsm enable {name}")).ok();
    }
}

/// The pids of all services.
fn pids(bed: &Bed) -> String {
    bed.root("tsm list --json | grep '\"pid\"'").ok()
}

/// Everything that is left in the unit.
fn left(bed: &Bed) -> String {
    let groups = "/sys/fs/cgroup/systemd/system.slice/tetra-dev.service /sys/fs/cgroup/system.slice/tetra-dev.service";
    bed.root(&format!("find {groups} -name cgroup.procs -exec cat {{}} + 2>/dev/null; pgrep -x sleep || true")).ok()
}

/// Does something to the main process, and waits until there is another one that is ready.
fn until_restarted(bed: &Bed, line: &str) {
    bed.root(&format!("pid=$(systemctl show -p MainPID --value tetra-dev); echo $pid > /run/main; {line} $pid")).ok();
    bed.eventually(
        "another daemon is ready",
        "systemctl is-active tetra-dev && ! [ $(systemctl show -p MainPID --value tetra-dev) = $(cat /run/main) ]",
    );
}

#[test]
fn a_stop_leaves_nothing_and_the_death_of_the_daemon_takes_nothing_along() {
    let Some(bed) = Bed::start("daemon-run") else { return };
    install(
        &bed,
        &[
            ("db", "TSM_COMMAND='sleep 1000'"),
            ("web", "TSM_COMMAND='sleep 1001'\nTSM_DEPS=db"),
            ("fork", "TSM_COMMAND='sh -c \"setsid env -i sleep 1002 & exec sleep 1003\"'"),
            ("deaf", "TSM_COMMAND='sh -c \"trap true TERM; while :; do sleep 1004; done\"'\nTSM_KILL_TIMEOUT=300s"),
        ],
    );
    bed.root("systemctl start tetra-dev").ok();
    assert_eq!(
        bed.root("systemctl show -p StatusText --value tetra-dev").ok(),
        "4 of 4 processes run\n",
        "systemctl returns when the services run"
    );
    let before = pids(&bed);
    until_restarted(&bed, "kill -KILL");
    assert_eq!(pids(&bed), before);
    // The loop hangs, and systemd notices.
    bed.root("mkdir -p /run/systemd/system/tetra-dev.service.d").ok();
    bed.root(
        "printf '[Service]\\nWatchdogSec=4\\nTimeoutStopSec=8\\n' > /run/systemd/system/tetra-dev.service.d/short.conf",
    )
    .ok();
    bed.root("systemctl daemon-reload").ok();
    until_restarted(&bed, "kill -KILL");
    until_restarted(&bed, "kill -STOP");
    assert_eq!(pids(&bed), before);
    bed.eventually("it reloads", "systemctl reload tetra-dev");
    assert_eq!(pids(&bed), before);
    // A stray that has no mark of a service, and a service that does not end when it is asked to.
    bed.root("setsid sleep 2000 < /dev/null > /dev/null 2>&1 & echo $! > /sys/fs/cgroup/systemd/system.slice/tetra-dev.service/cgroup.procs").ok();
    bed.root("systemctl stop tetra-dev").ok();
    assert_eq!(left(&bed), "");
    assert_eq!(bed.root("systemctl show -p Result --value tetra-dev").ok(), "success\n");
    // Killed in the middle of a stop, which goes on without it.
    // All in one line: the stop is over before another one begins.
    bed.root(
        "systemctl start tetra-dev && pid=$(systemctl show -p MainPID --value tetra-dev) && systemctl stop --no-block tetra-dev &&
        timeout 60 bash -c 'until grep -q stopping /root/tetra/tsm/runtime/daemon.json; do :; done' && kill -KILL $pid",
    )
    .ok();
    bed.eventually("it is stopped", "systemctl show -p ActiveState tetra-dev | grep -E 'inactive|failed'");
    assert_eq!(left(&bed), "");
    bed.root("systemctl reset-failed tetra-dev; systemctl start tetra-dev").ok();
    assert_eq!(bed.root("systemctl show -p StatusText --value tetra-dev").ok(), "4 of 4 processes run\n");
    // The daemon is restarted while a service is.
    bed.root("tsm restart deaf & systemctl restart tetra-dev; wait").ok();
    bed.eventually("all run", "systemctl show -p StatusText tetra-dev | grep '4 of 4 processes run'");
    bed.root("systemctl stop tetra-dev").ok();
    assert_eq!(left(&bed), "");
}

#[test]
fn what_ran_is_back_after_a_reboot_and_after_a_power_cut() {
    let Some(bed) = Bed::start("daemon-boot") else { return };
    install(&bed, &[("db", "TSM_COMMAND='sleep 1000'"), ("web", "TSM_COMMAND='sleep 1001'\nTSM_DEPS=db")]);
    bed.root("systemctl enable --now tetra-dev").ok();
    bed.root("tsm start --name by-hand -- sleep 1002 && tsm start --name over -- sleep 1003 && tsm stop over").ok();
    let names = "tsm list --json | grep '\"name\"' | sort | tr -d ' \\n'";
    let expected = "\"name\":\"by-hand\",\"name\":\"db\",\"name\":\"web\",";
    assert_eq!(bed.root(names).ok(), expected);
    bed.reboot();
    bed.eventually("the daemon is ready", "systemctl is-active tetra-dev");
    assert_eq!(bed.root(names).ok(), expected, "after a reboot");
    let log = bed.root("journalctl -b -1 -u tetra-dev -o cat").ok();
    let [web, db] = ["web: ended", "db: ended"].map(|line| log.find(line).unwrap_or_else(|| panic!("{line}: {log}")));
    assert!(web < db, "{log}");
    bed.root("sync").ok();
    bed.power_cut();
    bed.eventually("the daemon is ready", "systemctl is-active tetra-dev");
    assert_eq!(bed.root(names).ok(), expected, "after a power cut");
}

#[test]
fn what_a_login_starts_belongs_to_the_daemon_and_outlives_the_login() {
    let Some(bed) = Bed::start("daemon-login") else { return };
    bed.root("mkdir -p /etc/systemd/logind.conf.d").ok();
    bed.root("printf '[Login]\\nKillUserProcesses=yes\\n' > /etc/systemd/logind.conf.d/kill.conf").ok();
    bed.root("systemctl restart systemd-logind").ok();
    let said = bed.login("ann", "tsm start --name alone -- sleep 1000 2>&1").ok();
    assert!(said.contains("ends with this login"), "{said}");
    bed.eventually("it ended with the login", "! pgrep -x sleep");
    let unit = UNIT.replace("=root", "=ann").replace("/root/tetra", "/home/ann/tetra").replace("TETRA_SRC=/root", "A=");
    bed.root(&format!("cat > /etc/systemd/system/tetra-ann.service <<'END'\n{unit}END\nsystemctl daemon-reload")).ok();
    bed.root("systemctl start tetra-ann").ok();
    let said = bed.login("ann", "export ONLY_HERE=1; tsm start --name kept -- sleep 1001 2>&1").ok();
    assert!(!said.contains("ends with this login"), "{said}");
    bed.root("cd / && TETRA_DIR=/home/ann/tetra tsm start --name by-root -- sleep 1002").ok();
    for name in ["1001", "1002"] {
        let group = bed.root(&format!("cat /proc/$(pgrep -xf 'sleep {name}')/cgroup")).ok();
        assert!(group.contains("tetra-ann.service"), "{group}");
        assert_eq!(bed.root(&format!("stat -c %U /proc/$(pgrep -xf 'sleep {name}')")).ok(), "ann\n");
    }
    let environ = bed.root("tr '\\0' '\\n' < /proc/$(pgrep -xf 'sleep 1001')/environ").ok();
    assert!(environ.contains("ONLY_HERE=1") && !environ.contains("WATCHDOG_USEC"), "{environ}");
    let environ = bed.root("tr '\\0' '\\n' < /proc/$(pgrep -xf 'sleep 1002')/environ").ok();
    assert!(environ.contains("HOME=/home/ann") && environ.contains("USER=ann"), "{environ}");
    bed.root("systemctl stop tetra-ann").ok();
    bed.root("! pgrep -x sleep").ok();
}
