//! `${…}` in values, filled in when an environment is generated.
//!
//! `${services.web.port}` is another value of the same environment and keeps its type, `${local:…}` is what local.toml says,
//! `${TETRA_SRC}`, `${TETRA_DIR}`, `${TETRA_ENV}` and `${TETRA_ORG}` are built in, other names are those below `[variables]`
//! of the manifest. The process environment does not count: the same files give the same result everywhere. Resolution is described in [`config::expand`](crate::config::expand).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::config::Value;

use super::draft::{Draft, Layer, LayerChange, Operation, ProfileChain, ValueState};
use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::suggest::closest_match;
use crate::config::document::{Document, Leaf};
use crate::config::expand::Resolver;
use crate::config::expand_error::{ExpandError, ExpandErrorKind};
use crate::config::lookup::{self, Lookup, LookupResult, Resolve, TemplateValue};
use crate::config::path::KeyPath;
use crate::config::template::{self, Namespace, Reference};
use crate::config::value::both_same;

/// Names without a dot.
pub type Names = BTreeMap<String, String>;

/// Fills in every value. Gives warnings: closing braces that close nothing.
///
/// # Errors
///
/// Fails with every value that cannot be filled in.
pub fn expand_all(draft: &mut Draft, chain: &ProfileChain, names: &Names) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let lookup = PromotionLookup::new(draft, chain, names);
    let open: Vec<usize> =
        (0..lookup.cells.len()).filter(|id| lookup.cells[*id].1.value.as_ref().is_some_and(has_expansion)).collect();
    let mut resolver = Resolver::new(&lookup);
    let mut found = Vec::new();
    let mut values = Vec::new();
    for id in open {
        match resolver.value(id) {
            Ok(value) => values.push((lookup.cells[id].0.clone(), value.as_ref().clone())),
            Err(trouble) => found.push(with_hint(&trouble, &lookup)),
        }
    }
    if !found.is_empty() {
        return Err(found);
    }
    let stray = |(id, at): &(usize, usize)| lookup.location(*id, &(*at..at + 1));
    let strays = resolver.unmatched_braces.iter().filter_map(stray);
    let warnings = strays.map(|(source, span)| source.warning(STRAY, span, "")).collect();
    for (path, value) in values {
        if !both_same(draft.value(&path), Some(&value)) {
            draft.set(&path, LayerChange::computed(Layer::Variables, Operation::Expanded, Some(value)));
        }
    }
    Ok(warnings)
}

/// Texts of a document whose `${…}` are invalid whatever they may refer to, and stray braces in them.
#[must_use]
pub fn syntax_errors(document: &Document) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for leaf in &document.leaves {
        let Some(text) = leaf.value.as_str().filter(|text| text.contains("${")) else { continue };
        let place = |part: &Range<usize>| lookup::part_of(&document.source, &leaf.span, text, part);
        match template::parse(text) {
            Ok(template) => {
                let strays =
                    template.unmatched_braces.iter().map(|at| document.shown().error(STRAY, place(&(*at..at + 1)), ""));
                found.extend(strays);
            }
            Err(flawed) => {
                let trouble =
                    ExpandError { reason: ExpandErrorKind::Flaw(flawed.kind), name: String::new(), chain: Vec::new() };
                let title = format!("{trouble} ({})", trouble.reason.code());
                let wrong = document.shown().error(title, place(&flawed.span), "");
                found.push(match trouble.advice() {
                    Some(advice) => wrong.help(advice),
                    None => wrong,
                });
            }
        }
    }
    found
}

/// What is said about a stray brace.
const STRAY: &str = "unmatched `}` (W-STRAY-BRACE)";

/// What is wrong, with where such a name is defined here.
fn with_hint(trouble: &ExpandError, lookup: &PromotionLookup) -> Diagnostic {
    let shown = trouble.diagnostic(lookup);
    match &trouble.reason {
        ExpandErrorKind::Unset(None) | ExpandErrorKind::Hermetic => {
            let name = &trouble.name;
            shown.help(format!("define it below [variables] in manifest.toml, or give a default: ${{{name}:-…}}"))
        }
        _ => shown,
    }
}

fn has_expansion(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${"),
        Value::Array(items) => items.iter().any(has_expansion),
        Value::Table(table) => table.values().any(has_expansion),
        _ => false,
    }
}

impl TemplateValue for Value {
    fn text(text: String) -> Self {
        Self::String(text)
    }

    fn interpolated(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::String(text) => Some(Cow::Borrowed(text)),
            Self::Array(_) | Self::Table(_) => None,
            other => Some(Cow::Owned(other.to_string())),
        }
    }
}

