//! Values written into `[overrides.ENV]` of local.toml.

use toml::Value;

use super::document::Document;
use super::draft::OVERRIDES;
use super::path::KeyPath;
use super::profile::inner;
use super::render::written;
use crate::base::environment::EnvName;

/// The text of a document with these values below its overrides. Everything else stays as it was.
#[must_use]
pub fn with(document: &Document, env: &EnvName, values: &[(KeyPath, Value)]) -> String {
    let text = &document.source.text;
    let mut edits = Vec::new();
    let mut lines = Vec::new();
    for (path, value) in values {
        let known = document.leaves.iter().find(|leaf| {
            let keys = leaf.path.keys();
            keys.len() > 2 && keys[0] == OVERRIDES && is(&keys[1], env) && inner(&keys[2..]).as_ref() == Some(path)
        });
        match known {
            Some(leaf) => edits.push((leaf.span.clone(), written(value))),
            None => lines.push(format!("{path} = {}\n", written(value))),
        }
    }
    let table = |path: &KeyPath| path.keys().len() == 2 && path.keys()[0] == OVERRIDES && is(&path.keys()[1], env);
    let body = document.bodies.iter().find(|body| body.header.is_some() && table(&body.path));
    let at = body.map(|body| text[body.end..].find('\n').map_or(text.len(), |end| body.end + end));
    if let (Some(at), false) = (at, lines.is_empty()) {
        edits.push((at..at, format!("\n{}", lines.concat().trim_end())));
        lines.clear();
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut out = String::new();
    let mut from = 0;
    for (span, new) in edits {
        out.push_str(&text[from..span.start]);
        out.push_str(&new);
        from = span.end;
    }
    out.push_str(&text[from..]);
    if !lines.is_empty() {
        let end = if out.is_empty() || out.ends_with('\n') { "" } else { "\n" };
        out.push_str(&format!("{end}\n[{OVERRIDES}.{env}]\n{}", lines.concat()));
    }
    out
}

fn is(name: &str, env: &EnvName) -> bool {
    name.parse::<EnvName>().ok().as_ref() == Some(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_added_or_replaced_and_the_rest_stays() {
        let values = [("resources.memory_max", Value::Integer(8)), ("a.b", Value::Boolean(true))];
        let values = values.map(|(path, value)| (path.parse::<KeyPath>().expect("a path"), value));
        let env = "prod".parse().expect("a name");
        for (text, expected) in [
            ("x = 1 # c\n", "x = 1 # c\n\n[overrides.prod]\nresources.memory_max = 8\na.b = true\n"),
            (
                "[overrides.prod]\n\"resources.memory_max\" = 4 # c\n[y]\n",
                "[overrides.prod]\n\"resources.memory_max\" = 8 # c\na.b = true\n[y]\n",
            ),
            ("[overrides.production]\na.b = false", "[overrides.production]\na.b = true\nresources.memory_max = 8"),
        ] {
            let document = Document::parse("f", text).expect("TOML");
            assert_eq!(with(&document, &env, &values), expected);
        }
    }
}
