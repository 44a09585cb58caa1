//! What is started with the machine finds itself in other surroundings than at the operator's prompt.

use std::collections::BTreeMap;
use std::path::Path;

use super::plan::PlanError;
use super::planner::plan;
use super::request::{StartContext, StartRequest};

/// The search path of a unit that says nothing about it.
const UNIT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables that systemd gives to a unit as well.
const SYSTEMD_VARIABLES: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];

/// Why a service that can be started here would not be with the machine: its program is found through the PATH of the operator only.
#[must_use]
pub fn not_found_by_unit(file: &Path, context: &StartContext) -> Option<String> {
    let request = StartRequest { program: vec![file.display().to_string()], ..StartRequest::default() };
    let here = plan(&request, context).ok()?;
    let given = context.variables.iter().filter(|(name, _)| SYSTEMD_VARIABLES.contains(&name.as_str()));
    let mut variables: BTreeMap<String, String> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    variables.insert("PATH".to_owned(), UNIT_PATH.to_owned());
    let Err(PlanError::Program(error)) = plan(&request, &StartContext { variables: &variables, ..*context }) else {
        return None;
    };
    let found = here.program.argv.first().filter(|word| word.contains('/'));
    let found = found.cloned().or_else(|| {
        let search = context.variables.get("PATH").map_or("", String::as_str);
        Some(crate::sys::program::find(here.program.argv.first()?, search, &here.cwd)?.display().to_string())
    });
    let way = found.as_deref().and_then(|found| Some((found, Path::new(found).parent()?.display())));
    let way = way.map(|(found, directory)| {
        format!("use {found} in the command, or set `export PATH=\"{directory}:{UNIT_PATH}\"` in {}", file.display())
    });
    Some(format!(
        "systemd will not find the program at boot ({error}): the PATH of the unit is {UNIT_PATH}; {}",
        way.unwrap_or_else(|| format!("set PATH in {}", file.display()))
    ))
}
