//! Hosts that have no key of the environment yet: their first deploy installs it, if that is wanted.

use super::options::DeployOptions;
use super::target::{DeployTarget, no_key};
use crate::base::fault::{Fault, FaultKind};
use crate::command::Cx;
use crate::ops::deploy::rollout::Fleet;
use crate::report::{Question, UserAnswer};
use crate::tkm::host::Host;

/// Hosts that have no key yet.
#[derive(Default)]
pub(super) struct Fresh {
    hosts: Vec<Host>,
    /// `--bootstrap`: nothing is asked.
    is_wanted: bool,
}

impl Fresh {
    /// Where a key may be installed on them.
    ///
    /// # Errors
    ///
    /// Fails if it is not wanted, and nothing can be asked without a terminal; also with `--plan` nothing is asked.
    pub(super) fn new(cx: &Cx, hosts: Vec<Host>, options: &DeployOptions) -> Result<Self, Fault> {
        match hosts.first() {
            Some(host) if !options.bootstrap && !options.plan && !cx.console.is_interactive() => {
                let advice =
                    format!("`tkm bootstrap {}`, or --bootstrap: with the keys that you use already", host.name);
                Err(no_key(host).with_advice(advice))
            }
            _ => Ok(Self { hosts, is_wanted: options.bootstrap }),
        }
    }

    /// True if all hosts have a key.
    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// How many have none.
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.name.as_str())
    }

    /// What is to be known of them before a deploy.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let line = |host: &Host| {
            format!(
                "{0} has no key of {1} yet: `tkm bootstrap {0}` is done first, and then it is looked at",
                host.name, host.env
            )
        };
        self.hosts.iter().map(line)
    }

    /// Installs the key on them, after a question where it was not wanted from the beginning; they are reached then.
    ///
    /// # Errors
    ///
    /// Fails if that is declined, or one does not let the operator in. Nothing was deployed.
    pub(super) fn admit(self, cx: &mut Cx, target: &mut DeployTarget) -> Result<Fleet, Fault> {
        let names = self.names().collect::<Vec<_>>().join(", ");
        let text = format!("install the key of {} on {names}, with the keys that you use already?", target.env.env);
        if !self.is_wanted && cx.console.ask(&Question { text, expected: None }) != UserAnswer::Yes {
            return Err(Fault::new(FaultKind::Refused, "nothing was deployed: the key was not installed"));
        }
        target.bootstrap(cx, self.hosts)
    }
}
