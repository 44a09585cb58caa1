//! The hosts of an environment, for the commands that deploy to them and ask about deploys.

use std::collections::BTreeMap;

use super::progress::Progress;
use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ServiceName;
use crate::base::sort::SortExt;
use crate::base::time::Timestamp;
use crate::command::Cx;
use crate::command::shell::version::VERSION;
use crate::command::tkm::{KeyInstaller, find_store, key_of};
use crate::deploy::carried::CarriedFile;
use crate::deploy::record::Holder;
use crate::deploy::wire::Ask;
use crate::ops::deploy::halt::Halt;
use crate::ops::deploy::member::Reach;
use crate::ops::deploy::rollout::{self, Answered, Fleet, HAS_KEY};
use crate::ops::deploy::saying::Saying;
use crate::ops::deploy::verdict::UNCHANGED;
use crate::report::{Report, Table};
use crate::sys::{kernel, process};
use crate::tkm::access;
use crate::tkm::agent::install::Program;
use crate::tkm::error::TkmError;
use crate::tkm::host::{Host, HostName};
use crate::tkm::login::Login;
use crate::tkm::ssh::Connection;
use crate::tkm::store::Store;

/// The hosts of an environment and what they are reached with.
pub(super) struct DeployTarget {
    /// The environment, with its organization.
    pub env: EnvRef,
    store: Store,
    program: Program,
    variables: BTreeMap<String, String>,
    hosts: Vec<(Host, Login)>,
    /// What the operator wants meanwhile.
    pub halt: Halt,
    /// Env files and secrets that go with the release.
    pub carried: Vec<CarriedFile>,
    /// The one service that may change.
    pub only: Option<ServiceName>,
}

impl DeployTarget {
    /// The hosts of these names, or all of the environment, with the keys that they let in.
    ///
    /// # Errors
    ///
    /// Fails if there are no keys yet, no host, or a host has no key.
    pub(super) fn find(cx: &Cx, env: EnvRef, names: &[HostName]) -> Result<Self, Fault> {
        let (target, fresh) = Self::find_all(cx, env, names)?;
        fresh.first().map_or(Ok(target), |host| Err(no_key(host)))
    }

    /// The hosts, shown before a question.
    pub(super) fn plan(&self) -> Report {
        let mut table = Table::new(&[("host", "HOST"), ("env", "ENV")]);
        for (host, _) in &self.hosts {
            table.row(vec![host.name.as_str().into(), host.env.as_str().into()]);
        }
        Report::of(table)
    }

    /// The same, and the hosts that have no key yet.
    ///
    /// # Errors
    ///
    /// Fails if there are no keys yet, or no host.
    pub(super) fn find_all(cx: &Cx, env: EnvRef, names: &[HostName]) -> Result<(Self, Vec<Host>), Fault> {
        let store = find_store(cx)?;
        let mut hosts = store.hosts()?;
        // The order in which they are locked.
        hosts.order_by(|one, other| one.name.cmp(&other.name));
        hosts.retain(|host| host.env == env.env);
        if let Some(unknown) = names.iter().find(|name| !hosts.iter().any(|host| host.name == **name)) {
            let known: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
            return Err(Fault::new(FaultKind::NotFound, format!("`{unknown}` is not a host of {}", env.env))
                .with_advice(format!("its hosts are: {}", known.join(", "))));
        }
        hosts.retain(|host| names.is_empty() || names.contains(&host.name));
        if hosts.is_empty() {
            return Err(TkmError::NoHosts { env: env.env }.into());
        }
        let (mut targets, mut fresh) = (Vec::new(), Vec::new());
        for host in hosts {
            match login_to(cx, &store, &host)? {
                Some(login) => targets.push((host, login)),
                None => fresh.push(host),
            }
        }
        let program = Program::read(cx.host.program(), VERSION).map_err(|error: TkmError| Fault::from(error))?;
        Ok((
            Self {
                env,
                store,
                program,
                variables: cx.host.variables().clone(),
                hosts: targets,
                halt: Halt::default(),
                carried: Vec::new(),
                only: None,
            },
            fresh,
        ))
    }

