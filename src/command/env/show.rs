//! `env show`

use super::{masker, open, pairs};
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Visibility};

/// Show the variables of an env file, secrets hidden
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The environment
    #[arg(value_name = "ENV", if_not_given = CHOSEN_ENV)]
    target: Option<EnvName>,
}

impl Command for Show {
    const NAME: &'static str = "env show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env show dev", "env show @staging --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let env = target_env(self.target, cx)?;
        let project = open(cx)?;
        let pairs = pairs(&project, &env)?;
        let cover = masker(cx, &project, &[&env])?;
        let columns = [("key", "NAME"), ("value", "VALUE"), ("secret", "SECRET"), ("characters", "CHARACTERS")];
        let mut table = Table::new(&columns)
            .with_visibility("secret", Visibility::Never)
            .with_visibility("characters", Visibility::Never);
        table = table.when_empty(format!("env/{env}.env sets nothing"));
        for (key, value) in pairs {
            let shown = cover.variable(&key, &value);
            let secret = shown != value || cover.masks(&key);
            let tone = if secret { Tone::Dim } else { Tone::Plain };
            let count = value.chars().count();
            table.row(vec![key.into(), Cell::from(shown).tone(tone), secret.into(), count.into()]);
        }
        Ok(Report::of(table))
    }
}

/// The environment that was named, else the active one.
pub(super) fn target_env(given: Option<EnvName>, cx: &Cx) -> Result<EnvName, Fault> {
    given.or_else(|| cx.selection.env.clone()).ok_or_else(|| {
        Fault::new(FaultKind::Usage, "missing environment: none is given and none is active")
            .with_advice("pass one, or choose one with `use @ENV`")
    })
}
