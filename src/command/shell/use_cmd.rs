//! `use`

use crate::base::environment::{BUILT_IN, EnvName, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::base::suggest::closest_match;
use crate::command::argument::ContextWord;
use crate::command::{Command, Cx, Effect};
use crate::ops::environments;
use crate::report::{FollowUp, Report, SelectionChange, Table};
use crate::sys::paths::Paths;

/// Select the organization or the environment of this session
///
/// `@dev` alone means `use @dev`. `use -` returns to the previous selection. Without a word it shows what there is. Nothing is written: other sessions keep their own
/// selection.
#[derive(Debug, clap::Args)]
pub struct Use {
    /// ORG, @ENV, ORG@ENV, or `-` for the previous selection
    #[arg(num_args = 0..=2, value_name = "ORG|@ENV|-")]
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
        if self.what.is_empty() {
            return Ok(Report::of(list(cx)));
        }
        if self.what.iter().any(|ContextWord(word)| word == "-") {
            return Err(
                Fault::usage("`-` takes no other word").with_advice("`use -` returns to the previous selection")
            );
        }
        let words = parts(&self.what);
        if words.len() > 2 {
            return Err(Fault::usage("more than one organization and one environment")
                .with_advice("give one organization, one environment (`@NAME`), or `ORG@ENV`"));
        }
        if let [first, second] = &words[..]
            && first.starts_with('@') == second.starts_with('@')
        {
            let kind = if first.starts_with('@') { "environments" } else { "organizations" };
            return Err(Fault::usage(format!("`{first}` and `{second}` are two {kind}"))
                .with_advice("give one organization, one environment (`@NAME`), or one of each"));
        }
        let mut choice = SelectionChange::default();
        for word in words {
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

/// The words, with `ORG@ENV` as `ORG` and `@ENV`.
fn parts(words: &[ContextWord]) -> Vec<&str> {
    let mut parts = Vec::new();
    for ContextWord(word) in words {
        match word.find('@') {
            Some(at) if at > 0 => parts.extend([&word[..at], &word[at..]]),
            _ => parts.push(word.as_str()),
        }
    }
    parts
}

/// The organizations with their environments, and those that are always there.
fn list(cx: &Cx) -> Table {
    let mut table = Table::new(&[("org", "ORGANIZATION"), ("env", "ENVIRONMENT"), ("active", "ACTIVE")]);
    let mut row = |org: Option<&str>, env: &str| {
        let active = cx.selection.org.as_ref().map(|it| it.as_str()) == org
            && cx.selection.env.as_ref().is_some_and(|it| it.as_str() == env);
        table.row(vec![org.map(str::to_owned).into(), format!("@{env}").into(), active.into()]);
    };
    let orgs = environments::file_stems(&cx.paths.orgs(), "");
    for name in &orgs {
        let Ok(org) = name.parse::<OrgName>() else { continue };
        for env in environments::file_stems(&cx.paths.org(&org).join("environments"), ".toml") {
            row(Some(name), &env);
        }
    }
    for (env, _) in BUILT_IN {
        row(None, env);
    }
    table
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
