//! A deploy that was looked into: what its plan shows, its run carries out.

use super::fresh::Fresh;
use super::options::DeployOptions;
use super::progress::Progress;
use super::target::DeployTarget;
use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::command::org::context::organization;
use crate::command::org::promote::{self, PlannedPromotion};
use crate::command::{Cx, Effect, Prepared, Stage};
use crate::deploy::machine::State;
use crate::deploy::release::{Drift, DriftKind, Payload, ReleaseId};
use crate::ops::deploy::member::Member;
use crate::ops::deploy::rollout::{Fleet, Order, Rollout};
use crate::ops::deploy::verdict::{HostEnd, verdict};
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
}

/// A deploy that was looked into.
pub(super) struct DeployStage {
    target: DeployTarget,
    promotion: Option<PlannedPromotion>,
    payload: Payload,
    fleet: Fleet,
    rollout: Rollout,
    notes: Vec<String>,
    fresh: Fresh,
    exit_code: bool,
    accept_drift: bool,
}

impl DeployStage {
    /// Looks at the hosts.
    ///
    /// # Errors
    ///
    /// Fails if one is not reached, or one of prod was changed by hand.
    pub(super) fn look(cx: &mut Cx, target: DeployTarget, wanted: Wanted) -> Result<Prepared, Fault> {
        let Wanted { promotion, payload, mut notes, options, environments, fresh } = wanted;
        let (fleet, unreached) = target.open(cx)?;
        match unreached.into_iter().collect::<Vec<Fault>>() {
            faults if options.skip_unreachable && fleet.members().next().is_some() => {
                notes.extend(faults.iter().map(|fault| format!("passed over: {fault}")));
            }
            faults => faults.into_iter().next().map_or(Ok(()), Err)?,
        }
        let env = target.env.env.clone();
        for member in fleet.members() {
            notes.extend(remarks(cx, &member));
            if !options.accept_drift && !options.plan {
                refuse_drift(&env, &member)?;
            }
        }
        notes.extend(fresh.notes());
        let rollout = options.rollout(&env, fleet.members().count() + fresh.len());
        let (exit_code, accept_drift) = (options.exit_code, options.accept_drift);
        let state = DeployStage { target, promotion, payload, fleet, rollout, notes, fresh, exit_code, accept_drift };
        // Where nothing would be done there is nothing to ask about.
        let effect = if state.differs() || state.promotion.is_some() { options.effect() } else { Effect::Read };
        let stage = Stage { effect, environments, state, plan: show, run };
        Ok(if options.plan { Stage { plan: show_plan, ..stage }.dry_run() } else { stage.ready() })
    }

    /// Also where it is there and did not stay yet.
    fn is_wanted(&self, member: &Member) -> bool {
        let facts = &member.facts;
        let is_settled = facts.holder.is_none() && facts.last.as_ref().is_none_or(|last| last.state.has_ended());
        facts.content.as_ref() != Some(&self.payload.manifest.content()) || !facts.drift.is_empty() || !is_settled
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
            remarks(cx, &member).iter().for_each(|remark| cx.console.note(remark));
            if !self.accept_drift {
                refuse_drift(&self.target.env.env, &member)?;
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
                member.facts.drift.len().into(),
            ]);
        }
        for host in self.fresh.names() {
            let action = Cell::from("bootstrap, deploy").tone(Tone::Warn);
            let release = name(Some(self.payload.manifest.rid())).into();
            table.row(vec![Cell::from(host).tone(Tone::Strong), action, name(None).into(), release, 0.into()]);
        }
        let promoted = self.promotion.as_ref().and_then(|it| it.plan.planned.first()).map(promotion_note);
        promoted.into_iter().chain(self.notes.iter().cloned()).fold(Report::of(table), Report::note)
    }
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
    let code = (stage.exit_code && stage.differs()).then_some(2);
    Ok(Some(Report { code, ..stage.report().note("nothing was changed") }))
}

