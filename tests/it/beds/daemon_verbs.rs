//! What the verbs of `daemon` do about what is there already, and for people who may not see everything.

use serde_json::Value;

use super::Bed;

/// The finding of `tsm doctor` about units.
#[track_caller]
fn finding(bed: &Bed) -> (String, String, String) {
    let said = bed.root("tsm doctor --json; true").ok();
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let all = report.as_array().or_else(|| report["findings"].as_array()).expect("findings");
    let unit = all.iter().find(|it| it["check"] == "unit").unwrap_or_else(|| panic!("no finding: {said}"));
    let text = |key: &str| unit[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("message"), text("advice"))
}

#[test]
fn a_bare_install_takes_the_only_environment_that_is_generated() {
    let Some(bed) = Bed::start("bare") else { return };
    let none = bed.root("tsm daemon install").code(2);
    assert!(none.contains("missing environment") && none.contains("tsm daemon install @dev"), "{none}");
    bed.root("tetra org init acme && tetra org promote @dev && tsm daemon install").ok();
    bed.root("test -e /etc/systemd/system/tetra-dev.service && tsm daemon uninstall").ok();
    bed.root("tetra org promote @staging --yes").ok();
    let both = bed.root("tsm daemon install").code(5);
    assert!(both.contains("dev, staging"), "{both}");
    bed.root("test ! -e /etc/systemd/system/tetra-dev.service && TETRA_ENV=staging tsm daemon install --yes").ok();
    bed.root("test -e /etc/systemd/system/tetra-staging.service").ok();
}

#[test]
fn a_definition_that_was_copied_by_hand_is_kept() {
    let Some(bed) = Bed::start("by-hand") else { return };
    let file = "/root/tetra/tsm/services-available/tetra.tsm";
    // Without one the unit brings its own, and brings it once.
    bed.root(&format!(
        "tsm daemon install @dev && grep 'tetra serve' {file} && tsm daemon uninstall && rm -r /root/tetra"
    ))
    .ok();
    let own =
        "TSM_NAME=tetra\nTSM_COMMAND=\"tetra serve --env dev\"\nTSM_CWD=/root\nTSM_PORT=4444\nTSM_MEMORY_MAX=300M";
    bed.root(&format!("mkdir -p $(dirname {file}) && printf '{own}\n' > {file} && sha256sum {file} > /run/sum")).ok();
    // It runs already, started by hand as the guide does it.
    bed.root("tsm enable tetra && tsm start tetra && curl -sf localhost:4444/health").ok();
    bed.root("tsm daemon install @dev && sha256sum -c /run/sum && tsm daemon start && curl -sf localhost:4444/health")
        .ok();
    let running = |bed: &Bed| bed.root("pgrep -fc '[t]etra serve'").ok();
    assert_eq!(running(&bed), "1\n", "nothing is started twice");
    bed.root("tsm start tetra; test $(pgrep -fc '[t]etra serve') = 1").ok();
    bed.root("tsm daemon restart && curl -sf localhost:4444/health && sha256sum -c /run/sum").ok();
    assert!(bed.root("cat /proc/$(pgrep -f '[t]etra serve')/cgroup").ok().contains("tetra-dev.service"));
    bed.root("tsm daemon uninstall && sha256sum -c /run/sum && ! pgrep -f '[t]etra serve'").ok();
}

