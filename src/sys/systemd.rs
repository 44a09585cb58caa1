//! What systemd says of units, asked through the operator's own `systemctl`.

use std::fs;

use super::host::Host;
use super::process;
use super::systemctl::{Manager, Systemctl};

/// What is asked about a [`Unit`].
const PROPERTIES: [&str; 9] =
    ["Id", "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "Type", "RemainAfterExit", "MainPID"];

/// A unit as its manager sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// Its name: `tetra-dev.service`.
    pub name: String,
    /// `ActiveState`: active, activating, failed, …
    pub active_state: String,
    /// `SubState`: running, auto-restart, …
    pub sub_state: String,
    /// `Result`: success, exit-code, start-limit-hit, …
    pub result: String,
    /// `NRestarts`: how often systemd itself started it again.
    pub restarts: u32,
    /// `Type`: simple, oneshot, notify, …
    pub service_type: String,
    /// `RemainAfterExit`.
    pub remain_after_exit: bool,
    /// `MainPID`; 0 if there is none.
    pub main_pid: u32,
}

impl Unit {
    /// Asks the manager; `None` where it does not answer or does not know the unit.
    #[must_use]
    pub fn show(host: &dyn Host, name: &str, manager: Manager) -> Option<Self> {
        let mut answer = Systemctl { host, manager }.properties(name, &PROPERTIES);
        let mut take = |property: &str| answer.remove(property).unwrap_or_default();
        let is_loaded = take("LoadState") == "loaded";
        let unit = Self {
            name: take("Id"),
            active_state: take("ActiveState"),
            sub_state: take("SubState"),
            result: take("Result"),
            restarts: take("NRestarts").parse().unwrap_or(0),
            service_type: take("Type"),
            remain_after_exit: take("RemainAfterExit") == "yes",
            main_pid: take("MainPID").parse().unwrap_or(0),
        };
        (is_loaded && !unit.name.is_empty()).then_some(unit)
    }

    /// The unit that is over when this command returns, with all that was started in it: its main process is this command, or
    /// the shell that runs it.
    #[must_use]
    pub fn ending_with_this_command(host: &dyn Host) -> Option<Self> {
        // systemd gives it to what it executes; below a terminal or a service of another kind it is an ancestor's.
        let main: u32 = host.variable("SYSTEMD_EXEC_PID")?.parse().ok()?;
        let own = process::own_pid();
        if main != own && main != process::stat(own)?.ppid {
            return None;
        }
        let (name, manager) = unit_in(&fs::read_to_string("/proc/self/cgroup").ok()?)?;
        // A unit that forks or remains goes on without its first process; what prepares a start is not its main process.
        Self::show(host, &name, manager)
            .filter(|unit| unit.main_pid == main && unit.service_type != "forking" && !unit.remain_after_exit)
    }

    /// True while systemd starts it again and again, or has given it up.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.active_state == "failed" || self.sub_state == "auto-restart"
    }
}

/// The manager of the service that this process is in; none outside of one.
#[must_use]
pub fn manager_of_own_unit() -> Option<Manager> {
    unit_in(&fs::read_to_string("/proc/self/cgroup").ok()?).map(|(_, manager)| manager)
}

