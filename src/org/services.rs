//! The services that an environment describes.

use toml::Value;

use super::document::Document;
use super::path::KeyPath;

/// One table below `[services]`, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its table.
    pub name: String,
    /// The line that runs it; none if the table has none.
    pub command: Option<String>,
    /// Where it runs.
    pub cwd: Option<String>,
    /// Its env file, from there.
    pub env_file: Option<String>,
    /// `[ports] NAME`.
    pub port: Option<u16>,
    /// Whether it is started again when it ends.
    pub auto_restart: Option<bool>,
    /// Whether it is started with the machine; so it is unless the table says no.
    pub enabled: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// Every service of an environment, in the order of the text.
#[must_use]
pub fn of(document: &Document) -> Vec<Service> {
    let mut names: Vec<&str> = Vec::new();
    for leaf in &document.leaves {
        if let [first, name, _, ..] = leaf.path.keys()
            && first == "services"
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
    }
    names.into_iter().map(|name| service(document, name)).collect()
}

fn service(document: &Document, name: &str) -> Service {
    let value = |key: &str| document.leaf(&KeyPath::of(&["services", name, key])).map(|leaf| &leaf.value);
    let text = |key: &str| value(key).and_then(Value::as_str).map(str::to_owned);
    let port = document.leaf(&KeyPath::of(&["ports", name])).and_then(|leaf| leaf.value.as_integer());
    Service {
        command: text("command"),
        cwd: text("cwd"),
        env_file: text("env_file"),
        port: port.and_then(|port| u16::try_from(port).ok()),
        auto_restart: value("auto_restart").and_then(Value::as_bool),
        enabled: value("enabled").and_then(Value::as_bool).unwrap_or(true),
        description: text("description"),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_a_service() {
        let text = "[services.web]\ncommand = 'serve'\nauto_restart = true\n[services.api]\nenabled = false\n[ports]\nweb = 80\n";
        let found = of(&Document::parse("f", text).expect("TOML"));
        let [web, api] = &found[..] else { panic!("{found:?}") };
        assert_eq!((web.name.as_str(), web.port, web.auto_restart, web.enabled), ("web", Some(80), Some(true), true));
        assert_eq!((api.command.as_deref(), api.enabled), (None, false));
    }
}