#[test]
fn who_may_not_read_the_journal_reads_the_log_of_the_daemon() {
    let Some(bed) = Bed::start("journal") else { return };
    bed.root("tsm daemon install @prod --yes && tsm daemon start --yes && usermod -aG tetra ann").ok();
    let said = bed.login("ann", "tsm daemon logs @prod 2>&1").ok();
    assert!(said.contains("/var/lib/tetra/logs/tetra.log") && said.contains("ready: 1 of 1 processes run"), "{said}");
    assert_eq!(bed.login("ann", "tsm daemon logs 1 @prod 2>/dev/null").ok().lines().count(), 1);
    let all: Value = serde_json::from_str(&bed.login("ann", "tsm daemon logs --json 2>/dev/null").ok()).expect("JSON");
    assert!(all[0]["message"].as_str().is_some_and(|it| it.contains("daemon @prod started")), "{all}");
    // It goes on with what is written, also by the next daemon.
    bed.root("setsid runuser -u ann -- tsm daemon logs 1 -f @prod < /dev/null > /run/followed 2>&1 & echo $! > /run/follower").ok();
    bed.eventually("the last line is there", "grep -q 'ready: 1 of 1 processes run' /run/followed");
    bed.root("tsm daemon restart --yes").ok();
    bed.eventually(
        "what the next daemon wrote is there",
        "grep -q \"daemon @prod started, PID $(systemctl show -P MainPID tetra)\" /run/followed",
    );
    assert!(bed.root("cat /run/followed").ok().contains("these lines are from /var/lib/tetra/logs/tetra.log"));
    bed.root("kill $(cat /run/follower)").ok();
    bed.eventually("it ends when it is asked to, with all it started", "! pgrep -u ann");
    // Who may read neither.
    bed.root("gpasswd -d ann tetra").ok();
    let refused = bed.login("ann", "tsm daemon logs @prod 2>&1").code(1);
    assert!(refused.contains("systemd-journal"), "{refused}");
}

#[test]
fn doctor_says_what_to_do_about_the_unit() {
    let Some(bed) = Bed::start("doctor") else { return };
    let check = |line: &str, status: &str, words: &str, advice: &str| {
        bed.root(line).ok();
        let found = finding(&bed);
        assert!(found.0 == status && found.1.contains(words) && found.2.contains(advice), "after `{line}`: {found:?}");
    };
    check("true", "warning", "no unit is installed", "tsm daemon install @dev");
    check("tsm daemon install @dev", "warning", "not enabled", "tsm daemon enable");
    check("tsm daemon enable", "warning", "enabled but not active", "tsm daemon start");
    check("tsm daemon start", "ok", "installed, enabled and active", "");
    check(
        "mkdir /run/systemd/system/tetra-dev.service.d && printf '[Service]\nExecStart=\nExecStart=false\nRestart=no\n' > \
         /run/systemd/system/tetra-dev.service.d/f.conf && systemctl daemon-reload && ! systemctl restart tetra-dev",
        "error",
        "has failed",
        "tsm daemon logs",
    );
}

#[test]
fn the_server_of_production_needs_no_other_program_and_shows_no_secret() {
    let Some(bed) = Bed::start("server") else { return };
    bed.root("chmod -x /usr/bin/node && tsm daemon install @production --yes").ok();
    let file = "/var/lib/tetra/tsm/services-available/tetra.tsm";
    bed.root(&format!("grep -- 'serve --env production' {file} && test ! -e /var/lib/tetra/env/dev.env")).ok();
    bed.root("mkdir /etc/systemd/system/tetra.service.d && printf '[Service]\nEnvironment=API_KEY=hunter2hunter2 TETRA_RELEASE=r42\n' > /etc/systemd/system/tetra.service.d/e.conf && systemctl daemon-reload").ok();
    bed.root("tsm daemon start --yes").ok();
    let health: Value = serde_json::from_str(&bed.root("curl -sf localhost:4444/health").ok()).expect("JSON");
    assert_eq!((&health["release"], &health["env"]), (&Value::from("r42"), &Value::from("prod")), "{health}");
    let server = "p=$(pgrep -f '[t]etra serve')";
    assert_eq!(
        bed.root(&format!("{server}; readlink /proc/$p/cwd; stat -c %U /proc/$p")).ok(),
        "/var/lib/tetra\ntetra\n"
    );
    bed.root(&format!("{server}; tr '\\0' '\\n' < /proc/$p/environ | grep hunter2")).ok();
    for path in ["health", "metrics", "api/processes", "api/processes/tetra-4444", "api/logs/tetra-4444", ""] {
        let said = bed.root(&format!("curl -sf localhost:4444/{path}")).ok();
        assert!(!said.contains("hunter2"), "{path}: {said}");
    }
    assert_eq!(bed.root("ss -Hltn sport = :4444 | awk '{ print $4 }'").ok(), "127.0.0.1:4444\n");
}
