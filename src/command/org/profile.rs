//! `org profile …`

use super::context::{home, organization, value};
use super::service_keys;
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::org::diff::profile_label;
use crate::org::error::OrgError;
use crate::org::inputs::{PromotionInputs, SharedInputs};
use crate::org::operations;
use crate::org::profile::{Op, ProfileOrigin};
use crate::org::store::OrgStore;
use crate::report::{Cell, Message, Report, Table, Tone, Value, Visibility};

/// List profiles
#[derive(Debug, clap::Args)]
pub struct List {}

impl Command for List {
    const NAME: &'static str = "org profile list";
    const ALIASES: &'static [&'static str] = &["org profile ls"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org profile list"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let columns = [
            ("name", "PROFILE"),
            ("origin", "FROM"),
            ("extends", "EXTENDS"),
            ("aliases", "ALIASES"),
            ("abstract", "ABSTRACT"),
            ("rules", "RULES"),
            ("file", "FILE"),
        ];
        let mut table = Table::new(&columns)
            .with_visibility("abstract", Visibility::Never)
            .with_visibility("aliases", Visibility::IfWide)
            .with_visibility("file", Visibility::IfWide);
        let mut faults = Vec::new();
        for name in store.profile_names() {
            let profile = match store.profile(&name) {
                Ok(profile) => profile,
                Err(error) => {
                    faults.push(error.into());
                    continue;
                }
            };
            let built_in = profile.origin == ProfileOrigin::BuiltIn;
            let file = (!built_in).then_some(profile.source.name.as_str());
            table.row(vec![
                Cell::from(name).tone(if profile.is_abstract { Tone::Dim } else { Tone::Strong }),
                Cell::from(if built_in { "built-in" } else { "file" }),
                Value::from(profile.extends.as_ref().map(|(name, _)| name.as_str())).into(),
                Cell::from(profile.aliases.clone()),
                profile.is_abstract.into(),
                profile.rules.len().into(),
                Value::from(file).into(),
            ]);
        }
        Ok(Report { faults, ..Report::of(table) })
    }
}

/// Show all rules of a profile, including those it extends
#[derive(Debug, clap::Args)]
pub struct ProfileShow {
    /// The profile
    name: EnvName,
}

impl Command for ProfileShow {
    const NAME: &'static str = "org profile show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org profile show dev", "org profile show prod --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let chain = store.extended(store.resolve_alias(&self.name).as_str())?;
        let mut table =
            Table::new(&[("key", "KEY"), ("op", "OP"), ("check", "CHECK"), ("value", "VALUE"), ("from", "FROM")]);
        table = table.with_visibility("check", Visibility::Never);
        for profile in &chain.profiles {
            for rule in &profile.rules {
                let check = match rule.op {
                    Op::Require(check) | Op::Forbid(check) => Some(check.word()),
                    _ => None,
                };
                let word = check.map_or(rule.op.word().to_owned(), |check| format!("{} {check}", rule.op.word()));
                let key = if rule.path.keys().is_empty() { "paths".to_owned() } else { rule.path.to_string() };
                table.row(vec![
                    key.into(),
                    Cell::from(rule.op.word()).text(word),
                    Value::from(check).into(),
                    value(&rule.path, Some(&rule.value)),
                    Cell::from(profile_label(profile)).tone(Tone::Dim),
                ]);
            }
        }
        Ok(Report::of(table))
    }
}

/// Create a profile
///
/// It extends another profile. `org promote @NAME` then generates the environment.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The name of the profile, and of its environment
    name: EnvName,
    /// The profile to extend
    #[arg(long, value_name = "PROFILE", default_value = "dev")]
    extends: String,
}

impl Command for New {
    const NAME: &'static str = "org profile new";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org profile new qa --extends staging"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let path = operations::new_profile(&store, (&self.name, &self.extends))?;
        let path = path.display().to_string();
        let said = Message::new(format!("created {path}")).with("name", self.name.as_str()).with("path", path);
        Ok(Report::of(said).note(format!("next: edit it, then `tsm org promote @{}`", self.name)))
    }
}

/// Check a profile: its rules, its parents, and whether local.toml can be promoted with it
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The profile
    name: EnvName,
}

impl Command for Check {
    const NAME: &'static str = "org profile check";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org profile check prod"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let name = store.resolve_alias(&self.name);
        let chain = store.extended(name.as_str())?;
        service_keys::refuse(
            &cx.paths.profiles(&org).join(format!("{name}.toml")),
            service_keys::check_profiles(&chain),
        )?;
        let tried = match SharedInputs::read(&store, home(cx)) {
            Err(OrgError::NoLocal { .. }) => None,
            common => {
                let mut bench = PromotionInputs::open(&store, &common?, (&name, &[]))?;
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
