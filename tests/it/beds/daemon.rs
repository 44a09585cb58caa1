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
    // The last lines of a time, in either way to write it, and what follows them.
    let last = bed.root("tsm daemon logs 2 @dev").ok();
    for since in ["1h", "1 hour ago"] {
        assert_eq!(bed.root(&format!("tsm daemon logs 2 @dev --since '{since}'")).ok(), last, "{since}");
        let followed = bed.root(&format!("timeout 1 tsm daemon logs 2 -f @dev --since '{since}'")).code(124);
        assert!(followed.ends_with(&last), "{since}: {followed}");
    }
    let refused = bed.root("tsm daemon logs @dev --since yester").code(2);
    assert!(refused.contains("invalid time `yester`: expected 10m"), "{refused}");
    // The templates of an ordinary user do not go to the directory of root.
    let made =
        bed.login("ann", "tetra setup && test -d ~/.local/share/tetra/templates && tsm daemon stop --user").code(3);
    assert!(made.contains("`tsm daemon install @dev --user` installs one"), "{made}");

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

#[test]
fn an_environment_is_applied_under_a_running_daemon() {
    let Some(bed) = Bed::start("apply") else { return };
    let local = "/root/tetra/org/acme/environments/local.toml";
    let api = "[services.api]\ncommand = \"sleep 1000\"\ncwd = \"/root\"";
    bed.root(&format!("tetra org init acme && printf '{api}\n' >> {local} && tetra org promote @dev")).ok();
    bed.root("tsm daemon install @dev && tsm daemon start").ok();
    let daemon = bed.root("systemctl show -P MainPID tetra-dev").ok();
    let said = bed.root("tetra org promote @dev --set resources.memory_max=512 && tetra org apply @dev").ok();
    assert!(said.contains("restarted api") && said.contains("`tsm daemon restart @dev`"), "{said}");
    assert_eq!(bed.root("systemctl show -P MainPID tetra-dev").ok(), daemon, "the daemon is left alone");
    assert!(bed.root("cat /proc/$(pgrep -xf 'sleep 1000')/cgroup").ok().contains("tetra-dev.service"));
    let before = bed.root("pgrep -xf 'sleep 1000'").ok();
    bed.root("tsm daemon restart && curl -sf localhost:4444/health").ok();
    assert_ne!(bed.root("pgrep -xf 'sleep 1000'").ok(), before);
    let status = json(&bed, "tsm daemon status", "daemon-status");
    assert_eq!((&status["memory_max"], &status["drift"]), (&Value::from(512_u64 << 20), &Value::Null), "{status:#}");
    assert!(bed.root("tetra org apply @dev").ok().contains("is applied already"));
    assert!(bed.root("tsm daemon install @dev").ok().contains("up to date"));
}

#[test]
fn a_unit_is_not_installed_without_systemd_or_above_its_exposure() {
    let Some(bed) = Bed::start("refused") else { return };
    let alone = "unshare --mount --pid --fork --mount-proc sh -c";
    let said = bed.root(&format!("{alone} 'mount -t tmpfs none /run/systemd; tsm daemon install @dev'")).code(1);
    assert!(said.contains("systemd does not run on this machine: PID 1 is `sh`"), "{said}");
    // systemd itself counts, and the limit is a lower one.
    let analyze = "#!/bin/bash\nexec /usr/bin/systemd-analyze \"${@/threshold=75/threshold=70}\"\n";
    bed.root(&format!("mkdir /root/bin; printf '%s' '{analyze}' > /root/bin/systemd-analyze; chmod +x /root/bin/*"))
        .ok();
    let said = bed.root("PATH=/root/bin:$PATH tsm daemon install @dev").code(4);
    assert!(said.contains("`tetra-dev.service` would be too exposed: 7.") && said.contains("strict"), "{said}");
    // Only the attempts are on record.
    bed.root("test ! -e /etc/systemd/system/tetra-dev.service && test ! -e /root/tetra/tsm").ok();
}

