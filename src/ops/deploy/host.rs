//! The host's side of a session: what is asked, step by step. Each step reads the record anew, under the lock that the watcher and
//! a second session take too.

use std::fs::File;
use std::time::Duration;

use zeroize::Zeroizing;

use super::carried::Arrived;
use super::give_up::{self, GivenUp, When, give_up};
use super::health::{self, Watched};
use super::place::Place;
use super::{carried, commit, frozen, preflight, recover, service_drift, watcher};
use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::deploy::carried::{Carried, CarriedFile};
use crate::deploy::machine::{Event, State};
use crate::deploy::record::{self, Holder, Record};
use crate::deploy::release::{Manifest, ReleaseId};
use crate::deploy::wire::{Ask, Facts, MAX_ARMED, Said};
use crate::ops::apply::Starts;
use crate::sys::host::Host;
use crate::sys::paths::Paths;
use crate::tsm::progress::OnProgress;

/// What a session may do, and where.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The surroundings.
    pub host: &'a dyn Host,
    /// The environment that the key is bound to.
    pub env: &'a EnvRef,
    /// The version of this program.
    pub version: &'a str,
}

/// A session on its host.
pub struct HostSession<'a> {
    bounds: Bounds<'a>,
    place: Option<Place<'a>>,
    deploy: Option<Deploy>,
}

/// The deploy of a session.
struct Deploy {
    /// Other deploys are kept out until this is dropped.
    _lock: File,
    txid: String,
    state: State,
    manifest: Manifest,
    carried: Vec<CarriedFile>,
    watched: Watched,
}

/// A deploy as its deployer begins it.
struct Wanted {
    holder: Holder,
    manifest: Manifest,
    planned: Option<ReleaseId>,
}

impl<'a> HostSession<'a> {
    /// One in which nothing was asked yet.
    #[must_use]
    pub fn new(bounds: Bounds<'a>) -> Self {
        Self { bounds, place: None, deploy: None }
    }

    /// The deploy of the session, and where it is.
    #[must_use]
    pub fn state(&self) -> Option<(String, State)> {
        self.deploy.as_ref().map(|deploy| (deploy.txid.clone(), deploy.state))
    }

    /// Does what is asked. The bytes are those of [`Ask::Put`].
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being done; where something was changed, it was put back or the fault says that it was not.
    pub fn answer(&mut self, ask: Ask, bytes: &[u8], on_progress: &mut OnProgress) -> Result<Said, Fault> {
        let leads_to_switch = ask.leads_to_switch();
        let answer = self.answer_as_is(ask, bytes, on_progress);
        // As where the disk of the host is full: it could not take the release, whichever file was the one that did not fit.
        answer.map_err(|fault| match fault.kind {
            FaultKind::Failed if leads_to_switch && !self.has_switched() => {
                Fault { kind: FaultKind::Preflight, ..fault }
            }
            _ => fault,
        })
    }

    /// Whether the deploy of the session has changed what runs.
    fn has_switched(&self) -> bool {
        self.deploy.as_ref().is_some_and(|deploy| deploy.state >= State::Switched && deploy.state != State::Aborted)
    }

