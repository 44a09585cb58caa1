//! `env diff`

use super::{generate_env, masker, open, pairs, resolved};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::env::compare::{self, ChangeKind};
use crate::report::{Cell, Report, Table, Tone, Value};

/// Compare two env files, or an env file with its source
///
/// Secrets are compared and never shown.
#[derive(Debug, clap::Args)]
pub struct Diff {
    /// The environment
    #[arg(value_name = "ENV")]
    target: EnvName,
    /// Another environment to compare with
    #[arg(value_name = "OTHER", if_not_given = "the source of the first")]
    other: Option<EnvName>,
    /// Exit with code 3 if there are differences
    #[arg(long)]
    exit_code: bool,
}

impl Command for Diff {
    const NAME: &'static str = "env diff";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env diff dev staging", "env diff staging --exit-code"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let project = open(cx)?;
        let one = pairs(&project, &self.target)?;
        let envs: Vec<&EnvName> = [&self.target].into_iter().chain(&self.other).collect();
        let cover = masker(cx, &project, &envs)?;
        let (other, against) = match &self.other {
            Some(env) => (pairs(&project, env)?, env.to_string()),
            None => {
                let generated = generate_env(cx, &project, &self.target)?;
                (resolved(&generated), generated.from)
            }
        };
        let found = compare::compare(&one, &other, &cover);
        let columns = [("key", "NAME"), ("change", "CHANGE"), ("before", "BEFORE"), ("after", "AFTER")];
        let same = format!("env/{}.env and {against} are equal", self.target);
        let mut table = Table::new(&columns).when_empty(same);
        for it in &found {
            let tone = match it.kind {
                ChangeKind::Added => Tone::Good,
                ChangeKind::Removed => Tone::Bad,
                ChangeKind::Changed => Tone::Warn,
            };
            table.row(vec![
                it.key.as_str().into(),
                Cell::from(it.kind.word()).tone(tone),
                Value::from(it.before.clone()).into(),
                Value::from(it.after.clone()).into(),
            ]);
        }
        let mut report = Report::of(table);
        report.check_failed = self.exit_code && !found.is_empty();
        Ok(report)
    }
}
