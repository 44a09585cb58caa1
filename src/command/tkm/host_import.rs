//! `tkm host import`

use std::path::{Path, PathBuf};

use super::context::{find, not_initialized, record_host};
use crate::base::environment::{EnvRef, Tier};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Table};
use crate::tkm::client_config;
use crate::tkm::error::TkmError;
use crate::tkm::import;
use crate::tkm::imported::ImportedKey;
use crate::tkm::pins;

/// Import hosts from tetra.toml, local.toml, ~/.ssh/config or an Ansible inventory
///
/// Without a file, `[infrastructure]` and `[hosts]` of tetra.toml in this directory and of local.toml of the organization. A
/// file as ~/.ssh/config is read with those that it includes. An inventory is INI or YAML; its groups `dev`, `staging`, `qa` and
/// `prod` are environments. Other hosts become hosts of --env. Hosts that are there stay as they are, what is not carried over
/// is named, and no key is pinned: `tkm host add` does that.
#[derive(Debug, clap::Args)]
pub struct HostImport {
    /// A TOML file, a file as ~/.ssh/config, or an inventory (INI, or YAML by its name)
    file: Option<PathBuf>,
}

impl Command for HostImport {
    const NAME: &'static str = "tkm host import";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["tkm host import", "tkm host import ~/.ssh/config --env dev", "tkm host import inventory.ini"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(self.found(cx)?.hosts.into_iter().map(|host| cx.selection.qualify(host.env)).collect())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let found = self.found(cx)?;
        let _lock = store.lock()?;
        let mut hosts = store.hosts()?;
        let mut table = Table::new(&[("host", "HOST"), ("env", "ENV"), ("address", "ADDRESS"), ("added", "ADDED")])
            .when_empty("no hosts found");
        let (known_hosts, mut unpinned) = (store.pins()?, Vec::new());
        for host in found.hosts {
            let is_new = hosts.iter().all(|known| known.name != host.name);
            let cells = vec![host.name.as_str().into(), host.env.as_str().into(), host.address.to_string().into()];
            table.row(cells.into_iter().chain([is_new.into()]).collect());
            let known = hosts.iter().find(|known| known.name == host.name).unwrap_or(&host);
            if pins::pinned(&known_hosts, &known.name).is_empty() {
                unpinned.push(pins::first_add_line(known));
            }
            if is_new {
                record_host(cx, &store, "host-import", &host.name)?;
                hosts.push(host);
            }
        }
        store.write_hosts(&hosts)?;
        client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
        let report =
            found.ignored.iter().fold(Report::of(table), |report, it| report.note(format!("not carried over: {it}")));
        Ok(match unpinned.as_slice() {
            [] => report,
            [line] => report.note(format!("next: `{line}`, which pins its key")),
            [line, more @ ..] => report.note(format!("next: `{line}`, which pins its key; {} more to pin", more.len())),
        })
    }
}

impl HostImport {
    fn found(&self, cx: &Cx) -> Result<ImportedKey, TkmError> {
        let Some(file) = &self.file else { return written_down(cx) };
        let env = cx.selection.env.as_ref().filter(|env| env.tier() != Some(Tier::Local));
        let home = Path::new(cx.host.variable("HOME").unwrap_or("/"));
        import::file(&cx.host.cwd().join(file), env, home)
    }
}

/// The hosts of the project in this directory, and those of the organization that is chosen.
fn written_down(cx: &Cx) -> Result<ImportedKey, TkmError> {
    let of_project = import::toml_if_exists(&cx.host.cwd().join("tetra.toml"))?;
    let Some(org) = &cx.selection.org else { return Ok(of_project) };
    Ok(of_project.and(import::toml_if_exists(&cx.paths.environment(org, &"local".parse()?))?))
}
