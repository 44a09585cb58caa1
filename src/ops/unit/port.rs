//! The port of a unit among those of the others on a machine.

use super::{InstalledUnit, installed_units};
use crate::sys::host::Host;
use crate::sys::net;
use crate::sys::systemctl::Manager;
use crate::unit::{Owner, UnitSettings, variable};

/// The port: as ordered, else as the unit has it, else the first from that of the environment on that no other unit has.
pub fn choose_port(
    host: &dyn Host,
    ordered: Option<u16>,
    old: Option<&str>,
    settings: &mut UnitSettings,
    notes: &mut Vec<String>,
) {
    let mut others = installed_units(host, Manager::System);
    others.extend(installed_units(host, Manager::User));
    let is_template = settings.owner == Owner::Instance;
    let is_own = |unit: &InstalledUnit| unit.file.ends_with(&settings.name);
    others.retain(|unit| !is_own(unit) && (!is_template || !unit.name.starts_with("tetra@")));
    let holder = |port: u16| others.iter().find(|unit| unit.port == port);
    let first = settings.port;
    let kept = old.and_then(|text| variable(text, "TETRA_PORT")?.parse().ok());
    if let Some(port) = ordered {
        settings.port = port;
        if let Some(unit) = holder(port) {
            notes.push(format!("port {port} is that of {} as well; only one of them can have it", unit.name));
        }
        return;
    }
    if let Some(port) = kept.filter(|port| holder(*port).is_none()) {
        settings.port = port;
        if port != first && holder(first).is_none() {
            let install = format!("`tsm daemon install @{} --port {first}` takes that", settings.env);
            notes.push(format!("port {port}, as the unit has it; the environment says {first}: {install}"));
        }
        return;
    }
    let Some(unit) = holder(first) else { return };
    let is_free = |port: &u16| holder(*port).is_none() && net::listening_on(*port).is_empty();
    if let Some(port) = (first..=u16::MAX).skip(1).find(is_free) {
        settings.port = port;
        notes.push(format!("port {port}; {first} is used by {}", unit.name));
    }
}
