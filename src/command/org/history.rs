//! `org history`

use super::context::{environment, organization, short_hash, value};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::argument::VersionId;
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::org::diff::ValueChange;
use crate::org::history::{VersionEntry, time};
use crate::org::rollback;
use crate::org::store::{OrgStore, content_of};
use crate::report::{Message, Report, Table, Tone, Value};

/// List the versions of an environment, newest first
#[derive(Debug, clap::Args)]
pub struct History {
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    /// Number of versions to list
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    count: usize,
    /// Show how this version differs from the current one
    #[arg(long, value_name = "ID", conflicts_with = "count")]
    diff: Option<VersionId>,
}

impl Command for History {
    const NAME: &'static str = "org history";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org history @dev", "org history @prod -n 3 --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let env = environment(cx, self.env.as_ref())?;
        let store = OrgStore::open(cx.paths, &org)?;
        if let Some(VersionId(id)) = &self.diff {
            return diff_with_version(&store, &env, id);
        }
        let record = store.record(&env)?;
        let current = store.current(&env)?.and_then(|current| content_of(&current.text));
        let head = record.entries.last().filter(|last| current.as_ref() == Some(&last.content)).map(|last| last.seq);
        let shown = record.entries.iter().rev().take(self.count);
        let report = Report::each(shown.map(|entry| entry_message(&store, entry, head)));
        Ok(match record.entries.len() {
            0 => report.note(format!("No backups found for {env}")),
            all if all > self.count => {
                report.note(format!("{} older: tsm org history @{env} -n {all}", all - self.count))
            }
            _ => report,
        })
    }
}

/// A version beside the current one.
fn diff_with_version(store: &OrgStore, env: &EnvName, id: &str) -> Result<Report, Fault> {
    let changes = rollback::diff_with_version(store, env, id)?;
    let same = format!("version {id} and {env}.toml are equal");
    let mut table = Table::new(&[("key", "KEY"), ("then", "THEN"), ("now", "NOW")]).when_empty(same);
    for ValueChange { path, before: then, after: now } in &changes {
        table.row(vec![path.to_string().into(), value(path, then.as_ref()), value(path, now.as_ref())]);
    }
    Ok(Report::of(table))
}

fn entry_message(store: &OrgStore, entry: &VersionEntry, head: Option<u64>) -> Message {
    let file = store.copy_path(entry);
    let (kept, is_current) = (file.exists(), head == Some(entry.seq));
    let mark = if is_current { "  (current)" } else { "" };
    let shown = if kept { file.display().to_string() } else { "pruned".to_owned() };
    let text = format!(
        "📄 {}{mark}\n   By: {}\n   Action: {}, content {}\n   File: {shown}",
        entry.id,
        entry.by,
        entry.action.word(),
        short_hash(&entry.content)
    );
    Message::new(text)
        .tone(if kept { Tone::Plain } else { Tone::Dim })
        .with("id", entry.id.as_str())
        .with("at", time(&entry.at).map_or(Value::Null, Value::Time))
        .with("by", entry.by.as_str())
        .with("action", entry.action.word())
        .with("content", entry.content.as_str())
        .with("source", entry.source.as_str())
        .with("profile", entry.profile.as_str())
        .with("commit", entry.commit.as_deref().map_or(Value::Null, Into::into))
        .with("current", is_current)
        .with("file", if kept { Value::Text(file.display().to_string()) } else { Value::Null })
}
