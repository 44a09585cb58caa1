//! What names mean: layers of variables, paths into a file, secrets, the process environment.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::base::diagnostic::SourceText;
use crate::base::environment::Tier;
use crate::base::sort::SortExt;
use crate::base::suggest::closest_match;
use crate::config::Value;
use crate::config::document::{Document, Leaf};
use crate::config::expand_error::{ExpandError, ExpandErrorKind};
use crate::config::lookup::{self, Lookup, LookupResult, Resolve, TemplateValue};
use crate::config::path::KeyPath;
use crate::config::template::{Namespace, Reference, is_variable_name};

/// One value that a name can be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableDefinition {
    /// How messages call it: `environments.dev.PORT`.
    pub name: String,
    /// What it says.
    pub value: RawValue,
    /// Which of the sources it is in.
    pub source: usize,
    /// Its value there, in bytes, with its quotes.
    pub span: Range<usize>,
    /// The layer that it belongs to and its name there; none for what can only be reached by its path.
    pub binding: Option<(usize, String)>,
}

/// The value of a definition before it is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawValue {
    /// A text that may hold expansions.
    Text(String),
    /// A text without expansions: a number, a truth value, a time, or what is in single quotes.
    Plain(ValueKind, String),
    /// The secret of this name: `var.NAME`.
    Secret(String),
    /// Several values, in TOML.
    List(String),
}

impl RawValue {
    /// The value of a leaf. Numbers are decimal, whatever their base in the file.
    #[must_use]
    pub fn of(leaf: &Leaf, document: &Document) -> Self {
        let written = || document.source.text.get(leaf.span.clone()).unwrap_or_default();
        match &leaf.value {
            Value::String(text) => match text.strip_prefix("var.").filter(|name| is_variable_name(name)) {
                Some(name) => Self::Secret(name.to_owned()),
                None => Self::Text(text.clone()),
            },
            Value::Integer(number) => Self::Plain(ValueKind::Integer, number.to_string()),
            Value::Float(_) => Self::Plain(ValueKind::Float, written().replace('_', "")),
            Value::Boolean(truth) => Self::Plain(ValueKind::Boolean, truth.to_string()),
            Value::Datetime(time) => Self::Plain(ValueKind::Datetime, time.to_string()),
            Value::Array(_) | Value::Table(_) => Self::List(written().to_owned()),
        }
    }
}

/// The kind of a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
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
    List,
}

/// A resolved value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvValue {
    /// Its text.
    pub text: String,
    /// Its kind; text unless the whole value is one typed thing.
    pub kind: ValueKind,
    /// A secret went into it.
    pub secret: bool,
}

impl EnvValue {
    fn plain(text: &str, kind: ValueKind) -> Self {
        Self { text: text.to_owned(), kind, secret: false }
    }
}

impl TemplateValue for EnvValue {
    fn text(text: String) -> Self {
        Self { text, kind: ValueKind::Text, secret: false }
    }

    fn interpolated(&self) -> Option<Cow<'_, str>> {
        (self.kind != ValueKind::List).then_some(Cow::Borrowed(&self.text))
    }

    fn is_secret(&self) -> bool {
        self.secret
    }

    fn into_secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

/// Which of the process environment count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessEnv {
    /// The variables of this program count, after everything else.
    #[default]
    Allowed,
    /// They do not: the same files give the same result everywhere.
    Hermetic,
}

impl ProcessEnv {
    /// Process variables count only in local and dev.
    #[must_use]
    pub fn of(rung: Option<Tier>) -> Self {
        match rung {
            Some(Tier::Staging | Tier::Prod) => Self::Hermetic,
            Some(Tier::Local | Tier::Dev) | None => Self::Allowed,
        }
    }
}

/// What becomes of a name that means nothing and has no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnsetPolicy {
    /// It is an error.
    #[default]
    Refuse,
    /// It is empty, with a warning.
    Empty,
}