/// The service that a process is in, by its `/proc/PID/cgroup`.
fn unit_in(groups: &str) -> Option<(String, Manager)> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/").filter(|path| !path.is_empty()));
    let path = path.or_else(|| groups.lines().find_map(|line| line.split_once(":name=systemd:/").map(|it| it.1)))?;
    let name = path.split('/').rfind(|part| part.ends_with(".service"))?;
    let is_manager = |part: &str| part.starts_with("user@") && part.ends_with(".service");
    // The manager of a user is itself a service of the machine.
    let manager = if path.split('/').any(is_manager) && !is_manager(name) { Manager::User } else { Manager::System };
    Some((name.to_owned(), manager))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::base::time::Timestamp;
    use crate::sys::host::{CommandOutput, Invocation};

    /// Answers every call alike.
    struct Says {
        code: i32,
        output: &'static str,
        variables: BTreeMap<String, String>,
        asked: RefCell<Vec<Vec<String>>>,
    }

    impl Says {
        fn new(code: i32, output: &'static str) -> Self {
            Self { code, output, variables: BTreeMap::new(), asked: RefCell::default() }
        }
    }

    impl Host for Says {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
        fn variables(&self) -> &BTreeMap<String, String> {
            &self.variables
        }
        fn cwd(&self) -> &Path {
            Path::new("/")
        }
        fn program(&self) -> &Path {
            Path::new("/bin/tetra")
        }
        fn user(&self) -> &str {
            "operator"
        }
        fn run(&self, call: &Invocation) -> io::Result<CommandOutput> {
            self.asked.borrow_mut().push(call.arguments.clone());
            Ok(CommandOutput { exit_code: self.code, stdout: self.output.into(), stderr: Vec::new() })
        }
        fn interrupted(&self) -> bool {
            false
        }
        fn sleep(&self, _: Duration) -> bool {
            true
        }
    }

    const LOOPING: &str = "Type=simple\nRestart=on-failure\nMainPID=0\nNRestarts=7\nResult=exit-code\nId=tetra-dev.service\n\
                           LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nRemainAfterExit=no\n";

    #[test]
    fn a_unit_that_systemd_starts_again_and_again_is_failing() {
        let mut host = Says::new(0, LOOPING);
        host.variables.insert("XDG_RUNTIME_DIR".to_owned(), "/run/user/1000".to_owned());
        let unit = Unit::show(&host, "tetra-dev.service", Manager::User).expect("an answer");
        assert_eq!((unit.is_failing(), unit.restarts, unit.result.as_str()), (true, 7, "exit-code"));
        assert_eq!(host.asked.borrow()[0][0], "--user");
        assert!(!Unit { active_state: "active".to_owned(), sub_state: "running".to_owned(), ..unit }.is_failing());
    }

    #[test]
    fn without_an_answer_there_is_no_unit() {
        let unknown = "Id=none.service\nLoadState=not-found\nActiveState=inactive\n";
        for host in [Says::new(1, "Failed to connect to bus"), Says::new(0, unknown), Says::new(0, "")] {
            assert_eq!(Unit::show(&host, "none.service", Manager::System), None);
        }
    }

    #[test]
    fn only_the_main_process_of_a_unit_ends_it() {
        let own = process::own_pid();
        let parent = process::stat(own).expect("this process").ppid;
        for (main, answer) in [(own, true), (parent, true), (1_000_000_000, false)] {
            let mut host = Says::new(1, "");
            host.variables.insert("SYSTEMD_EXEC_PID".to_owned(), main.to_string());
            assert_eq!(Unit::ending_with_this_command(&host), None);
            // Nothing is asked where the tests run outside of a service.
            let in_service = unit_in(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default()).is_some();
            assert_eq!(!host.asked.borrow().is_empty(), answer && in_service);
        }
        let host = Says::new(0, LOOPING);
        assert_eq!((Unit::ending_with_this_command(&host), host.asked.borrow().len()), (None, 0));
    }

    #[test]
    fn the_service_and_its_manager_are_read_from_the_control_group() {
        for (groups, expected) in [
            ("0::/system.slice/tetra-dev.service\n", Some(("tetra-dev.service", Manager::System))),
            ("1:name=systemd:/system.slice/tetra.service/leaf\n0::/\n", Some(("tetra.service", Manager::System))),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/tetra-dev.service",
                Some(("tetra-dev.service", Manager::User)),
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/init.scope",
                Some(("user@1000.service", Manager::System)),
            ),
            ("0::/user.slice/user-0.slice/session-4.scope\n", None),
            ("0::/\n", None),
            ("", None),
        ] {
            let found = unit_in(groups);
            assert_eq!(found.as_ref().map(|(name, manager)| (name.as_str(), *manager)), expected, "{groups}");
        }
    }
}
