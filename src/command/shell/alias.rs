//! `alias`, `unalias`

use super::shorthand::{self, Definition};
use crate::base::fault::Fault;
use crate::base::name::AliasName;
use crate::command::argument::{AliasDefinition, CommandWord};
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, ShorthandKind};

/// Define or show aliases
///
/// The words after the alias are appended to its line. Aliases last for this session; `--save` keeps them in `config.toml` for the
/// sessions to come. Without arguments it lists the aliases, and where each is from.
#[derive(Debug, clap::Args)]
pub struct Alias {
    /// The alias, alone or as NAME=LINE
    #[arg(value_name = "NAME[=LINE]")]
    pub name: Option<AliasDefinition>,
    /// The line
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub line: Vec<CommandWord>,
    /// Keep the alias in `config.toml`
    #[arg(long, requires = "name")]
    pub save: bool,
    /// Remove the alias
    #[arg(long, requires = "name", conflicts_with = "line")]
    pub remove: bool,
}

impl Command for Alias {
    const NAME: &'static str = "alias";
    const EFFECT: Effect = Effect::Own;
    const EXAMPLES: &'static [&'static str] =
        &["alias", "alias ctx=context", "alias j='context --json'", "alias --save failed='history --failed'"];

    fn effect(&self) -> Effect {
        if self.save { Effect::Own } else { Effect::Read }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        match (self.remove, &self.name) {
            (true, Some(AliasDefinition(name))) => {
                shorthand::remove(ShorthandKind::Alias, &name.parse()?, self.save, cx)
            }
            _ => Definition { kind: ShorthandKind::Alias, name: self.name, line: self.line, save: self.save }.run(cx),
        }
    }
}

/// Remove an alias
///
/// For this session; `--save` also removes it from `config.toml`.
#[derive(Debug, clap::Args)]
pub struct Unalias {
    /// The alias
    pub name: AliasName,
    /// Remove it from `config.toml` too
    #[arg(long)]
    pub save: bool,
}

impl Command for Unalias {
    const NAME: &'static str = "unalias";
    const EFFECT: Effect = Effect::Own;
    const EXAMPLES: &'static [&'static str] = &["alias ctx=context; unalias ctx"];

    fn effect(&self) -> Effect {
        if self.save { Effect::Own } else { Effect::Read }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        shorthand::remove(ShorthandKind::Alias, &self.name, self.save, cx)
    }
}