/// What counts beside the files of a project.
#[derive(Debug, Clone, Default)]
pub struct ScopeInputs {
    /// Variables that were given on the command line; stronger than everything else. Names are in upper case.
    pub given: BTreeMap<String, String>,
    /// `TETRA_SRC`, `TETRA_DIR`, `TETRA_ORG` as they are here.
    pub built_in: BTreeMap<String, String>,
    /// The secrets of the environment.
    pub secrets: BTreeMap<String, String>,
    /// The variables of this program.
    pub process: BTreeMap<String, String>,
    /// Whether those count.
    pub process_env: ProcessEnv,
    /// What becomes of a name that means nothing.
    pub unset: UnsetPolicy,
}

/// All that names can mean.
#[derive(Debug, Clone, Default)]
pub struct EnvScope {
    /// The texts that definitions are in.
    pub sources: Vec<SourceText>,
    /// Everything that is defined.
    pub definitions: Vec<VariableDefinition>,
    /// What a bare name means: the first layer wins. Names are in upper case.
    pub layers: Vec<HashMap<String, usize>>,
    /// What `local:` means.
    pub local: HashMap<String, usize>,
    /// Definitions by their path.
    pub paths: HashMap<KeyPath, usize>,
    /// What counts beside them: what was given on the command line before the layers, what tetra itself knows after them.
    pub inputs: ScopeInputs,
}

impl Lookup for EnvScope {
    type Value = EnvValue;

    fn find(&self, reference: &Reference, from: usize) -> LookupResult<EnvValue> {
        match (reference.namespace, &reference.path[..]) {
            (None, [name]) => self.variable(name, from),
            (Some(Namespace::Env), [name]) => self.process_variable(name),
            (Some(Namespace::Secret), [name]) => self.secret(name),
            (Some(Namespace::Local), [name]) => {
                let found = self.local.get(&name.to_ascii_uppercase());
                found.map_or(LookupResult::Unset, |id| LookupResult::Definition(*id))
            }
            (Some(Namespace::Env | Namespace::Secret), _) => LookupResult::Unset,
            (None | Some(Namespace::Local | Namespace::Infra | Namespace::Host), _) => {
                let found = self.paths.get(&lookup::key_path(reference));
                found.map_or(LookupResult::Unset, |id| LookupResult::Definition(*id))
            }
        }
    }

    fn suggest(&self, reference: &Reference) -> Option<String> {
        match (reference.namespace, &reference.path[..]) {
            (None | Some(Namespace::Env), [name]) => self.suggest_variable(name),
            (Some(Namespace::Local), [_]) | (Some(Namespace::Env | Namespace::Secret), _) => None,
            (None | Some(Namespace::Local | Namespace::Infra | Namespace::Host), _) => {
                lookup::suggest_path(&lookup::key_path(reference), self.paths.keys())
            }
        }
    }

    fn value(&self, id: usize, resolve: Resolve<EnvValue>) -> Result<EnvValue, ExpandError> {
        match &self.definitions[id].value {
            RawValue::Plain(kind, text) => Ok(EnvValue::plain(text, *kind)),
            RawValue::List(text) => Ok(EnvValue::plain(text, ValueKind::List)),
            RawValue::Text(text) => resolve(text),
            RawValue::Secret(name) => match self.secret_value(name) {
                LookupResult::Data(value) => Ok(value),
                _ => {
                    let reason = ExpandErrorKind::SecretMissing(name.clone());
                    Err(ExpandError { reason, name: name.clone(), chain: Vec::new() })
                }
            },
        }
    }

    fn allows_unset(&self) -> bool {
        self.inputs.unset == UnsetPolicy::Empty
    }

    fn name(&self, id: usize) -> String {
        self.definitions[id].name.clone()
    }

    fn location(&self, id: usize, part: &Range<usize>) -> Option<(&SourceText, Range<usize>)> {
        let definition = self.definitions.get(id)?;
        let source = self.sources.get(definition.source)?;
        let RawValue::Text(text) = &definition.value else { return Some((source, definition.span.clone())) };
        Some((source, lookup::part_of(source, &definition.span, text, part)))
    }
}

