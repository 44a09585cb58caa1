//! `tkm config`

use std::path::PathBuf;

use super::context::{find, not_initialized};
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tkm::client_config::{self, Inclusion};

/// Let `ssh tetra-HOST` work in other programs
///
/// Writes a block for each host into a file of the store, and has ~/.ssh/config include it by one line at its top.
#[derive(Debug, clap::Args)]
pub struct Config {
    /// Remove that line from ~/.ssh/config
    #[arg(long)]
    remove: bool,
    /// Only show what would change
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Command for Config {
    const NAME: &'static str = "tkm config";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm config --dry-run", "tkm config --remove"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let no_home = || Fault::new(FaultKind::Failed, "cannot determine the home directory").with_advice("set HOME");
        let path = PathBuf::from(cx.host.variable("HOME").ok_or_else(no_home)?).join(".ssh/config");
        let wanted = if self.remove { Inclusion::Removed } else { Inclusion::Included };
        let change = client_config::with_inclusion(&client_config::user_config(&path)?, &store, wanted);
        let line = format!("Include \"{}\"", store.ssh_config().display());
        let (verb, sign) = if self.remove { ("removed", '-') } else { ("added", '+') };
        let text = match (&change, self.dry_run) {
            (None, _) => format!("{} is up to date", path.display()),
            (Some(_), true) => format!("{} would be changed:\n{sign} {line}", path.display()),
            (Some(_), false) => format!("{verb} a line of {}:\n{sign} {line}", path.display()),
        };
        if !self.dry_run {
            let elsewhere = change.as_ref().and_then(|_| client_config::made_elsewhere(&path));
            if let Some(why) = elsewhere {
                let text = format!("`{}` is {why}, so that it is not changed", path.display());
                let place = if self.remove { "remove this line" } else { "add this line at the top" };
                let advice = format!("{place} where the file is made: `{line}`");
                return Err(Fault::new(FaultKind::Refused, text).with_advice(advice));
            }
            let _lock = store.lock()?;
            client_config::write_anew(&store, cx.selection.org.as_ref(), cx.host.variables())?;
            if let Some(new) = &change {
                client_config::write_user_config(&path, new)?;
            }
        }
        let message = Message::new(text)
            .with("path", path.display().to_string())
            .with("line", line)
            .with("changed", change.is_some() && !self.dry_run);
        Ok(Report::of(message))
    }
}