    fn answer_as_is(&mut self, ask: Ask, bytes: &[u8], on_progress: &mut OnProgress) -> Result<Said, Fault> {
        if let Ask::Open { org, carried } = ask {
            return self.open(&org, carried);
        }
        let place = self.place.clone().ok_or_else(|| Fault::usage("the session was not opened"))?;
        match ask {
            Ask::Begin { holder, manifest, planned } => {
                self.begin(&place, Wanted { holder, manifest, planned }, on_progress)
            }
            Ask::Put { sha256, size, offset, .. } => {
                self.expect(State::Staging)?;
                place.releases().put(&sha256, size, offset, bytes)?;
                Ok(Said::Done)
            }
            Ask::Carry { what, form, sha256, .. } => {
                let bytes = Zeroizing::new(bytes.to_vec());
                self.carry(&place, Arrived { what, form, sha256, bytes })
            }
            Ask::Stage => self.stage(&place, None),
            Ask::StageOnly { service } => self.stage(&place, Some(&service)),
            Ask::Arm { seconds } => self.arm(&place, seconds),
            Ask::Switch => self.switch(&place, on_progress),
            Ask::Health => Ok(Said::Health(self.watched()?.look(&place)?)),
            Ask::Prove => {
                self.watched()?.prove(&place)?;
                self.step(&place, Event::Prove)
            }
            Ask::Commit { txid } => commit::commit(&place, checked(&txid)?).map(|()| Said::Done),
            Ask::Settle => self.with_record(|txid| commit::settle(&place, txid, on_progress)).map(|_| Said::Done),
            Ask::Undo { why } => {
                let record = self.with_record(|txid| commit::undo(&place, txid, &why, on_progress))?;
                Ok(Said::History(vec![record]))
            }
            Ask::GiveUp { txid, why } => {
                let given = GivenUp { txid: checked(&txid)?, why: &why, when: When::Live };
                let record = give_up(&place, given, on_progress)?;
                self.note(&record);
                Ok(Said::History(vec![record]))
            }
            Ask::Recover => recover::recover(&place, on_progress),
            Ask::History => Ok(Said::History(place.files().records()?)),
            Ask::Journal { txid } => Ok(Said::Journal(place.files().journal(&txid)?)),
            Ask::Release { rid } => release(&place, rid),
            Ask::Freeze { by, why } => frozen::set(&place, by, why),
            Ask::Open { .. } | Ask::Beat => Ok(Said::Done),
        }
    }

    /// Ends with its deployer: what it did not finish is put back.
    pub fn end(self) {
        let (Some(deploy), Some(place)) = (self.deploy, self.place) else { return };
        let given = GivenUp { txid: &deploy.txid, why: "the deployer is gone", when: When::Live };
        // If that fails, the watcher or the next boot does it.
        let _ = give_up(&place, given, &mut |_| {});
        let _ = commit::settle(&place, &deploy.txid, &mut |_| {});
    }

    fn open(&mut self, org: &str, carried: Vec<Carried>) -> Result<Said, Fault> {
        let Bounds { paths, host, env: bound, version } = self.bounds;
        let org: OrgName = org.parse().map_err(|error| Fault::usage(format!("{error}")))?;
        if bound.org.as_ref().is_some_and(|own| *own != org) {
            return Err(Fault::new(
                FaultKind::Refused,
                format!("this key is for {bound}, not for {org}/{}", bound.env),
            ));
        }
        let place = Place { paths, host, org, env: bound.env.clone() };
        let (files, releases) = (place.files(), place.releases());
        let current = releases.current()?;
        let facts = Facts {
            version: version.to_owned(),
            now_ms: host.now().0,
            previous: releases.previous()?,
            content: current.as_ref().map(|rid| releases.manifest(rid)).transpose()?.map(|it| it.content()),
            drift: current.as_ref().map(|rid| releases.verify(rid)).transpose()?.unwrap_or_default(),
            current,
            holder: files.holder(),
            freeze: files.freeze(),
            last: files.records()?.into_iter().next(),
            carried: Some(carried::states(&place, carried)?),
            services: service_drift::find(&place),
        };
        self.place = Some(place);
        Ok(Said::Facts(Box::new(facts)))
    }

