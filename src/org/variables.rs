//! `${…}` in values, filled in when an environment is generated.
//!
//! `${services.web.port}` is another value of the same environment and keeps its type, `${local:…}` is what local.toml says,
//! `${TETRA_SRC}`, `${TETRA_DIR}`, `${TETRA_ENV}` and `${TETRA_ORG}` are built in, other names are those below `[variables]`
//! of the manifest. The grammar with its defaults is that of [`template`]. The surroundings do not count: the same files give
//! the same result everywhere.

use std::collections::BTreeMap;

use toml::Value;

use super::draft::{Chain, Deed, Draft, Layer, Step};
use super::path::KeyPath;
use crate::base::diagnostic::Diagnostic;
use crate::base::near::nearest;
use crate::base::template::{self, Action, Expansion, Flaw, Flawed, Part, Reference, Space, Template};

/// How many values may stand behind each other.
const DEEPEST: usize = 64;

/// The longest value, in bytes.
const LARGEST: usize = 1 << 20;

/// The most expansions in one environment.
const MOST: usize = 10_000;

/// Names without a dot.
pub type Names = BTreeMap<String, String>;

/// Fills in every value.
///
/// # Errors
///
/// Fails with every value that cannot be filled in.
pub fn fill(draft: &mut Draft, chain: &Chain, names: &Names) -> Result<(), Vec<Diagnostic>> {
    let open: Vec<KeyPath> = draft
        .cells
        .iter()
        .filter(|(_, cell)| cell.value.as_ref().is_some_and(has_expansion))
        .map(|(path, _)| path.clone())
        .collect();
    let mut found = Vec::new();
    let mut values = Vec::new();
    let mut filler = Filler { draft, names, way: Vec::new(), count: 0 };
    for path in open {
        filler.way.clear();
        match filler.value_at(&path) {
            Ok(value) => values.push((path, value)),
            Err(why) => found.push(described(filler.draft, chain, &path, why)),
        }
    }
    if !found.is_empty() {
        return Err(found);
    }
    for (path, value) in values {
        if draft.value(&path) != Some(&value) {
            draft.give(&path, Step { layer: Layer::Variables, deed: Deed::Filled, value: Some(value), span: None });
        }
    }
    Ok(())
}

fn has_expansion(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${"),
        Value::Array(items) => items.iter().any(has_expansion),
        Value::Table(table) => table.values().any(has_expansion),
        _ => false,
    }
}

/// Why a value cannot be filled in.
struct Why {
    title: String,
    help: String,
}

fn why(title: impl Into<String>, help: impl Into<String>) -> Why {
    Why { title: title.into(), help: help.into() }
}

struct Filler<'d, 'a> {
    draft: &'d Draft<'a>,
    names: &'d Names,
    /// The values that wait for the one that is filled in now.
    way: Vec<KeyPath>,
    count: usize,
}

impl Filler<'_, '_> {
    fn value_at(&mut self, path: &KeyPath) -> Result<Value, Why> {
        if self.way.contains(path) {
            let way: Vec<String> = self.way.iter().chain([path]).map(ToString::to_string).collect();
            return Err(why("this value needs itself", way.join(" -> ")));
        }
        if self.way.len() >= DEEPEST {
            return Err(why(format!("more than {DEEPEST} values stand behind each other"), "write some of them out"));
        }
        let Some(value) = self.draft.value(path) else {
            return Err(why(format!("there is no `{path}`"), self.near(path)));
        };
        self.way.push(path.clone());
        let filled = self.filled(value);
        self.way.pop();
        filled
    }

    fn near(&self, path: &KeyPath) -> String {
        let known: Vec<String> = self
            .draft
            .cells
            .iter()
            .filter(|(_, cell)| cell.value.is_some())
            .map(|(path, _)| path.to_string())
            .collect();
        match nearest(&path.to_string(), known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `${{{near}}}`?"),
            None => format!("write it, or a default: ${{{path}:-…}}"),
        }
    }

