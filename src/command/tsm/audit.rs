//! `tsm audit`

use crate::base::fault::Fault;
use crate::command::findings::{self, FindingFilter};
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tsm::doctor::services;

/// Check the service definitions: links, keys, ports, directories, permissions
///
/// Dangling links, missing or misspelt keys, duplicate ports and names, directories and env files that do not exist, files that others
/// can change, and files with secrets in them that others can read. Exit code 3 if something is wrong.
#[derive(Debug, clap::Args)]
pub struct Audit {}

impl Command for Audit {
    const NAME: &'static str = "tsm audit";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm audit", "tsm audit --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        Ok(findings::report(&services::audit(cx.paths, cx.host.variables()), FindingFilter::All))
    }
}
