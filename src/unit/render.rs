//! From settings to the text of a unit.

use super::header::with_header;
use super::lines::UnitLines;
use super::settings::{Owner, UnitSettings};
use super::words::{argument, plain, word};
use super::{DEFAULT_PATH, sandbox};

/// How long the daemon may be silent before systemd ends it and starts it again, in seconds. Half of it is the pause between two
/// signs of life, which goes with the daemon's maintenance rounds.
const WATCHDOG_SECONDS: u32 = 120;

/// How long an orderly stop may take, in seconds.
const STOP_SECONDS: u32 = 30;

impl UnitSettings {
    /// The unit: header, then body.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = UnitLines(String::new());
        self.unit_section(&mut lines);
        self.service_section(&mut lines);
        self.limits_lines(&mut lines);
        sandbox::lines(self, &mut lines);
        lines.all(&["StandardOutput=journal", "StandardError=journal"]);
        let instance = if self.owner == Owner::Instance { "tetra-%i" } else { self.identifier() };
        lines.add("SyslogIdentifier", instance);
        let target = if self.owner == Owner::Session { "default.target" } else { "multi-user.target" };
        lines.all(&["", "[Install]"]);
        lines.add("WantedBy", target);
        with_header(&self.name, &lines.0)
    }

    fn unit_section(&self, lines: &mut UnitLines) {
        lines.text("[Unit]");
        lines.add("Description", format!("Tetra Service Manager Daemon (@{} environment)", self.env));
        if self.owner != Owner::Session {
            // A user's manager knows no targets of the machine.
            lines.all(&["Wants=network-online.target", "After=network-online.target"]);
        }
        lines.all(&["StartLimitIntervalSec=300", "StartLimitBurst=5", ""]);
    }

    fn service_section(&self, lines: &mut UnitLines) {
        let program = argument(&self.program);
        let env = &self.env;
        lines.all(&["[Service]", "Type=notify", "NotifyAccess=main"]);
        lines.add("WatchdogSec", WATCHDOG_SECONDS);
        match &self.owner {
            Owner::Account(account) => {
                lines.add("User", plain(&account.user));
                lines.add("Group", plain(&account.group));
            }
            Owner::Instance => lines.text("User=%i"),
            Owner::Session => {}
        }
        match &self.owner {
            Owner::Instance => lines.text("WorkingDirectory=~"),
            _ => lines.add("WorkingDirectory", plain(&self.home.to_string_lossy())),
        }
        self.environment_lines(lines);
        lines.add("ExecStart", format!("{program} daemon run @{env}"));
        lines.all(&[
            "ExecReload=/bin/kill -HUP $MAINPID",
            "# Each process has a supervisor of its own and outlives the daemon; after a stop nothing may be left.",
            "KillMode=process",
        ]);
        lines.add("ExecStopPost", format!("{program} daemon sweep @{env}"));
        lines.add("TimeoutStopSec", STOP_SECONDS);
        lines.all(&["Restart=on-failure", "RestartSec=2", "Delegate=yes", "OOMPolicy=continue"]);
    }

    fn environment_lines(&self, lines: &mut UnitLines) {
        let mut give = |name: &str, value: &str| lines.add("Environment", word(&format!("{name}={value}")));
        if self.owner != Owner::Instance {
            give("TETRA_SRC", &self.source.to_string_lossy());
            give("TETRA_DIR", &self.home.to_string_lossy());
        }
        if let Some(org) = &self.org {
            give("TETRA_ORG", org.as_str());
        }
        give("TETRA_ENV", self.env.as_str());
        give("TETRA_PORT", &self.port.to_string());
        if sandbox::hides_homes(self) {
            // The home directory of the user may be one of those that are hidden.
            give("HOME", &self.home.to_string_lossy());
        }
        if let Some(path) = self.search_path() {
            give("PATH", &path);
        }
        self.kept_environment.iter().for_each(|line| lines.text(line));
    }

    /// Services call the program by its name: its directory is searched too, if it is not one of the usual ones.
    fn search_path(&self) -> Option<String> {
        let dir = self.program.parent()?.to_str()?;
        (!DEFAULT_PATH.split(':').any(|known| known == dir)).then(|| format!("{dir}:{DEFAULT_PATH}"))
    }

    fn limits_lines(&self, lines: &mut UnitLines) {
        if let Some(mebibytes) = self.limits.memory_max {
            match mebibytes % 1024 {
                0 => lines.add("MemoryMax", format!("{}G", mebibytes / 1024)),
                _ => lines.add("MemoryMax", format!("{mebibytes}M")),
            }
        }
        if let Some(files) = self.limits.limit_nofile {
            lines.add("LimitNOFILE", files);
        }
        if let Some(processes) = self.limits.limit_nproc {
            lines.add("LimitNPROC", processes);
            lines.add("TasksMax", processes);
        }
    }
}