    fn filled(&mut self, value: &Value) -> Result<Value, Why> {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                items.iter().map(|item| self.filled(item)).collect::<Result<_, _>>().map(Value::Array)
            }
            Value::Table(table) => {
                let filled = table.iter().map(|(key, value)| Ok((key.clone(), self.filled(value)?)));
                filled.collect::<Result<_, _>>().map(Value::Table)
            }
            other => Ok(other.clone()),
        }
    }

    fn text(&mut self, text: &str) -> Result<Value, Why> {
        let template = template::parse(text).map_err(|flawed| flaw(text, &flawed))?;
        self.template(&template)
    }

    fn template(&mut self, template: &Template) -> Result<Value, Why> {
        if let Some(expansion) = template.whole() {
            return self.expansion(expansion);
        }
        let mut out = String::new();
        for part in &template.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Expansion(expansion) => match self.expansion(expansion)? {
                    Value::String(text) => out.push_str(&text),
                    Value::Array(_) | Value::Table(_) => {
                        return Err(why("a list cannot stand inside of a text", "let it be the whole value"));
                    }
                    other => out.push_str(&other.to_string()),
                },
            }
            if out.len() > LARGEST {
                return Err(why("the value becomes larger than 1 MiB", "does it contain itself many times?"));
            }
        }
        Ok(Value::String(out))
    }

    fn expansion(&mut self, expansion: &Expansion) -> Result<Value, Why> {
        self.count += 1;
        if self.count > MOST {
            return Err(why(format!("there are more than {MOST} expansions"), "write some of them out"));
        }
        let reference = &expansion.reference;
        let Some((operator, word)) = &expansion.operation else {
            return self.looked_up(reference)?.ok_or_else(|| self.missing(reference));
        };
        let value = self.looked_up(reference)?;
        let is_empty = |value: &Value| operator.empty_is_unset && value.as_str() == Some("");
        let value = value.filter(|value| !is_empty(value));
        match (operator.action, value) {
            (Action::Default | Action::Require, Some(value)) => Ok(value),
            (Action::Default, None) | (Action::Instead, Some(_)) => self.template(word),
            (Action::Instead, None) => Ok(Value::String(String::new())),
            (Action::Require, None) => {
                let message = self.template(word)?;
                let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
                Err(why(format!("`{}` is needed: {message}", reference.name()), "write it"))
            }
        }
    }

    /// What a reference stands for; none if there is nothing of that name.
    fn looked_up(&mut self, reference: &Reference) -> Result<Option<Value>, Why> {
        let path = KeyPath::of(&reference.path);
        match reference.space {
            Some(Space::Secret) => {
                Err(why("a secret would be written into TOML", "secrets stand in secrets/*.env only"))
            }
            Some(Space::Env) => Err(why(
                "what the shell has set does not count here",
                "write it below [variables] in manifest.toml, so that it is the same everywhere",
            )),
            Some(Space::Local) => Ok(self.draft.document.leaf(&path).map(|leaf| leaf.value.clone())),
            Some(Space::Infra) => self.present(&within("infrastructure", &path)),
            Some(Space::Host) => self.present(&within("hosts", &path)),
            None if reference.path.len() > 1 => self.present(&path),
            None => self.variable(path.last()),
        }
    }

    fn present(&mut self, path: &KeyPath) -> Result<Option<Value>, Why> {
        self.draft.value(path).is_some().then(|| self.value_at(path)).transpose()
    }

    fn variable(&mut self, name: &str) -> Result<Option<Value>, Why> {
        let built_in =
            BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, key)| KeyPath::of(&["deployment", key]));
        match built_in.map(|path| self.present(&path)).transpose()?.flatten() {
            Some(value) => Ok(Some(value)),
            None => Ok(self.names.get(name).map(|value| Value::String(value.clone()))),
        }
    }

    fn missing(&self, reference: &Reference) -> Why {
        let name = reference.name();
        if reference.path.len() > 1 {
            return why(format!("there is no `{name}`"), self.near(&KeyPath::of(&reference.path)));
        }
        let known = self.names.keys().map(String::as_str).chain(BUILT_IN.map(|(known, _)| known));
        let help = match nearest(&name, known) {
            Some(near) => format!("did you mean `${{{near}}}`?"),
            None => format!("write it below [variables] in manifest.toml, or a default: ${{{name}:-…}}"),
        };
        why(format!("`${{{name}}}` means nothing"), help)
    }
}

