//! `tkm host import`

use std::path::PathBuf;

use super::context::{find, not_initialized, record_host};
use crate::base::environment::Tier;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Table};
use crate::tkm::{client_config, import};

/// Take hosts from tetra.toml or from a file for ssh
///
/// Without a file, the servers of `infrastructure` in tetra.toml of this directory. The names of a file for ssh become hosts of
/// --env. Hosts that are there stay as they are, and no key is pinned: `tkm host add` does that.
#[derive(Debug, clap::Args)]
pub struct HostImport {
    /// A file as ~/.ssh/config
    file: Option<PathBuf>,
}

impl Command for HostImport {
    const NAME: &'static str = "tkm host import";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm host import", "tkm host import ~/.ssh/config --env dev"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let found = match &self.file {
            None => import::infrastructure(cx.host.cwd())?,
            Some(file) => {
                let env = cx.selection.env.clone().filter(|env| env.tier() != Some(Tier::Local));
                let env = env.ok_or_else(|| {
                    Fault::usage("no environment is given for the hosts").with_advice("add it: `--env dev`")
                })?;
                import::ssh_config(&cx.host.cwd().join(file), &env)?
            }
        };
        let _lock = store.lock()?;
        let mut hosts = store.hosts()?;
        let mut table = Table::new(&[("host", "HOST"), ("env", "ENV"), ("address", "ADDRESS"), ("added", "ADDED")])
            .when_empty("no hosts found");
        for host in found {
            let is_new = hosts.iter().all(|known| known.name != host.name);
            let cells = vec![host.name.as_str().into(), host.env.as_str().into(), host.address.to_string().into()];
            table.row(cells.into_iter().chain([is_new.into()]).collect());
            if is_new {
                record_host(cx, &store, "host-import", &host.name)?;
                hosts.push(host);
            }
        }
        store.write_hosts(&hosts)?;
        client_config::write(&store, cx.selection.org.as_ref())?;
        Ok(Report::of(table).note("next: `tkm host add NAME ADDRESS` for each, which pins its key"))
    }
}
