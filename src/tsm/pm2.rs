//! What was meant for another process manager: its options behind a script, its files instead of a program.

use std::path::Path;

use crate::base::{line, redact};
use crate::disk;

use super::detect::{CommandShape, ProcessType};

pub mod options;

use options::{Counterpart, OPTIONS, UNMISTAKABLE, fill};

/// No script that reads its options is longer.
const MAX_SCRIPT_SIZE: u64 = 512 * 1024;

/// What was found behind a script.
#[derive(Default)]
struct Found {
    /// The options of PM2 with a counterpart, each with its value.
    given: Vec<String>,
    /// What they are here.
    ours: Vec<String>,
    /// A note for each that has no counterpart.
    notes: Vec<String>,
    /// All other words.
    others: Vec<String>,
}

/// Notes on the words behind a script that are options of PM2 and that the script does not know, with the line that has ours. They
/// are the script's all the same. Behind another program, such as `./server`, only those count that are unmistakable: many have
/// a `--watch` of their own. `own` are the words of the request that stand before the program.
#[must_use]
pub fn notes(words: &[String], shape: &CommandShape, cwd: &Path, own: &[String]) -> Vec<String> {
    let is_other = shape.kind == ProcessType::Command;
    let at = if is_other { Some(0) } else { shape.script };
    let Some(script) = at.and_then(|at| words.get(at)) else { return Vec::new() };
    let (program, behind) = words.split_at(shape.arguments.min(words.len()));
    if !behind.iter().any(|word| word.starts_with('-')) {
        return Vec::new();
    }
    let path = cwd.join(script);
    let short = path.metadata().is_ok_and(|file| file.is_file() && file.len() <= MAX_SCRIPT_SIZE);
    let text = if short { disk::read_to_string(&path).unwrap_or_default() } else { String::new() };
    let is_meant = |name: &str| !is_other || UNMISTAKABLE.contains(&name);
    let mut found = find(behind, script, |name| is_meant(name) && (!knows(&text, name) || is_letter(name)));
    if !found.given.is_empty() {
        let line = [own, &found.ours, program, &found.others].concat();
        let line = line::join(["tsm", "start"].into_iter().chain(redact::redact(line).iter().map(String::as_str)));
        let note = format!(
            "{} given to {script}, not to tsm, which does the same with `{line}` (put `--` before the arguments of the \
             program to pass them without this note)",
            match &found.given[..] {
                [one] => format!("`{one}` is"),
                several => format!("`{}` are", several.join("`, `")),
            }
        );
        found.notes.insert(0, note);
    }
    found.notes
}

/// True if the text of a script has an option.
fn knows(text: &str, option: &str) -> bool {
    text.contains(option.trim_start_matches('-'))
}

fn find(behind: &[String], script: &str, is_meant: impl Fn(&str) -> bool) -> Found {
    let mut found = Found::default();
    let mut rest = behind.iter().peekable();
    while let Some(word) = rest.next() {
        let (name, joined) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        let next = rest.peek().map_or("", |next| next.as_str());
        let option = OPTIONS.iter().find(|option| option.option == name).filter(|_| is_likely(name, next));
        let Some(option) = option.filter(|_| is_meant(name)) else {
            found.others.push(word.clone());
            continue;
        };
        let separate = rest.next_if(|_| option.takes_value && joined.is_none());
        let given = line::join([word].into_iter().chain(separate));
        match option.here {
            Counterpart::Line(template) => {
                let value = joined.or(separate.map(String::as_str)).unwrap_or("VALUE");
                found.ours.extend(fill(template, name, value));
                found.given.push(given);
            }
            Counterpart::Text(text) => found.notes.push(format!("`{given}` is given to {script}, not to tsm: {text}")),
        }
    }
    found
}

fn is_letter(name: &str) -> bool {
    name.len() == 2
}

/// Many scripts have an option of one letter; few of them are given a number of instances by it.
fn is_likely(name: &str, next: &str) -> bool {
    match name {
        "-i" => next == "max" || next.parse::<i32>().is_ok(),
        "-n" => !next.is_empty() && !next.starts_with('-') && next.parse::<i32>().is_err(),
        _ => true,
    }
}

/// True for a file in which another process manager lists what it runs.
#[must_use]
pub fn is_list(path: &Path) -> bool {
    path.is_file() && (has_name_of_list(path) || has_text_of_list(path))
}

/// True for data of any name that lists programs: `apps.json`, `api.config.js`, `package.json`, `workers.conf`.
fn has_text_of_list(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let short = || path.metadata().is_ok_and(|file| file.len() <= MAX_SCRIPT_SIZE);
    let text = || if short() { disk::read_to_string(path).unwrap_or_default() } else { String::new() };
    let begins = |words: &[&str]| text().lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    let has = |words: &[&str]| {
        let text = text();
        words.iter().all(|word| text.contains(word))
    };
    if name == "package.json" {
        has(&["\"scripts\""])
    } else if ends(&[".json", ".json5", ".config.js", ".config.cjs", ".config.mjs"]) {
        has(&["apps", "script"])
    } else if ends(&[".yaml", ".yml"]) {
        begins(&["apps:", "services:", "processes:"])
    } else {
        ends(&[".conf", ".ini"]) && begins(&["[program:"])
    }
}