#[test]
fn an_installation_that_is_killed_or_doubled_is_finished_by_the_next_one() {
    let Some(bed) = Bed::start("doubled") else { return };
    bed.root("for i in 1 2 3; do tsm daemon install @prod --yes > /run/$i 2>&1 & done; wait").ok();
    let said = bed.root("cat /run/1 /run/2 /run/3").ok();
    let finished =
        ["installed tetra.service", "is up to date", "a unit is being installed"].map(|it| said.matches(it).count());
    assert_eq!((finished[0], finished.iter().sum::<usize>()), (1, 3), "{said}");
    assert!(bed.root("tsm daemon install @prod --yes").ok().contains("up to date"));
    bed.root("tsm daemon start --yes && curl -sf localhost:4444/health && tsm daemon uninstall --yes").ok();
    // Killed at any moment: what is there is whole.
    bed.root("for after in 0.01 0.03 0.05 0.1 0.2 0.4; do timeout -s KILL $after tsm daemon install @staging --yes; done; true").ok();
    bed.root("f=/etc/systemd/system/tetra-staging.service; test ! -e $f || systemd-analyze verify $f").ok();
    bed.root("tsm daemon install @staging --yes && tsm daemon start --yes && curl -sf localhost:4444/health").ok();
    assert!(
        bed.root("ls -a /etc/systemd/system").ok().lines().all(|name| !name.starts_with(".tetra")),
        "nothing is left"
    );
}

#[test]
fn a_storm_of_reloads_and_a_full_disk_end_no_service() {
    let Some(bed) = Bed::start("storm") else { return };
    bed.root("mkdir /root/tetra && mount -t tmpfs -o size=2m none /root/tetra && tsm daemon install @dev && tsm daemon start").ok();
    let pids = "systemctl show -P MainPID tetra-dev; tsm list --json | grep '\"pid\"'";
    let before = bed.root(pids).ok();
    bed.root(
        "for i in $(seq 300); do kill -HUP $(systemctl show -P MainPID tetra-dev); done; systemctl reload tetra-dev",
    )
    .ok();
    bed.root("dd if=/dev/zero of=/root/tetra/full bs=4k; systemctl reload tetra-dev && curl -sf localhost:4444/health")
        .ok();
    assert_eq!(bed.root(pids).ok(), before);
    bed.root("tsm daemon stop; ! pgrep -f '[t]etra serve'").ok();
    bed.root("rm /root/tetra/full && systemctl reset-failed && tsm daemon start && curl -sf localhost:4444/health")
        .ok();
}

/// What a service writes about itself: its interfaces and processors, as its language finds them.
const NODE: &str = r#"const os = require("os"); const fs = require("fs"); fs.writeFileSync("/tmp/probe", "x");
fs.writeFileSync("node.json", JSON.stringify({ interfaces: Object.keys(os.networkInterfaces()), cpus: os.cpus().length }));
require("http").createServer((_, answer) => answer.end("node")).listen(process.env.PORT);"#;
const PYTHON: &str = r#"import os, socket
open("/tmp/probe", "w").write("x")
with open("python.json", "w") as file:
    names = ", ".join('"%s"' % name for _, name in socket.if_nameindex())
    file.write('{"interfaces": [%s], "cpus": %d}' % (names, os.cpu_count()))
server = socket.create_server(("", int(os.environ["PORT"])))
while True:
    peer, _ = server.accept()
    peer.recv(4096)
    peer.sendall(b"HTTP/1.0 200 OK\r\n\r\npython")
    peer.close()
"#;

