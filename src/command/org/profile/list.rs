//! `org profile list`

use crate::base::fault::Fault;
use crate::command::org::context::organization;
use crate::command::{Command, Cx, Effect};
use crate::org::profile::ProfileOrigin;
use crate::org::store::OrgStore;
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};

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
