//! `use`

use crate::base::environment::{EnvName, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::base::suggest::closest_match;
use crate::command::argument::ContextWord;
use crate::command::{Command, Cx, Effect};
use crate::ops::environments;
use crate::report::{FollowUp, Report, SelectionChange};
use crate::sys::paths::Paths;

/// Select the organization or the environment of this session
///
/// `@dev` alone means `use @dev`. `use -` returns to the previous selection. Nothing is written: other sessions keep their own
/// selection.
#[derive(Debug, clap::Args)]
pub struct Use {
    /// ORG, @ENV, ORG@ENV, or `-` for the previous selection
    #[arg(required = true, num_args = 1..=2, value_name = "ORG|@ENV|-")]
    pub what: Vec<ContextWord>,
}

impl Command for Use {
    const NAME: &'static str = "use";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["use @dev", "use -"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if matches!(&self.what[..], [ContextWord(word)] if word == "-") {
            return Ok(Report::then(FollowUp::PreviousSelection));
        }
        let mut choice = SelectionChange::default();
        for ContextWord(word) in &self.what {
            match word.strip_prefix('@') {
                None => choice.org = Some(Some(org(cx.paths, word)?)),
                Some(_) => {
                    let org = choice.org.clone().flatten().or_else(|| cx.selection.org.clone());
                    let env: EnvName = word.parse()?;
                    environments::check_exists(cx.paths, org.as_ref(), &env)?;
                    choice.env = Some(Some(env));
                }
            }
        }
        Ok(Report::then(FollowUp::ChangeSelection(choice)))
    }
}

fn org(paths: &Paths, word: &str) -> Result<OrgName, Fault> {
    let name: OrgName = word.parse()?;
    if paths.org(&name).is_dir() {
        return Ok(name);
    }
    let known = environments::file_stems(&paths.orgs(), "");
    let fault = Fault::new(FaultKind::NotFound, format!("organization `{name}` does not exist"));
    Err(match closest_match(word, known.iter().map(String::as_str)) {
        Some(near) => fault.with_advice(format!("did you mean `{near}`?")),
        None if Tier::of(word).is_some() => {
            fault.with_advice(format!("environments are written with `@`: `use @{word}`"))
        }
        None if known.is_empty() => fault.with_advice("there are no organizations; `org init NAME` creates one"),
        None => fault.with_advice(format!("existing organizations: {}", known.join(", "))),
    })
}
