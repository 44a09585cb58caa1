//! A deploy that was looked into: what its plan shows, its run carries out.

use std::time::{Duration, Instant};

use super::fresh::Fresh;
use super::options::{ChosenRollout, DeployOptions};
use super::plan_file::{PlanFile, Planned, WrittenPlan};
use super::progress::Progress;
use super::target::DeployTarget;
use super::{carried, drift, unchanged};
use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::command::org::context::organization;
use crate::command::org::promote::{self, PlannedPromotion};
use crate::command::{Cx, Effect, Prepared, Stage};
use crate::deploy::announced::Announced;
use crate::deploy::machine::State;
use crate::deploy::record::Record;
use crate::deploy::release::{Payload, ReleaseId};
use crate::ops::deploy::member::Member;
use crate::ops::deploy::rollout::{Fleet, Order, Rollout};
use crate::ops::deploy::verdict::{HostEnd, UNCHANGED, Verdict, verdict};
use crate::ops::environments;
use crate::org::operations::PlannedEnv;
use crate::org::store::OrgStore;
use crate::report::{Cell, Report, Table, Tone, Value};

/// Seconds by which clocks may differ without a remark.
const MAX_SKEW: u64 = 60;

/// The most keys of a promotion that are named.
const MAX_KEYS: usize = 10;

/// What is to be deployed.
pub(super) struct Wanted {
    /// What has to be written first.
    pub promotion: Option<PlannedPromotion>,
    /// The release.
    pub payload: Payload,
    /// What is to be known of it.
    pub notes: Vec<String>,
    /// How.
    pub options: DeployOptions,
    /// For the guard.
    pub environments: Vec<EnvRef>,
    /// Hosts that have no key yet.
    pub fresh: Fresh,
    /// The plan that is deployed, and nothing else.
    pub given: Option<PlanFile>,
    /// The plan that is written instead.
    pub written: Option<WrittenPlan>,
}

/// A deploy that was looked into.
pub(super) struct DeployStage {
    target: DeployTarget,
    /// How careful to be.
    tier: Tier,
    promotion: Option<PlannedPromotion>,
    /// The promotion was written.
    is_promoted: bool,
    payload: Payload,
    fleet: Fleet,
    rollout: Rollout,
    /// What says how hosts are switched.
    origins: String,
    notes: Vec<String>,
    fresh: Fresh,
    options: DeployOptions,
    wait: Option<Duration>,
    given: Option<PlanFile>,
    written: Option<WrittenPlan>,
    /// Hosts that were not reached, and why.
    skipped: Vec<Fault>,
}

impl DeployStage {
    /// Looks at the hosts.
    ///
    /// # Errors
    ///
    /// Fails if one is not reached, or one of prod was changed by hand.
    pub(super) fn look(cx: &mut Cx, target: DeployTarget, wanted: Wanted) -> Result<Prepared, Fault> {
        let Wanted { promotion, payload, mut notes, options, environments, fresh, given, written } = wanted;
        let manifest = OrgStore::open(cx.paths, &organization(cx)?)?.manifest()?.hosts;
        let wait = options.wait()?;
        // As for the guard: the strictest, and that is prod where nothing is known.
        let tier = environments.iter().map(|env| environments::tier(cx.paths, env)).max().unwrap_or(Tier::Prod);
        let (fleet, skipped) = reach(cx, &target, &options)?;
        notes.extend(skipped.iter().map(|fault| format!("passed over: {fault}")));
        for member in fleet.members() {
            notes.extend(remarks(cx, &target.env.env, &member));
            notes.extend(carried::remarks(&target, &member));
            if !options.plan {
                carried::check_agent(&target, &member)?;
            }
            if !options.accept_drift && !options.plan {
                drift::refuse(&target, tier, &member)?;
            }
        }
        notes.extend(fresh.notes());
        notes.extend(carried::fresh_remarks(&target, &fresh));
        notes.extend(
            target.only.iter().map(|only| format!("a host refuses it if another service than {only} would change")),
        );
        let ChosenRollout { rollout, origins } = match &given {
            Some(plan) => ChosenRollout { rollout: plan.rollout()?, origins: "as planned".to_owned() },
            None => options.rollout(&manifest, tier, fleet.members().count() + fresh.len())?,
        };
        given.as_ref().map_or(Ok(()), |plan| plan.check(&target, &payload, &fleet))?;
        let state = DeployStage {
            target,
            tier,
            promotion,
            is_promoted: false,
            payload,
            fleet,
            rollout,
            origins,
            notes,
            fresh,
            options,
            wait,
            given,
            written,
            skipped,
        };
        if !state.options.plan && state.wait.is_none() {
            let mut wanted = state.fleet.members().filter(|member| state.is_wanted(member));
            wanted.try_for_each(|member| unchanged::refuse_frozen(&state.target.env.env, &member))?;
        }
        let (is_plan, effect) = (state.options.plan, state.options.effect());
        // Where nothing would be done there is nothing to ask about.
        let effect = if state.differs() || state.promotion.is_some() { effect } else { Effect::Read };
        let stage = Stage { effect, environments, state, plan: show, run };
        Ok(if is_plan { Stage { plan: show_plan, ..stage }.dry_run() } else { stage.ready() })
    }

