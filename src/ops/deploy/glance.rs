//! What deploys of this machine do, in short: those that another machine brings to it, and those that began here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::base::control;
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::deploy::announced::{self, Announcement};
use crate::deploy::files::DeployDir;
use crate::deploy::machine::State;
use crate::deploy::record::Record;
use crate::org::store::organizations;
use crate::sys::paths::Paths;
use crate::sys::process;

/// The longest text of a notice, in characters.
const MAX_TEXT: usize = 200;

/// What keeps deploys from beginning, by organization.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeployGlance {
    /// The environments that are being deployed.
    rollouts: Vec<(OrgName, String)>,
    /// The organizations whose deploys are frozen on this machine.
    frozen: Vec<OrgName>,
}

impl DeployGlance {
    /// `deploying`, or `deploying dev` where another environment than `env` is; none if nothing is deployed.
    #[must_use]
    pub fn rollout(&self, org: Option<&OrgName>, env: Option<&EnvName>) -> Option<String> {
        let of_org = self.rollouts.iter().filter(|(of, _)| org.is_none_or(|org| org == of));
        let names: Vec<&str> = of_org.map(|(_, name)| name.as_str()).collect();
        let is_own = env.is_some_and(|env| names.contains(&env.as_str()));
        let name = if is_own { None } else { Some(*names.first()?) };
        Some(name.map_or_else(|| "deploying".to_owned(), |name| format!("deploying {name}")))
    }

    /// True if no deploy may begin on this machine.
    #[must_use]
    pub fn is_frozen(&self, org: Option<&OrgName>) -> bool {
        self.frozen.iter().any(|of| org.is_none_or(|org| org == of))
    }
}

/// Looks again and again, and knows what was seen before.
#[derive(Debug, Default)]
pub struct DeployLooker {
    /// The last deploy to this machine that ended.
    ended_here: BTreeMap<OrgName, String>,
    /// The last rollout from this machine that ended.
    ended_there: BTreeMap<(OrgName, EnvName), String>,
    has_looked: bool,
}

/// Where something changes when a deploy does.
#[must_use]
pub fn directories(paths: &Paths) -> Vec<PathBuf> {
    let of_org = |org: OrgName| {
        let dir = paths.org(&org);
        [dir.join("deploy/tx"), announced::directory(&dir), dir.join("deploy"), dir]
    };
    let all = organizations(paths).into_iter().flat_map(of_org).chain([paths.orgs(), paths.home().to_owned()]);
    all.filter(|dir| dir.is_dir()).collect()
}

impl DeployLooker {
    /// What is at work, and a line for each deploy that ended since the last look.
    pub fn look(&mut self, paths: &Paths) -> (DeployGlance, Vec<String>) {
        let (mut glance, mut notices) = (DeployGlance::default(), Vec::new());
        for org in organizations(paths) {
            let files = DeployDir::of(&paths.org(&org));
            let began_here = announced::all(&paths.org(&org));
            let records = files.records().unwrap_or_default();
            let open = records.iter().filter(|record| !record.state.has_ended());
            glance.rollouts.extend(open.map(|it| (org.clone(), it.env.clone())));
            if files.freeze().is_some() {
                glance.frozen.push(org.clone());
            }
            let last = records.iter().find(|record| record.state.has_ended());
            if let Some(last) = last
                && self.ended_here.insert(org.clone(), last.txid.clone()).as_ref() != Some(&last.txid)
                // That is said by its deployer.
                && !began_here.iter().any(|(_, announced)| announced.holder.txid == last.txid)
            {
                notices.push(of_record(&org, last));
            }
            for (env, announced) in began_here {
                if announced.is_at_work {
                    glance.rollouts.push((org.clone(), env.to_string()));
                    continue;
                }
                let txid = announced.holder.txid.clone();
                let known = self.ended_there.insert((org.clone(), env.clone()), txid.clone());
                if known != Some(txid) && announced.holder.pid != process::own_pid() {
                    notices.push(of_rollout(&org, &env, &announced));
                }
            }
        }
        // What ended before the first look is known.
        let is_news = std::mem::replace(&mut self.has_looked, true);
        (glance, if is_news { notices } else { Vec::new() })
    }
}

fn of_record(org: &OrgName, record: &Record) -> String {
    let Record { env, rid, state, .. } = record;
    let env = format!("{org}/{env}");
    let why = record.why.as_deref().map_or_else(String::new, |why| format!(": {why}"));
    line(&match state {
        State::Committed => format!("{env} was deployed: {rid}"),
        State::Reverted => format!("{env} was put back by a deploy{why}"),
        State::RevertFailed => format!("{env} could not be put back by a deploy{why}"),
        _ => format!("a deploy of {env} ended, and nothing was changed{why}"),
    })
}

fn of_rollout(org: &OrgName, env: &EnvName, announced: &Announcement) -> String {
    line(&match &announced.came_to {
        Some(sentence) => {
            // It begins with the environment.
            let end = sentence.strip_prefix(env.as_str()).and_then(|rest| rest.strip_prefix(": "));
            format!("deploy of {org}/{env} ended: {}", end.unwrap_or(sentence))
        }
        None => format!("deploy of {org}/{env} was killed; its hosts put the old release back by themselves"),
    })
}

/// One harmless line.
fn line(text: &str) -> String {
    let text = control::visible_input(text).replace('\n', " ");
    let short: String = text.chars().take(MAX_TEXT).collect();
    if short == text { text } else { format!("{short}…") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::announced::Announced;
    use crate::deploy::record::Holder;

    #[test]
    fn a_deploy_that_ended_is_said_once_with_what_it_came_to() {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        let (org, env): (OrgName, EnvName) = ("acme2".parse().expect("a name"), "dev".parse().expect("a name"));
        let dir = paths.org(&org);
        std::fs::create_dir_all(dir.join("environments")).expect("a directory");
        let begin = |txid: &str| {
            // The deployer is another process.
            let holder = Holder { by: "ann@a".to_owned(), pid: 1, txid: txid.to_owned(), since_ms: 0 };
            Announced::begin(&dir, &env, &holder).expect("written").expect("the only one")
        };
        let mut looker = DeployLooker::default();
        begin("0").end("dev: 1 host runs r0");
        assert_eq!(looker.look(&paths), (DeployGlance::default(), vec![]), "it ended before");
        let announced = begin("1");
        let (glance, notices) = looker.look(&paths);
        assert_eq!((glance.rollout(Some(&org), Some(&env)).as_deref(), notices), (Some("deploying"), vec![]));
        announced.end("dev: web1 was reverted to r0: api is not healthy");
        let said = "deploy of acme2/dev ended: web1 was reverted to r0: api is not healthy".to_owned();
        assert_eq!(looker.look(&paths), (DeployGlance::default(), vec![said]));
        assert_eq!(looker.look(&paths).1, [""; 0], "once");
        drop(begin("2"));
        let said = "deploy of acme2/dev was killed; its hosts put the old release back by themselves";
        assert_eq!(looker.look(&paths).1, [said]);
    }
}
