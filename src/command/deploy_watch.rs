//! `deploy-watch`

use std::time::Duration;

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::deploy::record::is_txid;
use crate::ops::deploy::place::Place;
use crate::ops::deploy::watcher;
use crate::report::Report;

/// Put the old release back unless a deploy is committed
///
/// Started by `tetra agent` on a host before it switches to a release. It ends when the deploy has ended; when the time is up or the
/// deployer is gone, it puts the old release back first.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct DeployWatch {
    /// The environment, with its organization
    #[arg(value_name = "ORG/ENV")]
    env: EnvRef,
    /// The deploy
    txid: String,
    /// How long it may take, in seconds
    seconds: u64,
}

impl Command for DeployWatch {
    const NAME: &'static str = watcher::COMMAND;
    // It is run by the agent, and what it may change was confirmed on the operator's machine.
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["deploy-watch acme/prod 20261120T103045Z-1a2b3c4d 120"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Self { env, txid, seconds } = self;
        let org = env.org.ok_or_else(|| Fault::usage("the environment has no organization: expected ORG/ENV"))?;
        if !is_txid(&txid) {
            return Err(Fault::usage("the name of a deploy has letters, digits and `-`"));
        }
        let place = Place { paths: cx.paths, host: cx.host, org, env: env.env };
        if !place.paths.org(&place.org).is_dir() {
            return Err(Fault::new(FaultKind::NotFound, format!("organization `{}` does not exist", place.org)));
        }
        watcher::watch(&place, &txid, Duration::from_secs(seconds))?;
        Ok(Report::default())
    }
}