    /// Also where it is there and did not stay yet.
    fn is_wanted(&self, member: &Member) -> bool {
        let facts = &member.facts;
        let has_settled = |last: &Record| last.state.has_ended() && last.state != State::RevertFailed;
        let is_settled = facts.holder.is_none() && facts.last.as_ref().is_none_or(has_settled);
        facts.content.as_ref() != Some(&self.payload.manifest.content())
            || !facts.drift.is_empty()
            || !facts.services.is_empty()
            || carried::differ(&self.target, facts)
            || !is_settled
    }

    fn differs(&self) -> bool {
        !self.fresh.is_empty() || self.fleet.members().any(|member| self.is_wanted(&member))
    }

    /// Takes in the hosts that have no key yet.
    fn admit(&mut self, cx: &mut Cx) -> Result<(), Fault> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let admitted = std::mem::take(&mut self.fresh).admit(cx, &mut self.target)?;
        for member in admitted.members() {
            let remarks =
                remarks(cx, &self.target.env.env, &member).into_iter().chain(carried::remarks(&self.target, &member));
            remarks.for_each(|remark| cx.console.note(&remark));
            carried::check_agent(&self.target, &member)?;
            if !self.options.accept_drift {
                drift::refuse(&self.target, self.tier, &member)?;
            }
        }
        self.fleet.join(admitted);
        Ok(())
    }

    fn report(&self) -> Report {
        let mut table = Table::new(&[
            ("host", "HOST"),
            ("action", "ACTION"),
            ("current", "CURRENT"),
            ("release", "RELEASE"),
            ("drift", "DRIFT"),
        ]);
        for member in self.fleet.members() {
            let (action, release) = if self.is_wanted(&member) {
                (Cell::from("deploy").tone(Tone::Warn), Some(self.payload.manifest.rid()))
            } else {
                (Cell::from("unchanged").tone(Tone::Dim), member.facts.current.as_ref())
            };
            table.row(vec![
                Cell::from(member.host.name.as_str()).tone(Tone::Strong),
                action,
                name(member.facts.current.as_ref()).into(),
                name(release).into(),
                drift::count(&member.facts).into(),
            ]);
        }
        for host in self.fresh.names() {
            let action = Cell::from("bootstrap, deploy").tone(Tone::Warn);
            let release = name(Some(self.payload.manifest.rid())).into();
            table.row(vec![Cell::from(host).tone(Tone::Strong), action, name(None).into(), release, 0.into()]);
        }
        let rollout = format!("rollout: {}", self.origins);
        self.all_notes().into_iter().chain([rollout]).fold(Report::of(table), Report::note)
    }

    fn all_notes(&self) -> Vec<String> {
        let promoted = self.promotion.as_ref().and_then(|it| it.plan.planned.first()).map(promotion_note);
        promoted.into_iter().chain(self.notes.iter().cloned()).collect()
    }
}

