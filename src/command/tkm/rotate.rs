//! `tkm rotate`

use std::sync::Mutex;
use std::time::Duration;

use super::context::{actor, find, find_store, host_plan, key_id, not_initialized, on_each};
use super::line_limits::LineLimits;
use super::passphrase::{Wish, of_new_key};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::HumanDuration;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::client_config;
use crate::tkm::error::TkmError;
use crate::tkm::host::Host;
use crate::tkm::keygen::{self, NewKey};
use crate::tkm::lasting::LastingConnections;
use crate::tkm::rotate::{self, Accepted, Grace, Rotation, RotationAction};
use crate::tkm::ssh::Connection;
use crate::tkm::state::{Key, KeyId, Purpose, StoreState};
use crate::tkm::store::Store;

/// Replace the key of an environment on its hosts
///
/// The new key is let in beside the old one and verified on a fresh connection. The old one goes after --grace, by another call:
/// each call takes the steps that are due, and goes on where one was interrupted. A host that is down keeps the old key.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// The environment
    env: EnvName,
    /// How long both keys are let in
    #[arg(long, value_name = "TIME", default_value = "24h", conflicts_with = "now")]
    grace: HumanDuration,
    /// Remove the old key at once
    #[arg(long)]
    now: bool,
    /// Only go on with a rotation that was begun
    #[arg(long)]
    resume: bool,
    /// Make the new key without a passphrase, also for prod
    #[arg(long)]
    no_passphrase: bool,
    #[command(flatten)]
    limits: LineLimits,
}

impl Command for Rotate {
    const NAME: &'static str = "tkm rotate";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["tkm rotate dev", "tkm rotate @staging --now", "tkm rotate @prod --resume"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(vec![cx.selection.qualify(self.env.clone())])
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = find_store(cx)?;
        let (state, hosts) = (store.state()?, store.hosts()?);
        let id = key_id(cx, &self.env, Purpose::Deploy);
        let old = match state.outgoing(&id) {
            Some(old) => old,
            None => self.replaced(&state, &id)?,
        };
        Ok(Some(host_plan(hosts.iter().filter(|host| old.hosts.contains(&host.name)))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let id = key_id(cx, &self.env, Purpose::Deploy);
        let grace = self.grace.within("--grace", Duration::ZERO..=Duration::from_secs(90 * 24 * 60 * 60))?;
        let _lock = LastingConnections::lock(&store, cx.host.variables())?;
        self.begin(cx, &store, &id)?;
        let state = store.state()?;
        let outgoing = state.outgoing(&id).map(|old| old.hosts.clone()).unwrap_or_default();
        let mut hosts = store.hosts()?;
        for host in hosts.iter_mut().filter(|host| outgoing.contains(&host.name)) {
            self.limits.apply(&mut host.rules);
        }
        store.write_hosts(&hosts)?;
        hosts.retain(|host| outgoing.contains(&host.name));
        let period = if self.now { Duration::ZERO } else { grace };
        let grace = Grace { period, now: cx.host.now() };
        let rotation = Rotation { store: &store, id: &id, actor: actor(cx), grace, turn: Mutex::new(()) };
        let variables = cx.host.variables();
        let results = on_each(cx, &hosts, |host, say| {
            let run = || rotation.run(&Connection::open(&store, host, variables)?.shared(), say);
            let result = run();
            say(result.as_ref().map_or("failed", |action| word(*action)));
            result
        });
        let report = table(&rotation, &hosts, results)?;
        let is_done = rotation.finish()?;
        client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
        let now = if self.now { " --now" } else { "" };
        let when = if report.faults.is_empty() { "when the old key may go" } else { "when what failed is solved" };
        Ok(if is_done {
            report.note(format!("replaced the key of {}", self.env))
        } else {
            report.note(format!("next: `tkm rotate @{} --resume{now}`, {when}", self.env))
        })
    }
}

impl Rotate {
    /// The key that a rotation replaces which begins now.
    fn replaced<'a>(&self, state: &'a StoreState, id: &KeyId) -> Result<&'a Key, Fault> {
        if self.resume {
            let message = format!("no rotation of the key of `@{}` was begun", self.env);
            return Err(Fault::new(FaultKind::NotFound, message).with_advice(format!("run `tkm rotate @{}`", self.env)));
        }
        Ok(state.active(id).ok_or_else(|| TkmError::NoKey { env: self.env.to_string() })?)
    }

    /// Makes the new key, unless a rotation goes on.
    fn begin(&self, cx: &Cx, store: &Store, id: &KeyId) -> Result<(), Fault> {
        let state = store.state()?;
        if state.outgoing(id).is_some() {
            return Ok(());
        }
        let old = self.replaced(&state, id)?.fingerprint.clone();
        let wish = if self.no_passphrase { Wish::Never } else { Wish::AsUsual };
        let passphrase = of_new_key(cx, &self.env, wish, &format!("tkm rotate @{}", self.env))?;
        let new = NewKey { id, passphrase, algorithm: "ed25519", expires: None };
        let key = keygen::generate(store, cx.host, actor(cx), &new)?;
        Ok(rotate::begin(store, actor(cx), &old, key)?)
    }
}

fn word(done: RotationAction) -> &'static str {
    match done {
        RotationAction::Wait | RotationAction::Add => "both",
        RotationAction::Remove | RotationAction::Nothing => "replaced",
    }
}

/// What came of each host, and which key it accepts now.
fn table(rotation: &Rotation, hosts: &[Host], results: Vec<Result<RotationAction, TkmError>>) -> Result<Report, Fault> {
    let mut report = Report::default();
    let mut table = Table::new(&[("host", "HOST"), ("state", "STATE"), ("accepts", "ACCEPTS"), ("why", "WHY")])
        .when_empty("no host accepts the old key");
    for (host, result) in hosts.iter().zip(results) {
        let (word, tone, why) = match result {
            Ok(action @ (RotationAction::Wait | RotationAction::Add)) => (word(action), Tone::Warn, Value::Null),
            Ok(action @ (RotationAction::Remove | RotationAction::Nothing)) => (word(action), Tone::Good, Value::Null),
            Err(error) => {
                let why = Value::from(error.to_string());
                let word = if matches!(error, TkmError::Interrupted { .. }) { "interrupted" } else { "failed" };
                report.faults.push(error.into());
                (word, Tone::Bad, why)
            }
        };
        let accepts = match rotation.accepted(&host.name)? {
            Accepted::Old => "old",
            Accepted::Both => "both",
            Accepted::New => "new",
        };
        table.row(vec![host.name.as_str().into(), Cell::from(word).tone(tone), accepts.into(), why.into()]);
    }
    Ok(report.and(table))
}
