//! `alias`

use crate::base::fault::Fault;
use crate::base::line;
use crate::base::name::AliasName;
use crate::command::argument::{AliasDefinition, CommandWord};
use crate::command::registry::{self, CommandMatch};
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report, Table};

/// Define or show aliases
///
/// The words after the alias are appended to its line. Aliases last for this session; put them into `rc.tetra` to define them at
/// the start of every prompt. Without arguments it lists the aliases.
#[derive(Debug, clap::Args)]
pub struct Alias {
    /// The alias, alone or as NAME=LINE
    #[arg(value_name = "NAME[=LINE]")]
    pub name: Option<AliasDefinition>,
    /// The line
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub line: Vec<CommandWord>,
    /// Remove the alias
    #[arg(long, requires = "name", conflicts_with = "line")]
    pub remove: bool,
}

impl Command for Alias {
    const NAME: &'static str = "alias";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["alias", "alias ctx=context", "alias j='context --json'"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(AliasDefinition(given)) = self.name else { return Ok(list(cx, None)) };
        let (name, first) = match given.split_once('=') {
            Some((name, first)) => (name, Some(first.to_owned())),
            None => (given.as_str(), None),
        };
        let name: AliasName = name.parse()?;
        if self.remove {
            return Ok(Report::then(FollowUp::Alias { name: name.to_string(), line: None }));
        }
        let rest = match &self.line[..] {
            [line] => line.0.clone(),
            words => line::join(words.iter().map(|word| &word.0)),
        };
        let text = [first.unwrap_or_default(), rest].join(" ").trim().to_owned();
        if text.is_empty() {
            return Ok(list(cx, Some(name.as_str())));
        }
        if !matches!(registry::resolve(&[name.as_str()]), CommandMatch::Nothing) {
            return Err(Fault::usage(format!("`{name}` is a command")).with_advice("choose another name"));
        }
        line::lex(&text)?;
        Ok(Report::then(FollowUp::Alias { name: name.to_string(), line: Some(text) }))
    }
}

fn list(cx: &Cx, only: Option<&str>) -> Report {
    let mut table = Table::new(&[("name", "NAME"), ("line", "LINE")]).when_empty("no aliases");
    for (name, line) in cx.settings.aliases.iter().filter(|(name, _)| only.is_none_or(|only| only == name.as_str())) {
        table.row(vec![name.into(), line.into()]);
    }
    Report::of(table)
}
