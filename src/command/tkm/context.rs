//! What the commands of keys have in common.

use super::initialize::initialize;
pub(super) use super::initialize::{actor, key_id};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::Cx;
use crate::command::host_states::HostStates;
use crate::report::{Report, Table};
use crate::tkm::audit::{self, AuditEvent};
use crate::tkm::host::{Host, HostName};
use crate::tkm::many;
use crate::tkm::state::{KeyId, Purpose};
use crate::tkm::store::Store;

/// What is said before `tkm init`.
const NOT_INITIALIZED: &str = "ℹ️ TKM not initialized. Run 'tkm init' or set TKM_AUTO_INIT=true";

/// The store; none if it was not initialised. `TKM_AUTO_INIT=true` initialises it.
pub(super) fn find(cx: &Cx) -> Result<Option<Store>, Fault> {
    if let Some(store) = Store::find(cx.paths)? {
        return Ok(Some(store));
    }
    if cx.host.variable("TKM_AUTO_INIT") == Some("true") {
        return Ok(Some(initialize(cx)?.store));
    }
    Ok(None)
}

/// The store.
///
/// # Errors
///
/// Fails if it was not initialised.
pub(in crate::command) fn find_store(cx: &Cx) -> Result<Store, Fault> {
    find(cx)?.ok_or_else(|| {
        Fault::new(FaultKind::CheckFailed, "TKM is not initialized")
            .with_advice("run `tkm init`, or set TKM_AUTO_INIT=true")
    })
}

/// What the key of an environment for deploys is called.
pub(in crate::command) fn key_of(cx: &Cx, env: &EnvName) -> KeyId {
    key_id(cx, env, Purpose::Deploy)
}

/// The answer of every command but `init` before the store is initialised.
pub(super) fn not_initialized() -> Report {
    Report { check_failed: true, ..Report::of(Table::default().when_empty(NOT_INITIALIZED)) }
}

/// The environment of a host, for the guard; none before the store is initialised.
pub(super) fn environments_of(cx: &Cx, host: &HostName) -> Result<Vec<EnvRef>, Fault> {
    let Some(store) = find(cx)? else { return Ok(Vec::new()) };
    Ok(vec![cx.selection.qualify(store.host(host)?.env)])
}

/// The hosts on which something is changed, shown before the question.
pub(super) fn host_plan<'a>(hosts: impl IntoIterator<Item = &'a Host>) -> Report {
    let mut table = Table::new(&[("host", "HOST"), ("env", "ENV"), ("address", "ADDRESS")]).when_empty("no host");
    for host in hosts {
        let address = host.address.to_string();
        table.row(vec![host.name.as_str().into(), host.env.as_str().into(), address.into()]);
    }
    Report::of(table)
}

/// Records what was done with a host. The caller holds the lock.
pub(super) fn record_host(cx: &Cx, store: &Store, event: &str, host: &HostName) -> Result<(), Fault> {
    Ok(audit::record(store, actor(cx), AuditEvent { event, host: Some(host.as_str()), key: None })?)
}

/// Does the same on several hosts at a time, and shows where each is. The results are in their order.
pub(super) fn on_each<'h, R: Send>(
    cx: &mut Cx,
    hosts: &'h [Host],
    work: impl Fn(&'h Host, &dyn Fn(&str)) -> R + Sync,
) -> Vec<R> {
    let all: Vec<&Host> = hosts.iter().collect();
    let mut states = HostStates::new(&mut *cx.console, cx.host, hosts.iter().map(|host| host.name.as_str()));
    let results = many::each_shown(&all, |host, say| work(host, say), |index, update| states.show(index, update));
    states.end();
    results
}
