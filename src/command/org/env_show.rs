//! `org env show`

use super::target::{environment, organization};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::org::error::OrgError;
use crate::org::store::{self, Store};
use crate::report::{Block, Report};

/// Show an environment as it is written
#[derive(Debug, clap::Args)]
pub struct EnvShow {
    /// The environment; the chosen one if left out
    env: Option<EnvName>,
}

impl Command for EnvShow {
    const NAME: &'static str = "org env show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org env show dev", "org env show local"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let env = environment(cx, self.env.as_ref())?;
        let store = Store::open(cx.paths, &org)?;
        let path = store.environment(&env);
        let missing = || match env == store::local() {
            true => OrgError::NoLocal { path: path.clone() },
            false => OrgError::NoEnvironment { org: org.clone(), env: env.clone() },
        };
        let current = store.current(&env)?.ok_or_else(missing)?;
        cx.console.note(&format!("📄 Environment: {env}\n📁 File: {}\n", path.display()));
        Ok(Report::of(Block::Text(current.text)))
    }
}
