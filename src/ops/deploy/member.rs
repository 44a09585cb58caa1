//! One host of a rollout, as its deployer sees it: the session with it, and the steps of the transaction one by one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::halt::{Halt, Will};
use super::opened::Opened;
use super::saying::Say;
use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ServiceName;
use crate::base::time::HumanDuration;
use crate::deploy::carried::CarriedFile;
use crate::deploy::machine::State;
use crate::deploy::record::Holder;
use crate::deploy::release::{Manifest, MissingBlob, ReleaseId};
use crate::deploy::wire::{Ask, Facts, Health, Said};
use crate::tkm::agent::install::Program;
use crate::tkm::agent::session::{AgentSession, Opening, Unbound};
use crate::tkm::host::Host;
use crate::tkm::login::Login;
use crate::tkm::route::Route;
use crate::tkm::ssh::Connection;
use crate::tkm::store::Store;

/// How often a host is asked how it is.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How long what was deployed is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// It has to become healthy within this.
    pub healthy_deadline: Duration,
    /// It has to stay so for this.
    pub min_healthy_time: Duration,
}

/// What every host of a rollout is reached with.
pub struct Reach<'a> {
    /// Hosts and keys.
    pub store: &'a Store,
    /// The variables of the operator.
    pub variables: &'a BTreeMap<String, String>,
    /// This program, for hosts whose keys are not bound to it.
    pub program: &'a Program,
    /// The environment; it has an organization.
    pub env: &'a EnvRef,
    /// What the operator wants meanwhile.
    pub halt: &'a Halt,
    /// Env files and secrets that go with the release.
    pub carried: &'a [CarriedFile],
    /// The one service that may change.
    pub only: Option<&'a ServiceName>,
}

impl Reach<'_> {
    fn org(&self) -> String {
        self.env.org.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// A look at a host.
    fn look(&self) -> Ask {
        Ask::Open { org: self.org(), carried: self.carried.iter().map(|it| it.what.clone()).collect() }
    }

    fn session(&self, connection: &Connection, login: &Login) -> Result<AgentSession, Fault> {
        let Self { program, env, halt, .. } = *self;
        let opening = Opening { unbound: Unbound { program, env }, cutter: halt.cutter() };
        connection.session(login, &opening).map_err(|error| match halt.will() {
            Will::Leave => Fault::new(FaultKind::Interrupted, format!("{}: interrupted", connection.host.name)),
            Will::GoOn | Will::Revert => error.into(),
        })
    }
}

/// A host of a rollout.
pub struct Member {
    /// The host.
    pub host: Host,
    login: Login,
    route: Route,
    session: Option<AgentSession>,
    /// Another one, over which what was deployed is committed.
    fresh: Option<Opened>,
    /// How it was when it was looked at.
    pub facts: Facts,
    /// When it said so.
    pub(super) seen: Instant,
    /// When it puts the old release back by itself at the latest.
    pub(super) decides: Option<Instant>,
    /// Where the deploy is on it.
    pub state: State,
    /// What applying the release would do, in lines.
    pub changes: Vec<String>,
    /// Why it did not come to the end.
    pub fault: Option<Fault>,
}

impl Member {
    /// Reaches a host, and looks at it. Nothing is changed there.
    ///
    /// # Errors
    ///
    /// Fails if it is not reached, does not let the key in, or cannot run the agent.
    pub fn open(reach: &Reach, host: &Host, login: &Login) -> Result<Self, Fault> {
        let connection = Connection::open(reach.store, host, reach.variables)?;
        let session = reach.session(&connection, login)?;
        let mut opened = Opened { host: host.name.to_string(), session };
        let facts = opened.open(&reach.look())?;
        Ok(Self {
            host: host.clone(),
            login: login.clone(),
            route: connection.route.clone(),
            session: Some(opened.session),
            fresh: None,
            facts,
            seen: Instant::now(),
            decides: None,
            state: State::New,
            changes: Vec::new(),
            fault: None,
        })
    }

