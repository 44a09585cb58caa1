//! `org profile show`

use crate::base::fault::Fault;
use crate::command::argument::ProfileName;
use crate::command::org::context::{organization, value};
use crate::command::{Command, Cx, Effect};
use crate::org::diff::profile_label;
use crate::org::profile::Op;
use crate::org::store::OrgStore;
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};

/// Show all rules of a profile, including those it extends
#[derive(Debug, clap::Args)]
pub struct ProfileShow {
    /// The profile
    name: ProfileName,
}

impl Command for ProfileShow {
    const NAME: &'static str = "org profile show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org profile show dev", "org profile show prod --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let chain = store.extended(store.resolve_alias(&self.name.0).as_str())?;
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
