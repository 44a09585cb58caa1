//! `org use`

use crate::base::fault::Fault;
use crate::base::name::OrgName;
use crate::command::saved_context::SavedContext;
use crate::command::{Command, Cx, Effect};
use crate::org::store::OrgStore;
use crate::report::{FollowUp, Message, Report, SelectionChange};

/// Choose the organization for all sessions
///
/// The choice is stored for this user. `use NAME` (one session) and TETRA_ORG (one shell) take precedence.
#[derive(Debug, clap::Args)]
pub struct Use {
    /// The name of the organization
    org: OrgName,
}

impl Command for Use {
    const NAME: &'static str = "org use";
    const ALIASES: &'static [&'static str] = &["org switch"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org use my-company"];

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        OrgStore::open(cx.paths, &self.org)?;
        Ok(None)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        OrgStore::open(cx.paths, &self.org)?;
        let kept = SavedContext::read(cx.paths)?;
        if kept.org.as_ref() != Some(&self.org) {
            SavedContext { org: Some(self.org.clone()), env: None }.write(cx.paths)?;
        }
        let said = Message::new(format!("chose the organization `{}`", self.org)).with("org", self.org.as_str());
        let stronger = cx.host.variable("TETRA_ORG").filter(|name| *name != self.org.as_str());
        let report = match stronger {
            Some(name) => Report::of(said).note(format!("TETRA_ORG={name} overrides it in this shell")),
            None => Report::of(said),
        };
        Ok(Report {
            follow_up: FollowUp::ChangeSelection(SelectionChange {
                org: Some(Some(self.org)),
                is_saved: true,
                ..SelectionChange::default()
            }),
            ..report
        })
    }
}
