//! `env show`

use super::{cover, open, pairs};
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, Kind};
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Show as When, Table, Tone};

/// Show the variables of an env file, secrets hidden
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The environment; the active one if left out
    #[arg(value_name = "ENV")]
    target: Option<EnvName>,
}

impl Command for Show {
    const NAME: &'static str = "env show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env show dev", "env show @staging --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let env = named(self.target, cx)?;
        let project = open(cx)?;
        let pairs = pairs(&project, &env)?;
        let cover = cover(cx, &project, &[&env])?;
        let columns = [("key", "NAME"), ("value", "VALUE"), ("secret", "SECRET"), ("characters", "CHARACTERS")];
        let mut table = Table::new(&columns).show("secret", When::Never).show("characters", When::Never);
        table = table.when_empty(format!("env/{env}.env sets nothing"));
        for (key, value) in pairs {
            let shown = cover.variable(&key, &value);
            let secret = shown != value || cover.hides(&key);
            let tone = if secret { Tone::Dim } else { Tone::Plain };
            let count = value.chars().count();
            table.row(vec![key.into(), Cell::from(shown).tone(tone), secret.into(), count.into()]);
        }
        Ok(Report::of(table))
    }
}

/// The environment that was named, else the active one.
pub(super) fn named(given: Option<EnvName>, cx: &Cx) -> Result<EnvName, Fault> {
    given.or_else(|| cx.selection.env.clone()).ok_or_else(|| {
        Fault::new(Kind::Usage, "no environment is named, and none is active").advise("name one, or `use @ENV`")
    })
}
