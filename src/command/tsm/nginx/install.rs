//! `tsm nginx install`

use super::{SiteArgs, instances, join_ports, nginx, result_report};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Report};
use crate::tsm::nginx::OverwriteEdited;
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

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(instances(&self.wanted.target, cx)?.1.iter().flat_map(Process::environments).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Report::of(Block::Text(self.wanted.site(cx)?.text()))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let site = self.wanted.site(cx)?;
        let done =
            nginx(cx).install(&site, if self.force { OverwriteEdited::Replace } else { OverwriteEdited::Keep })?;
        let path = done.path.display().to_string();
        let (action, text) = match done.changed {
            true => (
                "installed",
                format!("installed {path}, proxying to port {} of {}", join_ports(&site.ports), site.process),
            ),
            false => ("kept", format!("{path} is up to date")),
        };
        Ok(result_report(text, &site.process, action, &done))
    }
}
