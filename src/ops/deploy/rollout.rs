//! All hosts of an environment through the steps of a deploy: staged everywhere before the first is switched, switched in batches,
//! and committed when all of them are well.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::halt::Will;
use super::member::{Member, Patience, Reach};
use super::saying::{Say, Saying};
use crate::base::fault::{Fault, FaultKind};
use crate::base::rollout::OnFailure;
use crate::base::sort::SortExt;
use crate::base::time::HumanDuration;
use crate::deploy::machine::State;
use crate::deploy::record::Holder;
use crate::deploy::release::{MissingBlob, Payload};
use crate::deploy::wire::{Ask, Facts, MAX_ARMED, Said};
use crate::tkm::host::Host;
use crate::tkm::login::Login;
use crate::tkm::many;

/// How long a host waits for the commit beyond what its own health may take, for each batch.
const HOLD: Duration = Duration::from_secs(60);

/// How often hosts are looked at that another deploy acts on.
const LOOK: Duration = Duration::from_secs(1);

/// How hosts are switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// How many are switched alone before the others.
    pub canary: usize,
    /// How many are switched at the same time afterwards; at least 1.
    pub max_parallel: usize,
    /// What a host that does not become well means for the others.
    pub on_failure: OnFailure,
    /// How long hosts are looked at.
    pub patience: Patience,
}

impl Rollout {
    /// How long the batches of so many hosts may take: those that are switched first wait for the last ones.
    fn longest(&self, hosts: usize) -> Duration {
        let of_one = self.patience.healthy_deadline + self.patience.min_healthy_time + HOLD;
        of_one.saturating_mul(u32::try_from(batches(hosts, *self).len()).unwrap_or(u32::MAX))
    }

    /// Fails if hosts would put the old release back before the last ones are switched.
    fn check(&self, hosts: usize) -> Result<(), Fault> {
        let (longest, most) = (self.longest(hosts), Duration::from_secs(MAX_ARMED));
        if longest + self.patience.healthy_deadline + self.patience.min_healthy_time <= most {
            return Ok(());
        }
        let (count, longest, most) = (batches(hosts, *self).len(), HumanDuration(longest), HumanDuration(most));
        let why = format!(
            "{count} batches may take {longest}, and a host waits at most {most} for the last; nothing was changed"
        );
        Err(Fault::usage(why)
            .with_advice("raise `--max-parallel`, or lower `--healthy-deadline` and `--min-healthy-time`"))
    }
}

/// The hosts of a rollout, with sessions.
pub struct Fleet {
    members: Vec<Mutex<Member>>,
}

/// What is said last of a host that has its key now, was reached, answered, or with which that did not work.
pub const LAST_WORDS: [&str; 4] = [HAS_KEY, CONNECTED, ANSWERED, FAILED];

/// What is said of a host on which the key of its environment was installed.
pub const HAS_KEY: &str = "has the key";

const CONNECTED: &str = "connected";
const ANSWERED: &str = "answered";
const FAILED: &str = "failed";

/// Takes what is said of the host with an index.
pub type OnSaying<'a> = &'a mut dyn FnMut(usize, Saying);

impl Fleet {
    /// Reaches all hosts at the same time, in the order in which they are locked; also what those that were not reached failed
    /// with.
    pub fn open(reach: &Reach, targets: Vec<(Host, Login)>, on_saying: OnSaying) -> (Self, Vec<Fault>) {
        let open = |(host, login): &(Host, Login), hear: &dyn Fn(Saying)| {
            let say = Say::to(hear);
            say.state("connecting");
            let opened = Member::open(reach, host, login);
            say.state(if opened.is_ok() { CONNECTED } else { FAILED });
            opened
        };
        let (mut members, mut faults) = (Vec::new(), Vec::new());
        for result in many::each_saying(&targets, open, on_saying) {
            match result {
                Ok(member) => members.push(Mutex::new(member)),
                Err(fault) => faults.push(fault),
            }
        }
        (Self { members }, faults)
    }

