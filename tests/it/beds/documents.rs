//! The manuals that need a server, read at a laptop that reaches a box by ssh, as `dev-server`, `dev` and (for `sudo`) `ann`.

use std::fs;
use std::process::Command;

use super::{Bed, SYSTEMD_BOX};
use crate::documents::{Block, Laptop, Reader, SERVER, document};
use crate::program;

/// The laptop and the server of an operator.
struct Machines {
    laptop: Laptop,
    bed: Bed,
}

/// What every document takes for granted of a server: tetra is set up, its sources are there with a server in them, and they are
/// a clone of a repository.
const SET_UP: &str = "\
set -e
export TETRA_SRC=/root/src/devops/tetra GIT_CONFIG_COUNT=2
export GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=root GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=root@localhost
mkdir -p $TETRA_SRC/server $TETRA_SRC/env /path/to
printf %s \"$SERVER\" > $TETRA_SRC/server/server.js
ln -s $TETRA_SRC /path/to/tetra
echo NODE_ENV=development > $TETRA_SRC/env/dev.env
tetra setup
tetra org init my-company --server
runuser -u ann -- env -i HOME=/home/ann PATH=$PATH tetra setup
cd $TETRA_SRC
git init -q -b main
git add .
git commit -q -m sources
git clone -q --bare . /root/tetra.git
git remote add origin /root/tetra.git
printf '#!/bin/bash\\nexec sleep 1000\\n' > test-service.sh
chmod +x test-service.sh
printf '#!/bin/sh\\ntest -n \"$1\"\\n' > /usr/local/bin/nano
chmod +x /usr/local/bin/nano
for home in /root /home/ann; do
    install -d -m 700 -o $(basename $home) $home/.ssh
    echo \"$KEY\" > $home/.ssh/authorized_keys
done
mkdir -p /run/sshd";

impl Machines {
    /// None where there can be no box.
    fn start(test: &str) -> Option<Self> {
        let bed = Bed::start(test)?;
        let laptop = Laptop::new();
        let dir = laptop.dir();
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f"]).arg(dir.join("key"));
        assert!(keygen.status().expect("ssh-keygen is there").success());
        let public = fs::read_to_string(dir.join("key.pub")).expect("made");
        let host_key = bed.root("cat /etc/ssh/ssh_host_ed25519_key.pub").ok();
        fs::write(dir.join("known_hosts"), format!("server {host_key}")).expect("ours");
        fs::write(dir.join("ssh_config"), ssh_config(&dir.display().to_string(), &bed)).expect("ours");
        for name in ["ssh", "scp"] {
            let text = format!("#!/bin/sh\nexec /usr/bin/{name} -F '{}' \"$@\"\n", dir.join("ssh_config").display());
            program::script(&dir.join("bin").join(name), &text);
        }
        bed.root(&format!("KEY='{}'\nread -rd '' SERVER <<'END'\n{SERVER}END\n{SET_UP}", public.trim())).ok();
        Some(Self { laptop, bed })
    }
}

/// A server in the box for each connection, which needs no network between laptop and box.
fn ssh_config(dir: &str, bed: &Bed) -> String {
    let sudo = if nix::unistd::geteuid().is_root() { "" } else { "sudo -n " };
    format!(
        "Host dev dev-server ann\n  HostKeyAlias server\n  ProxyCommand {sudo}{SYSTEMD_BOX} -n {} exec /usr/sbin/sshd -i\n  \
         IdentityFile {dir}/key\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {dir}/known_hosts\n  \
         GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n  ControlPath none\n\
         Host ann\n  User ann\nHost *\n  User root\n",
        bed.name
    )
}

const LAPTOP: &str = "laptop";

/// The operator edits the environment again: what was rolled back is not promoted a second time.
const EDITED: &[&str] = &["vim ~/tetra/org/my-company/environments/local.toml"];

/// What a document takes for granted where a heading begins: lines at a machine.
type Given = (&'static str, &'static str, &'static [&'static str]);

/// Types a block where its heading wants it; at the laptop unless the heading is in `places`.
fn read(reader: &mut Reader, block: &Block, places: &[(&str, &[&str])], given: &[Given]) {
    for (_, host, lines) in given.iter().filter(|(heading, ..)| *heading == block.heading) {
        match *host {
            LAPTOP => lines.iter().for_each(|line| reader.prepare(line)),
            host => reader.prepare_at(host, lines),
        }
    }
    match places.iter().find(|(_, headings)| headings.contains(&block.heading.as_str())) {
        Some((host, _)) => reader.read_at(host, block),
        None => reader.read(block),
    }
}

