//! What names mean: layers of variables, paths into a file, secrets, the surroundings.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::base::diagnostic::SourceText;
use crate::base::near::nearest;

use super::template::{Reference, Space};

/// One value that a name can stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// How messages call it: `environments.dev.PORT`.
    pub name: String,
    /// What it says.
    pub value: Raw,
    /// Which of the sources it stands in.
    pub source: usize,
    /// Its value there, in bytes, with its quotes.
    pub span: Range<usize>,
    /// The layer that it belongs to and its name there; none for what can only be reached by its path.
    pub seat: Option<(usize, String)>,
}

/// What a definition says before anything is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// A text that may hold expansions.
    Text(String),
    /// A text without expansions: a number, a truth value, a time, or what stands in single quotes.
    Plain(Kind, String),
    /// The secret of this name: `var.NAME`.
    Secret(String),
    /// Several values, in TOML.
    Several(String),
}

/// The kind of a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// A date, a time, or both.
    Datetime,
    /// An array or table, as TOML.
    Several,
}

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A definition, to be resolved by itself.
    Definition(usize),
    /// A value that is taken as it is.
    Data(String),
    /// A secret; taken as it is.
    Secret(String),
    /// Nothing of that name, and what may have been meant.
    Unset(Option<String>),
    /// Only the surroundings know it, and they do not count.
    Hermetic,
}

/// Which of the surroundings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Surroundings {
    /// The variables of this program count, after everything else.
    #[default]
    Open,
    /// They do not: the same files give the same result everywhere.
    Hermetic,
}

/// All that names can mean.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The texts that definitions stand in.
    pub sources: Vec<SourceText>,
    /// Everything that is defined.
    pub definitions: Vec<Definition>,
    /// What a bare name means: the first layer wins. Names are in upper case.
    pub layers: Vec<HashMap<String, usize>>,
    /// What `local:` means.
    pub local: HashMap<String, usize>,
    /// Definitions by their path, its parts joined by NUL.
    pub paths: HashMap<String, usize>,
    /// Variables that were given by hand; before the layers. Names are in upper case.
    pub given: BTreeMap<String, String>,
    /// Variables that tetra itself knows; after the layers.
    pub built_in: BTreeMap<String, String>,
    /// The secrets of the environment.
    pub secrets: BTreeMap<String, String>,
    /// The variables of this program.
    pub process: BTreeMap<String, String>,
    /// Whether those count.
    pub surroundings: Surroundings,
}

impl Scope {
    /// What a reference means, seen from a definition.
    #[must_use]
    pub fn find(&self, reference: &Reference, from: usize) -> Found {
        match (reference.space, &reference.path[..]) {
            (None, [name]) => self.variable(name, from),
            (None, path) => self.path(path),
            (Some(Space::Env), [name]) => self.surrounding(name),
            (Some(Space::Secret), [name]) => self.secret(name),
            (Some(Space::Local), [name]) => {
                let found = self.local.get(&name.to_ascii_uppercase());
                found.map_or(Found::Unset(None), |id| Found::Definition(*id))
            }
            (Some(Space::Local), path) => self.path(path),
            (Some(Space::Infra), path) => self.path(&[&["infrastructure"], path].concat()),
            (Some(Space::Host), path) => self.path(&[&["hosts"], path].concat()),
            (Some(Space::Env | Space::Secret), _) => Found::Unset(None),
        }
    }

    /// What `var.NAME` means: the secret, or a variable of this program, which is named on purpose and so counts everywhere.
    #[must_use]
    pub fn injected(&self, name: &str) -> Found {
        match self.secret(name) {
            Found::Unset(near) => {
                self.process.get(name).map_or(Found::Unset(near), |value| Found::Secret(value.clone()))
            }
            found => found,
        }
    }

    fn variable(&self, name: &str, from: usize) -> Found {
        let upper = name.to_ascii_uppercase();
        if let Some(value) = self.given.get(&upper) {
            return Found::Data(value.clone());
        }
        // A name that refers to itself means the layers around it.
        let own = self.definitions.get(from).and_then(|definition| definition.seat.as_ref());
        let outside = own.filter(|(_, seat)| *seat == upper).map_or(0, |(layer, _)| layer + 1);
        let layered = self.layers.iter().skip(outside).find_map(|layer| layer.get(&upper));
        if let Some(id) = layered {
            return Found::Definition(*id);
        }
        match self.built_in.get(name) {
            Some(value) => Found::Data(value.clone()),
            None => self.surrounding(name),
        }
    }

    fn surrounding(&self, name: &str) -> Found {
        match self.process.get(name) {
            Some(_) if self.surroundings == Surroundings::Hermetic => Found::Hermetic,
            Some(value) => Found::Data(value.clone()),
            None => Found::Unset(self.near_variable(name)),
        }
    }

    fn secret(&self, name: &str) -> Found {
        match self.secrets.get(name) {
            Some(value) => Found::Secret(value.clone()),
            None => Found::Unset(nearest(name, self.secrets.keys().map(String::as_str)).map(str::to_owned)),
        }
    }