/// What names mean while an environment is generated. A definition is called by its number: first come the values of the
/// environment, then what local.toml says, then the names without a dot.
struct PromotionLookup<'d, 'a> {
    draft: &'d Draft<'a>,
    chain: &'d ProfileChain,
    /// In the order of their paths.
    cells: Vec<(&'d KeyPath, &'d ValueState)>,
    names: Vec<(&'d String, &'d String)>,
}

/// A definition.
enum ValueDefinition<'d> {
    Cell(&'d KeyPath, &'d ValueState),
    Local(&'d Leaf),
    Name(&'d str, &'d str),
}

/// Variables that are keys of `[deployment]`.
const BUILT_IN: [(&str, &str); 2] = [("TETRA_SRC", "tetra_src"), ("TETRA_DIR", "tetra_dir")];

impl<'d, 'a> PromotionLookup<'d, 'a> {
    fn new(draft: &'d Draft<'a>, chain: &'d ProfileChain, names: &'d Names) -> Self {
        Self { draft, chain, cells: draft.values.iter().collect(), names: names.iter().collect() }
    }

    fn definition(&self, id: usize) -> ValueDefinition<'d> {
        let leaves = &self.draft.document.leaves;
        if let Some((path, cell)) = self.cells.get(id) {
            return ValueDefinition::Cell(path, cell);
        }
        match leaves.get(id - self.cells.len()) {
            Some(leaf) => ValueDefinition::Local(leaf),
            None => {
                let (name, text) = self.names[id - self.cells.len() - leaves.len()];
                ValueDefinition::Name(name, text)
            }
        }
    }

    /// A value of the environment.
    fn path(&self, path: &KeyPath) -> LookupResult<Value> {
        match self.cells.binary_search_by(|(known, _)| (*known).cmp(path)) {
            Ok(id) if self.cells[id].1.value.is_some() => LookupResult::Definition(id),
            _ => LookupResult::Unset,
        }
    }

    fn variable(&self, name: &str) -> LookupResult<Value> {
        let built_in =
            BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, key)| KeyPath::of(&["deployment", key]));
        if let Some(found @ LookupResult::Definition(_)) = built_in.map(|path| self.path(&path)) {
            return found;
        }
        match self.names.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
            Ok(number) => LookupResult::Definition(self.cells.len() + self.draft.document.leaves.len() + number),
            Err(_) => LookupResult::Unset,
        }
    }
}

impl Lookup for PromotionLookup<'_, '_> {
    type Value = Value;

    fn find(&self, reference: &Reference, _: usize) -> LookupResult<Value> {
        let path = lookup::key_path(reference);
        match reference.namespace {
            Some(Namespace::Secret) => LookupResult::Refused(ExpandErrorKind::SecretInToml),
            Some(Namespace::Env) => LookupResult::Hermetic,
            Some(Namespace::Local) => match self.draft.document.leaf_index(&path) {
                Some(number) => LookupResult::Definition(self.cells.len() + number),
                None => LookupResult::Unset,
            },
            Some(Namespace::Infra | Namespace::Host) => self.path(&path),
            None if reference.path.len() > 1 => self.path(&path),
            None => self.variable(path.last()),
        }
    }

    fn suggest(&self, reference: &Reference) -> Option<String> {
        if let (None, [name]) = (reference.namespace, &reference.path[..]) {
            let known = self.names.iter().map(|(name, _)| name.as_str()).chain(BUILT_IN.map(|(known, _)| known));
            return closest_match(name, known).map(str::to_owned);
        }
        let known = self.cells.iter().filter(|(_, cell)| cell.value.is_some()).map(|(path, _)| *path);
        lookup::suggest_path(&lookup::key_path(reference), known)
    }

    fn value(&self, id: usize, resolve: Resolve<Value>) -> Result<Value, ExpandError> {
        match self.definition(id) {
            // Only what is there is found.
            ValueDefinition::Cell(_, cell) => {
                cell.value.as_ref().map_or(Ok(Value::String(String::new())), |it| expand_value(it, resolve))
            }
            ValueDefinition::Local(leaf) => expand_value(&leaf.value, resolve),
            ValueDefinition::Name(_, text) => resolve(text),
        }
    }

    fn name(&self, id: usize) -> String {
        match self.definition(id) {
            ValueDefinition::Cell(path, _) => path.to_string(),
            ValueDefinition::Local(leaf) => format!("local:{}", leaf.path),
            ValueDefinition::Name(name, _) => name.to_owned(),
        }
    }

