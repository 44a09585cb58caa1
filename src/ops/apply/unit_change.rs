//! The unit of an environment where one is installed: written anew, read by systemd, or put back.

use std::path::{Path, PathBuf};

use super::ApplyRequest;
use crate::base::fault::Fault;
use crate::disk;
use crate::ops::unit::{
    InstalledUnit, TEMPLATE, UnitScope, check_exposure, check_syntax, choose_port, find_unit, settings, unit_dirs,
};
use crate::sys::file::{self, Access};
use crate::sys::host::Host;
use crate::sys::process;
use crate::sys::systemctl::{Manager, Systemctl};
use crate::sys::unit_check::UnitDraft;
use crate::unit::{self, DiffLine, Owner, UnitOrigin, UnitSettings, diff};

/// Whether the unit of an environment takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitPart {
    /// It is written anew where it would be another one.
    Written,
    /// It is left as it is.
    LeftAlone,
}

/// What of a unit `daemon install` alone changes, for it makes what is needed: who it runs as, and where.
const OF_INSTALL: [&str; 4] = ["User", "Group", "WorkingDirectory", "ExecStart"];

/// A unit whose text changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitChange {
    /// Its file.
    pub path: PathBuf,
    /// Whose it is.
    pub manager: Manager,
    /// Its text as it is.
    pub old: String,
    /// Its text as the environment says.
    pub new: String,
}

impl UnitChange {
    /// `tetra-dev.service`
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The directives that change: `MemoryMax`.
    #[must_use]
    pub fn directives(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for line in diff(&self.old, &self.new) {
            let (DiffLine::Removed(line) | DiffLine::Added(line)) = line else { continue };
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
            // Of variables each has a name of its own.
            let name = match (name, value.trim_matches('"').split_once('=')) {
                ("Environment", Some((variable, _))) => variable,
                _ => name,
            };
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// True if systemd starts it at boot.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        ["multi-user.target.wants", "default.target.wants"]
            .iter()
            .any(|wants| dir.join(wants).join(self.name()).symlink_metadata().is_ok())
    }

    /// Writes it, and has systemd read it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written or systemd does not answer; it may be the new one then.
    pub(in crate::ops) fn write(&self, host: &dyn Host) -> Result<(), Fault> {
        self.put(host, &self.new)
    }

    /// Puts it back, if it was written.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written, or systemd does not answer.
    pub(super) fn restore(&self, host: &dyn Host) -> Result<(), Fault> {
        if disk::read_to_string(&self.path).is_ok_and(|text| text == self.old) {
            return Ok(());
        }
        self.put(host, &self.old)
    }

    fn put(&self, host: &dyn Host, text: &str) -> Result<(), Fault> {
        file::write(&self.path, text.as_bytes(), Access::Shared)?;
        reload(host, self.manager)
    }
}

/// Has the manager of a unit read what was changed. One that does not run has nothing to forget.
fn reload(host: &dyn Host, manager: Manager) -> Result<(), Fault> {
    let systemctl = Systemctl { host, manager };
    if is_of_this_machine(host) && !systemctl.manager_runs() {
        return Ok(());
    }
    systemctl.call(&["daemon-reload"])?;
    Ok(())
}

/// False where units are written for another machine.
fn is_of_this_machine(host: &dyn Host) -> bool {
    host.variable("TETRA_UNIT_DIR").is_none()
}

/// What becomes of the unit that is installed for the environment: nothing where none is, where it is as it should be, or where a
/// note says why it is left.
///
/// # Errors
///
/// Fails if the unit would be too exposed, or one that systemd cannot load.
pub(super) fn plan(request: &ApplyRequest, notes: &mut Vec<String>) -> Result<Option<UnitChange>, Fault> {
    if request.unit == UnitPart::LeftAlone {
        return Ok(None);
    }
    let Some(installed) = installed(request) else { return Ok(None) };
    match Wanted::of(request, &installed, notes) {
        Ok(wanted) if wanted.text == installed.text => Ok(None),
        Ok(wanted) => {
            wanted.check(request.host, notes)?;
            let drop_ins = installed.drop_ins();
            let InstalledUnit { file: path, manager, text: old, .. } = installed;
            let change = UnitChange { path, manager, old, new: wanted.text };
            notes.extend(drop_ins.iter().filter_map(|file| set_too(file, &change)));
            Ok(Some(change))
        }
        Err(why) => {
            notes.push(format!("{} was left as it is: {why}", installed.name));
            Ok(None)
        }
    }
}

/// What a drop-in says of what changes: it is the machine's own and stays, so the unit alone does not decide that any more.
fn set_too(drop_in: &Path, change: &UnitChange) -> Option<String> {
    let text = disk::read_to_string(drop_in).ok()?;
    let is_set = |name: &String| unit::values(&text, name).next().is_some() || unit::variable(&text, name).is_some();
    let names: Vec<String> = change.directives().into_iter().filter(is_set).collect();
    let names = Some(names.join(", ")).filter(|names| !names.is_empty())?;
    Some(format!("{}: `{}` sets {names} too, and stays as it is", change.name(), drop_in.display()))
}

/// The unit that `daemon install` wrote for the environment.
fn installed(request: &ApplyRequest) -> Option<InstalledUnit> {
    let unit = find_unit(request.host, Some(request.env), None).ok()?;
    let is_of_org = unit.org.as_ref().is_none_or(|org| org == request.org);
    let is_ours_to_write = unit_dirs(request.host, unit.manager).first().is_some_and(|dir| unit.file.starts_with(dir));
    (is_of_org && is_ours_to_write).then_some(unit)
}

/// A unit as the environment says.
struct Wanted {
    settings: UnitSettings,
    manager: Manager,
    text: String,
}

impl Wanted {
    /// The unit with what is of the machine as it is in the installed one; else why it cannot be written.
    fn of(request: &ApplyRequest, installed: &InstalledUnit, notes: &mut Vec<String>) -> Result<Self, String> {
        let InstalledUnit { text: old, manager, .. } = installed;
        if unit::origin(old) == UnitOrigin::Edited {
            return Err(format!("`{}` was edited by hand", installed.file.display()));
        }
        let scope = if *manager == Manager::User { UnitScope::Session } else { UnitScope::OfEnvironment };
        let mut settings =
            settings(&request.context(), request.env, scope, request.file).map_err(|fault| fault.to_string())?;
        if installed.file.ends_with(TEMPLATE) {
            TEMPLATE.clone_into(&mut settings.name);
            settings.owner = Owner::Instance;
        }
        if !installed.file.ends_with(&settings.name) {
            return Err(format!(
                "it is called {} now: `tsm daemon install @{}` writes that",
                settings.name, request.env
            ));
        }
        if let Some(program) = unit::program(old) {
            settings.program = program;
        }
        settings.kept_environment = unit::kept_environment(old);
        choose_port(request.host, None, Some(old), &mut settings, notes);
        let text = settings.text();
        if let Some(key) = of_install(old, &text) {
            return Err(format!("{key} changes, and `tsm daemon install @{}` makes what that needs", request.env));
        }
        if text != *old && *manager == Manager::System && process::own_uid() != 0 && is_of_this_machine(request.host) {
            return Err(format!("only root may write it: `sudo tsm org apply @{}`", request.env));
        }
        Ok(Self { settings, manager: *manager, text })
    }

