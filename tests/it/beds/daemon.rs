//! `daemon` on a machine with systemd.

use serde_json::Value;

use super::Bed;
use crate::schema::{misfits, schema};

/// What a line says with `--json`, which has to have the shape of a schema.
#[track_caller]
fn json(bed: &Bed, line: &str, name: &str) -> Value {
    let said = bed.root(&format!("{line} --json 2>/dev/null || test $? = 3")).ok();
    let value: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("`{line}`: {error}\n{said}"));
    assert_eq!(misfits(&value, &schema(name)), Vec::<String>::new(), "`{line}`: {value:#}");
    value
}

#[test]
fn a_box_has_what_the_tests_use() {
    let Some(bed) = Bed::start("box") else { return };
    assert_eq!(bed.root("systemctl is-system-running").ok(), "running\n");
    assert_eq!(bed.root("tsm list --json").ok(), "[]\n");
    assert_eq!(bed.user("ann", "id -un").ok(), "ann\n");
    assert_eq!(bed.login("ann", "id -un; loginctl list-sessions --no-legend | grep -c ann").ok(), "ann\n1\n");
    bed.root("touch /root/stays; node --version; python3 --version").ok();
    bed.power_cut();
    bed.root("rm /root/stays").ok();
    bed.reboot();
    bed.eventually("the box is up", "! ls /root/stays && systemctl is-system-running");
}

#[test]
fn two_environments_run_beside_each_other_and_are_back_after_a_power_cut() {
    let Some(bed) = Bed::start("beside") else { return };
    let planned = json(&bed, "tsm daemon install @dev --dry-run", "daemon-install");
    assert!(planned["steps"].as_array().is_some_and(|steps| steps.iter().all(|step| step["state"] == "planned")));
    bed.root("test ! -e /etc/systemd/system/tetra-dev.service && test ! -e /root/tetra").ok();
    bed.root("tsm daemon status").code(3);

    bed.root("tsm daemon install @dev && ! systemctl is-enabled tetra-dev && ! systemctl is-active tetra-dev").ok();
    bed.root("tsm daemon enable && tsm daemon start && curl -sf localhost:4444/health").ok();
    assert!(bed.root("tsm daemon install @production").code(4).contains("--yes"), "the guard asks in prod");
    let said = bed.root("tsm daemon install @production --yes").ok();
    assert!(said.contains("port 4445; 4444 is used by tetra-dev.service"), "{said}");
    assert!(bed.root("tsm daemon start").code(5).contains("tetra.service (@prod, port 4445)"));
    bed.root("tsm daemon enable @prod --yes && tsm daemon start @prod --yes && curl -sf localhost:4445/health").ok();
    for env in ["@dev", "@prod"] {
        let again = bed.root(&format!("tsm daemon install {env} --yes")).ok();
        assert!(again.contains("up to date"), "{again}");
        let status = json(&bed, &format!("tsm daemon status {env}"), "daemon-status");
        assert_eq!((&status["active"], &status["health"]), (&Value::from(true), &Value::from("ok")), "{status:#}");
        assert_eq!(status["services"][0]["state"], "online", "{status:#}");
        assert_eq!(status["drift"], Value::Null, "{status:#}");
    }
    assert_eq!(bed.root("ps -o user= -C tetra | sort -u").ok(), "root\ntetra\n");
    assert_eq!(json(&bed, "tsm daemon logs 3 @dev", "daemon-logs").as_array().map(Vec::len), Some(3));

    bed.power_cut();
    for port in [4444, 4445] {
        bed.eventually("the server answers after the power cut", &format!("curl -sf localhost:{port}/health"));
    }
    bed.root("tsm daemon restart @dev && curl -sf localhost:4444/health").ok();
    bed.root("tsm daemon stop @dev && ! curl -s localhost:4444/health && curl -sf localhost:4445/health").ok();
    assert_eq!(json(&bed, "tsm daemon status @dev", "daemon-status")["active"], Value::from(false));
    let change = json(&bed, "tsm daemon uninstall @prod --yes", "daemon-change");
    assert_eq!(change["action"], "uninstalled");
    bed.root("test ! -e /etc/systemd/system/tetra.service && test -e /var/lib/tetra/tsm && ! pgrep -u tetra").ok();
    bed.root("tsm daemon disable && ! systemctl is-enabled tetra-dev && tsm daemon uninstall").ok();
    assert!(bed.root("tsm daemon status").code(3).contains("tsm daemon install @dev"));
}