/// Reaches the hosts; also why some were not reached, where that is allowed.
fn reach(cx: &mut Cx, target: &DeployTarget, options: &DeployOptions) -> Result<(Fleet, Vec<Fault>), Fault> {
    let (fleet, mut unreached) = target.open(cx)?;
    let is_allowed = options.skip_unreachable && fleet.members().next().is_some();
    if !unreached.is_empty() && !is_allowed {
        return Err(unreached.swap_remove(0));
    }
    Ok((fleet, unreached))
}

/// `dev is promoted first: services.web.port, resources.memory_max`
fn promotion_note(planned: &PlannedEnv) -> String {
    let keys: Vec<String> = promote::changing(planned).iter().map(|row| row.path.to_string()).collect();
    let shown = keys.iter().take(MAX_KEYS).cloned().collect::<Vec<_>>().join(", ");
    let more = keys.len().saturating_sub(MAX_KEYS);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{} is promoted first: {shown}{more}; `tsm org diff @{0}` shows the values", planned.env)
}

/// The name of a release, or that there is none.
pub(super) fn name(rid: Option<&ReleaseId>) -> Value {
    Value::from(rid.map(|rid| rid.as_str().to_owned()))
}

fn show(stage: &DeployStage, _: &mut Cx) -> Result<Option<Report>, Fault> {
    Ok(Some(stage.report()))
}

fn show_plan(stage: &DeployStage, _: &mut Cx) -> Result<Option<Report>, Fault> {
    let code = (stage.options.exit_code && stage.differs()).then_some(2);
    let mut report = stage.report();
    if let Some(written) = &stage.written {
        if let Some(host) = stage.fresh.names().next() {
            return Err(Fault::new(
                FaultKind::Auth,
                format!("{host} has no key yet: nothing is known of it for a plan"),
            )
            .with_advice(format!("`tkm bootstrap {host}` installs it")));
        }
        let DeployStage { target, payload, rollout, fleet, .. } = stage;
        let planned = Planned { target, written, payload, rollout: *rollout, fleet };
        PlanFile::of(&planned).write(&written.path)?;
        let path = written.path.display();
        report = report.note(format!("wrote the plan to {path}: `org deploy --plan-in {path}` deploys it"));
    }
    Ok(Some(Report { code, ..report.note("nothing was changed") }))
}

/// What is to be known of a host before it is deployed to.
fn remarks(cx: &Cx, env: &EnvName, member: &Member) -> Vec<String> {
    let (name, facts) = (&member.host.name, &member.facts);
    let mut remarks = drift::remarks(env, name, facts);
    let skew = facts.now_ms.abs_diff(cx.host.now().0) / 1000;
    if skew > MAX_SKEW {
        remarks.push(format!("{name}: its clock differs by {skew} s; times in its journal are its own"));
    }
    remarks.extend(facts.freeze.iter().map(|freeze| format!("{name}: frozen by {}: {}", freeze.by, freeze.why)));
    remarks.extend(facts.holder.iter().map(|holder| format!("{name}: {} deploys {}", holder.by, holder.txid)));
    remarks
}

fn run(mut stage: DeployStage, cx: &mut Cx) -> Result<Report, Fault> {
    stage.all_notes().iter().for_each(|note| cx.console.note(note));
    stage.admit(cx)?;
    let until = stage.wait.map(|wait| Instant::now() + wait);
    loop {
        if let Some(until) = until {
            stage.wait_until_free(cx, until)?;
        }
        if !stage.differs() {
            let hosts = pluralize(stage.fleet.members().count(), "host");
            let sentence = format!("{} is deployed already on {hosts}", stage.target.env.env);
            return Ok(Report::of(Table::new(&COLUMNS)).ending(sentence));
        }
        let report = stage.deploy(cx)?;
        // Another deploy was faster.
        let is_taken = report.faults.iter().any(|fault| fault.kind == FaultKind::Locked);
        if !is_taken || until.is_none_or(|until| Instant::now() >= until) {
            return Ok(report);
        }
        (stage.fleet, stage.skipped) = reach(cx, &stage.target, &stage.options)?;
    }
}

