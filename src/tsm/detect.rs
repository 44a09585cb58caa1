//! What kind of program a command line runs, and which of its words is the script.

use std::fmt;
use std::path::Path;

/// The kind of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessType {
    /// `python app.py`, `python3 -m http.server`, `app.py`.
    Python,
    /// `node app.js`, `app.js`.
    Node,
    /// `bash run.sh`, `run.sh`, and what needs a shell.
    Bash,
    /// `lua main.lua`, `main.lua`.
    Lua,
    /// `go run main.go`.
    Go,
    /// Everything else.
    Command,
}

impl ProcessType {
    /// The word in `meta.json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Bash => "bash",
            Self::Lua => "lua",
            Self::Go => "go",
            Self::Command => "command",
        }
    }
}

impl fmt::Display for ProcessType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known about a command line from its words alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandShape {
    /// What kind of program it is.
    pub kind: ProcessType,
    /// The first word is the interpreter itself, not a script.
    pub is_interpreter: bool,
    /// Where the script is.
    pub script: Option<usize>,
    /// Where the module is that an interpreter runs (`-m http.server`).
    pub module: Option<usize>,
    /// The first word that belongs to the script or program, and no longer to an interpreter.
    pub arguments: usize,
}

/// Looks at the words of a command line.
///
/// The name of the first word decides, then its ending, then the ending of any other word.
#[must_use]
pub fn detect(words: &[String]) -> CommandShape {
    let plain =
        CommandShape { kind: ProcessType::Command, is_interpreter: false, script: None, module: None, arguments: 1 };
    let Some(first) = words.first() else { return CommandShape { arguments: 0, ..plain } };
    if let Some(kind) = interpreter_kind(first) {
        return parse_interpreter_args(kind, words);
    }
    if let Some(kind) = kind_by_extension(first) {
        return CommandShape { kind, script: Some(0), ..plain };
    }
    let script = words.iter().skip(1).position(|word| !word.starts_with('-') && kind_by_extension(word).is_some());
    match script.map(|at| at + 1) {
        Some(at) => CommandShape {
            kind: kind_by_extension(&words[at]).expect("the ending was just seen"),
            script: Some(at),
            arguments: at + 1,
            ..plain
        },
        // A file that is named by its path is a script of its own.
        None => CommandShape { script: first.contains('/').then_some(0), ..plain },
    }
}

/// The interpreter that a word names: `python`, `python3.12`, `/usr/bin/node`, but not `gore` or `nodemon`.
#[must_use]
pub fn interpreter_kind(word: &str) -> Option<ProcessType> {
    const NAMES: [(&str, ProcessType); 8] = [
        ("python", ProcessType::Python),
        ("nodejs", ProcessType::Node),
        ("node", ProcessType::Node),
        ("bash", ProcessType::Bash),
        ("sh", ProcessType::Bash),
        ("luajit", ProcessType::Lua),
        ("lua", ProcessType::Lua),
        ("go", ProcessType::Go),
    ];
    let name = Path::new(word).file_name()?.to_str()?;
    let versioned = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    NAMES.iter().find(|(known, _)| name.strip_prefix(known).is_some_and(versioned)).map(|(_, kind)| *kind)
}

/// The kind of a script, by its ending.
#[must_use]
pub fn kind_by_extension(word: &str) -> Option<ProcessType> {
    match Path::new(word).extension()?.to_str()? {
        "py" => Some(ProcessType::Python),
        "js" | "mjs" | "cjs" => Some(ProcessType::Node),
        "sh" | "bash" => Some(ProcessType::Bash),
        "lua" => Some(ProcessType::Lua),
        _ => None,
    }
}

/// An interpreter's options that are followed by a value, by the code to run, and by a module.
struct InterpreterOptions {
    valued: &'static [&'static str],
    code: &'static [&'static str],
    module: &'static [&'static str],
}

fn options(kind: ProcessType) -> InterpreterOptions {
    match kind {
        ProcessType::Python => InterpreterOptions { valued: &["-W", "-X"], code: &["-c"], module: &["-m"] },
        ProcessType::Node => InterpreterOptions {
            valued: &["-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"],
            code: &["-e", "--eval", "-p", "--print", "-pe"],
            module: &[],
        },
        ProcessType::Bash => InterpreterOptions {
            valued: &["-o", "-O", "+o", "+O", "--rcfile", "--init-file"],
            code: &["-c"],
            module: &[],
        },
        ProcessType::Lua => InterpreterOptions { valued: &["-l"], code: &["-e"], module: &[] },
        ProcessType::Go | ProcessType::Command => InterpreterOptions { valued: &[], code: &[], module: &[] },
    }
}

