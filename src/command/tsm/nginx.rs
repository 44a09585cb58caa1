//! `tsm nginx generate`, `install`, `uninstall` and `status`

use std::path::{Path, PathBuf};

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ProcessName;
use crate::command::argument::{FilePath, ProcessTarget};
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Cell, Fields, Message, Report, Tone, Value};
use crate::tsm::nginx::{Certificate, Nginx, OverwriteEdited, Site};
use crate::tsm::resolve::resolve_one;
use crate::tsm::resolve::{Precision, resolve};
use crate::tsm::store::{Process, ProcessStore};

/// What a site is made of.
#[derive(Debug, clap::Args)]
struct SiteArgs {
    /// The process: id, name, the beginning or a part of a name
    target: ProcessTarget,
    /// Its domain; may be repeated; every domain if left out
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// Where nginx listens for plain HTTP
    #[arg(long, value_name = "PORT", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    listen: u16,
    /// A certificate with its chain: nginx then also listens on 443
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<FilePath>,
    /// The key of the certificate
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<FilePath>,
}

impl SiteArgs {
    fn site(&self, cx: &Cx) -> Result<Site, Fault> {
        let (process, processes) = instances(&self.target, cx)?;
        let ports: Vec<u16> = processes.iter().filter_map(|process| process.meta.port).collect();
        if ports.is_empty() {
            let message = format!("`{process}` has no port to which a site could lead");
            return Err(Fault::new(FaultKind::Failed, message).with_advice(format!("tsm start --port N {process}")));
        }
        let path = |file: &FilePath| cx.host.cwd().join(&file.0);
        let certificate = self.certificate.as_ref().zip(self.key.as_ref());
        let certificate = certificate.map(|(it, key)| Certificate { certificate: path(it), key: path(key) });
        let domains = if self.domain.is_empty() { vec!["_".to_owned()] } else { self.domain.clone() };
        let ipv6 = Path::new("/proc/net/if_inet6").exists();
        Ok(Site { process, ports, domains, listen: self.listen, certificate, ipv6 }.checked()?)
    }
}

/// Print a site of nginx that leads from a domain to the port of a process
#[derive(Debug, clap::Args)]
pub struct Generate {
    #[command(flatten)]
    wanted: SiteArgs,
}

impl Command for Generate {
    const NAME: &'static str = "tsm nginx generate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm nginx generate api --domain api.example.org"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let site = self.wanted.site(cx)?;
        let text = site.text();
        let data = vec![
            ("process".to_owned(), site.process.as_str().into()),
            ("port".to_owned(), Value::from(site.ports.first().copied())),
            ("ports".to_owned(), Value::List(site.ports.iter().map(|port| (*port).into()).collect())),
            ("text".to_owned(), text.as_str().into()),
        ];
        Ok(Report::of(Block::TextWithData { text, data: Value::Record(data) }))
    }
}

/// Put a site for a process into nginx, check it with `nginx -t`, and have nginx take it over
///
/// The site is written to `/etc/nginx/sites-available` and linked; TETRA_NGINX_DIR and TETRA_NGINX name another directory and program. If
/// nginx rejects it, everything is as it was (exit code 14). A site that was edited by hand is kept (exit code 21).
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
        let done = nginx(cx).install(&site, overwrite(self.force))?;
        let path = done.path.display().to_string();
        let (action, text) = match done.changed {
            true => {
                ("installed", format!("tsm: {path} leads to port {} of '{}'", join_ports(&site.ports), site.process))
            }
            false => ("kept", format!("tsm: {path} is there already, the same")),
        };
        Ok(result_report(text, &site.process, path, (action, done.reloaded)))
    }
}

/// Take the site of a process out of nginx
#[derive(Debug, clap::Args)]
pub struct Uninstall {
    /// The process, also one that is gone
    target: ProcessTarget,
    /// Remove a site that was edited by hand
    #[arg(long)]
    force: bool,
}

impl Command for Uninstall {
    const NAME: &'static str = "tsm nginx uninstall";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm nginx uninstall api"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        // A site may outlive its process.
        Ok(find(&self.target, cx).map(|process| process.environments()).unwrap_or_default())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let process = process_name(&self.target, cx)?;
        let done = nginx(cx).uninstall(&process, overwrite(self.force))?;
        let path = done.path.display().to_string();
        Ok(result_report(format!("tsm: removed {path}"), &process, path, ("removed", done.reloaded)))
    }
}

/// Show the site of a process, and what `nginx -t` says
///
/// Exit code 3 if it is not installed, not enabled, leads to another port than that of the process, or if nginx objects.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// The process, also one that is gone
    target: ProcessTarget,
}