impl DeployStage {
    fn wait_until_free(&self, cx: &mut Cx, until: Instant) -> Result<(), Fault> {
        let Self { fleet, target, .. } = self;
        let progress = Progress::of(cx, &target.halt, fleet);
        let waited = progress.look(|on_saying| fleet.wait_until_free(&target.reach(), until, on_saying));
        if self.target.halt.check().is_err() {
            let fault = Fault::new(FaultKind::Interrupted, format!("interrupted; {UNCHANGED}"));
            return Err(unchanged::fault_with_promoted(fault, self.promoted()));
        }
        waited.map_err(|fault| unchanged::fault_with_promoted(fault, self.promoted()))?;
        self.given.as_ref().map_or(Ok(()), |plan| plan.check(&self.target, &self.payload, &self.fleet))
    }

    fn deploy(&mut self, cx: &mut Cx) -> Result<Report, Fault> {
        if let Some(promotion) = self.promotion.take() {
            let org = organization(cx)?;
            promote::carry_out(cx, &OrgStore::open(cx.paths, &org)?, promotion)?;
            self.is_promoted = true;
        }
        let wanted: Vec<String> =
            self.fleet.members().filter(|it| self.is_wanted(it)).map(|it| it.host.name.to_string()).collect();
        self.fleet.retain(|member| wanted.contains(&member.host.name.to_string()));
        let Self { target, payload, fleet, rollout, .. } = self;
        let holder = target.holder(cx);
        let order = Order { holder: &holder, payload, rollout: *rollout };
        // For other prompts of this machine: the deploy itself needs it not.
        let announced = Announced::begin(&cx.paths.org(&organization(cx)?), &target.env.env, &holder).ok().flatten();
        let progress = Progress::of(cx, &target.halt, fleet);
        progress.deploy(|on_saying| fleet.deploy(&target.reach(), &order, on_saying));
        let (report, sentence) = self.outcome();
        announced.into_iter().for_each(|announced| announced.end(&sentence));
        Ok(report)
    }
}

const COLUMNS: [(&str, &str); 5] =
    [("host", "HOST"), ("state", "STATE"), ("release", "RELEASE"), ("changes", "CHANGES"), ("why", "WHY")];

impl DeployStage {
    /// The environment, if it was promoted for this deploy.
    pub(super) fn promoted(&self) -> Option<&EnvName> {
        self.is_promoted.then_some(&self.target.env.env)
    }

    /// What became of all hosts, and that in a sentence.
    fn outcome(&self) -> (Report, String) {
        let (env, rid) = (self.target.env.env.as_str(), self.payload.manifest.rid());
        let mut table = Table::new(&COLUMNS);
        let (mut ends, mut advice) = (Vec::new(), None);
        for mut member in self.fleet.members() {
            let fault = member.fault.take();
            let release = member.release(rid).cloned();
            let tone = if member.state == State::Committed { Tone::Good } else { Tone::Bad };
            table.row(vec![
                Cell::from(member.host.name.as_str()).tone(Tone::Strong),
                Cell::from(member.state.word()).tone(tone),
                name(release.as_ref()).into(),
                Value::from(member.changes.clone()).into(),
                Value::from(fault.as_ref().map(ToString::to_string)).into(),
            ]);
            advice = advice.or_else(|| fault.as_ref().and_then(|fault| fault.advice.clone()));
            ends.push(HostEnd {
                host: member.host.name.to_string(),
                state: member.state,
                release: release.map(|rid| rid.as_str().to_owned()),
                fault: fault.map(|fault| (fault.kind, fault.to_string())),
            });
        }
        let verdict = verdict(env, rid.as_str(), &ends);
        let sentence = unchanged::with_promoted(&verdict.sentence, self.promoted());
        let sentence = match self.skipped.len() {
            0 => sentence,
            skipped => {
                let hosts = pluralize(skipped, "host");
                format!("{sentence}; {hosts} passed over: `org deploy @{env}` brings the release there")
            }
        };
        let report = Report::of(table);
        let report = match (Verdict { sentence: sentence.clone(), ..verdict }).into_fault(advice) {
            Some(fault) => Report { faults: vec![fault], ..report },
            None => report.ending(sentence.clone()),
        };
        (report, sentence)
    }
}