/// Files of prod that were changed on a host are not replaced unseen.
fn refuse_drift(env: &EnvName, member: &Member) -> Result<(), Fault> {
    if member.facts.drift.is_empty() || env.tier() != Some(Tier::Prod) {
        return Ok(());
    }
    let why = format!("{}: files of the release were changed there", member.host.name);
    let advice = format!("`tsm org deploy @{env} --plan` shows them; --accept-drift deploys over them");
    Err(Fault::new(FaultKind::Review, why).with_advice(advice))
}

/// What is to be known of a host before it is deployed to.
fn remarks(cx: &Cx, member: &Member) -> Vec<String> {
    let (name, facts) = (&member.host.name, &member.facts);
    let mut remarks: Vec<String> = facts.drift.iter().map(|drift| format!("{name}: {}", drifted(drift))).collect();
    let skew = facts.now_ms.abs_diff(cx.host.now().0) / 1000;
    if skew > MAX_SKEW {
        remarks.push(format!("{name}: its clock differs by {skew} s; times in its journal are its own"));
    }
    remarks.extend(facts.freeze.iter().map(|freeze| format!("{name}: frozen by {}: {}", freeze.by, freeze.why)));
    remarks.extend(facts.holder.iter().map(|holder| format!("{name}: {} deploys {}", holder.by, holder.txid)));
    remarks
}

/// `environments/dev.toml was changed in the release`
fn drifted(drift: &Drift) -> String {
    let what = match drift.kind {
        DriftKind::Missing => "was removed from the release",
        DriftKind::Added => "was added to the release",
        DriftKind::Changed => "was changed in the release",
        DriftKind::Mode => "has other permissions than in the release",
    };
    format!("{} {what}", drift.path)
}

fn run(mut stage: DeployStage, cx: &mut Cx) -> Result<Report, Fault> {
    let promoted = stage.promotion.as_ref().and_then(|it| it.plan.planned.first()).map(promotion_note);
    promoted.iter().chain(&stage.notes).for_each(|note| cx.console.note(note));
    stage.admit(cx)?;
    let (env, all) = (stage.target.env.env.to_string(), stage.fleet.members().count());
    if !stage.differs() {
        let sentence = format!("{env} is deployed already on {}", pluralize(all, "host"));
        return Ok(Report::of(Table::new(&COLUMNS)).note(sentence));
    }
    let wanted: Vec<String> =
        stage.fleet.members().filter(|it| stage.is_wanted(it)).map(|it| it.host.name.to_string()).collect();
    let DeployStage { target, promotion, payload, fleet, rollout, .. } = stage;
    if let Some(promotion) = promotion {
        let org = organization(cx)?;
        promote::carry_out(cx, &OrgStore::open(cx.paths, &org)?, promotion)?;
    }
    let fleet = fleet.retain(|member| wanted.contains(&member.host.name.to_string()));
    let holder = target.holder(cx);
    let order = Order { holder: &holder, payload: &payload, rollout };
    let progress = Progress::of(cx.console, &target.halt, &fleet);
    progress.deploy(|on_text| fleet.deploy(&target.reach(), &order, on_text));
    Ok(outcome(&env, payload.manifest.rid(), &fleet))
}

const COLUMNS: [(&str, &str); 5] =
    [("host", "HOST"), ("state", "STATE"), ("release", "RELEASE"), ("changes", "CHANGES"), ("why", "WHY")];

fn outcome(env: &str, rid: &ReleaseId, fleet: &Fleet) -> Report {
    let mut table = Table::new(&COLUMNS);
    let (mut ends, mut advice) = (Vec::new(), None);
    for mut member in fleet.members() {
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
    let sentence = verdict.sentence.clone();
    let report = Report::of(table);
    match verdict.into_fault(advice) {
        Some(fault) => Report { faults: vec![fault], ..report },
        None => report.note(sentence),
    }
}
