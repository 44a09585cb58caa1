//! `tkm remote sync`

use std::collections::BTreeMap;

use super::context::{actor, not_initialized, on_each};
use super::remote::{RemoteHosts, Survey};
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::audit::{self, AuditEvent};
use crate::tkm::error::TkmError;
use crate::tkm::host::HostName;
use crate::tkm::lasting::LastingConnections;
use crate::tkm::ssh::Connection;
use crate::tkm::sync::RemoteLook;

/// Repair the lines of tetra in authorized_keys of hosts
///
/// Lines that are missing or allow something else are written as they should be, stray ones go, and one of a run that did not end
/// is noted in the store. Lines of others stay byte for byte. The host is ready to put the file back, and each key that was
/// mended is tried on a fresh connection.
#[derive(Debug, clap::Args)]
pub struct RemoteSync {
    #[command(flatten)]
    at: RemoteHosts,
    /// Only show what would be changed
    #[arg(long)]
    dry_run: bool,
}

impl Command for RemoteSync {
    const NAME: &'static str = "tkm remote sync";
    const ALIASES: &'static [&'static str] = &["tkm deploy keys"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm remote sync --dry-run", "tkm remote sync dev"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let survey = self.at.survey(cx)?;
        let environments = survey.iter().flat_map(|survey| survey.environments(cx)).collect();
        let stage = Stage { effect: self.effect(), environments, state: survey, plan, run };
        Ok(if self.dry_run { stage.dry_run() } else { stage.ready() })
    }
}

fn plan(survey: &Option<Survey>, _: &mut Cx) -> Result<Option<Report>, Fault> {
    Ok(Some(survey.as_ref().map_or_else(not_initialized, |survey| Report::of(survey.changes()))))
}

fn run(survey: Option<Survey>, cx: &mut Cx) -> Result<Report, Fault> {
    let Some(Survey { store, state, hosts, looks }) = survey else { return Ok(not_initialized()) };
    let _lock = LastingConnections::lock(&store, cx.host.variables())?;
    if store.state()? != state {
        let fault = Fault::new(FaultKind::Locked, "the keys of the store were changed meanwhile");
        return Err(fault.with_advice("run it again"));
    }
    let variables = cx.host.variables();
    let found: BTreeMap<&HostName, &RemoteLook> =
        hosts.iter().zip(&looks).filter_map(|(host, look)| Some((&host.name, look.as_ref().ok()?))).collect();
    let done = on_each(cx, &hosts, |host, say| {
        let Some(look) = found.get(&host.name) else { return Ok(()) };
        let (doing, done) = match look.is_to_be_mended() {
            true => ("mending the lines, and trying the keys", "mended"),
            false => ("seeing that nothing is put back", "unchanged"),
        };
        say(doing);
        let result = Connection::open(&store, host, variables).and_then(|it| look.mend(&it.shared()));
        say(if result.is_ok() { done } else { "failed" });
        result
    });
    let mut state = state;
    let mut report = Report::default();
    let columns = [("host", "HOST"), ("state", "STATE"), ("removed", "REMOVED"), ("added", "ADDED"), ("why", "WHY")];
    let mut table = Table::new(&columns).when_empty("no hosts: add one with `tkm host add NAME ADDRESS`");
    for ((host, look), done) in hosts.iter().zip(looks).zip(done) {
        let name = Cell::from(host.name.as_str());
        let failed = |error: TkmError, report: &mut Report| {
            let why = error.to_string();
            report.faults.push(error.into());
            vec![Cell::from("failed").tone(Tone::Bad), 0.into(), 0.into(), why.into()]
        };
        let cells = match look.and_then(|look| done.map(|()| look)) {
            Ok(look) => {
                for key in &look.found.unrecorded {
                    if let Some(key) = state.by_fingerprint(&key.fingerprint) {
                        key.hosts.push(host.name.clone());
                    }
                }
                let (gone, new) = look.changes();
                let is_mended = !(gone.is_empty() && new.is_empty() && look.found.unrecorded.is_empty());
                if is_mended {
                    let event = AuditEvent { event: "remote-sync", host: Some(host.name.as_str()), key: None };
                    audit::record(&store, actor(cx), event)?;
                }
                let (word, tone) = if is_mended { ("mended", Tone::Good) } else { ("unchanged", Tone::Dim) };
                vec![Cell::from(word).tone(tone), gone.len().into(), new.len().into(), Value::Null.into()]
            }
            Err(error) => failed(error, &mut report),
        };
        table.row(std::iter::once(name).chain(cells).collect());
    }
    store.write_state(&state)?;
    Ok(report.and(table))
}