    /// The hosts as they are now.
    pub fn members(&self) -> impl Iterator<Item = MutexGuard<'_, Member>> {
        self.members.iter().map(lock)
    }

    /// Takes in the hosts of another one, in the order in which they are locked.
    pub fn join(&mut self, other: Self) {
        self.members.extend(other.members);
        self.members.order_by(|one, other| lock(one).host.name.cmp(&lock(other).host.name));
    }

    /// Leaves out hosts that need nothing.
    pub fn retain(&mut self, wanted: impl Fn(&Member) -> bool) {
        self.members.retain(|member| wanted(&lock(member)));
    }

    /// Waits until no deploy of another acts on a host, and none is frozen.
    ///
    /// # Errors
    ///
    /// Fails with exit code 10 if that is not so at a moment, and if a host is lost.
    pub fn wait_until_free(&self, reach: &Reach, until: Instant, on_saying: OnSaying) -> Result<(), Fault> {
        let all: Vec<usize> = (0..self.members.len()).collect();
        let mut said = vec![String::new(); all.len()];
        loop {
            let look = |index: &usize, _: &dyn Fn(Saying)| {
                let mut member = lock(&self.members[*index]);
                member.look(reach)?;
                Ok(member.busy())
            };
            let busy: Vec<Option<String>> =
                many::each_saying(&all, look, |_, _| {}).into_iter().collect::<Result<_, Fault>>()?;
            reach.halt.check()?;
            for (index, what) in busy.iter().enumerate() {
                let text = what.as_ref().map_or_else(|| CONNECTED.to_owned(), |what| format!("waiting: {what}"));
                if said[index] != text {
                    on_saying(index, Saying::State(text.clone()));
                    said[index] = text;
                }
            }
            let Some(index) = busy.iter().position(Option::is_some) else { return Ok(()) };
            if Instant::now() >= until {
                let (host, what) = (&lock(&self.members[index]).host.name, busy[index].as_deref().unwrap_or_default());
                return Err(Fault::new(FaultKind::Locked, format!("{host}: {what}; nothing was changed")));
            }
            reach.halt.pause(LOOK, Will::GoOn);
        }
    }

    /// Brings a release to all hosts. What came of it is in the members.
    pub fn deploy(&self, reach: &Reach, order: &Order, on_saying: OnSaying) {
        let mut work = Work { fleet: self, reach, order, on_saying };
        if let Err(fault) = work.run() {
            work.give_up(&fault, |_| true);
        }
        self.members().for_each(|mut member| member.close(reach.halt));
    }
}

/// How a host is, and what it said; or why nothing.
pub type Answered = Result<(Facts, Said), Fault>;

/// Asks all hosts the same at the same time; in their order what each said, with how it is.
pub fn ask_each(reach: &Reach, targets: &[(Host, Login)], ask: &Ask, on_saying: OnSaying) -> Vec<Answered> {
    let one = |(host, login): &(Host, Login), hear: &dyn Fn(Saying)| {
        let say = Say::to(hear);
        say.state("connecting");
        let answered = Member::open(reach, host, login).and_then(|mut member| {
            let said = member.ask(ask, &[], say)?;
            Ok((member.facts, said))
        });
        say.state(if answered.is_ok() { ANSWERED } else { FAILED });
        answered
    };
    many::each_saying(targets, one, on_saying)
}

/// What is deployed, by whom, and how.
pub struct Order<'a> {
    /// Who deploys.
    pub holder: &'a Holder,
    /// What is deployed.
    pub payload: &'a Payload,
    /// How.
    pub rollout: Rollout,
}

/// A rollout at work.
struct Work<'a, 'h> {
    fleet: &'a Fleet,
    reach: &'a Reach<'a>,
    order: &'a Order<'a>,
    on_saying: OnSaying<'h>,
}

