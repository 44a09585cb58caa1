//! Whether a new key has a passphrase.

use crate::base::environment::{EnvName, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::command::Cx;
use crate::ops::environments;
use crate::tkm::keygen::Passphrase;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// That of prod has one, and that of an own environment which is one of production or does not say.
    AsUsual,
    Always,
    Never,
}

/// How the passphrase of a new key is set. `command` is what can be run again at a terminal.
pub(super) fn of_new_key(cx: &Cx, env: &EnvName, wish: Wish, command: &str) -> Result<Passphrase, Fault> {
    let is_wanted = match wish {
        Wish::AsUsual => environments::tier(cx.paths, &cx.selection.qualify(env.clone())) == Tier::Prod,
        Wish::Always => true,
        Wish::Never => false,
    };
    if is_wanted && !cx.console.is_interactive() {
        let message = format!("the key of `@{env}` takes a passphrase, and stdin is not a terminal");
        return Err(Fault::new(FaultKind::Refused, message)
            .with_advice(format!("run `{command}` at a terminal, or add `--no-passphrase`")));
    }
    Ok(if is_wanted { Passphrase::Ask } else { Passphrase::None })
}
