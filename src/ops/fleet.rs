//! A command of tetra on several hosts: which ones are meant, and what each answers.

use std::collections::BTreeMap;

use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::tkm::access;
use crate::tkm::agent::command::Stream;
use crate::tkm::agent::protocol::AgentOutput;
use crate::tkm::error::TkmError;
use crate::tkm::host::{Host, HostName};
use crate::tkm::line::is_bound;
use crate::tkm::login::Login;
use crate::tkm::many::{self, Update};
use crate::tkm::ssh::Connection;
use crate::tkm::state::{KeyId, Purpose, StoreState};
use crate::tkm::store::Store;

/// Hosts, and with what they are logged in to.
pub struct Fleet {
    store: Store,
    state: StoreState,
    org: Option<OrgName>,
    hosts: Vec<Host>,
}

/// Which hosts are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetTarget {
    /// All of an environment.
    Env(EnvName),
    /// These.
    Hosts(Vec<HostName>),
}

impl Fleet {
    /// Finds the hosts in the store, in the order of their names or of what was given. None of them is asked.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read, or has no host of such a name.
    pub fn find(store: Store, org: Option<&OrgName>, target: &FleetTarget) -> Result<Self, TkmError> {
        let mut hosts: Vec<Host> = Vec::new();
        match target {
            FleetTarget::Env(env) => hosts.extend(store.hosts()?.into_iter().filter(|host| host.env == *env)),
            FleetTarget::Hosts(names) => {
                for name in names {
                    if hosts.iter().all(|host| host.name != *name) {
                        hosts.push(store.host(name)?);
                    }
                }
            }
        }
        Ok(Self { state: store.state()?, store, org: org.cloned(), hosts })
    }

    /// The hosts.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The first host whose key is bound to its agent, which runs what only looks.
    #[must_use]
    pub fn bound(&self) -> Option<&Host> {
        self.hosts.iter().find(|host| host.rules.agent.is_some() && is_bound(&host.env))
    }

    /// Runs a command on all of them, several at a time. The answers are in their order; what there is to show meanwhile goes to `on_update`
    /// with the index of the host. A host that does not answer is an error in its place, after at most a minute.
    pub fn ask(
        &self,
        words: &[String],
        variables: &BTreeMap<String, String>,
        on_update: impl FnMut(usize, Update),
    ) -> Vec<Result<AgentOutput, TkmError>> {
        let work = |host: &Host, say: &dyn Fn(&str)| {
            say("asking");
            let answer = self
                .login(host)
                .and_then(|login| Connection::open(&self.store, host, variables)?.lasting().run_command(&login, words));
            say(if answer.is_ok() { "answered" } else { "failed" });
            answer
        };
        many::each_shown(&self.hosts, work, on_update)
    }

    /// The words of ssh that run a program on a host, for output that comes over time.
    ///
    /// # Errors
    ///
    /// Fails if no key of it is pinned, or there is no key for it.
    pub fn session(
        &self,
        host: &Host,
        stream: &Stream,
        variables: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, TkmError> {
        let login = self.login(host)?;
        Ok(Connection::open(&self.store, host, variables)?.session_words(&login, std::slice::from_ref(&stream.line)))
    }

    fn login(&self, host: &Host) -> Result<Login, TkmError> {
        let id = KeyId { org: self.org.clone(), env: host.env.clone(), purpose: Purpose::Deploy };
        let key = self.state.accepted(&id, &host.name).ok_or_else(|| TkmError::NoKey { env: host.env.to_string() })?;
        access::login_of(&self.store, key)
    }
}
