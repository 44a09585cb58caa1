//! `tsm nginx status`

use super::{instances, join_ports, name_of_site, nginx, process_name};
use crate::base::fault::{Fault, FaultKind};
use crate::base::sort::SortExt;
use crate::command::argument::SingleProcess;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Fields, Report, Tone, Value};
use crate::tsm::store::Process;

/// Show the site of a process, and what `nginx -t` says
///
/// Exit code 3 if it is not installed, not enabled, proxies to another port than that of the process, or if nginx rejects it.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// The process, also one that is gone
    target: SingleProcess,
}

impl Command for Status {
    const NAME: &'static str = "tsm nginx status";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm nginx status api"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let (name, processes) = match instances(&self.target, cx) {
            Ok((name, processes)) => (name_of_site(&self.target, cx).unwrap_or(name), processes),
            Err(fault) if fault.kind == FaultKind::Usage => return Err(fault),
            Err(_) => (process_name(&self.target, cx)?, Vec::new()),
        };
        let state = nginx(cx).status(&name)?;
        let own: Vec<u16> = processes.iter().filter_map(|process| process.meta.port).collect();
        let (verdict, well) = match () {
            () if !state.installed => ("not installed", false),
            () if state.objection.is_some() => ("rejected by nginx", false),
            () if !state.enabled => ("not enabled", false),
            () if own.is_empty() => ("the process is gone", false),
            () if !same_ports(&state.ports, &own) => ("proxies to another port", false),
            () => ("in place", true),
        };
        let fields = Fields::titled(format!("Site of {name}"))
            .json_only("process", name.as_str())
            .with("status", Cell::from(verdict).tone(if well { Tone::Good } else { Tone::Bad }))
            .with("file", state.path.display().to_string())
            .with("installed", state.installed)
            .with("enabled", state.enabled)
            .with("edited", state.edited)
            .with(
                "port",
                match state.ports.as_slice() {
                    [] | [_] => Cell::from(Value::from(state.ports.first().copied())),
                    several => Cell::from(Value::from(several.first().copied())).text(join_ports(several)),
                },
            )
            .with("process_port", Value::from(own.first().copied()))
            .json_only("ports", Value::List(state.ports.iter().map(|port| (*port).into()).collect()))
            .with("running", processes.iter().any(Process::is_running))
            .with("objection", Value::from(state.objection));
        Ok(Report { check_failed: !well, ..Report::of(crate::command::tsm::info::drop_empty(fields)) })
    }
}

/// The order of servers means nothing.
fn same_ports(left: &[u16], right: &[u16]) -> bool {
    let (mut left, mut right) = (left.to_vec(), right.to_vec());
    left.order();
    right.order();
    left == right
}