    /// Another session with the same host, on a connection of its own.
    pub(super) fn again(&self, reach: &Reach) -> Result<(Opened, Facts), Fault> {
        let Reach { store, variables, .. } = *reach;
        let connection = Connection { store, host: &self.host, route: self.route.clone(), variables, sharing: None };
        let session = reach.session(&connection, &self.login)?;
        let mut opened = Opened { host: self.host.name.to_string(), session };
        let facts = opened.open(&reach.look())?;
        Ok((opened, facts))
    }

    /// Asks in the session of the deploy.
    ///
    /// # Errors
    ///
    /// Fails if the host is lost, or what it failed with.
    pub fn ask(&mut self, ask: &Ask, bytes: &[u8], say: Say) -> Result<Said, Fault> {
        let name = self.host.name.to_string();
        let Some(session) = self.session.take() else {
            return Err(Fault::new(FaultKind::Unknown, format!("{name}: the connection was lost")));
        };
        let mut opened = Opened { host: name, session };
        let answer = opened.ask(ask, bytes, say)?;
        self.session = Some(opened.session);
        if let Some((_, state)) = answer.deploy {
            if state != self.state {
                say.state(state.word());
            }
            self.state = state;
        }
        match answer.said {
            Said::Failed(failure) => {
                let fault = failure.into_fault(self.host.name.as_str());
                Err(if ask.leads_to_switch() { self.of_version(fault) } else { fault })
            }
            said => Ok(said),
        }
    }

    /// An agent of an earlier version takes what it does not know for a mistake of the one who asks.
    fn of_version(&self, fault: Fault) -> Fault {
        if fault.kind != FaultKind::Usage {
            return fault;
        }
        let advice = format!("`tkm bootstrap {}` puts this version of tetra there", self.host.name);
        Fault { kind: FaultKind::Preflight, advice: fault.advice.clone().or(Some(advice)), ..fault }
    }

    /// Looks at it again.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub(super) fn look(&mut self, reach: &Reach) -> Result<(), Fault> {
        match self.ask(&reach.look(), &[], Say::to_none())? {
            Said::Facts(facts) => self.facts = *facts,
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    /// What keeps a deploy from beginning on it.
    pub(super) fn busy(&self) -> Option<String> {
        let freeze = self.facts.freeze.as_ref().map(|it| format!("frozen by {}: {}", it.by, it.why));
        freeze.or_else(|| self.facts.holder.as_ref().map(|it| format!("{} deploys {}", it.by, it.txid)))
    }

    /// Locks the host, and has it checked; what has to be sent.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub fn begin(&mut self, holder: &Holder, manifest: &Manifest, say: Say) -> Result<Vec<MissingBlob>, Fault> {
        let planned = self.facts.current.clone();
        let ask = Ask::Begin { holder: holder.clone(), manifest: manifest.clone(), planned };
        let said = self.ask(&ask, &[], say);
        if self.session.is_none() {
            // It may have begun: what came of that has to be found out.
            self.state = State::Locked;
        }
        match said? {
            Said::Missing(missing) => Ok(missing),
            _ => Err(self.unexpected()),
        }
    }

    /// Arms the host, switches it, and waits until what runs is well and stays so.
    ///
    /// # Errors
    ///
    /// Fails if it does not become well; then the host is asked to put the old release back.
    pub fn switch(&mut self, reach: &Reach, patience: Patience, hold: Duration, say: Say) -> Result<(), Fault> {
        reach.halt.arm()?;
        let seconds = (patience.healthy_deadline + patience.min_healthy_time + hold).as_secs();
        self.decides = Some(Instant::now() + Duration::from_secs(seconds));
        self.ask(&Ask::Arm { seconds }, &[], say)?;
        self.check(reach.halt)?;
        say.state("switching");
        self.ask(&Ask::Switch, &[], say)?;
        self.wait_until_healthy(reach.halt, patience, say)?;
        self.ask(&Ask::Prove, &[], say).map(drop)
    }