    fn begin(&mut self, place: &Place, wanted: Wanted, on_progress: &mut OnProgress) -> Result<Said, Fault> {
        let Wanted { holder, manifest, planned } = wanted;
        checked(&holder.txid)?;
        if self.deploy.is_some() {
            return Err(Fault::usage("a deploy was begun in this session already"));
        }
        if (manifest.org(), manifest.env()) != (place.org.as_str(), place.env.as_str()) {
            return Err(Fault::new(FaultKind::Refused, "the release is of another environment"));
        }
        place.create()?;
        let files = place.files();
        let now = place.host.now();
        let lock = files.hold(&Holder { since_ms: now.0, ..holder.clone() })?;
        let found = place.releases().current()?;
        recover::put_back_unended(place, &holder.txid, on_progress)?;
        commit::settle_last(place);
        files.sweep();
        if found != planned {
            return Err(stale(planned.as_ref(), found.as_ref()));
        }
        frozen::refuse(place)?;
        let mut record = Record {
            version: record::VERSION,
            txid: holder.txid,
            env: place.env.to_string(),
            rid: manifest.rid().clone(),
            by: holder.by,
            state: State::New,
            before: place.before()?,
            ran: place.running()?,
            stopped: place.stopped()?,
            at_ms: now.0,
            why: None,
            let_be: false,
            carried: Vec::new(),
        };
        files.begin(&record)?;
        files.advance(&mut record, Event::Advance(State::Locked), None, now)?;
        files.advance(&mut record, Event::Advance(State::Preflight), None, now)?;
        let (txid, state) = (record.txid.clone(), record.state);
        self.deploy =
            Some(Deploy { _lock: lock, txid, state, manifest, carried: Vec::new(), watched: Watched::default() });
        let checked = self.expect(State::Preflight).and_then(|deploy| preflight::check_host(place, &deploy.manifest));
        self.or_give_up(place, checked)?;
        self.step(place, Event::Advance(State::Staging))?;
        Ok(Said::Missing(place.releases().missing(&self.expect(State::Staging)?.manifest)?))
    }

    fn carry(&mut self, place: &Place, arrived: Arrived) -> Result<Said, Fault> {
        self.expect(State::Staging)?;
        let taken = self.deploy.as_mut().map_or(Ok(()), |deploy| carried::take(place, &mut deploy.carried, arrived));
        self.or_give_up(place, taken)?;
        Ok(Said::Done)
    }

    fn stage(&mut self, place: &Place, only: Option<&str>) -> Result<Said, Fault> {
        let stage = |deploy: &Deploy| preflight::stage(place, &deploy.manifest, &deploy.carried, only);
        let staged = self.expect(State::Staging).and_then(stage);
        let changes = self.or_give_up(place, staged)?;
        self.step(place, Event::Advance(State::Staged))?;
        Ok(Said::Changes(changes))
    }

    fn arm(&mut self, place: &Place, seconds: u64) -> Result<Said, Fault> {
        self.step(place, Event::Advance(State::Armed))?;
        let limit = Duration::from_secs(seconds.clamp(1, MAX_ARMED));
        let started = self.expect(State::Armed).and_then(|deploy| {
            carried::keep(place, &deploy.txid, &deploy.carried)?;
            watcher::start(place, &deploy.txid, limit)
        });
        self.or_give_up(place, started)?;
        Ok(Said::Done)
    }

    fn switch(&mut self, place: &Place, on_progress: &mut OnProgress) -> Result<Said, Fault> {
        let deploy = self.expect(State::Armed)?;
        if !watcher::is_watched(place, &deploy.txid) {
            let lost = Err(Fault::new(FaultKind::Preflight, "the watcher is gone"));
            return self.or_give_up(place, lost);
        }
        let (rid, txid) = (deploy.manifest.rid().clone(), deploy.txid.clone());
        let files = place.files();
        let before = health::lives(&place.processes()?);
        let act = files.act()?;
        self.step_alone(place, Event::Advance(State::Switched))?;
        let put = self.expect(State::Switched).and_then(|deploy| carried::put(place, &deploy.carried));
        let applied =
            put.and_then(|()| place.switch(&rid, &txid)).and_then(|()| place.apply(Starts::AlsoStopped, on_progress));
        let applied = applied.and_then(|()| self.step_alone(place, Event::Advance(State::Applied)));
        // What gives up takes the lock itself.
        drop(act);
        self.or_give_up(place, applied)?;
        let lives = health::lives(&place.processes()?);
        if let Some(deploy) = &mut self.deploy {
            deploy.watched = Watched::new(&before, lives);
        }
        Ok(Said::Done)
    }

