//! What a restart does that is not in the definition, and what the definition asks for and a restart does not do.

use std::path::Path;

use crate::supervise::environment::search_path;
use crate::supervise::version_dirs::newer_version_dir;
use crate::sys::program;
use crate::tsm::change::FieldChange;
use crate::tsm::plan::{ENV_FILE_NOTE, StartPlan};
use crate::tsm::request::StartContext;
use crate::tsm::store::Process;

/// The notes about a process that will be started by `plan`. Which env file is used was said at its start.
pub(super) fn about(process: &Process, plan: &StartPlan) -> Vec<String> {
    let mut notes: Vec<String> = plan.notes.iter().filter(|note| !note.starts_with(ENV_FILE_NOTE)).cloned().collect();
    let (run, name) = (&process.meta.run, &process.name);
    if run.options.is_some() && !Path::new(&run.service).is_file() {
        notes.push(format!("`{name}` is restarted as it was: its definition {} does not exist", run.service));
    }
    notes
}

/// Puts the program of the operator's `PATH` into the plan where the supervisor would not find the old one again.
pub(super) fn find_program_again(
    process: &Process,
    plan: &mut StartPlan,
    context: &StartContext,
) -> Option<FieldChange> {
    let meta = &process.meta;
    let old = meta.run.argv.first()?;
    let found = if old.starts_with('/') {
        // The supervisor goes to a newer version beside it, and repairs the PATH of the process too.
        let is_lost = !Path::new(old).exists() && Path::new(old).parent().and_then(newer_version_dir).is_none();
        plan.program.argv.first().filter(|new| is_lost && *new != old && Path::new(new).exists())?.clone()
    } else {
        let is_lost = program::find(old, &search_path(&process.dir, meta)?, &plan.cwd).is_none();
        let found = program::find(old, context.variables.get("PATH").filter(|_| is_lost)?, &plan.cwd)?;
        found.to_str()?.to_owned()
    };
    if !old.starts_with('/') {
        plan.program.word.clone_from(old);
        plan.program.argv[0].clone_from(&found);
    }
    Some(FieldChange { what: "program".to_owned(), from: Some(old.clone()), to: Some(found) })
}
