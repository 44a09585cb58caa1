//! `org init`

use crate::base::fault::Fault;
use crate::command::argument::NewOrgName;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::org::store;
use crate::org::template::{self, InitOptions, TemplateKind};
use crate::report::{Message, Report};

/// Create an organization
///
/// Creates its directory below $TETRA_DIR/org: a manifest, environments/local.toml with comments, a private directory for secrets,
/// the history, and a .gitignore. An existing organization is not changed. The profile of @dev is `user` for an ordinary user (own
/// user, own home directory, user unit) and `dev` for root (a shared server); `[profiles]` in manifest.toml sets it.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The name of the organization
    org: NewOrgName,
    /// Create it without local.toml, for environments that are copied here
    #[arg(long)]
    server: bool,
    /// Profile of @dev
    #[arg(long, value_parser = ["user", "dev"], if_not_given = "`user` for an ordinary user, `dev` for root")]
    profile: Option<String>,
}

/// What it means that @dev is an ordinary user's.
const USER: &str = "@dev has the profile `user`: it runs as you, in your home directory; for a server that root runs, write dev = \"dev\" \
                    below [profiles] in manifest.toml";

impl Command for Init {
    const NAME: &'static str = "org init";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["org init my-company", "org init my-company --profile dev", "org init my-company --server"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let purpose = if self.server { TemplateKind::Server } else { TemplateKind::Workstation };
        let (NewOrgName(org), user) = (self.org, cx.host.user());
        let dev = self.profile.as_deref().unwrap_or(if user == "root" { "dev" } else { "user" });
        let made = template::init(cx.paths, &org, InitOptions { kind: purpose, user, dev })?;
        let directory = cx.paths.org(&org).display().to_string();
        let said = match made {
            true => format!("created `{}` in {directory}", org),
            false => format!("`{}` already exists in {directory}; nothing was changed", org),
        };
        let said = Message::new(said).with("org", org.as_str()).with("path", directory).with("made", made);
        let report = Report::of(said);
        if !made {
            return Ok(report);
        }
        let several = store::organizations(cx.paths).len() > 1;
        let report = if several {
            report.note(format!("choose it: `export TETRA_ORG={0}` or `tsm org use {0}`", org))
        } else {
            report
        };
        let report = match (purpose, dev) {
            (TemplateKind::Workstation, "user") => report.note(USER),
            _ => report,
        };
        Ok(match purpose {
            TemplateKind::Workstation => report.note("next: `tsm org env edit local`, then `tsm org promote @dev`"),
            TemplateKind::Server => report.note("next: copy a generated environment into environments/"),
        })
    }
}
