//! Auditing the service definitions: dangling links, missing keys, ports used twice, modes that let others in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::dirs::{entries, mode, open};
use super::{Finding, or_ok};
use crate::base::environment::EnvFileName;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::disk;
use crate::sys::paths::Paths;
use crate::sys::{process, program};
use crate::tsm::definition::Definition;
use crate::tsm::environment;
use crate::tsm::port::PortSpec;
use crate::tsm::ports::ranges::RESERVED;

const CHECK: &str = "services";

/// Looks at every definition and at every link to one.
#[must_use]
pub fn audit(paths: &Paths, variables: &BTreeMap<String, String>) -> Vec<Finding> {
    let is_definition = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "tsm");
    let files: Vec<PathBuf> = entries(&paths.services_available()).into_iter().filter(is_definition).collect();
    let mut findings = Vec::new();
    let mut read: Vec<(PathBuf, Definition)> = Vec::new();
    for file in &files {
        match Definition::read(file, variables) {
            Ok(definition) => {
                findings.extend(one(file, &definition));
                read.push((file.clone(), definition));
            }
            Err(error) => {
                let place = error.location().map(|at| format!("{at}: ")).unwrap_or_default();
                let finding = Finding::error(CHECK, format!("{place}{error}"));
                findings.push(finding.with_advice(error.advice().unwrap_or_default()));
            }
        }
        findings.extend(modes(file).or_else(|| readable_secrets(file)));
    }
    findings.extend(modes(&paths.services_enabled()));
    findings.extend(duplicates(&read));
    for link in entries(&paths.services_enabled()).iter().filter(|path| is_definition(path)) {
        findings.extend(enabled(link, &paths.services_available()));
    }
    or_ok(findings, CHECK, format!("{} definitions, all valid", files.len()))
}

fn one(file: &Path, definition: &Definition) -> Vec<Finding> {
    let name = stem(file);
    let mut findings = Vec::new();
    let text = disk::read_to_string(file).unwrap_or_default();
    if !text.lines().any(|line| line.trim_start().trim_start_matches("export ").starts_with("TSM_NAME=")) {
        let message = format!("`{name}` has no TSM_NAME; its name is `{}`, from its file", definition.name);
        findings.push(Finding::warning(CHECK, message).with_advice(format!("add TSM_NAME=\"{}\"", definition.name)));
    }
    for (key, meant) in &definition.typos {
        findings.push(Finding::warning(CHECK, format!("`{name}`: unknown key {key}; did you mean {meant}?")));
    }
    if !definition.cwd.is_dir() {
        let message = format!("`{name}`: the working directory `{}` does not exist", definition.cwd.display());
        findings.push(Finding::error(CHECK, message).with_advice("create the directory, or correct TSM_CWD"));
    }
    for env in definition.env_files().iter().map(|env| EnvFileName::of(env)).filter(|env| !env.optional) {
        let is_missing =
            environment::named(env.path, &[&definition.cwd]).is_err_and(|it| it.kind() == FaultKind::NotFound);
        if is_missing && !file.parent().is_some_and(|directory| directory.join(env.path).is_file()) {
            findings.push(Finding::error(CHECK, format!("`{name}`: the env file `{}` does not exist", env.path)));
        }
    }
    let script = definition.command.split_whitespace().next().filter(|word| word.contains('/'));
    if let Some(script) = script.filter(|script| !script.contains('$')) {
        let path = definition.cwd.join(script);
        if definition.cwd.is_dir() && !program::is_executable(&path) {
            let message = format!("`{name}`: the program `{}` does not exist or is not executable", path.display());
            findings.push(Finding::error(CHECK, message).with_advice(format!("chmod +x {}", path.display())));
        }
    }
    if let Some(PortSpec::Exact(port)) = definition.port {
        if RESERVED.contains(&port) {
            findings.push(Finding::warning(CHECK, format!("`{name}` uses port {port}, a port of well-known services")));
        } else if port < 1024 && process::own_uid() != 0 {
            findings.push(Finding::warning(CHECK, format!("`{name}` uses port {port}, which only root can open")));
        }
    }
    findings
}

fn modes(path: &Path) -> Option<Finding> {
    let mode = mode(path).filter(|mode| mode & 0o022 != 0)?;
    Some(open(CHECK, path, mode, "defines what is run and is writable by others", mode & !0o022))
}