impl Work<'_, '_> {
    /// Fails with what all hosts have to be put back for.
    fn run(&mut self) -> Result<(), Fault> {
        self.order.rollout.check(self.fleet.members.len())?;
        let missing = self.lock_all()?;
        self.stage_all(&missing)?;
        for batch in batches(self.fleet.members.len(), self.order.rollout) {
            self.reach.halt.check()?;
            let failures = self.switch(&batch);
            // What is not wanted any more is not a failure of some hosts.
            self.reach.halt.check()?;
            let Some(first) = failures.into_iter().next() else { continue };
            match self.order.rollout.on_failure {
                OnFailure::RevertAll => return Err(first),
                OnFailure::Stop => {
                    self.give_up(&first, |member| member.state < State::Switched);
                    break;
                }
                OnFailure::Continue => {}
            }
        }
        self.commit()
    }

    /// One host after the other, in the order of their names: of two deployers, the one who has the first host gets the others.
    fn lock_all(&mut self) -> Result<Vec<Vec<MissingBlob>>, Fault> {
        let Order { holder, payload, .. } = self.order;
        let missing = Mutex::new(Vec::new());
        for index in 0..self.fleet.members.len() {
            self.reach.halt.check()?;
            let failed = self.on_each(&[index], |_, member, say| {
                let blobs = member.begin(holder, &payload.manifest, say)?;
                missing.lock().unwrap_or_else(PoisonError::into_inner).push(blobs);
                Ok(())
            });
            failed.into_iter().next().map_or(Ok(()), Err)?;
        }
        Ok(missing.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn stage_all(&mut self, missing: &[Vec<MissingBlob>]) -> Result<(), Fault> {
        let (payload, reach) = (self.order.payload, self.reach);
        reach.halt.check()?;
        let all: Vec<usize> = (0..self.fleet.members.len()).collect();
        let failures = self.on_each(&all, |index, member, say| member.stage(reach, &missing[index], payload, say));
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    fn switch(&mut self, batch: &[usize]) -> Vec<Fault> {
        let (reach, txid, rollout) = (self.reach, &self.order.holder.txid, self.order.rollout);
        let hold = rollout.longest(self.fleet.members.len());
        self.on_each(batch, |_, member, say| {
            let switched = member.switch(reach, rollout.patience, hold, say);
            if let Err(fault) = &switched {
                member.give_up(reach, txid, fault, say);
            }
            switched
        })
    }

    /// Every host is reached again before the first keeps the release: until then all can have the old one.
    fn commit(&mut self) -> Result<(), Fault> {
        let reach = self.reach;
        self.or_put_back(|member, say| {
            say.state("reaching it again");
            member.reach_again(reach)
        })?;
        reach.halt.check()?;
        let txid = &self.order.holder.txid;
        self.or_put_back(|member, say| member.commit(reach, txid, say))?;
        // Until here a host that keeps the release can have the old one again.
        reach.halt.finish()?;
        let kept = self.chosen(|member| member.state == State::Committed);
        self.on_each(&kept, |_, member, say| {
            member.settle(say);
            Ok(())
        });
        Ok(())
    }

    /// Does the same on every host that is well; one on which it fails is put back, and, where that is wanted, all of them.
    fn or_put_back(&mut self, work: impl Fn(&mut Member, Say) -> Result<(), Fault> + Sync) -> Result<(), Fault> {
        let (reach, txid) = (self.reach, &self.order.holder.txid);
        let healthy = self.chosen(|member| member.state == State::Healthy);
        let failures = self.on_each(&healthy, |_, member, say| {
            let done = work(member, say);
            if let Err(fault) = &done {
                member.give_up(reach, txid, fault, say);
            }
            // It may be found out that only the answer was lost.
            if member.state == State::Committed { Ok(()) } else { done }
        });
        failures.into_iter().next().map_or(Ok(()), |fault| match self.order.rollout.on_failure {
            OnFailure::RevertAll => Err(fault),
            OnFailure::Stop | OnFailure::Continue => Ok(()),
        })
    }

    /// Puts back what was begun on the hosts that are meant, each at the same time.
    fn give_up(&mut self, why: &Fault, is_meant: impl Fn(&Member) -> bool) {
        let (reach, txid) = (self.reach, &self.order.holder.txid);
        let is_open = |state: State| !state.has_ended() || state == State::Committed;
        let meant = self.chosen(|member| is_meant(member) && is_open(member.state));
        self.on_each(&meant, |_, member, say| {
            // What failed on another host is said there.
            if why.kind == FaultKind::Interrupted && member.fault.is_none() {
                member.fault = Some(Fault::new(why.kind, format!("{}: {why}", member.host.name)));
            }
            member.give_up(reach, txid, why, say);
            Ok(())
        });
    }

    fn chosen(&self, is_meant: impl Fn(&Member) -> bool) -> Vec<usize> {
        let all = self.fleet.members.iter().enumerate();
        all.filter(|(_, member)| is_meant(&lock(member))).map(|(index, _)| index).collect()
    }

    /// Does the same on several hosts at the same time; what failed, which is kept in its host too.
    fn on_each(
        &mut self,
        indexes: &[usize],
        work: impl Fn(usize, &mut Member, Say) -> Result<(), Fault> + Sync,
    ) -> Vec<Fault> {
        let members = &self.fleet.members;
        let one = |index: &usize, hear: &dyn Fn(Saying)| {
            let mut member = lock(&members[*index]);
            let result = work(*index, &mut member, Say::to(hear));
            result.err().map(|fault| fail(&mut member, fault))
        };
        let on_saying = &mut self.on_saying;
        many::each_saying(indexes, one, |at, saying| on_saying(indexes[at], saying)).into_iter().flatten().collect()
    }
}

/// Keeps in its host what failed, unless more is known already; the same for the others.
fn fail(member: &mut Member, fault: Fault) -> Fault {
    let copy = Fault { advice: fault.advice.clone(), ..Fault::new(fault.kind, fault.in_full()) };
    member.fault.get_or_insert(fault);
    copy
}

fn lock(member: &Mutex<Member>) -> MutexGuard<'_, Member> {
    member.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The indexes of hosts that are switched at the same time: canaries first, then the others.
fn batches(hosts: usize, rollout: Rollout) -> Vec<Vec<usize>> {
    let all: Vec<usize> = (0..hosts).collect();
    let (canary, others) = all.split_at(rollout.canary.min(hosts));
    let chunks = others.chunks(rollout.max_parallel.max(1)).map(<[usize]>::to_vec);
    std::iter::once(canary.to_vec()).filter(|batch| !batch.is_empty()).chain(chunks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_are_the_first_and_alone() {
        let patience = Patience { healthy_deadline: Duration::ZERO, min_healthy_time: Duration::ZERO };
        let rollout = |canary, max_parallel| Rollout { canary, max_parallel, on_failure: OnFailure::Stop, patience };
        assert_eq!(batches(5, rollout(1, 3)), [vec![0], vec![1, 2, 3], vec![4]]);
        assert_eq!(batches(2, rollout(0, 0)), [vec![0], vec![1]]);
        assert_eq!(batches(1, rollout(3, 1)), [vec![0]]);
        assert!(batches(0, rollout(1, 1)).is_empty());
    }

    #[test]
    fn more_batches_than_a_host_waits_for_are_refused() {
        let patience =
            Patience { healthy_deadline: Duration::from_secs(60), min_healthy_time: Duration::from_secs(10) };
        let rollout = |max_parallel| Rollout { canary: 0, max_parallel, on_failure: OnFailure::Stop, patience };
        assert!(rollout(1).check(27).is_ok());
        let refused = rollout(1).check(28).expect_err("an hour is not enough");
        assert!(refused.in_full().starts_with("28 batches may take 1h"), "{}", refused.in_full());
        assert!(rollout(2).check(28).is_ok());
    }
}