#[test]
fn every_line_of_the_daemon_setup_works_and_the_server_is_back_after_a_reboot() {
    const ROOT: &[&str] = &[
        "Install Daemon",
        "Control Daemon",
        "Uninstall Daemon",
        "Service Lifecycle",
        "Service Definition (`tetra.tsm`)",
        "Multiple Instances",
        "Deployment Script Example",
        "Quick Reference",
    ];
    const GIVEN: &[Given] = &[
        ("Control Daemon", "dev-server", &["tsm daemon uninstall @prod"]),
        (
            "Check Service Status",
            "dev-server",
            &["tsm stop tetra", "tsm daemon install @dev", "tsm daemon enable", "tsm daemon start"],
        ),
        ("Deployment Script Example", "dev-server", &["tsm daemon uninstall @prod"]),
        ("Quick Reference", "dev-server", &["tsm daemon uninstall"]),
    ];
    let Some(Machines { laptop, bed }) = Machines::start("setup") else { return };
    let mut reader = Reader::start("daemon-setup.md", &laptop);
    for block in document("daemon-setup.md") {
        if ROOT.contains(&block.heading.as_str()) {
            read(&mut reader, &block, &[("dev-server", ROOT)], GIVEN);
        } else {
            read(&mut reader, &block, &[("ann", &[&block.heading])], GIVEN);
        }
        if block.heading == "Deployment Script Example" {
            bed.reboot();
            bed.eventually("the server answers after the reboot", "curl -f http://localhost:4444/health");
        }
    }
    reader.finish();
}

#[test]
fn every_line_of_the_deployment_guide_works_and_the_server_is_back_after_a_reboot() {
    const SERVER: &[&str] =
        &["Development Server (@dev)", "Systemd Service Details", "Monitoring & Logs", "Daemon won't start"];
    const GIVEN: &[Given] =
        &[("CI/CD Integration", LAPTOP, EDITED), ("Daemon won't start", "dev-server", &["tsm daemon stop"])];
    let Some(Machines { laptop, bed }) = Machines::start("guide") else { return };
    let mut reader = Reader::start("deployment-guide.md", &laptop);
    for block in document("deployment-guide.md") {
        read(&mut reader, &block, &[("dev-server", SERVER)], GIVEN);
    }
    reader.prepare_at("dev-server", &["tsm daemon start"]);
    bed.reboot();
    bed.eventually("the server answers after the reboot", "curl -f http://localhost:4444/health");
    reader.finish();
}

#[test]
fn every_line_of_the_environments_works() {
    const SERVER: &[&str] = &["Integration with TSM Daemon"];
    const GIVEN: &[Given] = &[("Example: @dev Configuration", LAPTOP, EDITED), ("CI/CD Integration", LAPTOP, EDITED)];
    let Some(Machines { laptop, bed: _bed }) = Machines::start("environments") else { return };
    let mut reader = Reader::start("multi-env.md", &laptop);
    for block in document("multi-env.md") {
        read(&mut reader, &block, &[("dev-server", SERVER)], GIVEN);
    }
    reader.finish();
}

#[test]
fn every_line_of_the_audit_works() {
    const PROJECT: &str = "\
cat > tetra.toml <<'END'
[metadata]
name = \"pixeljam-arcade\"
[environments.staging]
port = 8000
domain_name = \"staging.pixeljamarcade.com\"
[environments.prod]
port = 8000
domain_name = \"pixeljamarcade.com\"
END";
    let Some(Machines { laptop, bed: _bed }) = Machines::start("audit") else { return };
    let mut reader = Reader::start("setup-audit.md", &laptop);
    reader.connect("dev-server");
    for line in [
        "source ~/tetra/tetra.sh",
        "cd /root/src/devops/tetra",
        PROJECT,
        "tsm daemon install @dev --template",
        "systemctl start tetra@root",
    ] {
        reader.prepare(line);
    }
    for block in document("setup-audit.md") {
        reader.read(&block);
    }
    reader.disconnect();
    reader.finish();
}