    fn location(&self, id: usize, part: &Range<usize>) -> Option<(&SourceText, Range<usize>)> {
        let local = self.draft.document.shown();
        let (source, span, value) = match self.definition(id) {
            ValueDefinition::Cell(_, cell) => {
                let (source, span) = self.draft.location(cell, self.chain);
                (source, span, cell.value.as_ref()?)
            }
            ValueDefinition::Local(leaf) => (local, leaf.span.clone(), &leaf.value),
            ValueDefinition::Name(..) => return None,
        };
        let place = value.as_str().map_or_else(|| span.clone(), |text| lookup::part_of(source, &span, text, part));
        Some((source, place))
    }
}

/// A value with all texts in it resolved.
fn expand_value(value: &Value, resolve: Resolve<Value>) -> Result<Value, ExpandError> {
    match value {
        Value::String(text) => resolve(text),
        Value::Array(items) => {
            items.iter().map(|item| expand_value(item, resolve)).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Table(table) => {
            let filled = table.iter().map(|(key, value)| Ok((key.clone(), expand_value(value, resolve)?)));
            filled.collect::<Result<_, _>>().map(Value::Table)
        }
        other => Ok(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::profile::Profile;

    fn filled(text: &str) -> Result<String, Diagnostic> {
        let text = format!(
            "v = '{text}'\nport = 4444\n[deployment]\ntetra_src = '~/src'\n[a]\nb = '${{port.x:-${{a.c}}}}'\nc = 'deep'\nd = '${{a.e}}'\ne = '${{a.d}}'\nlist = [1, 2]\n"
        );
        let document = Document::parse("local.toml", &text).expect("TOML");
        let mut draft = Draft::new(&document);
        for path in ["a.d", "a.e"].map(|path| path.parse::<KeyPath>().expect("a path")) {
            if !text.starts_with("v = '${a.d}") {
                draft.values.remove(&path);
            }
        }
        let chain = ProfileChain { profiles: vec![Profile::built_in("dev").expect("there")] };
        let names = [("TETRA_ENV", "dev"), ("PLACE", "${TETRA_SRC}/here"), ("LOOP", "${LOOP}")];
        let names = names.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        expand_all(&mut draft, &chain, &names).map_err(|mut found| found.pop().expect("a reason"))?;
        Ok(draft.value(&KeyPath::of(&["v"])).expect("there").to_string())
    }

    #[test]
    fn references_become_what_they_mean() {
        for (text, expected) in [
            ("${deployment.tetra_src}", "\"~/src\""),
            ("${TETRA_SRC}/../x-${TETRA_ENV}", "\"~/src/../x-dev\""),
            ("${a.list}", "[1, 2]"),
            ("${a.b}!", "\"deep!\""),
            ("${nothing.there:-8000}", "\"8000\""),
            ("${NOTHING:-a${TETRA_ENV}}", "\"adev\""),
            ("${TETRA_ENV:+x${list.none-y}}${NOTHING+z}", "\"xy\""),
            ("$HOME $5 pa$$word", "\"$HOME $5 pa$$word\""),
            ("$${X} $$${TETRA_ENV}", "\"${X} $dev\""),
            ("${local:deployment.tetra_src}", "\"~/src\""),
            ("${local:a.b}", "\"deep\""),
            ("${env:HOME:-x}", "\"x\""),
            ("${PLACE}", "\"~/src/here\""),
        ] {
            assert_eq!(filled(text).map_err(|it| it.title).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_is_said() {
        for (text, title) in [
            ("${", "unclosed `${` (E-UNTERMINATED)"),
            ("${X", "unclosed `${` (E-UNTERMINATED)"),
            ("${}", "missing name between the braces (E-EMPTY-NAME)"),
            ("${env:HOME}", "`env:HOME` is only a variable of the shell, which is not used here (E-HERMETIC)"),
            ("${TETRA_EMV:?is missing}", "`TETRA_EMV` is required: is missing (E-REQUIRED)"),
            ("${TETRA_EMV}", "`TETRA_EMV` is not set (E-UNSET)"),
            ("x${a.list}", "`a.list` is an array or a table and cannot be part of a string (E-TYPE)"),
            ("${secret:KEY:-x}", "a secret cannot be written into TOML (E-SECRET-IN-TOML)"),
            ("${deployment.tetra_scr}", "`deployment.tetra_scr` does not exist (E-NO-SUCH-PATH)"),
            ("${a.d}", "the value refers to itself: a.d -> a.e -> a.d (E-CYCLE)"),
            ("${LOOP}", "the value refers to itself: LOOP -> LOOP (E-CYCLE)"),
        ] {
            assert_eq!(filled(text).expect_err(text).title, title);
        }
    }
}
