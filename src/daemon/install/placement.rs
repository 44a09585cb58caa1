//! Where a unit finds its place on a machine: its program within reach of its user, and whether there is one.

use std::path::{Path, PathBuf};

use super::InstallError;
use crate::sys::host::Host;
use crate::sys::systemctl::{Manager, Systemctl};
use crate::sys::{install, kernel, process};
use crate::unit::{Hardening, Owner, UnitSettings};

/// Where a program is copied that the user of a unit cannot reach.
const SHARED_PROGRAM: &str = "/opt/tetra/bin/tetra";

/// The program that the unit executes, if its user cannot reach this one: where a copy of it goes.
pub(super) fn copied_program(settings: &UnitSettings) -> Option<PathBuf> {
    let program = &settings.program;
    let is_hidden = |dirs: &[&str]| dirs.iter().any(|dir| program.starts_with(dir));
    let in_home = is_hidden(&["/home", "/root", "/run/user"]);
    let in_temporary = is_hidden(&["/tmp", "/var/tmp", "/dev/shm", "/run"]);
    let reachable = match &settings.owner {
        Owner::Session => true,
        Owner::Account(account) if account.user == "root" => !in_temporary,
        Owner::Account(_) => {
            let sees_homes = settings.hardening == Hardening::Relaxed;
            !in_temporary && (sees_homes || !in_home) && install::is_open_to_all(program)
        }
        Owner::Instance => !in_temporary && install::is_open_to_all(program),
    };
    (!reachable && program != Path::new(SHARED_PROGRAM)).then(|| PathBuf::from(SHARED_PROGRAM))
}

/// Why a unit cannot be installed by this user on this machine.
pub(super) fn obstacle(host: &dyn Host, manager: Manager, settings: &UnitSettings) -> Option<InstallError> {
    let env = settings.env.to_string();
    let is_elsewhere = host.variable("TETRA_UNIT_DIR").is_some();
    if !kernel::runs_systemd() && !is_elsewhere {
        let first = process::stat(1).map_or_else(|| "unknown".to_owned(), |it| it.comm);
        return Some(InstallError::NoSystemd { first, env });
    }
    if manager == Manager::User && !is_elsewhere && !(Systemctl { host, manager }).user_manager_runs() {
        return Some(InstallError::NoUserManager { user: host.user().to_owned() });
    }
    let needs_root = manager == Manager::System && process::own_uid() != 0 && !is_elsewhere;
    needs_root.then(|| InstallError::NotRoot { name: settings.name.clone(), env })
}