#[test]
fn node_and_python_run_under_every_profile() {
    let Some(bed) = Bed::start("profiles") else { return };
    let cpus: u64 = bed.root("nproc").ok().trim().parse().expect("a number");
    for (env, unit, hardening) in [
        ("dev", "tetra-dev", None),
        ("dev", "tetra-dev", Some("strict")),
        ("staging", "tetra-staging", None),
        ("prod", "tetra", None),
    ] {
        let home = if env == "dev" { "/root/tetra" } else { "/var/lib/tetra" };
        if hardening.is_some() {
            let dir = "/root/tetra/org/acme/environments";

            bed.root("tetra org init acme").ok();
            bed.root(&format!("cat >> {dir}/local.toml <<'END'\n[overrides.dev]\ndaemon.hardening = \"strict\"\nEND\nsed -n p {dir}/local.toml; tetra org promote @dev")).ok();
        }
        bed.root(&format!("tsm daemon install @{env} --yes")).ok();
        let is_strict = env != "dev" || hardening.is_some();
        let filter =
            bed.root(&format!("grep -c SystemCallFilter= /etc/systemd/system/{unit}.service")).output.code == 0;
        assert_eq!(filter, is_strict, "{env} {hardening:?}");
        let run = format!("tetra --dir {home} tsm");
        for (name, word, code, port) in [("node", "node", NODE, 5001), ("python", "python3", PYTHON, 5002)] {
            let file = format!("{home}/{name}.code");
            bed.root(&format!("cat > {file} <<'END'\n{code}\nEND\nchmod 644 {file}; chown --reference={home} {file}"))
                .ok();
            let save = format!("save {name} --yes --force --cwd {home} --port {port} -- {word} {file}");
            bed.root(&format!("cd /; {run} {save} && {run} enable {name} --yes")).ok();
        }
        bed.root(&format!("tsm daemon start @{env} --yes")).ok();
        for (name, port) in [("node", 5001), ("python", 5002)] {
            bed.eventually("the service answers", &format!("test \"$(curl -sf localhost:{port})\" = {name}"));
            let said = bed.root(&format!("cat {home}/{name}.json")).ok();
            let found: Value = serde_json::from_str(&said).expect("JSON");
            assert_eq!(found["cpus"], Value::from(cpus), "{env} {hardening:?} {name}: {found}");
            assert_eq!(found["interfaces"], serde_json::json!(["lo"]), "{env} {hardening:?} {name}");
        }
        bed.root("test ! -e /tmp/probe").ok();
        // A daemon that dies takes nothing along, not even temporary files.
        let pid = bed.root(&format!("systemctl show -P MainPID {unit}")).ok();
        bed.root(&format!("kill -9 {}", pid.trim())).ok();
        bed.eventually(
            "another daemon",
            &format!(
                "p=$(systemctl show -P MainPID {unit}); test $p != 0 -a $p != {} && systemctl is-active {unit}",
                pid.trim()
            ),
        );
        bed.root("curl -sf localhost:5001 && curl -sf localhost:5002").ok();
        if env != "dev" {
            bed.root("p=$(pgrep -f node.code | head -n 1); test -e /proc/$p/root/tmp/probe").ok();
        }
        bed.root(&format!(
            "tsm daemon stop @{env} --yes && ! pgrep -f '[.]code' && test -z \"$(ls /var/cache/{unit} 2>/dev/null)\""
        ))
        .ok();
        bed.root(&format!("tsm daemon uninstall @{env} --yes; {run} disable node --yes; {run} disable python --yes"))
            .ok();
    }
}

#[test]
fn an_ordinary_user_has_a_unit_of_the_own_manager() {
    let Some(bed) = Bed::start("user") else { return };
    // Before the first login.
    let refused = bed.user("ann", "tsm daemon install @dev --user").code(1);
    assert!(
        refused.contains("no systemd manager runs for the user `ann`") && refused.contains("enable-linger ann"),
        "{refused}"
    );
    assert!(refused.contains("these steps were not taken"), "{refused}");
    let refused = bed.login("ann", "tsm daemon install @dev").code(4);
    assert!(refused.contains("--user") && refused.contains("these steps were not taken"), "{refused}");
    let said = bed
        .login(
            "ann",
            "tsm daemon install @dev --user && tsm daemon enable && tsm daemon start && curl -sf localhost:4444/health",
        )
        .ok();
    assert!(said.contains("loginctl enable-linger ann"), "{said}");
    bed.eventually("the last login of ann is over", "! pgrep -u ann");
    bed.root("! curl -sf localhost:4444/health && loginctl enable-linger ann").ok();
    bed.eventually("lingering starts it", "curl -sf localhost:4444/health");
    bed.power_cut();
    bed.eventually("it is back after the power cut", "curl -sf localhost:4444/health");
    // Without a session, as after `su`.
    let status = bed.user("ann", "unset XDG_RUNTIME_DIR; tsm daemon status && tsm daemon logs 2").ok();
    assert!(status.contains("active (running)") && status.contains("tetra online, port 4444"), "{status}");
    // The unit of the machine beside it takes the next port.
    assert!(bed.root("tsm daemon status").code(3).contains("tsm daemon install"), "root has none");
    bed.user("ann", "tsm daemon stop && tsm daemon disable && tsm daemon uninstall && ! curl -s localhost:4444/health")
        .ok();
}

