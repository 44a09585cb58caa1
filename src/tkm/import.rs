//! Hosts that are written down elsewhere: in `tetra.toml` and `local.toml`, in `~/.ssh/config`, in an Ansible inventory.

use std::path::Path;

use super::client_hosts;
use super::error::TkmError;
use super::host::{Address, Host, HostName, HostRules};
use super::imported::{ImportedKey, SERVERS, known_environment};
use super::inventory::Inventory;
use crate::base::environment::EnvName;
use crate::base::name::sanitize;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::config::read;

/// The servers of a project: `[infrastructure]` of its `tetra.toml`.
///
/// # Errors
///
/// Fails if the file is there and not valid.
pub fn infrastructure(project: &Path) -> Result<Vec<Host>, TkmError> {
    Ok(toml_if_exists(&project.join("tetra.toml"))?.hosts)
}

/// The same as [`toml()`] for a file that need not be there.
///
/// # Errors
///
/// Fails if it is there and not valid.
pub fn toml_if_exists(path: &Path) -> Result<ImportedKey, TkmError> {
    match Document::read_if_exists(path, &path.display().to_string())? {
        Some(document) => of_document(path, &document),
        None => Ok(ImportedKey::default()),
    }
}

/// The hosts of a TOML file: `[infrastructure]` with `dev_server`, `qa_server`, `prod_server`, each with `dev_ip` or
/// `dev_server_ip` as address if there is one, and `[hosts]` with an address or a list of them for each environment.
///
/// # Errors
///
/// Fails if the file cannot be read, or an address cannot be one.
pub fn toml(path: &Path) -> Result<ImportedKey, TkmError> {
    of_document(path, &Document::read(path, &path.display().to_string())?)
}

fn of_document(path: &Path, document: &Document) -> Result<ImportedKey, TkmError> {
    let broken = |key: &str, why: String| TkmError::BrokenStore { path: path.to_owned(), why: format!("{key}: {why}") };
    let text = |key: String| document.text_at(&["infrastructure", &key]).filter(|text| !text.trim().is_empty());
    let mut found = ImportedKey::default();
    let mut used = Vec::new();
    for (word, env) in SERVERS {
        let key = format!("{word}_server");
        let Some(server) = text(key.clone()) else { continue };
        let direct = [format!("{word}_ip"), format!("{word}_server_ip")].into_iter().find_map(|key| {
            let address = text(key.clone());
            used.extend(address.map(|_| key));
            address
        });
        let entry = ImportEntry { name: server, address: direct.unwrap_or(server), env: env.parse()? };
        entry.add_to(&mut found, |why| broken(&format!("infrastructure.{key}"), why))?;
        used.push(key);
    }
    for leaf in document.values_below(&KeyPath::of(&["infrastructure"])) {
        let key = leaf.path.keys().last().filter(|key| !used.contains(key));
        found.ignored.extend(key.map(|key| format!("`infrastructure.{key}`")));
    }
    let table = KeyPath::of(&["hosts"]);
    for (below, _) in document.tables_below(&table) {
        found.ignored.push(format!("`{below}`: expected an address, or a list of them"));
    }
    for leaf in document.values_below(&table) {
        let [_, env] = leaf.path.keys() else { continue };
        let key = format!("hosts.{env}");
        let env: EnvName = known_environment(env).map_or_else(|| env.parse(), Ok)?;
        let all = leaf.value.as_array().map_or_else(|| vec![&leaf.value], |all| all.iter().collect());
        for address in all {
            let address = address.as_str().ok_or_else(|| broken(&key, "expected an address, or several".to_owned()))?;
            let entry = ImportEntry { name: address, address, env: env.clone() };
            entry.add_to(&mut found, |why| broken(&key, why))?;
        }
    }
    Ok(found)
}

/// A host as a file says it.
struct ImportEntry<'a> {
    name: &'a str,
    address: &'a str,
    env: EnvName,
}

