//! `tsm nginx` and its verbs: sites that proxy to processes.

pub mod generate;
pub mod install;
pub mod status;
pub mod uninstall;

use std::path::{Path, PathBuf};

use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ProcessName;
use crate::command::Cx;
use crate::command::argument::{FilePath, SingleProcess};
use crate::command::stated_default::StatedDefault;
use crate::report::{Message, Report};
use crate::tsm::instances::base;
use crate::tsm::nginx::{InstallResult, Nginx, Site, SiteCertificate};
use crate::tsm::resolve::{Precision, resolve, resolve_one};
use crate::tsm::store::{Process, ProcessStore};

/// What a site is made of.
#[derive(Debug, clap::Args)]
struct SiteArgs {
    /// The process: id, name, the beginning or a part of a name
    target: SingleProcess,
    /// Its domain; may be repeated
    #[arg(long, value_name = "DOMAIN", if_not_given = "every domain")]
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
            let message = format!("`{process}` has no port to proxy to");
            return Err(Fault::new(FaultKind::Failed, message).with_advice(format!("tsm start --port N {process}")));
        }
        let path = |file: &FilePath| cx.host.cwd().join(&file.0);
        let certificate = self.certificate.as_ref().zip(self.key.as_ref());
        let certificate = certificate.map(|(it, key)| SiteCertificate { certificate: path(it), key: path(key) });
        let domains = if self.domain.is_empty() { vec!["_".to_owned()] } else { self.domain.clone() };
        let ipv6 = Path::new("/proc/net/if_inet6").exists();
        Ok(Site { process, ports, domains, listen: self.listen, certificate, ipv6 }.checked()?)
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

/// The process that is meant, or the group of instances, under its name.
fn instances(target: &SingleProcess, cx: &Cx) -> Result<(ProcessName, Vec<Process>), Fault> {
    let all = ProcessStore::open(cx.paths).all()?;
    let mut found = resolve(&[&target.0], &all, Precision::Partial);
    if let Some(error) = found.missing.pop() {
        return Err(error.into());
    }
    let processes: Vec<Process> = found.processes.into_iter().cloned().collect();
    match processes.as_slice() {
        [one] => Ok((one.name.clone(), processes)),
        several => {
            let group = several.first().map_or_else(|| target.0.clone(), base);
            if let Some(other) = several.iter().find(|process| base(process) != group) {
                let message = format!("`{}` is more than one process: {group}, {}", target.0, base(other));
                return Err(Fault::usage(message).with_advice("a site is for a process, or for all instances of one"));
            }
            Ok((group.parse()?, processes))
        }
    }
}

fn join_ports(ports: &[u16]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn find(target: &SingleProcess, cx: &Cx) -> Result<Process, Fault> {
    let all = ProcessStore::open(cx.paths).all()?;
    Ok(resolve_one(&target.0, &all)?.clone())
}

/// The name as it was given, if there is a site of this name: it may outlive its process, and all but one of its instances.
fn name_of_site(target: &SingleProcess, cx: &Cx) -> Option<ProcessName> {
    target.0.parse().ok().filter(|name| nginx(cx).has_site(name))
}

/// The process whose site is meant.
fn process_name(target: &SingleProcess, cx: &Cx) -> Result<ProcessName, Fault> {
    if let Some(name) = name_of_site(target, cx) {
        return Ok(name);
    }
    match find(target, cx) {
        Ok(process) => Ok(process.name),
        Err(fault) => target.0.parse().map_err(|_| fault),
    }
}

fn result_report(text: String, process: &ProcessName, action: &'static str, done: &InstallResult) -> Report {
    let sentence = Message::new(text)
        .with("process", process.as_str())
        .with("file", done.path.display().to_string())
        .with("action", action)
        .with("reloaded", done.reloaded);
    let report = Report::of(sentence);
    match (action, done.reloaded) {
        ("kept", _) => report,
        (_, true) => report.note("reloaded nginx"),
        (_, false) => report.note("nginx is not running or could not be reloaded: run `nginx -s reload`"),
    }
}
