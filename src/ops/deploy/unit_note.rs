//! The unit of an environment on a host: a deploy does not write it, and says where it would be another one now.

use std::collections::BTreeMap;
use std::path::Path;

use super::place::Place;
use crate::config::document::Document;
use crate::deploy::release::ReleaseId;
use crate::disk;
use crate::ops::unit::find_unit;

/// The tables that a unit is made of.
const TABLES: [&str; 4] = ["daemon", "deployment", "ports", "resources"];

/// What is to be known of the unit, where one is installed and the release changes what it is made of.
pub(super) fn of(place: &Place, rid: &ReleaseId) -> Option<String> {
    let unit = find_unit(place.host, Some(&place.env), None).ok()?;
    let now = values(&place.paths.environment(&place.org, &place.env))?;
    (now != values(&place.file_of(rid))?)
        .then(|| format!("{} stays as it is: `tsm org apply @{}` on the host writes it anew", unit.name, place.env))
}

fn values(file: &Path) -> Option<BTreeMap<String, String>> {
    let document = Document::parse(&file.display().to_string(), &disk::read_to_string(file).ok()?).ok()?;
    let of_unit = document.leaves.iter().filter(|leaf| TABLES.contains(&leaf.path.keys()[0].as_str()));
    Some(of_unit.map(|leaf| (leaf.path.to_string(), leaf.value.to_string())).collect())
}
