//! What the commands of keys have in common.

use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::Cx;
use crate::report::Report;
use crate::tkm::audit::{self, Actor, AuditEvent};
use crate::tkm::host::HostName;
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
        return Ok(Some(super::init::initialize(cx)?.store));
    }
    Ok(None)
}

/// The answer of every command but `init` before the store is initialised.
pub(super) fn not_initialized() -> Report {
    Report { check_failed: true, ..Report::default() }.note(NOT_INITIALIZED)
}

/// The key of an environment.
pub(super) fn key_id(cx: &Cx, env: &EnvName, purpose: Purpose) -> KeyId {
    KeyId { org: cx.selection.org.clone(), env: env.clone(), purpose }
}

/// Who acts, now.
pub(super) fn actor<'a>(cx: &Cx<'a>) -> Actor<'a> {
    Actor { user: cx.host.user(), now: cx.host.now() }
}

/// Records what was done with a host. The caller holds the lock.
pub(super) fn record_host(cx: &Cx, store: &Store, event: &str, host: &HostName) -> Result<(), Fault> {
    Ok(audit::record(store, actor(cx), AuditEvent { event, host: Some(host.as_str()), key: None })?)
}
