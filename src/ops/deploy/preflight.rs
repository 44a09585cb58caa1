//! What is checked on a host before anything is switched.

use super::place::Place;
use super::{carried, program_dir};
use crate::base::fault::{Fault, FaultKind};
use crate::deploy::carried::CarriedFile;
use crate::deploy::release::Manifest;
use crate::ops::apply::{ApplyPlan, ServiceChange, UnitChange, UnitPart};
use crate::sys::disk_space;
use crate::sys::file::FileError;
use crate::tsm::conflict;
use crate::tsm::port::PortSpec;

/// What has to be left beside a release, in bytes.
const ROOM: u64 = 64 << 20;

/// Files that have to be left beside those of a release.
const FILES: u64 = 256;

/// Whether the host has room for a release, may be written to, and has no other environment in the same place.
///
/// # Errors
///
/// Fails with what is missing.
pub(super) fn check_host(place: &Place, manifest: &Manifest) -> Result<(), Fault> {
    let dir = place.paths.org(&place.org);
    let refused = |why: String| Fault::new(FaultKind::Preflight, why);
    tempfile::tempfile_in(&dir).map_err(FileError::io("write in", &dir))?;
    let found = disk_space::of_path(&dir).map_err(FileError::io("read", &dir))?;
    let needed = 2 * manifest.size() + ROOM;
    if found.free < needed {
        let why = format!("`{}` has {} MiB left, and {} MiB are needed", dir.display(), found.free >> 20, needed >> 20);
        return Err(refused(why).with_advice("free disk space there"));
    }
    let files = 2 * manifest.entries().len() as u64 + FILES;
    if found.inodes != 0 && found.inodes_free < files {
        let why = format!("`{}` can have {} more files, and {files} are needed", dir.display(), found.inodes_free);
        return Err(refused(why).with_advice("remove files there"));
    }
    let current = place.releases().current()?;
    let of_current = current.as_ref().map(|rid| place.releases().manifest(rid)).transpose()?;
    match of_current.filter(|current| current.env() != place.env.as_str()) {
        Some(other) => Err(refused(format!("@{} of {} is deployed here", other.env(), place.org)).with_advice(
            "one environment is deployed to a TETRA_DIR; give the other one a directory or a host of its own",
        )),
        None => {
            // The watcher of the deploy before gives its room back when it makes that final: before this, or not any more.
            let _act = place.files().act()?;
            Ok(place.files().reserve()?)
        }
    }
}

/// True where a deploy could not begin for want of room.
pub(super) fn is_full(place: &Place) -> bool {
    disk_space::of_path(&place.paths.org(&place.org)).is_ok_and(|found| found.free < ROOM)
}

/// Builds the release, and finds out whether it can be applied; what would be done, in lines.
///
/// # Errors
///
/// Fails if contents are missing, or the environment cannot be applied here.
pub(super) fn stage(
    place: &Place,
    manifest: &Manifest,
    carried: &[CarriedFile],
    only: Option<&str>,
) -> Result<Vec<String>, Fault> {
    place.releases().build(manifest)?;
    let file = place.file_of(manifest.rid());
    let incoming = carried::compare(place, carried)?;
    let mut plan = place.plan(Some(&file), &incoming.paths, UnitPart::Written)?;
    if plan.services.iter().filter_map(|it| it.definition.as_ref()).any(|it| program_dir::is_called_by(&it.command)) {
        program_dir::provide(place)?;
        plan = place.plan(Some(&file), &incoming.paths, UnitPart::Written)?;
    }
    if let Some(refusal) = plan.refusal() {
        return Err(Fault::from(refusal));
    }
    only.map_or(Ok(()), |only| check_only(place, &plan, only))?;
    check_env_files(place, &plan)?;
    carried::check(place, carried, &plan)?;
    check_ports(place, &plan)?;
    let changed = plan.services.iter().filter(|service| !service.is_done());
    let mut lines = incoming.lines;
    lines.extend(changed.map(line));
    lines.extend(plan.unit.as_ref().map(|unit| unit_line(place, unit)));
    lines.extend(plan.services.iter().flat_map(|it| it.notes.iter().map(|note| format!("{}: {note}", it.name))));
    lines.extend(plan.unit_notes.iter().cloned());
    Ok(lines)
}

/// Another service than the one that is meant would change.
fn check_only(place: &Place, plan: &ApplyPlan, only: &str) -> Result<(), Fault> {
    let service = plan.services.iter().find(|service| service.name.as_str() != only && !service.is_done());
    let other = service.map(line).or_else(|| Some(unit_line(place, plan.unit.as_ref()?)));
    other.map_or(Ok(()), |other| {
        let why = format!("not only {only} would change: {other}");
        Err(Fault::new(FaultKind::Preflight, why)
            .with_advice(format!("`org deploy @{}` deploys all of it", plan.env.env)))
    })
}

/// An env file that a service is to have, and that nothing brings here.
fn check_env_files(place: &Place, plan: &ApplyPlan) -> Result<(), Fault> {
    let absent = plan.services.iter().find_map(|service| Some((&service.name, service.absent_env_file.as_ref()?)));
    absent.map_or(Ok(()), |(name, file)| {
        let why = format!("{name} names the env file `{}`, which does not exist there", file.display());
        let advice = file.strip_prefix(place.paths.home()).map_or_else(
            |_| "copy it there".to_owned(),
            |name| format!("write `{}` in TETRA_DIR of this machine, or copy it there", name.display()),
        );
        Err(Fault::new(FaultKind::Preflight, why).with_advice(format!("{advice}, for its owner only")))
    })
}

/// A port that a service shall have, and that a process has which no service of the environment started.
fn check_ports(place: &Place, plan: &ApplyPlan) -> Result<(), Fault> {
    let processes = place.processes()?;
    for service in &plan.services {
        let Some(PortSpec::Exact(port)) = service.definition.as_ref().and_then(|it| it.port) else { continue };
        let Some(found) = conflict::listening(port, &processes) else { continue };
        if !matches!(found.holder, conflict::PortHolder::Process { managed: Some(_), .. }) {
            let why = format!("{} needs port {port}: {}", service.name, found.line());
            return Err(
                Fault::new(FaultKind::Preflight, why).with_advice(format!("on the host: `{}`", found.suggestion()))
            );
        }
    }
    Ok(())
}

/// `tetra-dev.service: changed (MemoryMax); …`
fn unit_line(place: &Place, unit: &UnitChange) -> String {
    let (name, what) = (unit.name(), unit.directives().join(", "));
    format!("{name}: changed ({what}); `tsm daemon restart @{}` on the host makes all of it count", place.env)
}

/// `web: changed, restarts web-3000 (LOG_LEVEL)`
fn line(service: &ServiceChange) -> String {
    let mut parts = vec![service.action.word().to_owned()];
    for change in &service.run.changed {
        let what = change.what.join(", ");
        parts.push(match &change.renamed {
            Some(now) => format!("replaces {} by {now} ({what})", change.process.name),
            None => format!("restarts {} ({what})", change.process.name),
        });
    }
    if service.run.starts {
        parts.push("starts".to_owned());
    }
    format!("{}: {}", service.name, parts.join(", "))
}