impl ImportEntry<'_> {
    /// Adds the host to what was found. A reference to another value is left out, and named.
    fn add_to(&self, found: &mut ImportedKey, broken: impl Fn(String) -> TkmError) -> Result<(), TkmError> {
        if let Some(reference) = [self.address, self.name].into_iter().find(|text| text.contains("${")) {
            found.ignored.push(format!("`{reference}` of {}: a reference is not resolved", self.env));
            return Ok(());
        }
        let parse = |text: &str| text.parse::<Address>().map_err(|error| broken(format!("{error}")));
        // `root@web:2222` with an address of its own: the user and the port count for that address too.
        let (named, direct) = (parse(self.name)?, parse(self.address)?);
        let name: HostName = sanitize(&named.host, self.env.as_str()).parse()?;
        let address = Address { user: direct.user.or(named.user), host: direct.host, port: direct.port.or(named.port) };
        found.add(Host { name, address, env: self.env.clone(), rules: HostRules::default() });
        Ok(())
    }
}

/// The hosts of a file that is for ssh or for Ansible, by what is in it. Those without an environment are of `env`. `home` is the
/// directory with `.ssh`.
///
/// # Errors
///
/// Fails if the file cannot be read or is not valid, and with exit code 2 if it is for ssh and no environment is given.
pub fn file(path: &Path, env: Option<&EnvName>, home: &Path) -> Result<ImportedKey, TkmError> {
    let has_extension = |words: &[&str]| path.extension().is_some_and(|it| words.iter().any(|word| it == *word));
    if has_extension(&["toml"]) {
        return toml(path);
    }
    let text = read::text(path)?;
    let is_ssh = |line: &str| {
        let word = line.split(|c: char| c.is_whitespace() || c == '=').next().unwrap_or_default();
        ["host", "match", "include"].iter().any(|known| word.eq_ignore_ascii_case(known))
    };
    let is_yaml = has_extension(&["yml", "yaml"]);
    let has_sections = text.lines().any(|line| line.starts_with('['));
    if !is_yaml && !has_sections && text.lines().map(str::trim).any(is_ssh) {
        let env = env.ok_or(TkmError::NoEnvironment)?;
        return client_hosts::read(path, env, home);
    }
    let broken = |why: String| TkmError::BrokenStore { path: path.to_owned(), why };
    let inventory = if is_yaml { Inventory::yaml(&text) } else { Inventory::ini(&text) }.map_err(broken)?;
    let mut imported = inventory.into_hosts(env).map_err(broken)?;
    let beside = ["group_vars", "host_vars"].into_iter().filter(|name| path.with_file_name(name).is_dir());
    imported.ignored.extend(beside.map(|name| format!("the directory `{name}`")));
    Ok(imported)
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
    fn hosts_of_an_environment_are_an_address_or_a_list() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("local.toml");
        let text = "[hosts]\ndev = \"root@10.0.0.1:2222\"\nqa = [\"a.example\", \"b.example\"]\nprod = \"${infra:prod_server}\"\n";
        std::fs::write(&path, text).expect("written");
        let found = file(&path, None, home.path()).expect("read");
        let seen: Vec<String> = found.hosts.iter().map(|it| format!("{} {} {}", it.name, it.address, it.env)).collect();
        assert_eq!(
            seen,
            ["10.0.0.1 root@10.0.0.1:2222 dev", "a.example a.example staging", "b.example b.example staging"]
        );
        assert_eq!(found.ignored, ["`${infra:prod_server}` of prod: a reference is not resolved"]);
        std::fs::write(&path, "[hosts]\ndev = 7\n").expect("written");
        assert!(file(&path, None, home.path()).is_err());
    }

    #[test]
    fn what_a_server_says_of_user_and_port_stays_and_what_has_no_meaning_is_named() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("tetra.toml");
        let text = "[infrastructure]\nprod_server = \"root@app:2222\"\nprod_server_ip = \"10.0.0.3\"\ndev_user = \"ann\"\n\
                    qa_ip = \"10.0.0.2\"\n[hosts]\ndev = \"a\"\n[hosts.prod]\nweb = \"b\"\n";
        std::fs::write(&path, text).expect("written");
        let found = file(&path, None, home.path()).expect("read");
        let seen: Vec<String> = found.hosts.iter().map(|it| format!("{} {} {}", it.name, it.address, it.env)).collect();
        assert_eq!(seen, ["app root@10.0.0.3:2222 prod", "a a dev"]);
        assert_eq!(
            found.ignored,
            [
                "`infrastructure.dev_user`",
                "`infrastructure.qa_ip`",
                "`hosts.prod`: expected an address, or a list of them"
            ]
        );
    }
}