    fn wait_until_healthy(&mut self, halt: &Halt, patience: Patience, say: Say) -> Result<(), Fault> {
        let until = Instant::now() + patience.healthy_deadline;
        let mut since = None;
        let mut why = String::new();
        loop {
            let found = match self.ask(&Ask::Health, &[], say)? {
                Said::Health(found) => found,
                _ => return Err(self.unexpected()),
            };
            match found {
                Health::Well => {
                    if since.is_none() && !patience.min_healthy_time.is_zero() {
                        say.state(&format!("healthy; has to stay so for {}", HumanDuration(patience.min_healthy_time)));
                    }
                    let since = *since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= patience.min_healthy_time {
                        return Ok(());
                    }
                }
                Health::NotYet(reason) => {
                    if since.is_some() || why != reason {
                        say.state(&format!("not healthy yet: {reason}"));
                    }
                    (since, why) = (None, reason);
                }
                Health::Bad(reason) => return Err(self.unhealthy(&reason)),
            }
            if since.is_none() && Instant::now() >= until {
                let seconds = patience.healthy_deadline.as_secs();
                return Err(self.unhealthy(&format!("not healthy within {seconds} s: {why}")));
            }
            halt.pause(POLL_INTERVAL, Will::GoOn);
            self.check(halt)?;
        }
    }

    /// Fails once the release is not wanted any more.
    pub(super) fn check(&self, halt: &Halt) -> Result<(), Fault> {
        halt.check().map_err(|fault| Fault::new(fault.kind, format!("{}: {fault}", self.host.name)))
    }

    fn unhealthy(&self, why: &str) -> Fault {
        Fault::new(FaultKind::Reverted, format!("{}: {why}", self.host.name))
    }

    pub(super) fn unexpected(&self) -> Fault {
        Fault::new(FaultKind::Failed, format!("{}: it answered something else than was asked", self.host.name))
    }

    /// Reaches the host over a connection of its own, to know that it can still be reached.
    ///
    /// # Errors
    ///
    /// Fails if it is not.
    pub fn reach_again(&mut self, reach: &Reach) -> Result<(), Fault> {
        self.fresh = Some(self.again(reach)?.0);
        Ok(())
    }

    /// Lets the release stay, over the connection by which the host was reached again.
    ///
    /// # Errors
    ///
    /// Fails if it cannot, or the host has put the old release back.
    pub fn commit(&mut self, reach: &Reach, txid: &str, say: Say) -> Result<(), Fault> {
        let Some(mut fresh) = self.fresh.take() else { return Err(self.unexpected()) };
        let ask = Ask::Commit { txid: txid.to_owned() };
        let answer = match fresh.ask(&ask, &[], say) {
            Ok(answer) => answer,
            // What came of it is not known; asked twice is as asked once.
            Err(_) => self.again(reach)?.0.ask(&ask, &[], say)?,
        };
        if let Said::Failed(failure) = answer.said {
            return Err(failure.into_fault(self.host.name.as_str()));
        }
        self.state = State::Committed;
        say.state(self.state.word());
        Ok(())
    }

    /// Lets nothing lead back any more. Where this is not heard, the end of the session says the same.
    pub fn settle(&mut self, say: Say) {
        let _ = self.ask(&Ask::Settle, &[], say);
        self.state = State::Committed;
    }

    /// The release that it has.
    #[must_use]
    pub fn release<'a>(&'a self, new: &'a ReleaseId) -> Option<&'a ReleaseId> {
        if self.state == State::Committed { Some(new) } else { self.facts.current.as_ref() }
    }

    /// Ends the session. What the operator did not wait for ended with it where the host was not armed.
    pub fn close(&mut self, halt: &Halt) {
        (self.session, self.fresh) = (None, None);
        if halt.will() == Will::Leave && self.state < State::Armed {
            self.state = if self.state == State::New { State::New } else { State::Aborted };
            self.fault = Some(Fault::new(FaultKind::Interrupted, format!("{}: interrupted", self.host.name)));
        }
    }
}