impl EnvScope {
    /// Adds a definition of the first source.
    pub fn define(&mut self, path: &KeyPath, value: RawValue, span: Range<usize>, binding: Option<(usize, String)>) {
        self.paths.insert(path.clone(), self.definitions.len());
        let name = path.keys().join(".");
        self.definitions.push(VariableDefinition { name, value, source: 0, span, binding });
    }

    /// What `var.NAME` means: the secret, or a variable of this program, which is named on purpose and so counts everywhere.
    #[must_use]
    pub fn secret_value(&self, name: &str) -> LookupResult<EnvValue> {
        match self.secret(name) {
            LookupResult::Unset => self.inputs.process.get(name).map_or(LookupResult::Unset, |value| secret(value)),
            found => found,
        }
    }

    fn variable(&self, name: &str, from: usize) -> LookupResult<EnvValue> {
        let upper = name.to_ascii_uppercase();
        if let Some(value) = self.inputs.given.get(&upper) {
            return data(value);
        }
        // A name that refers to itself means the layers around it.
        let own = self.definitions.get(from).and_then(|definition| definition.binding.as_ref());
        let outside = own.filter(|(_, seat)| *seat == upper).map_or(0, |(layer, _)| layer + 1);
        let layered = self.layers.iter().skip(outside).find_map(|layer| layer.get(&upper));
        if let Some(id) = layered {
            return LookupResult::Definition(*id);
        }
        match self.inputs.built_in.get(name) {
            Some(value) => data(value),
            None => self.process_variable(name),
        }
    }

    fn process_variable(&self, name: &str) -> LookupResult<EnvValue> {
        match self.inputs.process.get(name) {
            Some(_) if self.inputs.process_env == ProcessEnv::Hermetic => LookupResult::Hermetic,
            Some(value) => data(value),
            None => LookupResult::Unset,
        }
    }

    fn secret(&self, name: &str) -> LookupResult<EnvValue> {
        self.inputs.secrets.get(name).map_or(LookupResult::Unset, |value| secret(value))
    }

    fn suggest_variable(&self, name: &str) -> Option<String> {
        let upper = name.to_ascii_uppercase();
        let known = self.layers.iter().flat_map(HashMap::keys).chain(self.inputs.built_in.keys()).map(String::as_str);
        // The order of a hash table is arbitrary.
        let mut known: Vec<&str> = known.filter(|known| *known != upper).collect();
        known.order();
        closest_match(&upper, known).map(str::to_owned)
    }
}

fn data(text: &str) -> LookupResult<EnvValue> {
    LookupResult::Data(EnvValue::plain(text, ValueKind::Text))
}

fn secret(text: &str) -> LookupResult<EnvValue> {
    LookupResult::Data(EnvValue { secret: true, ..EnvValue::plain(text, ValueKind::Text) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::config::document::Document;
    use crate::config::expand::Resolver;
    use crate::config::path::KeyPath;
    use crate::env::project::scope_of;
    use crate::env::scope::ScopeInputs;

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
        let around = ScopeInputs {
            built_in: pairs(&[("TETRA_SRC", "/here"), ("TETRA_DIR", "/home/tetra"), ("TETRA_ORG", "acme")]),
            secrets: pairs(&[("API_KEY", "k$1${x}")]),
            process: pairs(&[("HOME", "/root"), ("GIVEN", "by hand")]),
            ..ScopeInputs::default()
        };
        let env = "dev".parse().expect("a name");
        let scope = scope_of(&document, &env, Some("dev"), around);
        let id = scope.paths[&KeyPath::of(&["environments", "dev", "probe"])];
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
            ("x${secret:NONE}", "E-SECRET-MISSING: store it with `secrets set ENV NONE`"),
        ] {
            assert_eq!(resolved(text), Err(said.to_owned()), "{text}");
        }
    }
}
