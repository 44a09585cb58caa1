//! Hosts of an Ansible inventory, as `ansible-inventory` reads INI and YAML: groups, variables, ranges.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::host::{Address, Host, HostName, HostRules};
use super::imported::{ImportedKey, known_environment};
use crate::base::environment::EnvName;
use crate::base::name::sanitize;
use crate::base::sort::SortExt;

/// The most hosts of one file, ranges included.
const MAX_HOSTS: usize = 1000;

/// The variables that are carried over, each with its older name.
const CARRIED: [(&str, &str); 3] =
    [("ansible_host", "ansible_ssh_host"), ("ansible_port", "ansible_ssh_port"), ("ansible_user", "ansible_ssh_user")];

type HostVariables = BTreeMap<String, String>;

/// Hosts and groups with their variables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    hosts: BTreeMap<String, HostVariables>,
    groups: BTreeMap<String, InventoryGroup>,
    /// What has no meaning in an inventory, and was passed over.
    unknown: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct InventoryGroup {
    hosts: BTreeSet<String>,
    children: BTreeSet<String>,
    variables: HostVariables,
}

/// What a section of an INI file holds.
enum InventorySection {
    Hosts(String),
    Children(String),
    Variables(String),
}

impl Inventory {
    /// Reads an INI file.
    ///
    /// # Errors
    ///
    /// Fails with the line and what is wrong with it.
    pub fn ini(text: &str) -> Result<Self, String> {
        let mut inventory = Self::default();
        let mut section = InventorySection::Hosts("ungrouped".to_owned());
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let at = |why: String| format!("line {}: {why}", index + 1);
            if line.starts_with('[') && line.split('#').next().unwrap_or_default().trim_end().ends_with(']') {
                section = header(line).map_err(at)?;
                let (InventorySection::Hosts(group)
                | InventorySection::Children(group)
                | InventorySection::Variables(group)) = &section;
                inventory.groups.entry(group.clone()).or_default();
                continue;
            }
            inventory.line(&section, line).map_err(at)?;
        }
        Ok(inventory)
    }

    fn line(&mut self, section: &InventorySection, line: &str) -> Result<(), String> {
        let words = || shlex::split(line).ok_or_else(|| "a quote is not closed".to_owned());
        match section {
            InventorySection::Hosts(group) => {
                let mut words = words()?.into_iter();
                let pattern = words.next().unwrap_or_default();
                let variables = words.map(|word| match word.split_once('=') {
                    Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
                    None => Err(format!("expected `NAME=VALUE`, found `{word}`")),
                });
                self.add(group, &pattern, &variables.collect::<Result<_, _>>()?)
            }
            InventorySection::Children(group) => {
                let child = words()?.into_iter().next().unwrap_or_default();
                self.groups.entry(child.clone()).or_default();
                self.groups.entry(group.clone()).or_default().children.insert(child);
                Ok(())
            }
            InventorySection::Variables(group) => {
                let (name, value) = line.split_once('=').ok_or("expected `NAME=VALUE`")?;
                let value = value.trim().trim_matches(['"', '\'']).to_owned();
                self.groups.entry(group.clone()).or_default().variables.insert(name.trim().to_owned(), value);
                Ok(())
            }
        }
    }

    /// Reads a YAML file.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong.
    pub fn yaml(text: &str) -> Result<Self, String> {
        let value: Value = serde_saphyr::from_str(text).map_err(|error| {
            // Without the lines around it: secrets may be in them.
            error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter)
        })?;
        let Value::Object(groups) = value else { return Err("expected groups, each with its name".to_owned()) };
        let mut inventory = Self::default();
        for (name, group) in &groups {
            inventory.yaml_group(name, group)?;
        }
        Ok(inventory)
    }

    fn yaml_group(&mut self, name: &str, value: &Value) -> Result<(), String> {
        self.groups.entry(name.to_owned()).or_default();
        let entries = match value {
            Value::Object(entries) => entries,
            Value::Null => return Ok(()),
            _ => return Err(format!("group `{name}`: expected `hosts`, `vars` or `children`")),
        };
        for (key, value) in entries {
            let expected = || format!("group `{name}`: expected names below `{key}`");
            let below = match value {
                Value::Object(below) => below.clone(),
                Value::Null => serde_json::Map::new(),
                _ if matches!(key.as_str(), "hosts" | "vars" | "children") => return Err(expected()),
                _ => serde_json::Map::new(),
            };
            match key.as_str() {
                "hosts" => {
                    for (pattern, variables) in &below {
                        self.add(name, pattern, &variables_of(variables))?;
                    }
                }
                "vars" => {
                    let variables = variables_of(&Value::Object(below));
                    self.groups.entry(name.to_owned()).or_default().variables.extend(variables);
                }
                "children" => {
                    for (child, value) in &below {
                        self.groups.entry(name.to_owned()).or_default().children.insert(child.clone());
                        self.yaml_group(child, value)?;
                    }
                }
                other => self.unknown.push(format!("`{other}` of the group {name}")),
            }
        }
        Ok(())
    }

    /// Adds the hosts of a pattern to a group.
    fn add(&mut self, group: &str, pattern: &str, variables: &HostVariables) -> Result<(), String> {
        let (names, port) = names_of(pattern)?;
        for name in names {
            let known = self.hosts.entry(name.clone()).or_default();
            known.extend(port.iter().map(|port| ("ansible_port".to_owned(), port.clone())));
            known.extend(variables.clone());
            self.groups.entry(group.to_owned()).or_default().hosts.insert(name);
        }
        if self.hosts.len() > MAX_HOSTS {
            return Err(format!("more than {MAX_HOSTS} hosts"));
        }
        Ok(())
    }

    /// The groups of a host, the outermost first: what an inner one says counts more.
    fn groups_of(&self, host: &str) -> Vec<&str> {
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        let direct = self.groups.iter().filter(|(_, group)| group.hosts.contains(host));
        let mut open: Vec<&str> = direct.map(|(name, _)| name.as_str()).collect();
        while let Some(name) = open.pop() {
            // Groups that lead back to themselves are looked at once.
            if found.contains_key(name) {
                continue;
            }
            found.insert(name, self.depth(name, &mut BTreeSet::new()));
            open.extend(self.parents(name));
        }
        let mut names: Vec<(usize, &str)> = found.into_iter().map(|(name, depth)| (depth, name)).collect();
        names.order();
        names.into_iter().map(|(_, name)| name).collect()
    }

    fn parents<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.groups.iter().filter(|(_, group)| group.children.contains(name)).map(|(parent, _)| parent.as_str())
    }

    /// How far below `all` a group is.
    fn depth<'a>(&'a self, name: &'a str, seen: &mut BTreeSet<&'a str>) -> usize {
        if name == "all" || !seen.insert(name) {
            return 0;
        }
        let parents: Vec<&str> = self.parents(name).collect();
        let depth = 1 + parents.into_iter().map(|parent| self.depth(parent, seen)).max().unwrap_or(0);
        seen.remove(name);
        depth
    }

    /// The hosts with what is carried over; those without an environment are of `fallback`.
    ///
    /// # Errors
    ///
    /// Fails if an address cannot be one.
    pub fn into_hosts(self, fallback: Option<&EnvName>) -> Result<ImportedKey, String> {
        let mut imported = ImportedKey { hosts: Vec::new(), ignored: self.ignored() };
        for (name, own) in &self.hosts {
            let groups = self.groups_of(name);
            let mut variables = self.groups.get("all").map(|all| all.variables.clone()).unwrap_or_default();
            for group in &groups {
                variables.extend(self.groups[*group].variables.clone());
            }
            variables.extend(own.clone());
            let envs: BTreeSet<EnvName> = groups.iter().filter_map(|group| known_environment(group)).collect();
            let mut skip = |why: &str| imported.ignored.push(format!("host {name}: {why}"));
            if variables
                .get("ansible_connection")
                .is_some_and(|it| !matches!(it.as_str(), "ssh" | "smart" | "paramiko"))
            {
                skip("its `ansible_connection` is not ssh");
                continue;
            }
            let env = match (envs.len(), fallback) {
                (1, _) => envs.into_iter().next(),
                (0, Some(env)) => Some(env.clone()),
                (0, None) => {
                    skip("no group of it is an environment; add `--env ENV`");
                    None
                }
                _ => {
                    skip("its groups are of several environments");
                    None
                }
            };
            let Some(env) = env else { continue };
            let Some(address) = address(name, &variables).map_err(|why| format!("host `{name}`: {why}"))? else {
                skip("its address is a template, which is not resolved");
                continue;
            };
            let host_name: HostName = sanitize(name, "host").parse().map_err(|error| format!("{error}"))?;
            if imported.hosts.iter().any(|known| known.name == host_name) {
                skip(&format!("the name {host_name} is that of another host"));
                continue;
            }
            imported.hosts.push(Host { name: host_name, address, env, rules: HostRules::default() });
        }
        Ok(imported)
    }

    /// What has an effect in Ansible and none here, with where it is said.
    fn ignored(&self) -> Vec<String> {
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let of_groups = self.groups.iter().map(|(name, group)| (name, &group.variables));
        for (place, variables) in of_groups.chain(&self.hosts) {
            for name in variables.keys().filter(|name| !is_carried(name)) {
                places.entry(name).or_default().push(place);
            }
        }
        let of_variables = places.into_iter().map(|(name, places)| match places.as_slice() {
            [first, second, third, _, ..] => {
                format!("`{name}` of {first}, {second}, {third} and {} more", places.len() - 3)
            }
            _ => format!("`{name}` of {}", places.join(", ")),
        });
        self.unknown.iter().cloned().chain(of_variables).collect()
    }
}