    fn path(&self, path: &[&str]) -> Found {
        match self.paths.get(&path.join("\0")) {
            Some(id) => Found::Definition(*id),
            None => Found::Unset(self.near_path(path)),
        }
    }

    fn near_variable(&self, name: &str) -> Option<String> {
        let upper = name.to_ascii_uppercase();
        let known = self.layers.iter().flat_map(HashMap::keys).chain(self.built_in.keys()).map(String::as_str);
        // The order of a hash table is nobody's business.
        let mut known: Vec<&str> = known.filter(|known| *known != upper).collect();
        known.sort_unstable();
        nearest(&upper, known).map(str::to_owned)
    }

    fn near_path(&self, path: &[&str]) -> Option<String> {
        let wanted = path.join(".");
        let mut known: Vec<String> = self.paths.keys().map(|path| path.replace('\0', ".")).collect();
        known.sort_unstable();
        nearest(&wanted, known.iter().map(String::as_str)).filter(|near| *near != wanted).map(str::to_owned)
    }

    /// Where a part of a definition's text stands in its source. Where escapes make that unclear, the nearest that is certain.
    #[must_use]
    pub fn place(&self, id: usize, part: &Range<usize>) -> Option<(usize, Range<usize>)> {
        let definition = self.definitions.get(id)?;
        let raw = self.sources.get(definition.source)?.text.get(definition.span.clone())?;
        let Raw::Text(text) = &definition.value else { return Some((definition.source, definition.span.clone())) };
        let wanted = text.get(part.clone())?;
        let at = match raw.find(text.as_str()) {
            Some(begin) if !text.is_empty() => Some(begin + part.start),
            _ => raw.find(wanted).filter(|_| !wanted.is_empty()),
        };
        let begin = definition.span.start;
        Some((definition.source, at.map_or(definition.span.clone(), |at| begin + at..begin + at + wanted.len())))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::env::document::Document;
    use crate::env::expand::Resolver;
    use crate::env::project::{Around, scope_of};

    const FILE: &str = r#"
[infrastructure]
dev_ip = "10.0.0.5"
[hosts]
web = { address = "web.example.com" }
[deployment]
tetra_src = "/opt/tetra"
user = "tetra"
[variables]
name = "app"
[common]
shared = "of all"
[environments.local]
name = "at home"
[environments.dev]
shared = "of dev, ${SHARED}"
"#;

    fn resolved(text: &str) -> Result<String, String> {
        let written = format!("{FILE}\nprobe = '{text}'\n");
        let document = Document::parse("tetra.toml", &written).expect("sound");
        let pairs = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let around = Around {
            built_in: pairs(&[("TETRA_SRC", "/here"), ("TETRA_DIR", "/home/tetra"), ("TETRA_ORG", "acme")]),
            secrets: pairs(&[("API_KEY", "k$1${x}")]),
            process: pairs(&[("HOME", "/root"), ("GIVEN", "by hand")]),
            ..Around::default()
        };
        let env = "dev".parse().expect("a name");
        let scope = scope_of(&document, (&env, Some("dev")), around);
        let id = scope.paths["environments\0dev\0probe"];
        let value = Resolver::new(&scope).value(id).map(|value| value.text.clone());
        value.map_err(|trouble| format!("{}: {}", trouble.reason.code(), trouble.advice().unwrap_or_default()))
    }

    #[test]
    fn every_space_and_layer_is_found() {
        for (text, value) in [
            ("${NAME}", "app"),
            ("${name}", "app"),
            ("${local:NAME}", "at home"),
            ("${infra:dev_ip}", "10.0.0.5"),
            ("${host:web.address}", "web.example.com"),
            ("${hosts.web.address}", "web.example.com"),
            ("${env:HOME}", "/root"),
            ("${HOME}", "/root"),
            ("${secret:API_KEY}", "k$1${x}"),
            ("${secret:NONE:-x}", "x"),
            ("${SHARED}", "of dev, of all"),
            ("${common.shared}", "of all"),
            ("${TETRA_SRC}", "/opt/tetra"),
            ("${TETRA_DIR}/${TETRA_ORG}/${TETRA_ENV}", "/home/tetra/acme/dev"),
            ("${deployment.user}", "tetra"),
            ("var.GIVEN", "by hand"),
            ("var.API_KEY", "k$1${x}"),
        ] {
            assert_eq!(resolved(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_missing_has_a_name_near_to_it() {
        for (text, said) in [
            ("${NAEM}", "E-UNSET: did you mean `${NAME}`?"),
            ("${infra:dev_pi}", "E-NO-SUCH-PATH: did you mean `${infrastructure.dev_ip}`?"),
            ("${USER_OF_NOTHING}", "E-UNSET: define `USER_OF_NOTHING`, or give a default: `${USER_OF_NOTHING:-…}`"),
            ("x${hosts.web}", "E-TYPE: refer to one of its values"),
            ("x${secret:NONE}", "E-SECRET-MISSING: `secrets set` keeps it: secrets set ENV NONE"),
        ] {
            assert_eq!(resolved(text), Err(said.to_owned()), "{text}");
        }
    }
}