fn parse_interpreter_args(kind: ProcessType, words: &[String]) -> CommandShape {
    let shape = CommandShape { kind, is_interpreter: true, script: None, module: None, arguments: words.len() };
    if kind == ProcessType::Go {
        return parse_go_args(words, shape);
    }
    let InterpreterOptions { valued, code, module } = options(kind);
    let mut at = 1;
    while let Some(word) = words.get(at).map(String::as_str) {
        let has_next = at + 1 < words.len();
        let is_any = |options: &[&str]| options.contains(&word) || is_cluster(word, options, valued);
        if is_any(module) && has_next {
            return CommandShape { module: Some(at + 1), arguments: at + 2, ..shape };
        }
        if is_any(code) {
            return CommandShape { arguments: (at + 2).min(words.len()), ..shape };
        }
        if !word.starts_with(['-', '+']) {
            return CommandShape { script: Some(at), arguments: at + 1, ..shape };
        }
        at += if valued.contains(&word) { 2 } else { 1 };
    }
    shape
}

/// Letters behind one `-`, such as `-lc`, with one of these options among them, and no option with its value.
fn is_cluster(word: &str, options: &[&str], valued: &[&str]) -> bool {
    let letters = word.strip_prefix('-').filter(|it| it.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let has = |option: &&str| option.len() == 2 && letters.is_some_and(|it| it.contains(&option[1..]));
    options.iter().any(has) && !valued.iter().any(|option| word.starts_with(option))
}

/// `go run [flags] main.go [arguments]`; other go commands have no script.
fn parse_go_args(words: &[String], shape: CommandShape) -> CommandShape {
    let runs = words.get(1).is_some_and(|word| word == "run");
    let script = words.iter().skip(2).position(|word| !word.starts_with('-')).filter(|_| runs).map(|at| at + 2);
    match script {
        Some(at) => CommandShape { script: Some(at), arguments: at + 1, ..shape },
        None => CommandShape { arguments: 1, ..shape },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(line: &str) -> CommandShape {
        detect(&shlex::split(line).expect("words"))
    }

    #[test]
    fn the_first_word_decides_then_its_ending_then_any_ending() {
        for (line, kind) in [
            ("python app.py", ProcessType::Python),
            ("python3.12 -m http.server", ProcessType::Python),
            ("/usr/local/bin/node x.js", ProcessType::Node),
            ("bash run", ProcessType::Bash),
            ("sh run", ProcessType::Bash),
            ("lua main.lua", ProcessType::Lua),
            ("luajit main.lua", ProcessType::Lua),
            ("go run .", ProcessType::Go),
            ("./app.py", ProcessType::Python),
            ("server.mjs", ProcessType::Node),
            ("./run.sh", ProcessType::Bash),
            ("sudo node.d/app.js", ProcessType::Node),
            ("gore x", ProcessType::Command),
            ("nodemon x", ProcessType::Command),
            ("pythonic", ProcessType::Command),
            ("sleep 30", ProcessType::Command),
            ("npm run dev", ProcessType::Command),
        ] {
            assert_eq!(shape(line).kind, kind, "{line}");
        }
    }

    #[test]
    fn finds_script_and_module_behind_the_options_of_the_interpreter() {
        for (line, script, module, arguments) in [
            ("python -u -X dev app.py 1", Some(4), None, 5),
            ("python -m http.server 8000", None, Some(2), 3),
            ("python -c 'x = 1' 8000", None, None, 3),
            ("node -r dotenv/config app.js", Some(3), None, 4),
            ("node --watch app.js", Some(2), None, 3),
            ("node -e code a", None, None, 3),
            ("bash -eu run.sh x", Some(2), None, 3),
            ("bash -c 'a b' name", None, None, 3),
            ("bash -lc 'exec ./run.sh'", None, None, 3),
            ("sh -euxc ./run.sh", None, None, 3),
            ("bash -ce ./run.sh", None, None, 3),
            ("bash -lx run.sh", Some(2), None, 3),
            ("python -uc './a.py' 8000", None, None, 3),
            ("python -um http.server 8000", None, Some(2), 3),
            ("python -Wonce app.py", Some(2), None, 3),
            ("python -OO app.py", Some(2), None, 3),
            ("lua -lbasic main.lua", Some(2), None, 3),
            ("go run -race main.go x", Some(3), None, 4),
            ("go version", None, None, 1),
            ("./server x", Some(0), None, 1),
            ("server x", None, None, 1),
            ("env A=1 node.x app.js y", Some(3), None, 4),
        ] {
            let shape = shape(line);
            assert_eq!((shape.script, shape.module, shape.arguments), (script, module, arguments), "{line}");
        }
    }

    #[test]
    fn no_words_are_no_program() {
        assert_eq!(detect(&[]).arguments, 0);
    }
}
