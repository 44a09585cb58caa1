//! The port registry against the records of processes and against the sockets that there are.

use super::{Finding, Fix, or_ok};
use crate::disk;
use crate::sys::file::FileError;
use crate::sys::paths::Paths;
use crate::tsm::ports::edit::conflicts;
use crate::tsm::ports::{PortEntry, parse_entry, read, status};
use crate::tsm::store::Process;

const CHECK: &str = "ports";

/// The registry, and who listens on what is declared.
///
/// # Errors
///
/// Fails if the registry is there and cannot be read.
pub fn all(paths: &Paths, processes: &[Process]) -> Result<Vec<Finding>, FileError> {
    let mut findings = registry(paths, processes)?;
    findings.retain(|finding| finding.status != super::CheckStatus::Ok);
    let survey = status::read_status(paths, processes)?;
    for it in conflicts(&survey) {
        let advice = match &it.process {
            Some(process) => format!("tsm start --port {}+ {process}", it.claim.port),
            None => "tsm ports conflicts --fix".to_owned(),
        };
        let message = format!("port {} of `{}`: {}", it.claim.port, it.claim.name, it.by);
        // A port that is only reserved does no harm until it is used.
        let runs = survey.declared.iter().any(|account| account.claim == it.claim && account.pid.is_some());
        let finding = if runs { Finding::error(CHECK, message) } else { Finding::warning(CHECK, message) };
        findings.push(finding.with_advice(advice));
    }
    for held in &survey.undeclared {
        let name = held.managed.as_ref().map_or("", |name| name.as_str());
        let message = format!("`{name}` listens on port {} without declaring it", held.listener.port);
        findings.push(
            Finding::warning(CHECK, message).with_advice(format!("tsm start --port {} {name}", held.listener.port)),
        );
    }
    Ok(or_ok(findings, CHECK, format!("{} declared ports, no conflicts", survey.declared.len())))
}

/// The registry alone: its lines are valid, no port is listed twice, and it agrees with the records.
///
/// # Errors
///
/// As [`all`].
pub fn registry(paths: &Paths, processes: &[Process]) -> Result<Vec<Finding>, FileError> {
    let claims = read(paths)?;
    let mut findings = invalid_lines(paths);
    for (at, claim) in claims.iter().enumerate() {
        if let Some(other) = claims[..at].iter().find(|other| other.port == claim.port && *other != claim) {
            let message = format!("port {} is declared by `{}` and by `{}`", claim.port, other.name, claim.name);
            findings.push(Finding::error(CHECK, message).with_advice("tsm ports conflicts --fix"));
        }
    }
    findings.extend(mismatches(&claims, processes));
    Ok(or_ok(findings, CHECK, format!("{} lines in the registry, consistent with the processes", claims.len())))
}

/// Where the registry and the records of processes disagree, each with its cure.
#[must_use]
pub fn mismatches(claims: &[PortEntry], processes: &[Process]) -> Vec<Finding> {
    let with_port = processes.iter().filter_map(|it| Some((it, it.meta.port?)));
    let recorded: Vec<(&Process, PortEntry)> =
        with_port.map(|(it, port)| (it, PortEntry::of(it.name.as_str(), port))).collect();
    let mut findings = Vec::new();
    let claimed = recorded.iter().filter(|(process, _)| !process.meta.run.port_guessed);
    for (process, own) in claimed.filter(|(_, own)| !claims.contains(own)) {
        let message = format!("port {} of `{}` is missing from the registry", own.port, process.name);
        let finding = Finding::error(CHECK, message).with_advice("tsm doctor reconcile --fix");
        findings.push(finding.fix(Fix::AddPort(own.clone())));
    }
    for claim in claims.iter().filter(|claim| !recorded.iter().any(|(_, own)| own == *claim)) {
        // A name without a process is a reservation.
        if recorded.iter().any(|(_, own)| own.name == claim.name) {
            let message =
                format!("the registry has port {} for `{}`, which has no record of it", claim.port, claim.name);
            let finding = Finding::error(CHECK, message).with_advice("tsm doctor reconcile --fix");
            findings.push(finding.fix(Fix::RemovePort(claim.clone())));
        }
    }
    findings
}

fn invalid_lines(paths: &Paths) -> Vec<Finding> {
    let text = disk::read_own(paths.ports()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let odd = text.lines().enumerate().filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && parse_entry(line).is_none()
    });
    let finding = |(at, line): (usize, &str)| {
        let place = format!("{}:{}", paths.ports().display(), at + 1);
        Finding::error(CHECK, format!("invalid line `{}` at {place}: expected `name:port`", line.trim()))
            .with_advice("correct or remove it")
    };
    odd.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn odd_lines_and_doubles_are_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        std::fs::create_dir_all(paths.tsm()).expect("a directory");
        assert_eq!(registry(&paths, &[]).expect("readable")[0].status, CheckStatus::Ok, "no registry is well");
        std::fs::write(paths.ports(), "# note\n\napi:4000\nweb:4000\nodd\nhigh:70000\n").expect("a registry");
        let found = registry(&paths, &[]).expect("readable");
        assert!(found.iter().all(|finding| finding.status == CheckStatus::Error));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].message.contains("`odd` at ") && found[0].message.contains(":5:"), "{found:?}");
    }
}
