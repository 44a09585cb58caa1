//! How the services of a host are not as its release says: what applying the release once more would change.

use super::place::Place;
use crate::deploy::wire::{ServiceDrift, ServiceDriftKind};
use crate::ops::apply::{Action, ServiceChange, UnitPart};

/// What is not as the release that is current says; nothing while a deploy is at work, for all of it changes then, and nothing where
/// the release itself is damaged, which is found out elsewhere.
pub(super) fn find(place: &Place) -> Vec<ServiceDrift> {
    let (files, releases) = (place.files(), place.releases());
    let is_settled = files.holder().is_none() && files.unended().is_ok_and(|unended| unended.is_empty());
    let current = releases.current().ok().flatten().and_then(|rid| releases.manifest(&rid).ok());
    if !is_settled || current.is_none_or(|current| current.env() != place.env.as_str()) {
        return Vec::new();
    }
    let services = place.plan(None, &[], UnitPart::LeftAlone).map(|plan| plan.services).unwrap_or_default();
    services.iter().flat_map(of_service).collect()
}

fn of_service(service: &ServiceChange) -> impl Iterator<Item = ServiceDrift> {
    let definition = match service.action {
        Action::Add => Some(ServiceDriftKind::Removed),
        Action::Change | Action::SavedByHand | Action::OtherEnvironment(_) => Some(ServiceDriftKind::Changed),
        Action::Keep | Action::Remove => None,
    };
    let enabled = match (service.enabled, service.was_enabled) {
        (true, false) if service.action != Action::Add => Some(ServiceDriftKind::Disabled),
        (false, true) if service.action != Action::Remove => Some(ServiceDriftKind::Enabled),
        _ => None,
    };
    let stopped = service.run.changed.iter().any(|it| it.was_stopped()).then_some(ServiceDriftKind::Stopped);
    // Where the definition was changed it may be one instance more.
    let absent = (service.run.starts && service.action != Action::Change).then_some(ServiceDriftKind::Absent);
    let name = service.name.to_string();
    [definition, enabled, stopped, absent]
        .into_iter()
        .flatten()
        .map(move |kind| ServiceDrift { service: name.clone(), kind })
}
