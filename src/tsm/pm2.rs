//! What was meant for another process manager: its options behind a script, its files instead of a program.

use std::path::Path;

use crate::disk;

use super::detect::{CommandShape, ProcessType};

/// An option of PM2 and what is written here instead.
struct Pm2Option {
    words: &'static [&'static str],
    instead: &'static str,
}

/// Those that this program does not have by the same name.
const PM2_OPTIONS: &[Pm2Option] = &[
    Pm2Option { words: &["-i"], instead: "--instances COUNT before the script" },
    Pm2Option { words: &["-n"], instead: "--name NAME before the script" },
    Pm2Option { words: &["--max-memory-restart"], instead: "--max-memory SIZE" },
    Pm2Option { words: &["--watch"], instead: "--watch ." },
    Pm2Option { words: &["--cron-restart", "--cron-restart-pattern"], instead: "--cron 'M H D M W'" },
    Pm2Option { words: &["--ignore-watch"], instead: "--ignore PATTERN" },
    Pm2Option { words: &["--no-autorestart"], instead: "--restart never" },
    Pm2Option { words: &["--stop-exit-codes"], instead: "--restart on-failure" },
    Pm2Option { words: &["--wait-ready", "--listen-timeout"], instead: "--notify" },
    Pm2Option { words: &["--uid"], instead: "--user NAME" },
    Pm2Option {
        words: &["--interpreter", "--interpreter-args", "--node-args"],
        instead: "the interpreter and its options before the script",
    },
    Pm2Option {
        words: &["--restart-delay", "--exp-backoff-restart-delay", "--min-uptime"],
        instead: "no option of tsm: the delay between restarts grows up to 30 s until the process has run for 10 s",
    },
    Pm2Option {
        words: &["--output", "--error", "--log", "--merge-logs", "--log-date-format", "--time", "--log-type"],
        instead: "no option of tsm: `tsm logs -t` shows its output with times",
    },
    Pm2Option { words: &["--no-daemon", "--no-treekill", "--no-vizion", "--no-pmx"], instead: "no option of tsm" },
    Pm2Option { words: &["--namespace"], instead: "TSM_STACK in a saved service" },
];

/// No script that reads its options is longer.
const MAX_SCRIPT_SIZE: u64 = 512 * 1024;

/// A note for each word behind a script that is an option of PM2 and that the script does not know. It is the script's all the
/// same.
#[must_use]
pub fn notes(words: &[String], shape: &CommandShape, cwd: &Path) -> Vec<String> {
    let Some(script) = shape.script.and_then(|at| words.get(at)).filter(|_| shape.kind != ProcessType::Command) else {
        return Vec::new();
    };
    let path = cwd.join(script);
    let short = path.metadata().is_ok_and(|file| file.is_file() && file.len() <= MAX_SCRIPT_SIZE);
    let text = if short { disk::read_to_string(&path).unwrap_or_default() } else { String::new() };
    let behind = words.get(shape.arguments..).unwrap_or_default();
    let mut notes = Vec::new();
    for (at, word) in behind.iter().enumerate() {
        let name = word.split('=').next().unwrap_or(word);
        let next = behind.get(at + 1).map_or("", String::as_str);
        let known = PM2_OPTIONS.iter().find(|option| option.words.contains(&name)).filter(|_| is_likely(name, next));
        if let Some(option) = known.filter(|_| !text.contains(name.trim_start_matches('-')) || is_letter(name)) {
            notes.push(format!(
                "`{name}` is passed to {script}; what it means in PM2 is {} (put `--` before the \
                 arguments of the script to pass them without this note)",
                option.instead
            ));
        }
    }
    notes
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
            notes(&words, &detect(&words), dir.path())
        };
        for (line, ours) in [
            ("app.js -i max", "--instances"),
            ("node app.js -i 4", "--instances"),
            ("app.js --max-memory-restart 200M", "--max-memory"),
            ("app.js --watch", "--watch ."),
            ("app.js --max-memory-restart=200M", "--max-memory"),
            ("app.js x --no-autorestart", "--restart never"),
            ("app.js -n api", "--name"),
        ] {
            let said = notes(line);
            assert!(said.len() == 1 && said[0].contains(ours), "{line}: {said:?}");
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
