//! `tsm nginx install`

use super::{SiteArgs, instances, join_ports, nginx, result_report};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::report::{Block, Report};
use crate::tsm::nginx::{OverwriteEdited, Site};
use crate::tsm::store::Process;

/// Install an nginx site for a process, check it with `nginx -t`, and reload nginx
///
/// The site is written to `/etc/nginx/sites-available` and linked; TETRA_NGINX_DIR and TETRA_NGINX name another directory and program. If
/// nginx rejects it, everything is restored (exit code 14). A site that was edited by hand is kept (exit code 21).
#[derive(Debug, clap::Args)]
pub struct Install {
    #[command(flatten)]
    wanted: SiteArgs,
    /// Replace a site that was edited by hand
    #[arg(long)]
    force: bool,
}

impl Command for Install {
    const NAME: &'static str = "tsm nginx install";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm nginx install api --domain api.example.org"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let environments = instances(&self.wanted.target, cx)?.1.iter().flat_map(Process::environments).collect();
        let edited = if self.force { OverwriteEdited::Replace } else { OverwriteEdited::Keep };
        let state = PlannedSite { site: self.wanted.site(cx)?, edited };
        Ok(Stage { effect: Self::EFFECT, environments, state, plan: show, run: install }.ready())
    }
}

/// The site, and what becomes of one that was edited by hand.
struct PlannedSite {
    site: Site,
    edited: OverwriteEdited,
}

fn show(PlannedSite { site, .. }: &PlannedSite, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
    Ok(Some(Report::of(Block::Text(site.text()))))
}

fn install(PlannedSite { site, edited }: PlannedSite, cx: &mut Cx) -> Result<Report, Fault> {
    let done = nginx(cx).install(&site, edited)?;
    let path = done.path.display().to_string();
    let (action, text) = match done.changed {
        true => {
            ("installed", format!("installed {path}, proxying to port {} of {}", join_ports(&site.ports), site.process))
        }
        false => ("kept", format!("{path} is up to date")),
    };
    Ok(result_report(text, &site.process, action, &done))
}