#[test]
fn units_of_the_guide_and_of_templates_are_taken_over_and_edited_ones_are_kept() {
    let Some(bed) = Bed::start("guide") else { return };
    let unit = "/etc/systemd/system/tetra-dev.service";
    bed.root(&format!("printf '[Unit]\nDescription=x\n[Service]\nEnvironment=CUSTOM_VAR=value\nExecStart=/bin/bash -c \"source /root/tetra/tetra.sh && tsm start tetra\"\n' > {unit}")).ok();
    let said = bed.root("tsm daemon install @dev").ok();
    assert!(said.contains("-ExecStart=/bin/bash") && said.contains("copied from the guide"), "{said}");
    bed.root(&format!(
        "grep -x Environment=CUSTOM_VAR=value {unit}; systemctl start tetra-dev && curl -sf localhost:4444/health"
    ))
    .ok();

    // What the documents copy is what is installed.
    bed.root(&format!("tetra setup --system; tsm daemon uninstall && cp $(find / -xdev -name tetra@dev.service -path '*/templates/*' | head -n 1) {unit} && systemctl daemon-reload")).ok();
    assert!(bed.root("tsm daemon install @dev").ok().contains("up to date"));

    bed.root(&format!("sed -i 's/^MemoryMax=.*/MemoryMax=2G/' {unit}")).ok();
    assert!(bed.root("tsm daemon install @dev").code(21).contains("systemctl edit tetra-dev.service"));
    assert!(bed.root("tsm daemon status").code(3).contains("edited by hand"));
    let forced = bed.root("tsm daemon install @dev --force").ok();
    assert!(forced.contains("-MemoryMax=2G") && forced.contains("+MemoryMax=1G"), "{forced}");

    bed.root(&format!(
        "mkdir {unit}.d && printf '[Service]\nMemoryMax=3G\n' > {unit}.d/more.conf && systemctl daemon-reload"
    ))
    .ok();
    bed.root("tsm daemon install @dev && tsm daemon start").ok();
    let status = json(&bed, "tsm daemon status", "daemon-status");
    assert_eq!((&status["memory_max"], &status["drift"]), (&Value::from(3_u64 << 30), &Value::Null), "{status:#}");

    // A manager that does not take the unit: what was there is there again.
    bed.root("tsm daemon stop && cp /usr/bin/systemctl /root/systemctl").ok();
    bed.root(&format!("sha256sum {unit} > /root/sum; mkdir /root/bin; printf '#!/bin/sh\ncase \"$*\" in *daemon-reload*) echo no >&2; exit 1;; esac\nexec /usr/bin/systemctl \"$@\"\n' > /root/bin/systemctl; chmod +x /root/bin/systemctl")).ok();
    bed.root("PATH=/root/bin:$PATH tsm daemon install @dev --port 4555").code(1);
    bed.root("sha256sum -c /root/sum").ok();

    bed.root("tsm daemon uninstall; tsm daemon install --template @dev && systemctl start tetra@root.service").ok();
    bed.eventually("the instance is up", "systemctl is-active tetra@root.service && tsm daemon status");
    bed.root(
        "tsm daemon enable && tsm daemon stop && tsm daemon uninstall && test ! -e /etc/systemd/system/tetra@.service",
    )
    .ok();
}
