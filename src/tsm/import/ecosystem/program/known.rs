//! What a program may use without saying it itself: its surroundings, `path`, and methods of texts and lists.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::syntax::{Expression, Node, unread};
use super::value::{Evaluated, JsValue};
use crate::base::dotenv;
use crate::disk;

/// Where a program is, and what it may read.
pub(super) struct Surroundings<'p> {
    /// Where it is.
    pub(super) dir: &'p Path,
    /// The variables of the importing user.
    pub(super) variables: &'p BTreeMap<String, String>,
    /// Those that it reads from a file by itself.
    pub(super) dotenv: BTreeMap<String, String>,
    /// The variables that decided about a value, and whether they were set.
    pub(super) read_variables: BTreeMap<String, bool>,
}

/// Names that mean the same in every program.
pub(super) const NAMES: [&str; 13] = [
    "require",
    "process",
    "path",
    "os",
    "__dirname",
    "__filename",
    "console",
    "Object",
    "Number",
    "String",
    "Boolean",
    "parseInt",
    "Array",
];

/// Modules that are read, by what they are called here.
const MODULES: [&str; 4] = ["path", "os", "process", "dotenv"];

const ENV: &str = "process.env";

/// What a name means.
pub(super) fn global(dir: &Path, name: &str) -> JsValue {
    match name {
        "__dirname" => text(dir),
        name => JsValue::Known(name.to_owned()),
    }
}

fn text(path: &Path) -> JsValue {
    JsValue::Text(path.display().to_string())
}

/// `NAME: process.env.NAME` hands a variable on as it is at the start, and is kept as that.
pub(super) fn passed_on(node: &Node, key: &str) -> Option<JsValue> {
    let Expression::Member(env, name, _) = &node.kind else { return None };
    let Expression::Member(process, env, _) = &env.kind else { return None };
    let is_env = matches!(&process.kind, Expression::Name(name) if name == "process")
        && matches!(&env.kind, Expression::Text(name) if name == "env");
    let is_variable = key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let same = is_env && is_variable && matches!(&name.kind, Expression::Text(name) if name == key);
    same.then(|| JsValue::Text(format!("${{{key}}}")))
}

/// A member of a value.
pub(super) fn member(around: &mut Surroundings, inner: &JsValue, key: &str, at: usize) -> Evaluated {
    match inner {
        JsValue::Known(name) if name == ENV => Ok(variable(around, key)),
        JsValue::Known(name) => Ok(match (name.as_str(), key) {
            // A module of `import` and of `require` is the same.
            (_, "default" | "posix") => JsValue::Known(name.clone()),
            ("path", "sep") => JsValue::Text("/".to_owned()),
            ("os", "EOL") => JsValue::Text("\n".to_owned()),
            ("process", "platform") => JsValue::Text("linux".to_owned()),
            _ => JsValue::Known(format!("{name}.{key}")),
        }),
        other => match other.member(key) {
            Some(value) => Ok(value),
            None if other.is_nothing() => unread(at, format!("`{key}` of nothing")),
            None => unread(at, format!("`{key}` is not evaluated")),
        },
    }
}

/// A variable of the importing user. What it was is what the service gets, and that is said.
fn variable(around: &mut Surroundings, name: &str) -> JsValue {
    let value = around.variables.get(name).or_else(|| around.dotenv.get(name)).cloned();
    around.read_variables.insert(name.to_owned(), value.is_some());
    value.map_or(JsValue::Undefined, JsValue::Text)
}

/// What a known function gives.
pub(super) fn call(around: &mut Surroundings, name: &str, arguments: &[JsValue], at: usize) -> Evaluated {
    let first = arguments.first();
    let texts = || arguments.iter().map(|it| if let JsValue::Text(text) = it { Some(text.as_str()) } else { None });
    let all_texts = || texts().collect::<Option<Vec<&str>>>();
    let unknown = || unread(at, format!("`{name}(…)` is not evaluated"));
    match (name, first) {
        ("require", Some(JsValue::Text(module))) => require(around, module, at),
        ("path.join" | "path.resolve", Some(_)) => match all_texts() {
            Some(parts) => Ok(joined(name, &parts, around.dir)),
            None => unread(at, format!("`{name}` of what is not a text")),
        },
        ("path.dirname", Some(JsValue::Text(path))) => Ok(text(Path::new(path).parent().unwrap_or(Path::new("/")))),
        ("path.basename", Some(JsValue::Text(path))) if arguments.len() == 1 => {
            Ok(text(Path::new(Path::new(path).file_name().unwrap_or_default())))
        }
        ("process.cwd", None) => Ok(text(around.dir)),
        ("os.homedir", None) => match around.variables.get("HOME") {
            Some(home) => Ok(JsValue::Text(home.clone())),
            None => unknown(),
        },
        ("os.cpus", None) => Ok(JsValue::Object(vec![("length".to_owned(), JsValue::Text("max".to_owned()))])),
        ("dotenv.config", _) => {
            let path = first.and_then(|options| options.member("path")).and_then(|path| path.text());
            read_dotenv(around, path.filter(|path| path != "undefined").as_deref().unwrap_or(".env"), at)
        }
        ("Number", Some(value)) => Ok(JsValue::Number(value.number())),
        ("parseInt", Some(value)) => Ok(JsValue::Number(leading_number(&value.text().unwrap_or_default()))),
        ("Boolean", Some(value)) => Ok(JsValue::Bool(value.is_true())),
        ("String", Some(value)) => value.text().map_or_else(unknown, |text| Ok(JsValue::Text(text))),
        ("Object.freeze", Some(value)) => Ok(value.clone()),
        ("Object.assign", Some(_)) => {
            let mut pairs = Vec::new();
            for argument in arguments {
                let JsValue::Object(more) = argument else { return unknown() };
                more.iter().for_each(|(key, value)| JsValue::insert(&mut pairs, key.clone(), value.clone()));
            }
            Ok(JsValue::Object(pairs))
        }
        _ => unknown(),
    }
}

