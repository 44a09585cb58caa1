//! `use`

use std::fs;

use crate::base::environment::{BUILT_IN, EnvName, Rung};
use crate::base::fault::{Fault, Kind};
use crate::base::name::OrgName;
use crate::base::near::nearest;
use crate::command::argument::ContextWord;
use crate::command::{Command, Cx, Effect};
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
                    choice.env = Some(Some(environment(cx.paths, org.as_ref(), word)?));
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
    let known = names(&paths.orgs(), "");
    let fault = Fault::new(Kind::NotFound, format!("no organization is called `{name}`"));
    Err(match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => fault.advise(format!("did you mean `{near}`?")),
        None if Rung::of(word).is_some() => fault.advise(format!("an environment is written with `@`: `use @{word}`")),
        None if known.is_empty() => fault.advise("there is none yet"),
        None => fault.advise(format!("there are {}", known.join(", "))),
    })
}

fn environment(paths: &Paths, org: Option<&OrgName>, word: &str) -> Result<EnvName, Fault> {
    let name: EnvName = word.parse()?;
    if name.rung().is_some() || org.is_some_and(|org| paths.environment(org, &name).is_file()) {
        return Ok(name);
    }
    let mut known: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    if let Some(org) = org {
        known.extend(names(&paths.org(org).join("environments"), ".toml"));
    }
    let fault = Fault::new(Kind::NotFound, format!("no environment is called `@{name}`"));
    Err(match nearest(name.as_str(), known.iter().map(String::as_str)) {
        Some(near) => fault.advise(format!("did you mean `@{near}`?")),
        None => fault.advise(format!("there are @{}", known.join(", @"))),
    })
}

/// The names in a folder that end in `suffix`, without it, sorted.
fn names(folder: &std::path::Path, suffix: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(suffix)?.to_owned())).collect();
    names.sort();
    names
}
