//! `org profile check`

use crate::base::fault::Fault;
use crate::command::argument::ProfileName;
use crate::command::org::context::{home, organization};
use crate::command::{Command, Cx, Effect};
use crate::ops::service_keys;
use crate::org::diff::profile_label;
use crate::org::error::OrgError;
use crate::org::inputs::{PromotionInputs, SharedInputs};
use crate::org::store::OrgStore;
use crate::report::{Message, Report};

/// Check a profile: its rules, its parents, and whether local.toml can be promoted with it
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The profile
    name: ProfileName,
}

impl Command for Check {
    const NAME: &'static str = "org profile check";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org profile check prod"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let name = store.resolve_alias(&self.name.0);
        let chain = store.extended(name.as_str())?;
        service_keys::refuse(
            &cx.paths.profiles(&org).join(format!("{name}.toml")),
            service_keys::check_profiles(&chain),
        )?;
        let tried = match SharedInputs::read(&store, home(cx)) {
            Err(OrgError::NoLocal { .. }) => None,
            common => {
                let mut bench = PromotionInputs::open(&store, &common?, &name, &[])?;
                // The manifest may have it made by another one.
                bench.chain = chain.clone();
                bench.promotion().run()?;
                Some(())
            }
        };
        let rules: usize = chain.profiles.iter().map(|profile| profile.rules.len()).sum();
        let text = match tried {
            Some(()) => format!("`{}` is valid: {rules} rules; local.toml can be promoted with it", name),
            None => format!("`{}` is valid: {rules} rules", name),
        };
        let chain: Vec<String> = chain.profiles.iter().rev().map(profile_label).collect();
        Ok(Report::of(Message::new(text).with("name", name.as_str()).with("rules", rules).with("chain", chain)))
    }
}
