//! The services that an environment describes.

use crate::config::Value;

use crate::config::document::Document;
use crate::config::path::KeyPath;

/// One table below `[services]`, but for the keys that a process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredService {
    /// Its table.
    pub name: String,
    /// `[ports] NAME`.
    pub port: Option<u16>,
    /// Whether it is started with the machine; so it is unless the table says no.
    pub enabled: bool,
}

/// Every service of an environment, in the order of the text.
#[must_use]
pub fn declared_services(document: &Document) -> Vec<DeclaredService> {
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

fn service(document: &Document, name: &str) -> DeclaredService {
    let value = |keys: &[&str]| document.leaf(&KeyPath::of(keys)).map(|leaf| &leaf.value);
    let port = value(&["ports", name]).and_then(Value::as_integer);
    DeclaredService {
        port: port.and_then(|port| u16::try_from(port).ok()),
        enabled: value(&["services", name, "enabled"]).and_then(Value::as_bool).unwrap_or(true),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_a_service() {
        let text = "[services.web]\ncommand = 'serve'\n[services.api]\nenabled = false\n[ports]\nweb = 80\n";
        let found = declared_services(&Document::parse("f", text).expect("TOML"));
        let [web, api] = &found[..] else { panic!("{found:?}") };
        assert_eq!((web.name.as_str(), web.port, web.enabled), ("web", Some(80), true));
        assert_eq!((api.port, api.enabled), (None, false));
    }
}
