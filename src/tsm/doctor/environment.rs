//! Checking an env file: readable, well formed, with the usual variables, without placeholders.

use std::path::Path;

use super::dirs::mode;
use super::{Finding, or_ok};
use crate::base::dotenv::EnvVar;
use crate::base::fault::UserFacingError;
use crate::base::redact::is_secret_name;
use crate::sys::{disk_space, net};
use crate::tsm::{environment, port};

const CHECK: &str = "env";

/// Everything that can be said of an env file.
#[must_use]
pub fn check(file: &Path) -> Vec<Finding> {
    let shown = file.display();
    if !file.is_file() {
        let advice = "tetra env init local";
        return vec![Finding::error(CHECK, format!("the env file `{shown}` does not exist")).with_advice(advice)];
    }
    if !disk_space::is_readable(file) {
        let advice = format!("run as its owner: chmod 600 {shown}");
        return vec![Finding::error(CHECK, format!("`{shown}` cannot be read")).with_advice(advice)];
    }
    let settings = match environment::read(file) {
        Ok(settings) => settings,
        Err(error) => {
            let place = error.location().map(|at| format!("{at}: ")).unwrap_or_default();
            let finding = Finding::error(CHECK, format!("{place}{error}"));
            return vec![finding.with_advice(error.advice().unwrap_or_default())];
        }
    };
    let mut findings = values(&settings);
    let mode = mode(file).unwrap_or_default();
    let secret = settings.iter().any(|setting| is_secret_name(&setting.key) && !setting.value.is_empty());
    if secret && mode & 0o077 != 0 {
        findings.push(super::dirs::open(CHECK, file, mode, "contains secrets and is readable by others", 0o600));
    } else if mode & 0o022 != 0 {
        findings.push(super::dirs::open(CHECK, file, mode, "is writable by others", mode & !0o022));
    }
    or_ok(findings, CHECK, format!("`{shown}`: {} variables, all valid", settings.len()))
}

fn values(settings: &[EnvVar]) -> Vec<Finding> {
    let value = |key: &str| settings.iter().find(|setting| setting.key == key).map(|setting| setting.value.as_str());
    let mut findings = Vec::new();
    match value("PORT").or_else(|| value("TETRA_PORT")) {
        None => findings.push(Finding::warning(CHECK, "PORT is not set").with_advice("add a line such as PORT=4000")),
        Some(text) => match port::number(text) {
            None => findings.push(Finding::error(
                CHECK,
                format!("invalid value `{text}` for PORT: expected a number from 1 to 65535"),
            )),
            Some(port) if !net::listening_on(port).is_empty() => {
                let message = format!("PORT {port} is in use");
                findings.push(Finding::warning(CHECK, message).with_advice(format!("tsm doctor port {port}")));
            }
            Some(_) => {}
        },
    }
    if value("NODE_ENV").is_none() && value("TETRA_ENV").is_none() {
        let finding = Finding::warning(CHECK, "neither NODE_ENV nor TETRA_ENV is set");
        findings.push(finding.with_advice("add a line such as NODE_ENV=development"));
    }
    for setting in settings.iter().filter(|setting| is_placeholder(&setting.value)) {
        let message = format!("{} (line {}) still has a placeholder", setting.key, setting.line);
        findings.push(Finding::error(CHECK, message).with_advice("replace it"));
    }
    let empty = settings.iter().filter(|setting| setting.value.is_empty() && is_secret_name(&setting.key));
    findings.extend(empty.map(|setting| {
        Finding::warning(CHECK, format!("the secret {} (line {}) is empty", setting.key, setting.line))
    }));
    findings
}

/// What templates hold where a value belongs.
fn is_placeholder(value: &str) -> bool {
    let small = value.to_ascii_lowercase();
    let words = ["changeme", "change_me", "change-me", "your_", "your-", "xxxx", "placeholder", "replace_me"];
    let enclosed = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close) && value.len() > 2;
    words.iter().any(|word| small.starts_with(word))
        || enclosed("<", ">")
        || enclosed("{{", "}}")
        || enclosed("${", "}")
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    fn grades(text: &str) -> Vec<CheckStatus> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("local.env");
        std::fs::write(&file, text).expect("a file");
        check(&file).iter().map(|finding| finding.status).collect()
    }

    #[test]
    fn a_whole_file_is_well() {
        assert_eq!(grades("PORT=1\nNODE_ENV=test\n"), [CheckStatus::Ok]);
        assert_eq!(check(Path::new("/no/such/file"))[0].status, CheckStatus::Error);
    }

    #[test]
    fn what_is_missing_is_worth_a_look_and_what_is_wrong_is_an_error() {
        assert_eq!(grades("A=1\n"), [CheckStatus::Warning, CheckStatus::Warning]);
        assert_eq!(grades("PORT=none\nNODE_ENV=x\n"), [CheckStatus::Error]);
        assert_eq!(
            grades("PORT=1\nNODE_ENV=x\nHOST=<your host>\nURL=${URL}\n"),
            [CheckStatus::Error, CheckStatus::Error]
        );
        assert_eq!(grades("PORT=1\nNODE_ENV=x\nrm -rf\n"), [CheckStatus::Error], "a line that is none");
    }
}
