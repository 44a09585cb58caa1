//! `extends`: a service that begins with what another one says, in this file or in another.

use std::path::Path;

use serde_json::{Map, Value};

use crate::disk;
use crate::tsm::import::{source::scalar, yaml};

/// So many services may extend one another.
const MAX_DEPTH: usize = 16;

/// A service with everything that it extends.
pub(super) fn resolve(service: &Value, all: &Map<String, Value>, dir: &Path) -> Result<Value, String> {
    merged(service, all, dir, MAX_DEPTH)
}

fn merged(service: &Value, all: &Map<String, Value>, dir: &Path, deeper: usize) -> Result<Value, String> {
    let Some(extends) = service.get("extends").filter(|it| !it.is_null()) else { return Ok(service.clone()) };
    if deeper == 0 {
        return Err("`extends` is circular".to_owned());
    }
    let name = extends.get("service").unwrap_or(extends);
    let name = scalar(name).ok_or("`extends` has no service")?;
    let missing = || format!("it extends `{name}`, which does not exist");
    let base = match extends.get("file").and_then(scalar) {
        None => merged(all.get(&name).ok_or_else(missing)?, all, dir, deeper - 1)?,
        Some(file) => {
            let path = dir.join(&file);
            let failed = |why: String| format!("it extends `{name}` of `{file}`: {why}");
            let text = disk::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
            let others = yaml::read(&text).map_err(failed)?;
            let others = others.get("services").and_then(Value::as_object).ok_or_else(missing)?;
            let directory = path.parent().unwrap_or(dir);
            merged(others.get(&name).ok_or_else(missing)?, others, directory, deeper - 1)?
        }
    };
    let mut own = service.clone();
    if let Value::Object(fields) = &mut own {
        fields.remove("extends");
    }
    Ok(over(base, own))
}

/// What `own` says over `base`: tables are merged, lists are added, and everything else is replaced.
fn over(base: Value, own: Value) -> Value {
    match (base, own) {
        (Value::Object(mut base), Value::Object(own)) => {
            for (key, value) in own {
                let whole = ["command", "entrypoint", "test"].contains(&key.as_str());
                let value = match base.remove(&key).filter(|_| !whole) {
                    Some(before) => over(before, value),
                    None => value,
                };
                base.insert(key, value);
            }
            Value::Object(base)
        }
        (Value::Array(mut base), Value::Array(own)) => {
            base.extend(own);
            Value::Array(base)
        }
        (_, own) => own,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{import, lost};

    #[test]
    fn a_service_has_what_it_extends() {
        let imported = import(
            "compose.yaml",
            "services:\n  base:\n    command: node base.js\n    environment: {A: '1', B: '2'}\n    restart: always\n    ports: ['80']\n  \
             web:\n    extends: base\n    command: [node, web.js]\n    environment: {B: '3'}\n  api:\n    extends: {service: web}\n  \
             round:\n    extends: round\n  gone:\n    extends: {service: x, file: none.yaml}\n",
        );
        let names: Vec<&str> = imported.services.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["base", "web", "api"]);
        let api = &imported.services[2];
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            (api.command.as_str(), api.exports.as_slice()),
            ("node web.js", &[pair("A", "1"), pair("B", "3")][..])
        );
        assert!(api.options.restart == imported.services[0].options.restart && api.port == imported.services[0].port);
        let refused: Vec<&str> = imported.rejected.iter().map(|it| it.field.as_str()).collect();
        assert_eq!((refused, lost(&imported)), (vec!["services.round", "services.gone"], vec![]));
    }
}
