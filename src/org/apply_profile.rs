//! The rules of a profile, applied.

use std::ops::Range;

use crate::config::Value;

use super::arguments::{self, Argument, InvalidCommand};
use super::draft::{Draft, Layer, LayerChange, Operation, ProfileChain, ValueState};
use super::path_rewrite::{PathRewrite, is_home, rewrite};
use super::profile::{Op, Profile, Rule};
use crate::base::diagnostic::Diagnostic;
use crate::config::path::KeyPath;
use crate::config::value::{both_same, spelled};

/// Applies every profile of a chain, from its root on. `home` is the operator's home directory.
///
/// # Errors
///
/// Fails with every rule that does not fit what it is applied to.
pub fn profiles(draft: &mut Draft, chain: &ProfileChain, home: Option<&str>) -> Result<(), Vec<Diagnostic>> {
    let mut path_keys = Vec::new();
    let mut found = Vec::new();
    for (number, profile) in chain.profiles.iter().enumerate() {
        path_keys.extend(profile.path_keys.iter().cloned());
        let mut layer = ProfileApplication { draft, profile, layer: Layer::Profile(number), found: Vec::new() };
        let moves = layer.path_rewrites(home);
        if let Some((moves, span)) = moves {
            layer.rewrite_paths(&path_keys, &moves, &span, home);
        }
        for rule in &profile.rules {
            layer.rule(rule);
        }
        found.append(&mut layer.found);
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

struct ProfileApplication<'d, 'a> {
    draft: &'d mut Draft<'a>,
    profile: &'d Profile,
    layer: Layer,
    found: Vec<Diagnostic>,
}

impl ProfileApplication<'_, '_> {
    fn rule(&mut self, rule: &Rule) {
        match rule.op {
            Op::Rebase | Op::Require(_) | Op::Forbid(_) => {}
            Op::Unset => self.unset(rule),
            Op::Set => self.draft.targets(&rule.path).iter().for_each(|path| self.set(rule, path)),
            Op::Default => {
                for path in self.draft.targets(&rule.path) {
                    if self.draft.value(&path).is_none() {
                        self.set(rule, &path);
                    }
                }
            }
            Op::AppendArgs => self.draft.keys(&rule.path).iter().for_each(|path| self.append_args(rule, path)),
            Op::Append | Op::Prepend => self.draft.keys(&rule.path).iter().for_each(|path| self.extend(rule, path)),
            Op::Scale => self.draft.keys(&rule.path).iter().for_each(|path| self.scale(rule, path)),
            Op::Rename => self.rename(rule),
        }
    }

    fn set_value(&mut self, rule: &Rule, path: &KeyPath, value: Option<Value>) {
        let step = LayerChange::computed(self.layer, Operation::Rule(rule.op), value).at(rule.span.clone());
        self.draft.set(path, step);
    }

    fn set(&mut self, rule: &Rule, path: &KeyPath) {
        // A rule about all services is not meant for jobs: started again whenever they end, they would never be done.
        if rule.path.wildcard_count() > 0 && path.last() == "auto_restart" && self.is_job(path) {
            return;
        }
        if !both_same(self.draft.value(path), Some(&rule.value)) {
            let written = spelled(&self.profile.source.text[rule.written.clone()]);
            let step = LayerChange::computed(self.layer, Operation::Rule(rule.op), Some(rule.value.clone()));
            self.draft.set(path, step.at(rule.span.clone()).spelled(written));
        }
    }

    /// True for a key of a service that ends by itself: it says so, or runs by the clock and serves nothing.
    fn is_job(&self, path: &KeyPath) -> bool {
        let [services, name, _] = path.keys() else { return false };
        let value = |keys: &[&str]| self.draft.value(&KeyPath::of(keys));
        let of_service = |key: &str| value(&[services, name, key]);
        let serves = ["health", "health_check", "port"].iter().any(|key| of_service(key).is_some());
        let once = of_service("type").and_then(Value::as_str) == Some("oneshot");
        once || (of_service("cron").is_some() && !serves && value(&["ports", name]).is_none())
    }

    fn unset(&mut self, rule: &Rule) {
        let inside = |(path, cell): &(&KeyPath, &ValueState)| cell.value.is_some() && path.is_below(&rule.path);
        let gone: Vec<KeyPath> = self.draft.values.iter().filter(inside).map(|(path, _)| path.clone()).collect();
        gone.iter().for_each(|path| self.set_value(rule, path, None));
        self.draft.forget_tables(&rule.path);
    }

    /// The moves of this profile, and where they are.
    fn path_rewrites(&self, home: Option<&str>) -> Option<(Vec<PathRewrite>, Range<usize>)> {
        let rules = || self.profile.rules.iter().filter(|rule| rule.op == Op::Rebase);
        let text = |rule: &Rule, key: &str| rule.value.get(key).and_then(Value::as_str).map(str::to_owned);
        let moves = rules().filter_map(|rule| {
            let from = text(rule, "from")?;
            let named = from.strip_prefix("${local:").and_then(|rest| rest.strip_suffix('}'));
            let from = match named.map(str::parse::<KeyPath>) {
                None => from,
                Some(path) => {
                    let named = self.draft.document.leaf(&path.ok()?)?.value.as_str()?;
                    // What takes the place of one directory takes not that of all that is in the home directory.
                    (!is_home(named, home)).then(|| named.to_owned())?
                }
            };
            Some(PathRewrite { from, to: text(rule, "to")? })
        });
        Some((moves.collect(), rules().next()?.span.clone()))
    }

    fn rewrite_paths(&mut self, path_keys: &[KeyPath], moves: &[PathRewrite], span: &Range<usize>, home: Option<&str>) {
        let paths: Vec<KeyPath> = path_keys.iter().flat_map(|pattern| self.draft.keys(pattern)).collect();
        for path in paths {
            let old = self.draft.value(&path).and_then(Value::as_str);
            let Some(new) = old.and_then(|old| rewrite(old, moves, home)).filter(|new| Some(new.as_str()) != old)
            else {
                continue;
            };
            let value = Some(Value::String(new));
            let step = LayerChange::computed(self.layer, Operation::Rule(Op::Rebase), value).at(span.clone());
            self.draft.set(&path, step);
        }
    }

    fn append_args(&mut self, rule: &Rule, path: &KeyPath) {
        let words =
            |value: &Value| value.as_array().map(|it| it.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        let words: Vec<String> = words(&rule.value).unwrap_or_default();
        let mut given = Argument::all(&words);
        let Some(command) = self.draft.value(path).and_then(Value::as_str).map(str::to_owned) else { return };
        match self.flag(path, &command) {
            EnvFlag::None => return,
            EnvFlag::Named(flag) => {
                if let Some(first) = given.first_mut() {
                    *first = first.clone().named(&flag);
                }
            }
            EnvFlag::Default => {}
        }
        match arguments::append_arguments(&command, &given) {
            Ok(new) if new == command => {}
            Ok(new) => self.set_value(rule, path, Some(Value::String(new))),
            Err(why) => {
                let words = words.join(" ");
                let help = match why {
                    InvalidCommand::HasOperators => {
                        format!(
                            "write {} where `{words}` should go, or set `env_flag = false`",
                            arguments::ARGS_PLACEHOLDER
                        )
                    }
                    InvalidCommand::UnclosedQuote => "close the quote".to_owned(),
                };
                self.report(path, format!("cannot append `{words}` to `{path}`"), &why.to_string(), help);
            }
        }
    }

    /// Whether a service gets the flag: only programs that accept it do.
    fn flag(&self, path: &KeyPath, command: &str) -> EnvFlag {
        let [first, _, last] = path.keys() else { return EnvFlag::Default };
        if first != "services" || last != "command" {
            return EnvFlag::Default;
        }
        let sibling = path.parent().map(|table| table.join("env_flag"));
        match sibling.and_then(|path| self.draft.value(&path)) {
            Some(Value::Boolean(true)) => EnvFlag::Default,
            Some(Value::Boolean(false)) => EnvFlag::None,
            Some(Value::String(flag)) => EnvFlag::Named(flag.clone()),
            _ if accepts_env_flag(command) => EnvFlag::Default,
            _ => EnvFlag::None,
        }
    }

    fn extend(&mut self, rule: &Rule, path: &KeyPath) {
        let Some(old) = self.draft.value(path).and_then(Value::as_array).cloned() else {
            return self.report(
                path,
                format!("cannot append to `{path}`"),
                "not an array",
                "make it an array: […]".to_owned(),
            );
        };
        let new = rule.value.as_array().into_iter().flatten().filter(|item| !old.contains(item)).cloned();
        let all: Vec<Value> = if rule.op == Op::Append {
            old.iter().cloned().chain(new).collect()
        } else {
            new.chain(old.iter().cloned()).collect()
        };
        if all != old {
            self.set_value(rule, path, Some(Value::Array(all)));
        }
    }

    fn scale(&mut self, rule: &Rule, path: &KeyPath) {
        let part = |key: &str| rule.value.get(key).and_then(number);
        let Some(old) = self.draft.value(path).and_then(number) else {
            return self.report(path, format!("cannot scale `{path}`"), "not a number", "write a number".to_owned());
        };
        let factor = part("factor").unwrap_or(1.0);
        // 0 means without limit, and stays so.
        let scaled = if old == 0.0 { 0.0 } else { old * factor };
        let within = if old == 0.0 {
            scaled
        } else {
            scaled.max(part("min").unwrap_or(f64::MIN)).min(part("max").unwrap_or(f64::MAX))
        };
        let step = part("round").filter(|step| *step > 0.0).unwrap_or(1.0);
        let value = match self.draft.value(path) {
            #[expect(clippy::cast_possible_truncation, reason = "a number out of range becomes the nearest one")]
            Some(Value::Integer(_)) => Value::Integer(((within / step).round() * step) as i64),
            _ => Value::Float(within),
        };
        if !both_same(self.draft.value(path), Some(&value)) {
            self.set_value(rule, path, Some(value));
        }
    }

    fn rename(&mut self, rule: &Rule) {
        let Some(to) = rule.value.as_str().and_then(|to| to.parse::<KeyPath>().ok()) else { return };
        for path in self.draft.keys(&rule.path) {
            let Some(to) = path.replace_prefix(&rule.path, &to).filter(|to| *to != path) else { continue };
            let Some(cell) = self.draft.values.get(&path) else { continue };
            let (value, written) = (cell.value.clone(), self.draft.written(cell));
            if self.draft.values.get(&to).is_some_and(|cell| renamed_by(cell, rule, self.layer)) {
                let title = format!("`{path}` and another key would both become `{to}`");
                self.report(&path, title, "", format!("write {} with a `*` for each of `{}`", to, rule.path));
                continue;
            }
            self.set_value(rule, &path, None);
            let step = LayerChange::computed(self.layer, Operation::Rule(rule.op), value).at(rule.span.clone());
            self.draft.set(&to, step.spelled(written));
        }
    }

    /// A value of local.toml that a rule does not fit.
    fn report(&mut self, path: &KeyPath, title: String, label: &str, help: String) {
        let document = self.draft.document;
        let leaf = self.draft.values.get(path).and_then(|cell| cell.leaf).map(|leaf| &document.leaves[leaf]);
        self.found.push(match leaf {
            Some(leaf) => document.shown().error(title, leaf.span.clone(), label).help(help),
            None => self.profile.redacted_source.error(title, 0..0, label).help(help),
        });
    }
}

/// The same rule put a value there before.
fn renamed_by(cell: &ValueState, rule: &Rule, layer: Layer) -> bool {
    cell.value.is_some()
        && cell.changes.last().is_some_and(|step| step.layer == layer && step.span.as_ref() == Some(&rule.span))
}

/// What is added to a command.
enum EnvFlag {
    Default,
    Named(String),
    None,
}

/// Programs that are known to take `--env NAME`.
fn accepts_env_flag(command: &str) -> bool {
    let words = arguments::first_words(command);
    let name = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let named: Vec<String> = words.iter().take(2).map(name).collect();
    match named.as_slice() {
        [first, ..] if first == "node" => true,
        [first, second] => first == "tetra" && second == "serve",
        _ => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is scaled is far below 2^52")]
fn number(value: &Value) -> Option<f64> {
    value.as_integer().map(|it| it as f64).or_else(|| value.as_float())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::Document;
    use crate::org::profile::ProfileOrigin;

    /// What a profile makes of a text: `key=value` for each key.
    fn applied(text: &str, profile: &str) -> Result<Vec<String>, Vec<String>> {
        let document = Document::parse("local.toml", text).expect("TOML");
        let rules = Document::parse("p.toml", profile).expect("TOML");
        let own = Profile::read("p", ProfileOrigin::File, &rules).expect("a profile");
        let mut draft = Draft::new(&document);
        profiles(&mut draft, &ProfileChain { profiles: vec![own] }, Some("/home/me"))
            .map_err(|found| found.into_iter().map(|it| it.title).collect::<Vec<_>>())?;
        let shown = |(path, cell): (&KeyPath, &super::super::draft::ValueState)| {
            Some(format!("{path}={}", cell.value.as_ref()?))
        };
        Ok(draft.values.iter().filter_map(shown).collect())
    }

    #[test]
    fn each_operation_does_its_work() {
        for (text, profile, expected) in [
            ("a = 1", "[set]\na = 2\n'b.c' = 3", vec!["a=2", "b.c=3"]),
            ("a = 1", "[default]\na = 2\nb = 3", vec!["a=1", "b=3"]),
            ("[t]\na = 1\n[t.u]\nb = 2\n[v]\nc = 3", "unset = ['t']", vec!["v.c=3"]),
            ("[s.x]\n[s.y]\nk = 1", "[set]\n's.*.k' = 2\n's.y.k' = 3", vec!["s.x.k=2", "s.y.k=3"]),
            ("l = [1, 2]", "[append]\nl = [2, 3]", vec!["l=[1, 2, 3]"]),
            ("l = [1, 2]", "[prepend]\nl = [2, 3]", vec!["l=[3, 1, 2]"]),
            (
                "m = 100\nn = 0",
                "[scale]\nm = { factor = 2.5, max = 200 }\nn = { factor = 2, min = 5 }",
                vec!["m=200", "n=0"],
            ),
            ("a = 1\nb = 2", "[rename]\na = 'x.y'", vec!["b=2", "x.y=1"]),
            ("[s.x]\nk = 1\n[s.y]\nk = 2", "[rename]\n's.*.k' = 's.*.l'", vec!["s.x.l=1", "s.y.l=2"]),
            ("[s.x]\nk = 1\n[s.y]\nk = 2", "[rename]\n's.*.k' = 't.k.*'", vec!["t.k.x=1", "t.k.y=2"]),
            ("p = '~/x'", "path_keys = ['p']\nrebase = [{ from = '~', to = '/root' }]", vec!["p=\"/root/x\""]),
        ] {
            assert_eq!(applied(text, profile), Ok(expected.into_iter().map(str::to_owned).collect()), "{profile}");
        }
    }

    #[test]
    fn only_commands_that_understand_the_flag_get_it() {
        const FLAG: &str = "[append_args]\n'services.*.command' = ['--env', 'dev']";
        for (service, expected) in [
            ("command = 'node a.js'", "node a.js --env dev"),
            ("command = '/usr/bin/node a.js'", "/usr/bin/node a.js --env dev"),
            ("command = 'tetra serve'", "tetra serve --env dev"),
            ("command = 'python3 -m http.server'", "python3 -m http.server"),
            ("command = 'python3 a.py'\nenv_flag = true", "python3 a.py --env dev"),
            ("command = 'python3 a.py'\nenv_flag = '--stage'", "python3 a.py --stage dev"),
            ("command = 'node a.js'\nenv_flag = false", "node a.js"),
        ] {
            let made = applied(&format!("[services.s]\n{service}"), FLAG).expect("it is right");
            assert_eq!(made[0], format!("services.s.command=\"{expected}\""));
        }
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place() {
        let found = applied(
            "l = 1\nm = 'x'\n[services.s]\ncommand = 'node a | b'",
            "[append]\nl = [2]\n[scale]\nm = { factor = 2 }\n[append_args]\n'services.*.command' = ['-x']",
        );
        assert_eq!(found.expect_err("three times").len(), 3);
        let found = applied("[s.x]\nk = 1\n[s.y]\nk = 2", "[rename]\n's.*.k' = 't.k'").expect_err("both would");
        assert_eq!(found, ["`s.y.k` and another key would both become `t.k`"]);
    }
}
