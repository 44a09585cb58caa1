//! Hosts that are written down elsewhere: `[infrastructure]` of a project's `tetra.toml`, and `~/.ssh/config`.

use std::path::Path;

use super::error::TkmError;
use super::host::{Address, Host, HostName, HostRules};
use crate::base::environment::EnvName;
use crate::base::name::sanitize;
use crate::config::document::Document;
use crate::config::read;

/// The keys of `[infrastructure]` with the environment that each server is of.
const SERVERS: [(&str, &str); 4] = [("dev", "dev"), ("qa", "staging"), ("staging", "staging"), ("prod", "prod")];

/// The servers of a project: `dev_server`, `qa_server`, `prod_server`, with `dev_ip` or `dev_server_ip` as address if there is one.
///
/// # Errors
///
/// Fails if the file is there and not valid.
pub fn infrastructure(project: &Path) -> Result<Vec<Host>, TkmError> {
    let path = project.join("tetra.toml");
    let Some(document) = Document::read_if_exists(&path, "tetra.toml")? else { return Ok(Vec::new()) };
    let text = |key: String| document.text_at(&["infrastructure", &key]).filter(|text| !text.trim().is_empty());
    let mut found: Vec<Host> = Vec::new();
    for (word, env) in SERVERS {
        let Some(server) = text(format!("{word}_server")) else { continue };
        let address = [format!("{word}_ip"), format!("{word}_server_ip")].into_iter().find_map(text).unwrap_or(server);
        let broken = |why: String| TkmError::BrokenStore { path: path.clone(), why: format!("{word}_server: {why}") };
        let address: Address = address.parse().map_err(|error| broken(format!("{error}")))?;
        let name: HostName = sanitize(server, word).parse()?;
        if found.iter().all(|host| host.name != name) {
            found.push(Host { name, address, env: env.parse()?, rules: HostRules::default() });
        }
    }
    Ok(found)
}

/// The names of `Host` lines of a file for ssh, without patterns. The address is the name: ssh knows the rest.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub fn ssh_config(path: &Path, env: &EnvName) -> Result<Vec<Host>, TkmError> {
    let text = read::text(path)?;
    let mut found: Vec<Host> = Vec::new();
    for line in text.lines().map(str::trim) {
        let mut words = line.split(|c: char| c.is_whitespace() || c == '=').filter(|word| !word.is_empty());
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("host")) {
            continue;
        }
        for word in words.map(|word| word.trim_matches('"')).filter(|word| !word.contains(['*', '?', '!'])) {
            if let (Ok(name), Ok(address)) = (word.parse::<HostName>(), word.parse::<Address>())
                && !word.starts_with("tetra-")
                && found.iter().all(|host| host.name != name)
            {
                found.push(Host { name, address, env: env.clone(), rules: HostRules::default() });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_a_project_are_hosts_of_their_environments() {
        let home = tempfile::tempdir().expect("a directory");
        assert_eq!(infrastructure(home.path()).expect("no file"), []);
        let text =
            "[infrastructure]\ndev_server = \"arcade-dev01\"\ndev_ip = \"10.0.0.1\"\nqa_server = \"arcade-qa01\"\n";
        std::fs::write(home.path().join("tetra.toml"), text).expect("written");
        let found = infrastructure(home.path()).expect("read");
        let seen: Vec<String> = found.iter().map(|it| format!("{} {} {}", it.name, it.address, it.env)).collect();
        assert_eq!(seen, ["arcade-dev01 10.0.0.1 dev", "arcade-qa01 arcade-qa01 staging"]);
        std::fs::write(home.path().join("tetra.toml"), "[infrastructure]\ndev_server = \"-oX\"\n").expect("written");
        assert!(infrastructure(home.path()).is_err());
    }

    #[test]
    fn names_of_ssh_are_hosts_and_patterns_are_not() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("config");
        std::fs::write(&path, "Host web db !bad *.corp\n  Port 22\nMatch host x\nhost=app\nHost tetra-web\n")
            .expect("ours");
        let found = ssh_config(&path, &"dev".parse().expect("a name")).expect("read");
        assert_eq!(found.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["web", "db", "app"]);
    }
}