    /// The deploy, in this state.
    fn expect(&self, state: State) -> Result<&Deploy, Fault> {
        let found = self.deploy.as_ref().ok_or_else(|| Fault::usage("no deploy was begun in this session"))?;
        if found.state == state {
            return Ok(found);
        }
        Err(Fault::new(FaultKind::Stale, format!("the deploy is {}, not {state}", found.state)))
    }

    /// What was applied.
    fn watched(&mut self) -> Result<&mut Watched, Fault> {
        self.expect(State::Applied)?;
        let nothing = || Fault::usage("no deploy was begun in this session");
        self.deploy.as_mut().map(|deploy| &mut deploy.watched).ok_or_else(nothing)
    }

    fn step(&mut self, place: &Place, event: Event) -> Result<Said, Fault> {
        let _act = place.files().act()?;
        self.step_alone(place, event).map(|()| Said::Done)
    }

    /// The same where the caller holds the lock.
    fn step_alone(&mut self, place: &Place, event: Event) -> Result<(), Fault> {
        let Some(deploy) = &mut self.deploy else { return Err(Fault::usage("no deploy was begun in this session")) };
        let files = place.files();
        // The watcher may have given it up meanwhile.
        let mut record = files.read(&deploy.txid)?;
        let stepped = files.advance(&mut record, event, None, place.host.now());
        deploy.state = record.state;
        if record.state.has_ended() && stepped.is_err() {
            return Err(give_up::outcome(&record));
        }
        stepped?;
        Ok(())
    }

    /// What came of a step; where it failed, the deploy is given up, and the fault says what that came to.
    fn or_give_up<T>(&mut self, place: &Place, result: Result<T, Fault>) -> Result<T, Fault> {
        let fault = match result {
            Ok(done) => return Ok(done),
            Err(fault) => fault,
        };
        let Some(deploy) = &self.deploy else { return Err(fault) };
        let why = fault.in_full();
        let record = give_up(place, GivenUp { txid: &deploy.txid, why: &why, when: When::Live }, &mut |_| {})?;
        self.note(&record);
        let outcome = give_up::outcome(&record);
        // Before the switch the fault itself says more than that nothing was changed.
        let kind =
            if record.state == State::Aborted && fault.kind != FaultKind::Failed { fault.kind } else { outcome.kind };
        Err(Fault { kind, advice: fault.advice.or(outcome.advice), ..Fault::new(kind, outcome.error.to_string()) })
    }

    /// Does what ends the deploy of the session, which then is where the record says.
    fn with_record(&mut self, work: impl FnOnce(&str) -> Result<Record, Fault>) -> Result<Record, Fault> {
        let deploy = self.deploy.as_ref().ok_or_else(|| Fault::usage("no deploy was begun in this session"))?;
        let record = work(&deploy.txid)?;
        self.note(&record);
        Ok(record)
    }

    fn note(&mut self, record: &Record) {
        if let Some(deploy) = self.deploy.as_mut().filter(|deploy| deploy.txid == record.txid) {
            deploy.state = record.state;
        }
    }
}

fn checked(txid: &str) -> Result<&str, Fault> {
    let invalid = || Fault::usage("the name of a deploy has letters, digits and `-`");
    record::is_txid(txid).then_some(txid).ok_or_else(invalid)
}

fn stale(planned: Option<&ReleaseId>, found: Option<&ReleaseId>) -> Fault {
    let name = |rid: Option<&ReleaseId>| rid.map_or("no release", ReleaseId::as_str).to_owned();
    let message = format!("the plan was made for {}, and {} is current", name(planned), name(found));
    Fault::new(FaultKind::Stale, message).with_advice("plan it again")
}

fn release(place: &Place, rid: Option<ReleaseId>) -> Result<Said, Fault> {
    let releases = place.releases();
    let rid = match rid {
        Some(rid) => rid,
        None => releases.previous()?.ok_or_else(|| {
            Fault::new(FaultKind::NotFound, "no release was current before this one")
                .with_advice("`org deploy status` shows the releases")
        })?,
    };
    Ok(Said::Manifest(Box::new(releases.manifest(&rid)?)))
}
