//! `org deploy`

mod application;
mod carried;
mod drift;
pub mod freeze;
mod fresh;
pub mod logs;
mod options;
mod plan_file;
mod progress;
pub mod recover;
pub mod rollback;
mod stage;
pub mod status;
mod target;
mod unchanged;
pub mod unfreeze;

pub(in crate::command) use options::DeployOptions;
pub(in crate::command) use plan_file::PlanFiles;

use super::context::{affected_envs, environment, organization};
use super::promote::{self, PlannedPromotion};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect, Prepared};
use crate::deploy::release::{Document, EntryPath, Payload, Sources};
use crate::ops::deploy::place::Place;
use crate::org::store::OrgStore;
use crate::org::versions::Author;
use application::Build;
use fresh::Fresh;
use plan_file::{PlanFile, WrittenPlan};
use stage::{DeployStage, Wanted};
use target::DeployTarget;

/// Deploy an environment to its hosts
///
/// Promotes it first if local.toml changed. Each host is locked and checked, gets the release, and is prepared to put the old one
/// back by itself unless the deploy is committed in time; only then it is switched, and what changed is restarted. Every host gets
/// the release before the first is switched. What runs has to become healthy and stay so, and the host has to be reached again on a
/// new connection; otherwise the old release comes back. Where nothing differs, nothing is done.
#[derive(Debug, clap::Args)]
pub struct Deploy {
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    #[command(flatten)]
    options: DeployOptions,
    #[command(flatten)]
    plan_files: PlanFiles,
}

impl Command for Deploy {
    const NAME: &'static str = "org deploy";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &[
        "org deploy @dev",
        "org deploy @dev --plan",
        "org deploy @prod --hosts web-1,web-2 --canary 1",
        "org deploy @prod --plan-out plan.json",
        "org deploy --plan-in plan.json",
    ];

    fn effect(&self) -> Effect {
        if self.plan_files.is_written() { Effect::Read } else { self.options.effect() }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        prepare(cx, &Named { env: self.env.as_ref(), service: None }, self.options, &self.plan_files)
    }
}

/// What is deployed, by its names.
pub(in crate::command) struct Named<'a> {
    /// The environment; the chosen one if it is not named.
    pub(in crate::command) env: Option<&'a EnvName>,
    /// The one service that may change; none if all may.
    pub(in crate::command) service: Option<&'a str>,
}

/// A deploy of an environment: also what `tkm deploy` does.
///
/// # Errors
///
/// Fails if the environment cannot be promoted, or a host is not reached; nothing was changed then.
pub(in crate::command) fn prepare(
    cx: &mut Cx,
    wanted: &Named,
    mut options: DeployOptions,
    plan_files: &PlanFiles,
) -> Result<Prepared, Fault> {
    let org = organization(cx)?;
    let store = OrgStore::open(cx.paths, &org)?;
    let given = plan_files.source(cx)?;
    let planned = given.as_ref().map(PlanFile::env).transpose()?;
    let named = wanted.env.or(planned.as_ref().map(|it| &it.env));
    let environments = affected_envs(cx, named)?;
    let env = environment(cx, named)?;
    let target = EnvRef { org: Some(org.clone()), env: env.clone() };
    if let Some(planned) = planned.filter(|planned| *planned != target) {
        return Err(Fault::usage(format!("the plan is of {planned}, and {target} would be deployed")));
    }
    // What is written into an environment when it is promoted is as it was when the plan was made.
    let by = given.as_ref().map_or(cx.host.user(), |plan| &plan.by).to_owned();
    let at = given.as_ref().map_or_else(|| cx.host.now(), PlanFile::at);
    let Promoted { promotion, text, note } = promoted(cx, &store, &env, Author { by: &by, now: at })?;
    let path = EntryPath::new(&Place::file_in_release(&env)).map_err(|why| Fault::usage(why.to_string()))?;
    let hosts = given.as_ref().map_or_else(|| Ok(options.hosts.clone()), PlanFile::hosts)?;
    let (mut target, fresh) = DeployTarget::find_all(cx, target, &hosts)?;
    let written = plan_files.target(cx).map(|path| WrittenPlan { path, by, at });
    options.plan |= written.is_some();
    let fresh = Fresh::new(cx, fresh, &options)?;
    let mut notes: Vec<String> = note.into_iter().collect();
    // What a plan was made of is not made anew.
    let build = if options.plan || given.is_some() { Build::Omitted } else { Build::Run };
    let application = application::made(cx, &store, &text, build, &mut notes)?;
    target.only = wanted.service.map(|name| carried::declared_service(&env, &text, name)).transpose()?;
    target.carried = carried::gathered(cx, &store, &env, &text, &mut notes)?;
    let documents = vec![Document { path, bytes: text.into_bytes() }];
    let payload = Payload::collect(Sources { org, env, at, documents, application })?;
    DeployStage::look(cx, target, Wanted { promotion, payload, notes, options, environments, fresh, given, written })
}

/// What is deployed of an environment.
struct Promoted {
    /// What has to be written first.
    promotion: Option<PlannedPromotion>,
    text: String,
    note: Option<String>,
}

fn promoted(cx: &Cx, store: &OrgStore, env: &EnvName, author: Author) -> Result<Promoted, Fault> {
    let planned = match promote::plan_one(cx, store, env, author) {
        // It was rolled back: what is there is meant, and not what local.toml says.
        Err(fault) if fault.kind == FaultKind::Review => {
            let Some(current) = store.current(env)? else { return Err(fault) };
            return Ok(Promoted { promotion: None, text: current.text, note: Some(format!("not promoted: {fault}")) });
        }
        planned => planned?,
    };
    let Some(one) = planned.plan.planned.first() else { return Err(Fault::usage("nothing to promote")) };
    if let (true, Some(text)) = (one.up_to_date, &one.current_text) {
        return Ok(Promoted { promotion: None, text: text.clone(), note: None });
    }
    let text = one.text.clone();
    Ok(Promoted { promotion: Some(planned), text, note: None })
}