    fn check(&self, host: &dyn Host, notes: &mut Vec<String>) -> Result<(), Fault> {
        let draft = UnitDraft::new(&self.settings.name, &self.text, self.manager)?;
        check_exposure(&self.settings, &draft, host, notes)?;
        Ok(check_syntax(&draft, host)?)
    }
}

/// What `daemon install` makes more than text for, if it changes.
fn of_install(old: &str, new: &str) -> Option<&'static str> {
    let differs = |key: &&str| !unit::values(old, key).eq(unit::values(new, key));
    OF_INSTALL.into_iter().find(differs).or_else(|| {
        let variables = ["TETRA_DIR", "TETRA_SRC"];
        variables.into_iter().find(|name| unit::variable(old, name) != unit::variable(new, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_named_by_its_directives() {
        let change = UnitChange {
            path: "/etc/systemd/system/tetra-dev.service".into(),
            manager: Manager::System,
            old: "# sha256 1\n[Service]\nMemoryMax=1G\nEnvironment=TETRA_PORT=4444\nUser=root\n".to_owned(),
            new: "# sha256 2\n[Service]\nMemoryMax=2G\nEnvironment=TETRA_PORT=4445\nUser=root\nLimitNPROC=9\n"
                .to_owned(),
        };
        assert_eq!(change.name(), "tetra-dev.service");
        assert_eq!(change.directives(), ["MemoryMax", "TETRA_PORT", "LimitNPROC"]);
    }
}