/// The number that a text begins with.
fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let signs = usize::from(text.starts_with(['-', '+']));
    let digits = text[signs..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |end| signs + end);
    text[..digits].parse().unwrap_or(f64::NAN)
}

/// A module: one that is known, or a file of data.
fn require(around: &mut Surroundings, module: &str, at: usize) -> Evaluated {
    let name = module.strip_prefix("node:").unwrap_or(module);
    if MODULES.contains(&name) {
        return Ok(JsValue::Known(name.to_owned()));
    }
    if name == "dotenv/config" {
        return read_dotenv(around, ".env", at);
    }
    let path = around.dir.join(module);
    let file = if path.extension().is_some() { path } else { path.with_extension("json") };
    let is_data = module.starts_with(['.', '/']) && file.extension().is_some_and(|ending| ending == "json");
    if !is_data || !file.is_file() {
        return unread(at, format!("the module `{module}` is not evaluated"));
    }
    let Ok(data) = disk::read_to_string(&file) else {
        return unread(at, format!("`{}` cannot be read", file.display()));
    };
    match serde_json::from_str(&data) {
        Ok(json) => Ok(JsValue::of_json(&json)),
        Err(error) => unread(at, format!("`{}` is not valid JSON: {error}", file.display())),
    }
}

/// Variables that a file gives to the program itself, where they are not set.
fn read_dotenv(around: &mut Surroundings, file: &str, at: usize) -> Evaluated {
    let path = around.dir.join(file);
    // One that is missing says nothing.
    if let Ok(data) = disk::read_to_string(&path) {
        let Ok(settings) = dotenv::parse(&data) else {
            return unread(at, format!("`{}` is not a valid env file", path.display()));
        };
        for setting in settings {
            around.dotenv.entry(setting.key).or_insert(setting.value);
        }
    }
    Ok(JsValue::Object(Vec::new()))
}

fn joined(name: &str, parts: &[&str], dir: &Path) -> JsValue {
    let mut path = if name == "path.resolve" { dir.to_owned() } else { PathBuf::new() };
    for part in parts {
        // A part that begins at the root begins anew only for `resolve`.
        let part =
            if name == "path.resolve" || path.as_os_str().is_empty() { part } else { part.trim_start_matches('/') };
        path.push(part);
    }
    let path = normalized(&path);
    if path.as_os_str().is_empty() { JsValue::Text(".".to_owned()) } else { text(&path) }
}

/// Without `.` and `..`, as these functions give it.
fn normalized(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut all, part| {
        match part {
            Component::ParentDir if all.file_name().is_some() => _ = all.pop(),
            Component::ParentDir if all.has_root() => {}
            Component::CurDir => {}
            part => all.push(part),
        }
        all
    })
}

/// What a method of a text, a number or a list gives.
pub(super) fn method(own: &JsValue, name: &str, arguments: &[JsValue], at: usize) -> Evaluated {
    match (own, name, arguments) {
        (JsValue::List(items), "filter", [JsValue::Known(name)]) if name == "Boolean" => {
            Ok(JsValue::List(items.iter().filter(|item| item.is_true()).cloned().collect()))
        }
        (JsValue::List(items), "join", [] | [JsValue::Text(_)]) => {
            let between = arguments.first().and_then(JsValue::text).unwrap_or_else(|| ",".to_owned());
            let texts: Option<Vec<String>> = items.iter().map(JsValue::text).collect();
            texts.map_or_else(|| unread(at, "not a text"), |texts| Ok(JsValue::Text(texts.join(&between))))
        }
        (JsValue::List(items), "concat", [JsValue::List(more)]) => Ok(JsValue::List([items.as_slice(), more].concat())),
        (JsValue::Text(text), "trim", []) => Ok(JsValue::Text(text.trim().to_owned())),
        (JsValue::Text(text), "toUpperCase", []) => Ok(JsValue::Text(text.to_uppercase())),
        (JsValue::Text(text), "toLowerCase", []) => Ok(JsValue::Text(text.to_lowercase())),
        (JsValue::Text(text), "split", [JsValue::Text(between)]) if !between.is_empty() => {
            Ok(JsValue::List(text.split(between.as_str()).map(|part| JsValue::Text(part.to_owned())).collect()))
        }
        (own, "toString", []) if own.text().is_some() && !own.is_nothing() => {
            Ok(JsValue::Text(own.text().unwrap_or_default()))
        }
        _ => unread(at, format!("the method `{name}` is not evaluated")),
    }
}