impl Command for Status {
    const NAME: &'static str = "tsm nginx status";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm nginx status api"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let (name, processes) = match instances(&self.target, cx) {
            Ok(found) => found,
            Err(_) => (process_name(&self.target, cx)?, Vec::new()),
        };
        let state = nginx(cx).status(&name)?;
        let own: Vec<u16> = processes.iter().filter_map(|process| process.meta.port).collect();
        let (verdict, well) = match () {
            () if !state.installed => ("not installed", false),
            () if state.objection.is_some() => ("nginx objects", false),
            () if !state.enabled => ("not enabled", false),
            () if own.is_empty() => ("the process is gone", false),
            () if !same_ports(&state.ports, &own) => ("leads to another port", false),
            () => ("in place", true),
        };
        let fields = Fields::titled(format!("Site of {name}"))
            .json_only("process", name.as_str())
            .with("status", Cell::from(verdict).tone(if well { Tone::Good } else { Tone::Bad }))
            .with("file", state.path.display().to_string())
            .with("installed", state.installed)
            .with("enabled", state.enabled)
            .with("edited", state.edited)
            .with(
                "port",
                match state.ports.as_slice() {
                    [] | [_] => Cell::from(Value::from(state.ports.first().copied())),
                    several => Cell::from(Value::from(several.first().copied())).text(join_ports(several)),
                },
            )
            .with("process_port", Value::from(own.first().copied()))
            .json_only("ports", Value::List(state.ports.iter().map(|port| (*port).into()).collect()))
            .with("running", processes.iter().any(Process::is_running))
            .with("objection", Value::from(state.objection));
        Ok(Report { check_failed: !well, ..Report::of(super::info::drop_empty(fields)) })
    }
}

/// The nginx of this machine, or the one that the variables name.
fn nginx<'a>(cx: &'a Cx) -> Nginx<'a> {
    let directory = cx.host.variable("TETRA_NGINX_DIR").map(|directory| cx.host.cwd().join(directory));
    Nginx {
        elsewhere: directory.is_some(),
        dir: directory.unwrap_or_else(|| PathBuf::from("/etc/nginx")),
        program: cx.host.variable("TETRA_NGINX").unwrap_or("nginx").to_owned(),
        host: cx.host,
    }
}

fn overwrite(force: bool) -> OverwriteEdited {
    if force { OverwriteEdited::Replace } else { OverwriteEdited::Keep }
}

/// The process that is meant, or the group of instances, under its name.
fn instances(target: &ProcessTarget, cx: &Cx) -> Result<(ProcessName, Vec<Process>), Fault> {
    let all = ProcessStore::open(cx.paths).all()?;
    let mut found = resolve(&[&target.0], &all, Precision::Partial);
    if let Some(error) = found.missing.pop() {
        return Err(error.into());
    }
    let processes: Vec<Process> = found.processes.into_iter().cloned().collect();
    match processes.as_slice() {
        [one] => Ok((one.name.clone(), processes)),
        several => {
            let group = several.iter().map(|process| process.meta.run.group.as_str()).find(|group| !group.is_empty());
            Ok((group.unwrap_or(&target.0).parse()?, processes))
        }
    }
}

fn join_ports(ports: &[u16]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The order of servers means nothing.
fn same_ports(left: &[u16], right: &[u16]) -> bool {
    let (mut left, mut right) = (left.to_vec(), right.to_vec());
    left.sort_unstable();
    right.sort_unstable();
    left == right
}

fn find(target: &ProcessTarget, cx: &Cx) -> Result<Process, Fault> {
    let all = ProcessStore::open(cx.paths).all()?;
    Ok(resolve_one(&target.0, &all)?.clone())
}

/// The process that is meant; a site may outlive its process.
fn process_name(target: &ProcessTarget, cx: &Cx) -> Result<ProcessName, Fault> {
    match find(target, cx) {
        Ok(process) => Ok(process.name),
        Err(fault) => target.0.parse().map_err(|_| fault),
    }
}

fn result_report(
    text: String,
    process: &ProcessName,
    path: String,
    (action, reloaded): (&'static str, bool),
) -> Report {
    let sentence = Message::new(text)
        .with("process", process.as_str())
        .with("file", path)
        .with("action", action)
        .with("reloaded", reloaded);
    let report = Report::of(sentence);
    match (action, reloaded) {
        ("kept", _) => report,
        (_, true) => report.note("nginx has read its configuration again"),
        (_, false) => report.note("nginx does not run, or could not be told: `nginx -s reload` has it read this"),
    }
}