/// True if its name is that of such a file.
#[must_use]
pub fn has_name_of_list(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let of_pm2 = ["ecosystem", "pm2", "process", "processes"];
    let stem = name.split('.').next().unwrap_or_default();
    let js = [".config.js", ".config.cjs", ".config.mjs", ".config.ts", ".config.mts", ".config.cts"]
        .iter()
        .any(|end| name.ends_with(end));
    let data = [".json", ".json5", ".yaml", ".yml"].iter().any(|end| name.ends_with(end));
    let compose = name.contains("compose") && (name.ends_with(".yaml") || name.ends_with(".yml"));
    let others =
        name.ends_with(".service") || name == "Procfile" || name.starts_with("Procfile.") || name == "supervisord.conf";
    of_pm2.contains(&stem) && (js || data) || compose || others
}

#[cfg(test)]
mod tests {
    use super::super::detect::detect;
    use super::*;

    #[test]
    fn options_that_the_script_does_not_know_are_named_with_ours() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("app.js"), "if (args['node-args']) {}").expect("a script");
        let notes = |line: &str| {
            let words = shlex::split(line).expect("words");
            notes(&words, &detect(&words), dir.path(), &["--name".to_owned(), "a1".to_owned()])
        };
        for (line, ours) in [
            ("app.js -i max", "--instances"),
            ("node app.js -i 4", "`tsm start --name a1 --instances 4 node app.js`"),
            ("app.js --max-memory-restart 200M", "`tsm start --name a1 --max-memory 200M app.js`"),
            ("app.js --watch", "--watch ."),
            ("app.js --max-memory-restart=200M", "--max-memory 200M app.js`"),
            ("app.js --cron-restart '0 3 * * *' x", "--cron '0 3 * * *' app.js x`"),
            ("app.js x --no-autorestart", "--restart never app.js x`"),
            ("app.js --watch -i 2 --no-autorestart", "--watch . --instances 2 --restart never app.js`"),
            ("app.js --restart-delay 100", "is given to app.js, not to tsm: the wait"),
            ("app.js -n api", "--name"),
        ] {
            let said = notes(line);
            assert!(said.len() == 1 && said[0].contains(ours), "{line}: {said:?}");
        }
        std::fs::write(dir.path().join("run"), "#!/bin/sh\n# --wait-ready: waits\n").expect("a script");
        for (line, ours) in [
            ("./server --max-memory-restart 200M", "`--max-memory-restart 200M` is given to ./server, not to tsm"),
            ("./server --no-autorestart x", "`tsm start --name a1 --restart never ./server x`"),
            ("./run --no-pmx", "`--no-pmx` is given to ./run, not to tsm"),
        ] {
            let said = notes(line);
            assert!(said.len() == 1 && said[0].contains(ours), "{line}: {said:?}");
        }
        for line in ["./server --watch", "./server --time --error x", "./run --wait-ready", "npm run dev"] {
            assert_eq!(notes(line), [""; 0], "{line}");
        }
        for line in
            ["app.js -i file", "app.js -n 5", "app.js --node-args x", "./server -i max", "app.js --verbose", "node -i"]
        {
            assert_eq!(notes(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn files_of_others_are_known_by_their_names() {
        let dir = tempfile::tempdir().expect("a directory");
        let all = [
            "ecosystem.config.js",
            "pm2.config.cjs",
            "ecosystem.json",
            "process.yml",
            "Procfile",
            "Procfile.dev",
            "docker-compose.yml",
            "process-compose.yaml",
            "supervisord.conf",
            "web.service",
        ];
        for name in all.iter().chain(&["app.js", "package.json", "webpack.config.js", "x.conf"]) {
            std::fs::write(dir.path().join(name), "").expect("a file");
            assert_eq!(is_list(&dir.path().join(name)), all.contains(name), "{name}");
        }
        assert!(!is_list(&dir.path().join("ecosystem.config.mjs")), "no such directory");
        for (name, text, expected) in [
            ("apps.json", r#"{"apps": [{"script": "a.js"}]}"#, true),
            ("data.json", r#"{"a": 1}"#, false),
            ("package.json", r#"{"scripts": {"start": "x"}}"#, true),
            ("api.config.js", "module.exports = {apps: [{script: 'a.js'}]}", true),
            ("webpack.config.js", "module.exports = {entry: './a.js'}", false),
            ("stack.yml", "services:\n  a:\n    command: x\n", true),
            ("mkdocs.yml", "site_name: x\n", false),
            ("workers.conf", "[program:a]\ncommand=x\n", true),
            ("nginx.conf", "events {}\n", false),
            ("app.js", "const apps = { script: 1 }", false),
        ] {
            std::fs::write(dir.path().join(name), text).expect("a file");
            assert_eq!(is_list(&dir.path().join(name)), expected, "{name}");
        }
    }
}
