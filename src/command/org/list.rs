//! `org list`

use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::org::store::{self, OrgStore};
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};

/// List organizations
#[derive(Debug, clap::Args)]
pub struct List {}

impl Command for List {
    const NAME: &'static str = "org list";
    const ALIASES: &'static [&'static str] = &["org ls"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org list"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let columns = [
            ("org", "ORG"),
            ("active", "ACTIVE"),
            ("environments", "ENVIRONMENTS"),
            ("description", "DESCRIPTION"),
            ("path", "PATH"),
        ];
        let mut table = Table::new(&columns)
            .with_visibility("path", Visibility::IfWide)
            .when_empty("No organizations found.\nCreate one with: tsm org init <orgname>");
        for org in store::organizations(cx.paths) {
            let store = OrgStore::open(cx.paths, &org)?;
            let active = cx.selection.org.as_ref() == Some(&org);
            let envs: Vec<String> = store.environments().iter().map(ToString::to_string).collect();
            let description = store.manifest().map(|it| it.description).unwrap_or_default();
            table.row(vec![
                Cell::from(org.as_str()).tone(Tone::Strong),
                Cell::from(active).text(if active { "*" } else { "" }).tone(Tone::Good),
                Cell::from(envs.clone()).text(envs.join(" ")),
                Value::from(Some(description).filter(|it| !it.is_empty())).into(),
                store.dir().display().to_string().into(),
            ]);
        }
        Ok(Report::of(table))
    }
}
