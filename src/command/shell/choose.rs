//! `use`

use crate::base::environment::{EnvName, Rung};
use crate::base::fault::{Fault, Kind};
use crate::base::name::OrgName;
use crate::base::near::nearest;
use crate::command::argument::ContextWord;
use crate::command::{Command, Cx, Effect, known};
use crate::report::{Choice, Next, Report};
use crate::sys::paths::Paths;

/// Choose the organization or the environment of this session
///
/// `@dev` alone means `use @dev`. `use -` goes back to what was chosen before. Nothing is written: other sessions keep
/// their own choice.
#[derive(Debug, clap::Args)]
pub struct Use {
    /// An organization, `@` and an environment, both, or `-`
    #[arg(required = true, num_args = 1..=2, value_name = "ORG|@ENV|-")]
    pub what: Vec<ContextWord>,
}

impl Command for Use {
    const NAME: &'static str = "use";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["use @dev", "use -"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if matches!(&self.what[..], [ContextWord(word)] if word == "-") {
            return Ok(Report::then(Next::Back));
        }
        let mut choice = Choice::default();
        for ContextWord(word) in &self.what {
            match word.strip_prefix('@') {
                None => choice.org = Some(Some(org(cx.paths, word)?)),
                Some(_) => {
                    let org = choice.org.clone().flatten().or_else(|| cx.selection.org.clone());
                    let env: EnvName = word.parse()?;
                    known::environment(cx.paths, org.as_ref(), &env)?;
                    choice.env = Some(Some(env));
                }
            }
        }
        Ok(Report::then(Next::Choose(choice)))
    }
}

fn org(paths: &Paths, word: &str) -> Result<OrgName, Fault> {
    let name: OrgName = word.parse()?;
    if paths.org(&name).is_dir() {
        return Ok(name);
    }
    let known = known::names(&paths.orgs(), "");
    let fault = Fault::new(Kind::NotFound, format!("no organization is called `{name}`"));
    Err(match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => fault.advise(format!("did you mean `{near}`?")),
        None if Rung::of(word).is_some() => fault.advise(format!("an environment is written with `@`: `use @{word}`")),
        None if known.is_empty() => fault.advise("there is none yet"),
        None => fault.advise(format!("there are {}", known.join(", "))),
    })
}