/// Variables that are keys of `[deployment]`.
const BUILT_IN: [(&str, &str); 2] = [("TETRA_SRC", "tetra_src"), ("TETRA_DIR", "tetra_dir")];

fn within(table: &str, path: &KeyPath) -> KeyPath {
    KeyPath::new(std::iter::once(table.to_owned()).chain(path.keys().iter().cloned()).collect())
}

fn flaw(text: &str, flawed: &Flawed) -> Why {
    let part = text.get(flawed.span.clone()).unwrap_or_default();
    match flawed.flaw {
        Flaw::Unterminated => why("`${` is not closed", "write the `}`"),
        Flaw::EmptyName => why("`${}` names nothing", "`$${` is a literal `${`"),
        Flaw::BadName => why(
            format!("`{part}` is no name"),
            "write a variable like ${TETRA_SRC} or a key like ${ports.tetra}; `$${` is a literal `${`",
        ),
        Flaw::BadOperator => why(format!("`{part}` means nothing behind a name"), "there are :- - :? ? :+ and +"),
        Flaw::TooDeep => why(format!("more than {DEEPEST} expansions stand in each other"), "write some of them out"),
    }
}

fn described(draft: &Draft, chain: &Chain, path: &KeyPath, why: Why) -> Diagnostic {
    let cell = &draft.cells[path];
    let label = format!("in `{path}`");
    let last = cell.steps.iter().rev().find_map(|step| Some((step.layer, step.span.clone()?)));
    let found = match (last, cell.leaf) {
        (Some((Layer::Profile(number), span)), _) => chain.profiles[number].source.error(why.title, span, label),
        (Some((_, span)), _) => draft.document.source.error(why.title, span, label),
        (None, Some(leaf)) => draft.document.source.error(why.title, draft.document.leaves[leaf].span.clone(), label),
        (None, None) => draft.document.source.error(why.title, 0..0, label),
    };
    found.help(why.help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::document::Document;
    use crate::org::profile::Profile;

    fn filled(text: &str) -> Result<String, Diagnostic> {
        let text = format!(
            "v = '{text}'\nport = 4444\n[deployment]\ntetra_src = '~/src'\n[a]\nb = '${{port.x:-${{a.c}}}}'\nc = 'deep'\nd = '${{a.e}}'\ne = '${{a.d}}'\nlist = [1, 2]\n"
        );
        let document = Document::parse("local.toml", &text).expect("TOML");
        let mut draft = Draft::new(&document);
        for path in ["a.d", "a.e"].map(|path| path.parse::<KeyPath>().expect("a path")) {
            if !text.starts_with("v = '${a.d}") {
                draft.cells.remove(&path);
            }
        }
        let chain = Chain { profiles: vec![Profile::built_in("dev").expect("there")] };
        let names = Names::from([("TETRA_ENV".to_owned(), "dev".to_owned())]);
        fill(&mut draft, &chain, &names).map_err(|mut found| found.pop().expect("a reason"))?;
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
        ] {
            assert_eq!(filled(text).map_err(|it| it.title).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_is_said() {
        for (text, title) in [
            ("${", "`${` is not closed"),
            ("${X", "`${` is not closed"),
            ("${}", "`${}` names nothing"),
            ("${env:HOME}", "what the shell has set does not count here"),
            ("${TETRA_EMV:?is missing}", "`TETRA_EMV` is needed: is missing"),
            ("${TETRA_EMV}", "`${TETRA_EMV}` means nothing"),
            ("x${a.list}", "a list cannot stand inside of a text"),
            ("${secret:KEY}", "a secret would be written into TOML"),
            ("${deployment.tetra_scr}", "there is no `deployment.tetra_scr`"),
            ("${a.d}", "this value needs itself"),
        ] {
            assert_eq!(filled(text).expect_err(text).title, title);
        }
    }
}