fn is_carried(name: &str) -> bool {
    name == "ansible_connection" || CARRIED.iter().any(|(new, old)| name == *new || name == *old)
}

fn header(line: &str) -> Result<InventorySection, String> {
    let inside = line[1..].split(']').next().unwrap_or_default().trim();
    match inside.split_once(':') {
        None if inside.is_empty() => Err("the section has no name".to_owned()),
        None => Ok(InventorySection::Hosts(inside.to_owned())),
        Some((group, "children")) => Ok(InventorySection::Children(group.to_owned())),
        Some((group, "vars")) => Ok(InventorySection::Variables(group.to_owned())),
        Some((_, other)) => Err(format!("expected `vars` or `children`, found `{other}`")),
    }
}

fn variables_of(value: &Value) -> HostVariables {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Where a host is; none if that depends on what only Ansible knows.
fn address(name: &str, variables: &HostVariables) -> Result<Option<Address>, String> {
    let [host, port, user] = CARRIED.map(|(new, old)| variables.get(new).or_else(|| variables.get(old)));
    if [host, port, user].into_iter().flatten().any(|value| value.contains("{{")) {
        return Ok(None);
    }
    let mut text = user.map_or_else(String::new, |user| format!("{user}@"));
    let host = host.map_or(name, String::as_str);
    text += &if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    text += &port.map_or_else(String::new, |port| format!(":{port}"));
    text.parse().map(Some).map_err(|error| format!("{error}"))
}

/// The names of a pattern, and the port behind it: `web[01:03]:22`.
fn names_of(pattern: &str) -> Result<(Vec<String>, Option<String>), String> {
    if pattern.matches(':').count() > 1
        && let Ok(Address { host, port, .. }) = pattern.parse::<Address>()
        && host.contains(':')
    {
        return Ok((vec![host], port.map(|port| port.to_string())));
    }
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (name, port) = match pattern.rsplit_once(':') {
        Some((name, port)) if is_port(port) => (name, Some(port.to_owned())),
        _ => (pattern, None),
    };
    let mut names = vec![String::new()];
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        let (range, after) = after.split_once(']').ok_or_else(|| format!("`{pattern}`: `[` is not closed"))?;
        let parts = range_of(range).map_err(|why| format!("`{pattern}`: {why}"))?;
        if names.len() * parts.len() > MAX_HOSTS {
            return Err(format!("`{pattern}`: more than {MAX_HOSTS} hosts"));
        }
        names = names.iter().flat_map(|name| parts.iter().map(move |part| format!("{name}{before}{part}"))).collect();
        rest = after;
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok((names, port))
}

/// The texts of `01:03`, `a:f` or `0:10:2`.
fn range_of(range: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`[{range}]` is not a range such as `[01:10]` or `[a:f]`");
    let parts: Vec<&str> = range.split(':').collect();
    let (from, to, step) = match parts.as_slice() {
        [from, to] => (*from, *to, 1),
        [from, to, step] => (*from, *to, step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    // Without a beginning Ansible counts from 0.
    let from = if from.is_empty() { "0" } else { from };
    if let (Ok(first), Ok(last)) = (from.parse::<u32>(), to.parse::<u32>()) {
        let width = if from.starts_with('0') { from.len() } else { 0 };
        if width > 1 && width != to.len() || first > last {
            return Err(wrong());
        }
        return Ok((first..=last).step_by(step).take(MAX_HOSTS + 1).map(|it| format!("{it:0width$}")).collect());
    }
    match (from.as_bytes(), to.as_bytes()) {
        ([first], [last]) if first.is_ascii_alphabetic() && last.is_ascii_alphabetic() && first <= last => {
            Ok((*first..=*last).step_by(step).map(|it| char::from(it).to_string()).collect())
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(inventory: Inventory, fallback: Option<&str>) -> (Vec<String>, Vec<String>) {
        let fallback: Option<EnvName> = fallback.map(|env| env.parse().expect("a name"));
        let found = inventory.into_hosts(fallback.as_ref()).expect("hosts");
        let hosts = found.hosts.iter().map(|it| format!("{} {} {}", it.name, it.address, it.env)).collect();
        (hosts, found.ignored)
    }

    const EXPECTED: [&str; 5] = [
        "db 10.0.0.9 prod",
        "edge root@10.1.0.1:2200 staging",
        "web01 deploy@web01 prod",
        "web02 deploy@web02 prod",
        "web03 ann@10.0.0.3:2222 prod",
    ];

    #[test]
    fn an_ini_file_is_read_as_ansible_reads_it() {
        let text = "# hosts\nlonely\n[web]\nweb[01:02] ; x\nweb03:2222 ansible_host=10.0.0.3 ansible_user='ann' # own\n\n\
                    [web:vars]\nansible_user = deploy\nhttp_port=80\n[prod:children]\nweb\ndata\n[data]\n\
                    db ansible_host=10.0.0.9 ansible_become=true\n[qa]\nedge ansible_ssh_host=10.1.0.1 \
                    ansible_port=2200 ansible_user=root\n[dev]\nhere ansible_connection=local\n\
                    odd ansible_host=\"{{ ip }}\"\n";
        let text = text.replace(" ; x", "");
        let (hosts, ignored) = shown(Inventory::ini(&text).expect("read"), None);
        assert_eq!(hosts, EXPECTED);
        assert_eq!(
            ignored,
            [
                "`ansible_become` of db",
                "`http_port` of web",
                "host here: its `ansible_connection` is not ssh",
                "host lonely: no group of it is an environment; add `--env ENV`",
                "host odd: its address is a template, which is not resolved",
            ]
        );
    }

    #[test]
    fn a_yaml_file_is_read_as_ansible_reads_it() {
        let text = "all:\n  children:\n    prod:\n      children:\n        web:\n          hosts:\n            web[01:02]:\n\
                    \x20           web03: {ansible_host: 10.0.0.3, ansible_port: 2222, ansible_user: ann}\n          vars:\n\
                    \x20           ansible_user: deploy\n        data:\n          hosts:\n            db:\n              \
                    ansible_host: 10.0.0.9\n    qa:\n      hosts:\n        edge: {ansible_host: 10.1.0.1, \
                    ansible_port: 2200}\n      vars: {ansible_user: root}\n      more: 1\n";
        let (hosts, ignored) = shown(Inventory::yaml(text).expect("read"), None);
        assert_eq!(hosts, EXPECTED);
        assert_eq!(ignored, ["`more` of the group qa"]);
    }

    #[test]
    fn what_is_not_an_inventory_is_refused_with_its_line() {
        for (text, why) in [
            ("[web]\nweb[1:\n", "line 2: `web[1:`: `[` is not closed"),
            ("web[9:1]\n", "line 1: `web[9:1]`: `[9:1]` is not a range such as `[01:10]` or `[a:f]`"),
            ("web[1:9999][1:9999]", "line 1: `web[1:9999][1:9999]`: more than 1000 hosts"),
            ("[a:b]\n", "line 1: expected `vars` or `children`, found `b`"),
            ("web x\n", "line 1: expected `NAME=VALUE`, found `x`"),
            ("web x='\n", "line 1: a quote is not closed"),
        ] {
            assert_eq!(Inventory::ini(text), Err(why.to_owned()), "{text}");
        }
        assert!(Inventory::yaml("- a\n").is_err() && Inventory::yaml("all: [1]\n").is_err());
        let bad = Inventory::ini("[dev]\nweb ansible_host=-oX\n").expect("read");
        assert!(bad.into_hosts(None).is_err());
    }

    #[test]
    fn groups_that_lead_back_to_themselves_end() {
        let text = "[dev:children]\nb\n[b:children]\ndev\n[b]\nweb\n";
        assert_eq!(shown(Inventory::ini(text).expect("read"), None).0, ["web web dev"]);
    }

    #[test]
    fn ranges_are_those_of_ansible() {
        let names = |pattern: &str| names_of(pattern).expect("a pattern").0.join(" ");
        assert_eq!(names("w[08:10]-[a:b].x"), "w08-a.x w08-b.x w09-a.x w09-b.x w10-a.x w10-b.x");
        assert_eq!(names("w[0:6:3]"), "w0 w3 w6");
        assert_eq!(names_of("[2001:db8::1]:22"), Ok((vec!["2001:db8::1".to_owned()], Some("22".to_owned()))));
        assert_eq!(names_of("web:22"), Ok((vec!["web".to_owned()], Some("22".to_owned()))));
    }
}