/// What is only referred to is not in the file.
fn readable_secrets(file: &Path) -> Option<Finding> {
    let mode = mode(file).filter(|mode| mode & 0o044 != 0)?;
    let has_secrets = Definition::read(file, &BTreeMap::new()).is_ok_and(|it| it.holds_secrets());
    has_secrets.then(|| open(CHECK, file, mode, "has secrets in it and is readable by others", mode & !0o077))
}

/// Names and ports that two definitions have.
fn duplicates(read: &[(PathBuf, Definition)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, (file, definition)) in read.iter().enumerate() {
        for (other, before) in &read[..at] {
            let (one, two) = (stem(other), stem(file));
            if before.name == definition.name {
                let message = format!("`{one}` and `{two}` have the same TSM_NAME, `{}`", definition.name);
                findings.push(Finding::error(CHECK, message).with_advice("rename one of them"));
            }
            if let (Some(PortSpec::Exact(port)), true) = (definition.port, before.port == definition.port) {
                let message = format!("`{one}` and `{two}` have the same port, {port}");
                findings.push(Finding::error(CHECK, message).with_advice(format!("tsm ports allocate {two}")));
            }
        }
    }
    findings
}

/// A link leads to a definition among those that are available.
fn enabled(link: &Path, available: &Path) -> Option<Finding> {
    let name = stem(link);
    let Ok(target) = std::fs::read_link(link) else {
        let message = format!("`{}` is a regular file, expected a symlink", link.display());
        return Some(Finding::warning(CHECK, message).with_advice(format!("tsm enable {name}")));
    };
    let Ok(resolved) = link.canonicalize() else {
        let message = format!("`{}` is a dangling link to `{}`", link.display(), target.display());
        return Some(Finding::error(CHECK, message).with_advice(format!("tsm disable {name}")));
    };
    let inside = available.canonicalize().is_ok_and(|available| resolved.starts_with(available));
    (!inside).then(|| {
        let message = format!(
            "`{}` is a link to `{}`, which is not one of the available services",
            link.display(),
            resolved.display()
        );
        Finding::warning(CHECK, message)
    })
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn each_defect_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        let (available, enabled) = (paths.services_available(), paths.services_enabled());
        fs::create_dir_all(&available).expect("a directory");
        fs::create_dir_all(&enabled).expect("a directory");
        assert_eq!(audit(&paths, &BTreeMap::new())[0].status, CheckStatus::Ok);
        let put = |name: &str, text: &str, mode: u32| {
            let file = available.join(format!("{name}.tsm"));
            fs::write(&file, text).expect("a file");
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        };
        put("a", "TSM_NAME=a\nTSM_PORT=4100\nTSM_COMMAND=\"sleep 1\"\n", 0o644);
        put("b", "TSM_NAME=b\nTSM_PORT=4100\nTSM_COMMAND=\"sleep 1\"\n", 0o666);
        put("c", "TSM_COMMAND=./none\nTSM_CWD=/no/such\nTSM_PROT=1\n", 0o644);
        put("d", "TSM_NAME=d\n", 0o644);
        let url = "TSM_COMMAND=x\nexport URL=postgres://u:hunter2@h/db\n";
        put("e", &format!("TSM_NAME=e\n{url}"), 0o644);
        put("f", &format!("TSM_NAME=f\n{url}"), 0o600);
        put("g", "TSM_NAME=g\nTSM_COMMAND=x\nexport API_TOKEN=\"$TOKEN\"\n", 0o644);
        symlink("../services-available/gone.tsm", enabled.join("gone.tsm")).expect("a link");
        symlink("../services-available/a.tsm", enabled.join("a.tsm")).expect("a link");
        let variables = BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
        let found = audit(&paths, &variables);
        for part in [
            "`a` and `b` have the same port, 4100",
            "`c` has no TSM_NAME",
            "unknown key TSM_PROT; did you mean TSM_PORT?",
            "the working directory `/no/such` does not exist",
            "has no TSM_COMMAND",
            "is writable by others (mode 0666)",
            "e.tsm` has secrets in it and is readable by others (mode 0644)",
            "is a dangling link to `../services-available/gone.tsm`",
        ] {
            assert!(found.iter().any(|finding| finding.message.contains(part)), "{part}: {found:#?}");
        }
        assert_eq!(found.len(), 8, "{found:#?}");
    }
}
