//! `abbr`

use super::shorthand::{self, Definition};
use crate::base::fault::Fault;
use crate::command::argument::{AbbreviationDefinition, AliasDefinition, CommandWord};
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, ShorthandKind};

/// Define or show abbreviations
///
/// An abbreviation that is typed as a command is written out at the next blank or Enter, where it can be seen and edited before it
/// runs; Ctrl-Z gives the typed word back. In quotes and after the command it stays. Abbreviations last for this session; `--save`
/// keeps them in `config.toml`. Without arguments it lists them, and where each is from.
#[derive(Debug, clap::Args)]
pub struct Abbr {
    /// The abbreviation, alone or as NAME=LINE
    #[arg(value_name = "NAME[=LINE]")]
    pub name: Option<AbbreviationDefinition>,
    /// The line
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub line: Vec<CommandWord>,
    /// Keep the abbreviation in `config.toml`, or remove it there
    #[arg(long, requires = "name")]
    pub save: bool,
    /// Remove the abbreviation
    #[arg(long, requires = "name", conflicts_with = "line")]
    pub remove: bool,
}

impl Command for Abbr {
    const NAME: &'static str = "abbr";
    const EFFECT: Effect = Effect::Own;
    const EXAMPLES: &'static [&'static str] = &["abbr", "abbr hf='history --failed'", "abbr --save cs='config show'"];

    fn effect(&self) -> Effect {
        if self.save { Effect::Own } else { Effect::Read }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let kind = ShorthandKind::Abbreviation;
        let name = self.name.map(|AbbreviationDefinition(given)| given);
        match (self.remove, &name) {
            (true, Some(name)) => shorthand::remove(kind, &name.parse()?, self.save, cx),
            _ => Definition { kind, name: name.map(AliasDefinition), line: self.line, save: self.save }.run(cx),
        }
    }
}
