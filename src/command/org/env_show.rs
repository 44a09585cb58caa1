//! `org env show`

use super::context::{environment, organization};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::config::document::Document;
use crate::config::mask;
use crate::org::error::OrgError;
use crate::org::store::{self, OrgStore};
use crate::report::{Block, Report, Value};

/// Show the file of an environment
///
/// Values that look like secrets are masked; `org env validate` reports their places.
#[derive(Debug, clap::Args)]
pub struct EnvShow {
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
}

impl Command for EnvShow {
    const NAME: &'static str = "org env show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org env show dev", "org env show local"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let env = environment(cx, self.env.as_ref())?;
        let store = OrgStore::open(cx.paths, &org)?;
        let path = store.environment_path(&env);
        let missing = || match env == store::local_env() {
            true => OrgError::NoLocal { path: path.clone() },
            false => OrgError::NoEnvironment { org: org.clone(), env: env.clone() },
        };
        let current = store.current(&env)?.ok_or_else(missing)?;
        cx.console.note(&format!("📄 Environment: {env}\n📁 File: {}\n", path.display()));
        // A text that is not valid TOML any more has no values, only lines.
        let shown = Document::parse("", &current.text).map(|document| document.shown().text.to_string());
        let text = mask::toml_text(&shown.unwrap_or(current.text));
        let data = vec![
            ("org".to_owned(), org.as_str().into()),
            ("env".to_owned(), env.as_str().into()),
            ("file".to_owned(), path.display().to_string().into()),
            ("text".to_owned(), text.as_str().into()),
        ];
        Ok(Report::of(Block::TextWithData { text, data: Value::Record(data) }))
    }
}