    /// Lets the key of the environment in on these hosts, with the keys that the operator uses already, and reaches them.
    ///
    /// # Errors
    ///
    /// Fails with the first that does not let the operator in, or cannot run the agent.
    pub(super) fn bootstrap(&mut self, cx: &mut Cx, hosts: Vec<Host>) -> Result<Fleet, Fault> {
        let (installer, env) = (KeyInstaller::of(cx, &self.env.env), &self.env.env);
        let names = || hosts.iter().map(|host| host.name.to_string());
        let installed = Progress::new(cx, &self.halt, names()).look(|on_saying| {
            hosts.iter().enumerate().try_for_each(|(index, host)| -> Result<(), Fault> {
                on_saying(index, Saying::State(format!("installing the key of {env}")));
                let connection = Connection::open(&self.store, host, &self.variables)?.shared();
                installer.install(&connection, &Login::Operator, None)?;
                on_saying(index, Saying::Note(format!("installed the key of {env}")));
                on_saying(index, Saying::State(HAS_KEY.to_owned()));
                self.halt.check()
            })
        });
        self.unless_interrupted("nothing was deployed")?;
        installed?;
        // What is bound on a host is written down with it.
        let login = |host: &Host| {
            let host = self.store.host(&host.name)?;
            let login = login_to(cx, &self.store, &host)?.ok_or_else(|| no_key(&host))?;
            Ok((host, login))
        };
        let admitted = hosts.iter().map(login).collect::<Result<Vec<_>, Fault>>()?;
        let progress = Progress::new(cx, &self.halt, names());
        let (fleet, faults) = progress.look(|on_saying| Fleet::open(&self.reach(), admitted.clone(), on_saying));
        self.unless_interrupted("nothing was deployed")?;
        self.hosts.extend(admitted);
        faults.into_iter().next().map_or(Ok(fleet), Err)
    }

    /// Fails if the operator wants no more of it.
    fn unless_interrupted(&self, outcome: &str) -> Result<(), Fault> {
        self.halt.check().map_err(|_| Fault::new(FaultKind::Interrupted, format!("interrupted; {outcome}")))
    }

    /// What hosts are reached with.
    pub(super) fn reach(&self) -> Reach<'_> {
        let Self { env, store, program, variables, halt, carried, only, .. } = self;
        Reach { store, variables, program, env, halt, carried, only: only.as_ref() }
    }

    /// Reaches all of them; the faults of those that were not reached.
    ///
    /// # Errors
    ///
    /// Fails with the fault of a host whose key is another one: that is never passed over.
    pub(super) fn open(&self, cx: &mut Cx) -> Result<(Fleet, Vec<Fault>), Fault> {
        let progress = Progress::new(cx, &self.halt, self.names());
        let (fleet, mut faults) = progress.look(|on_saying| Fleet::open(&self.reach(), self.hosts.clone(), on_saying));
        self.unless_interrupted(UNCHANGED)?;
        match faults.iter().position(|fault| fault.kind != FaultKind::Unreachable) {
            Some(at) => Err(faults.swap_remove(at)),
            None => Ok((fleet, faults)),
        }
    }

    /// Asks all of them the same at the same time; for each what it said, with how it is.
    pub(super) fn ask(&self, cx: &mut Cx, ask: &Ask) -> Vec<(Host, Answered)> {
        let progress = Progress::new(cx, &self.halt, self.names());
        let said = progress.look(|on_saying| rollout::ask_each(&self.reach(), &self.hosts, ask, on_saying));
        self.hosts.iter().map(|(host, _)| host.clone()).zip(said).collect()
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().map(|(host, _)| host.name.to_string())
    }

    /// Who deploys, now.
    pub(super) fn holder(&self, cx: &Cx) -> Holder {
        let by = operator(cx);
        let txid = format!("{}-{}", time(cx.host.now()), kernel::random_token());
        Holder { by, pid: process::own_pid(), txid, since_ms: cx.host.now().0 }
    }
}

/// What a host lets in; none before its key is installed.
fn login_to(cx: &Cx, store: &Store, host: &Host) -> Result<Option<Login>, Fault> {
    let state = store.state()?;
    let key = state.accepted(&key_of(cx, &host.env), &host.name).filter(|key| key.hosts.contains(&host.name));
    Ok(key.map(|key| access::login_of(store, key)).transpose()?)
}

/// Why a host cannot be deployed to before its key is installed.
pub(super) fn no_key(host: &Host) -> Fault {
    Fault::new(FaultKind::Auth, format!("{} has no key of {} yet", host.name, host.env))
        .with_advice(format!("`tkm bootstrap {}` installs it with a key that the host accepts", host.name))
}

/// `USER@MACHINE`
pub(super) fn operator(cx: &Cx) -> String {
    format!("{}@{}", cx.host.user(), kernel::hostname())
}

/// `20261120T103045Z`
fn time(at: Timestamp) -> String {
    let point = i64::try_from(at.0).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok()).unwrap_or_default();
    point.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}
