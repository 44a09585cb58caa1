//! The registry in other forms: TOML, JSON and lines for a shell.

use std::collections::BTreeMap;
use std::path::Path;

use super::PortEntry;
use crate::base::dotenv;
use crate::base::fault::{FaultKind, UserFacingError};

/// A form of the registry outside of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortFormat {
    /// A table `[ports]` with `name = port`.
    Toml,
    /// One object with ports by name.
    Json,
    /// Lines `export NAME_PORT=port`.
    Env,
}

/// A text that holds no ports.
#[derive(Debug, thiserror::Error)]
#[error("failed to read ports from `{}`: {why}", file.display())]
pub struct PortFormatError {
    /// Where the text is from.
    pub file: std::path::PathBuf,
    /// What is wrong.
    pub why: String,
}

impl UserFacingError for PortFormatError {
    fn kind(&self) -> FaultKind {
        FaultKind::Failed
    }

    fn advice(&self) -> Option<String> {
        Some(
            "expected a TOML file with a table [ports] and lines `name = 4000`, or a JSON object {\"name\": 4000}"
                .to_owned(),
        )
    }
}

impl PortFormat {
    /// The form that a file's ending tells; TOML where it tells none.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("json") => Self::Json,
            Some("env" | "sh") => Self::Env,
            _ => Self::Toml,
        }
    }
}

/// Names with their ports. A name that has several is listed with each port: `api-4000`.
#[must_use]
pub fn named(claims: &[PortEntry]) -> BTreeMap<String, u16> {
    let several = |name: &str| claims.iter().filter(|claim| claim.name == name).map(|it| it.port).collect::<Vec<_>>();
    let name = |claim: &PortEntry| {
        let ports = several(&claim.name);
        if ports.iter().any(|port| *port != claim.port) {
            format!("{}-{}", claim.name, claim.port)
        } else {
            claim.name.clone()
        }
    };
    claims.iter().map(|claim| (name(claim), claim.port)).collect()
}

/// The registry as a text.
#[must_use]
pub fn format(claims: &[PortEntry], form: PortFormat) -> String {
    let named = named(claims);
    match form {
        PortFormat::Toml => {
            let lines = named.iter().map(|(name, port)| format!("{} = {port}\n", toml_key(name)));
            format!("[ports]\n{}", lines.collect::<String>())
        }
        PortFormat::Json => {
            let text = serde_json::to_string_pretty(&named).expect("texts and numbers are JSON");
            text + "\n"
        }
        PortFormat::Env => named.iter().map(|(name, port)| format!("export {}={port}\n", variable(name))).collect(),
    }
}

/// `my-api` as the name of a variable: `MY_API_PORT`.
#[must_use]
pub fn variable(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let first = if plain.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    format!("{first}{plain}_PORT")
}

/// Names and ports that a text holds, and the entries that are none, in words.
///
/// # Errors
///
/// Fails if the text is not of its form, or has no place for ports.
pub fn read(text: &str, file: &Path) -> Result<(Vec<PortEntry>, Vec<String>), PortFormatError> {
    let unreadable = |why: String| PortFormatError { file: file.to_owned(), why };
    let entries: Vec<(String, Option<u16>)> = match PortFormat::of(file) {
        PortFormat::Toml => {
            let table: toml::Table =
                text.parse().map_err(|error: toml::de::Error| unreadable(error.message().to_owned()))?;
            let ports = table.get("ports").and_then(toml::Value::as_table);
            let ports = ports.ok_or_else(|| unreadable("no table [ports]".to_owned()))?;
            let port = |value: &toml::Value| value.as_integer().and_then(|port| u16::try_from(port).ok());
            ports.iter().map(|(name, value)| (name.clone(), port(value))).collect()
        }
        PortFormat::Json => {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
            let object = object.get("ports").and_then(serde_json::Value::as_object).unwrap_or(&object);
            let port = |value: &serde_json::Value| value.as_u64().and_then(|port| u16::try_from(port).ok());
            object.iter().map(|(name, value)| (name.clone(), port(value))).collect()
        }
        PortFormat::Env => {
            let settings = dotenv::parse(text).map_err(|wrong| unreadable(wrong.to_string()))?;
            let name = |key: &str| key.strip_suffix("_PORT").map(|name| name.to_ascii_lowercase().replace('_', "-"));
            settings
                .iter()
                .map(|it| (name(&it.key).unwrap_or_default(), super::super::port::number(&it.value)))
                .collect()
        }
    };
    let (mut claims, mut odd) = (Vec::new(), Vec::new());
    for (name, port) in entries {
        match port.filter(|port| *port != 0) {
            // Bounds of a range, not the port of a name.
            _ if name.starts_with("dynamic_") => odd.push(format!("invalid process name `{name}`")),
            Some(port) if name.parse::<crate::base::name::ProcessName>().is_ok() => {
                claims.push(PortEntry { name, port })
            }
            Some(_) => odd.push(format!("invalid name `{name}`")),
            None => odd.push(format!("the value of `{name}` is not a port")),
        }
    }
    Ok((claims, odd))
}

fn toml_key(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(name: &str, port: u16) -> PortEntry {
        PortEntry { name: name.to_owned(), port }
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let claims = [claim("a.b", 4100), claim("api", 4000), claim("my-web", 4200)];
        for (form, file) in [(PortFormat::Toml, "x.toml"), (PortFormat::Json, "x.json")] {
            let text = format(&claims, form);
            assert_eq!(read(&text, Path::new(file)).expect(&text), (claims.to_vec(), Vec::new()), "{text}");
        }
        assert_eq!(format(&claims[1..], PortFormat::Env), "export API_PORT=4000\nexport MY_WEB_PORT=4200\n");
        let (read, odd) = read("API_PORT=4000\nHOST=x\n", Path::new("x.env")).expect("readable");
        assert_eq!((read, odd.len()), (vec![claim("api", 4000)], 1));
    }

    #[test]
    fn a_name_with_several_ports_is_listed_with_each() {
        let named = named(&[claim("api", 4000), claim("api", 4001), claim("web", 80)]);
        assert_eq!(named.keys().collect::<Vec<_>>(), ["api-4000", "api-4001", "web"]);
    }

    #[test]
    fn what_is_not_a_port_is_reported() {
        let text = "[ports]\napi = 4000\ndynamic_start = 5000\nweb = 70000\n\"a b\" = 1\n";
        let (claims, odd) = read(text, Path::new("org.toml")).expect("readable");
        assert_eq!((claims, odd.len()), (vec![claim("api", 4000)], 3));
        assert!(read("x = 1\n", Path::new("x.toml")).is_err() && read("[", Path::new("x.json")).is_err());
    }
}
