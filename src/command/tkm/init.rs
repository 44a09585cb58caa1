//! `tkm init`

use super::initialize::{Initialized, initialize};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tkm::pins;
use crate::tkm::store::Creation;

/// Set up SSH keys and server connections
///
/// Makes the store with a key for each environment but local, and takes the servers of `infrastructure` in tetra.toml as hosts.
/// The key of prod takes a passphrase: it is made by `tkm generate prod`. What is there already stays.
#[derive(Debug, clap::Args)]
pub struct Init {}

impl Command for Init {
    const NAME: &'static str = "tkm init";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm init"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Initialized { store, creation, keys, hosts } = initialize(cx)?;
        let dir = store.dir().display().to_string();
        let text = match creation {
            Creation::Existed if keys.is_empty() && hosts.is_empty() => format!("TKM is already initialized in {dir}"),
            Creation::Existed => format!("completed TKM in {dir}: {}", made(&keys, &hosts)),
            Creation::Made => format!("initialized TKM in {dir}: {}", made(&keys, &hosts)),
        };
        let message = Message::new(text)
            .with("created", creation == Creation::Made)
            .with("path", dir)
            .with("keys", keys)
            .with("hosts", hosts);
        let next = match store.hosts()?.first() {
            Some(host) => format!("next: `{}`", pins::first_add_line(host)),
            None => "next: `tkm host add dev ADDRESS`, then `tkm bootstrap dev`".to_owned(),
        };
        Ok(Report::of(message).note(next))
    }
}

fn made(keys: &[String], hosts: &[String]) -> String {
    let list = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    format!("keys {}; hosts {}", list(keys), list(hosts))
}
