//! Which file is executed: interpreters found and made absolute, scripts and programs looked for before anything is made.

use std::path::{Path, PathBuf};

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::sort::SortExt;
use crate::disk;
use crate::sys::program::{find, is_executable, shebang};

use super::command_line::{CommandLine, quoted};
use super::detect::{CommandShape, ProcessType};

/// Where programs are looked for.
pub struct ProgramFinder<'a> {
    /// The variables the child will have; `PATH` is the search path.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// `$TETRA_DIR`: may hold `nvm`, `lua` and `go`.
    pub home: &'a Path,
    /// The working directory of the child.
    pub cwd: &'a Path,
}

/// What to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedProgram {
    /// The words; the first is a path, or a name that was found in `PATH`.
    pub argv: Vec<String>,
    /// The word that led to the first one, to be looked up again when that is gone; empty if it is that very word, or a path.
    pub word: String,
    /// The interpreter, absolute; empty if there is none.
    pub interpreter: String,
    /// The kind, which a shell may have decided.
    pub kind: ProcessType,
}

/// Why a program cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// There is no such file.
    #[error("tsm: '{word}' not found or not executable")]
    Missing {
        /// The word that was given.
        word: String,
        /// Where it was looked for.
        cwd: PathBuf,
    },
    /// It is there and may not be executed.
    #[error("tsm: '{word}' not found or not executable")]
    NotExecutable {
        /// The word that was given.
        word: String,
        /// It is a directory.
        is_directory: bool,
    },
    /// Nothing that could run it is installed.
    #[error("interpreter `{name}` not found")]
    NoInterpreter {
        /// What was looked for.
        name: String,
    },
}

impl UserFacingError for ProgramError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Missing { .. } | Self::NoInterpreter { .. } => FaultKind::NotFound,
            Self::NotExecutable { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Missing { word, cwd } if word.contains('/') => {
                format!("no such file in `{}`", cwd.display())
            }
            Self::Missing { word, .. } => {
                format!(
                    "`{word}` is not a service, process, program in PATH or file; `tsm list available` lists the services"
                )
            }
            Self::NotExecutable { is_directory: true, .. } => "it is a directory; name the program in it".to_owned(),
            Self::NotExecutable { word, .. } => format!("chmod +x {}", quoted(word)),
            Self::NoInterpreter { name } => format!("install {name}, or add it to PATH"),
        })
    }
}

/// Finds what to execute for a command line.
///
/// # Errors
///
/// Fails if the program, its script or its interpreter is missing, or may not be executed.
pub fn resolve(
    line: &CommandLine,
    shape: &CommandShape,
    tools: &ProgramFinder,
) -> Result<ResolvedProgram, ProgramError> {
    if let Some(text) = &line.shell {
        let shell = tools.language("bash", ProcessType::Bash)?;
        let kind = if shape.kind == ProcessType::Command { ProcessType::Bash } else { shape.kind };
        let argv = vec![shell.clone(), "-c".to_owned(), text.clone()];
        return Ok(ResolvedProgram { argv, word: "bash".to_owned(), interpreter: shell, kind });
    }
    let Some(first) = line.words.first() else {
        return Err(ProgramError::Missing { word: String::new(), cwd: tools.cwd.to_owned() });
    };
    match (shape.is_interpreter, shape.kind, shape.script) {
        (true, kind, _) => {
            let interpreter = tools.language(first, kind)?;
            check_script(&line.words, shape, tools.cwd)?;
            let argv = std::iter::once(interpreter.clone()).chain(line.words[1..].iter().cloned()).collect();
            let word = Some(first.clone()).filter(|first| !first.contains('/')).unwrap_or_default();
            Ok(ResolvedProgram { argv, word, interpreter, kind })
        }
        (false, kind, Some(0)) if kind != ProcessType::Command => tools.script(&line.words, kind),
        (false, kind, _) => {
            let program = tools.program(first)?;
            let kind = if kind == ProcessType::Command { tools.kind_of(&program) } else { kind };
            let argv = std::iter::once(program).chain(line.words[1..].iter().cloned()).collect();
            Ok(ResolvedProgram { argv, word: String::new(), interpreter: String::new(), kind })
        }
    }
}

/// An interpreter says less well than we do that its script is missing. `node app` may mean `app.js`.
fn check_script(words: &[String], shape: &CommandShape, cwd: &Path) -> Result<(), ProgramError> {
    let Some(word) = shape.script.and_then(|at| words.get(at)) else { return Ok(()) };
    let plain = word.contains('/') || super::detect::kind_by_extension(word).is_some();
    let other = ["js", "mjs", "cjs", "json"].map(|ending| cwd.join(format!("{word}.{ending}")));
    if !plain || cwd.join(word).exists() || other.iter().any(|path| path.exists()) {
        return Ok(());
    }
    Err(ProgramError::Missing { word: word.clone(), cwd: cwd.to_owned() })
}

impl ResolvedProgram {
    /// Looks for a program that is not looked up anew, and for its script: what runs of them is not to be stopped where they are gone.
    ///
    /// # Errors
    ///
    /// Fails if one of them is not there.
    pub fn check_exists(&self, cwd: &Path) -> Result<(), ProgramError> {
        let is_gone = |word: &&String| word.contains('/') && cwd.join(word).try_exists().is_ok_and(|exists| !exists);
        match self.argv.first().filter(|_| self.word.is_empty()).filter(is_gone) {
            Some(word) => Err(ProgramError::Missing { word: word.clone(), cwd: cwd.to_owned() }),
            None => check_script(&self.argv, &super::detect::detect(&self.argv), cwd),
        }
    }

    /// The same, found anew if what was found is gone: version managers put a new version at another place.
    #[must_use]
    pub fn resolve_again(mut self, tools: &ProgramFinder) -> Self {
        let gone = self.argv.first().is_some_and(|path| path.starts_with('/') && !Path::new(path).exists());
        if gone && !self.word.is_empty() {
            let kind = super::detect::interpreter_kind(&self.word).unwrap_or(ProcessType::Command);
            if let Ok(found) = tools.language(&self.word, kind) {
                self.interpreter.clone_from(&found);
                self.argv[0] = found;
            }
        }
        self
    }
}

impl ProgramFinder<'_> {
    /// The interpreter that `word` names, absolute.
    fn language(&self, word: &str, kind: ProcessType) -> Result<String, ProgramError> {
        if word.contains('/') {
            return self.program(word).map(|_| text(&self.cwd.join(word)));
        }
        let found = match kind {
            ProcessType::Python => self.pyenv(word).or_else(|| self.find(word)).or_else(|| self.python(word)),
            ProcessType::Node => self.nvm_of_tetra().or_else(|| self.find(word)).or_else(|| self.nvm()),
            ProcessType::Lua | ProcessType::Go => self.own(word).or_else(|| self.find(word)),
            ProcessType::Bash | ProcessType::Command => {
                self.find(word).or_else(|| Some(PathBuf::from("/bin").join(word)))
            }
        };
        let found = found.filter(|path| is_executable(path));
        found.map(|path| text(&path)).ok_or_else(|| ProgramError::NoInterpreter { name: word.to_owned() })
    }

    /// A script that is given without its interpreter. Its own interpreter line counts where the kernel would obey it.
    fn script(&self, words: &[String], kind: ProcessType) -> Result<ResolvedProgram, ProgramError> {
        let word = &words[0];
        let here = self.cwd.join(word);
        let path = if here.exists() { here } else { self.find(word).unwrap_or(here) };
        let runs = is_executable(&path);
        match (path.exists(), path.is_dir()) {
            (false, _) => return Err(ProgramError::Missing { word: word.clone(), cwd: self.cwd.to_owned() }),
            (_, true) => return Err(ProgramError::NotExecutable { word: word.clone(), is_directory: true }),
            // A shell script has to say itself that it is a program; the others are food for their interpreter.
            _ if kind == ProcessType::Bash && !runs => {
                return Err(ProgramError::NotExecutable { word: word.clone(), is_directory: false });
            }
            _ => {}
        }
        let own = if runs { self.interpreter_line(&path) } else { None };
        let (mut argv, found_by) = match own {
            Some((own, name)) => (own, name),
            None => (vec![self.language(default_interpreter(kind), kind)?], default_interpreter(kind).to_owned()),
        };
        let interpreter = argv[0].clone();
        // The name in the working directory as it was given; one from PATH with its directory.
        argv.push(if self.cwd.join(word).exists() { word.clone() } else { text(&path) });
        argv.extend_from_slice(&words[1..]);
        Ok(ResolvedProgram { argv, word: found_by, interpreter, kind })
    }

    /// The interpreter line of a script as words, `env` already looked through, and the name that `env` was given; `None` if it
    /// cannot be followed.
    fn interpreter_line(&self, path: &Path) -> Option<(Vec<String>, String)> {
        let (program, rest) = shebang(path)?;
        let mut words: Vec<String> = rest.into_iter().collect();
        if Path::new(&program).file_name()? != "env" {
            words.insert(0, program);
            return is_executable(Path::new(&words[0])).then(|| (words, String::new()));
        }
        let rest = words.pop()?;
        let split =
            rest.strip_prefix("-S").map_or_else(|| Some(vec![rest.clone()]), |rest| shlex::split(rest.trim()))?;
        let (name, more) = split.split_first()?;
        let kind = super::detect::interpreter_kind(name).unwrap_or(ProcessType::Command);
        let program = self.language(name, kind).ok()?;
        let found_by = Some(name.clone()).filter(|name| !name.contains('/')).unwrap_or_default();
        Some((std::iter::once(program).chain(more.iter().cloned()).collect(), found_by))
    }

    /// A program as it will be executed: a path, a name in PATH, or a file in the working directory.
    fn program(&self, word: &str) -> Result<String, ProgramError> {
        if !word.contains('/') && self.find(word).is_some() {
            return Ok(word.to_owned());
        }
        let path = self.cwd.join(word);
        match (path.exists(), is_executable(&path)) {
            (true, true) if word.contains('/') => Ok(word.to_owned()),
            (true, true) => Ok(format!("./{word}")),
            (true, false) => Err(ProgramError::NotExecutable { word: word.to_owned(), is_directory: path.is_dir() }),
            (false, _) => Err(ProgramError::Missing { word: word.to_owned(), cwd: self.cwd.to_owned() }),
        }
    }

    /// A program may be a script, and say itself what it is written in.
    fn kind_of(&self, program: &str) -> ProcessType {
        let path = if program.contains('/') { Some(self.cwd.join(program)) } else { self.find(program) };
        let line = path.as_deref().and_then(shebang);
        let words = line.into_iter().flat_map(|(program, rest)| std::iter::once(program).chain(rest));
        let words: Vec<String> = words.flat_map(|text| shlex::split(&text).unwrap_or_default()).collect();
        let python = words.iter().any(|word| super::detect::interpreter_kind(word) == Some(ProcessType::Python));
        if python { ProcessType::Python } else { ProcessType::Command }
    }

    fn find(&self, word: &str) -> Option<PathBuf> {
        find(word, &(self.variable)("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned()), self.cwd)
    }

    /// Many systems have only the name with the number.
    fn python(&self, word: &str) -> Option<PathBuf> {
        (word == "python").then(|| self.find("python3")).flatten()
    }

    fn pyenv(&self, word: &str) -> Option<PathBuf> {
        let shim = Path::new(&(self.variable)("PYENV_ROOT")?).join("shims").join(word);
        is_executable(&shim).then_some(shim)
    }

    fn own(&self, word: &str) -> Option<PathBuf> {
        let own = self.home.join(word).join("bin").join(word);
        is_executable(&own).then_some(own)
    }

    fn nvm_of_tetra(&self) -> Option<PathBuf> {
        self.nvm_in(&self.home.join("nvm"))
    }

    fn nvm(&self) -> Option<PathBuf> {
        let dir = (self.variable)("NVM_DIR").map(PathBuf::from);
        self.nvm_in(&dir.or_else(|| Some(Path::new(&(self.variable)("HOME")?).join(".nvm")))?)
    }

    /// The version that nvm has chosen: that of this shell, the default alias, or the newest.
    fn nvm_in(&self, dir: &Path) -> Option<PathBuf> {
        let versions = dir.join("versions/node");
        let chosen = (self.variable)("NVM_BIN").map(|bin| Path::new(&bin).join("node"));
        if let Some(chosen) = chosen.filter(|node| node.starts_with(&versions) && is_executable(node)) {
            return Some(chosen);
        }
        let mut installed: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(&versions)
            .ok()?
            .flatten()
            .map(|entry| (version(&entry.file_name().to_string_lossy()), entry.path().join("bin/node")))
            .filter(|(_, node)| is_executable(node))
            .collect();
        installed.order();
        let alias = disk::read_to_string(dir.join("alias/default")).map(|text| version(text.trim())).ok();
        let default = alias.filter(|wanted| !wanted.is_empty());
        let wanted = installed.iter().rfind(|(have, _)| default.as_ref().is_some_and(|want| have.starts_with(want)));
        wanted.or(installed.last()).map(|(_, node)| node.clone())
    }
}

/// The numbers of `v20.11.1`; none for a word such as `lts/*`.
fn version(text: &str) -> Vec<u32> {
    let numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(str::parse);
    numbers.collect::<Result<_, _>>().unwrap_or_default()
}

fn default_interpreter(kind: ProcessType) -> &'static str {
    match kind {
        ProcessType::Python => "python",
        ProcessType::Node => "node",
        ProcessType::Lua => "lua",
        ProcessType::Go => "go",
        ProcessType::Bash | ProcessType::Command => "bash",
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::detect::detect;
    use super::*;

    /// A directory with programs in `bin` (its only PATH) and scripts in `work`.
    struct Fixture {
        directory: tempfile::TempDir,
        variables: BTreeMap<String, String>,
    }

    impl Fixture {
        fn new(programs: &[&str]) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("bin").display().to_string();
            let bench = Self { directory, variables: BTreeMap::from([("PATH".to_owned(), path)]) };
            fs::create_dir_all(bench.at("work")).expect("a directory");
            for program in programs {
                bench.file(program, "", 0o755);
            }
            bench
        }

        fn at(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn file(&self, name: &str, text: &str, mode: u32) {
            let path = self.at(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        }

        fn resolve(&self, line: &str) -> Result<ResolvedProgram, ProgramError> {
            let line = CommandLine::of_text(line).expect("words");
            let variable = |name: &str| self.variables.get(name).cloned();
            let (home, cwd) = (self.at("home"), self.at("work"));
            resolve(&line, &detect(&line.words), &ProgramFinder { variable: &variable, home: &home, cwd: &cwd })
        }

        /// The words, with the bench's own directory cut away.
        fn argv(&self, line: &str) -> String {
            let program = self.resolve(line).expect(line);
            program.argv.join(" ").replace(&format!("{}/", self.directory.path().display()), "")
        }
    }

    #[test]
    fn an_interpreter_becomes_an_absolute_path() {
        let bench = Fixture::new(&["bin/python", "bin/node", "bin/bash", "bin/lua", "bin/go"]);
        bench.file("work/a.py", "", 0o644);
        bench.file("work/a.js", "", 0o644);
        assert_eq!(bench.argv("python -m http.server 8000"), "bin/python -m http.server 8000");
        assert_eq!(bench.argv("node a.js 1"), "bin/node a.js 1");
        assert_eq!(bench.argv("node a"), "bin/node a");
        assert_eq!(bench.argv("a.py x"), "bin/python a.py x", "a script needs no x-bit if it is not a shell's");
        assert_eq!(bench.resolve("lua -e 1").expect("it").interpreter, text(&bench.at("bin/lua")));
        assert_eq!(bench.argv("cd x && y"), "bin/bash -c cd x && y");
    }

    #[test]
    fn python_means_python3_where_there_is_no_python() {
        let bench = Fixture::new(&["bin/python3"]);
        assert_eq!(bench.argv("python -V"), "bin/python3 -V");
        assert!(matches!(bench.resolve("python2 -V"), Err(ProgramError::NoInterpreter { .. })));
    }

    #[test]
    fn pyenv_and_nvm_come_before_path() {
        let mut bench = Fixture::new(&["bin/python", "bin/node", "pyenv/shims/python"]);
        bench.variables.insert("PYENV_ROOT".to_owned(), text(&bench.at("pyenv")));
        assert_eq!(bench.argv("python -V"), "pyenv/shims/python -V");
        for version in ["v9.1.0", "v20.2.0", "v18.19.1"] {
            bench.file(&format!("home/nvm/versions/node/{version}/bin/node"), "", 0o755);
        }
        assert_eq!(bench.argv("node -v"), "home/nvm/versions/node/v20.2.0/bin/node -v");
        bench.file("home/nvm/alias/default", "18\n", 0o644);
        assert_eq!(bench.argv("node -v"), "home/nvm/versions/node/v18.19.1/bin/node -v");
        bench.variables.insert("NVM_BIN".to_owned(), text(&bench.at("home/nvm/versions/node/v9.1.0/bin")));
        assert_eq!(bench.argv("node -v"), "home/nvm/versions/node/v9.1.0/bin/node -v");
    }

    #[test]
    fn a_shell_script_must_be_executable_and_its_own_interpreter_line_counts() {
        let bench = Fixture::new(&["bin/bash", "bin/zsh"]);
        bench.file("work/plain.sh", "echo hi\n", 0o755);
        bench.file("work/zsh.sh", "#!/usr/bin/env zsh\n", 0o755);
        bench.file("work/sh.sh", "#!/bin/sh -e\n", 0o755);
        bench.file("work/locked.sh", "#!/bin/sh\n", 0o644);
        assert_eq!(bench.argv("./plain.sh x"), "bin/bash ./plain.sh x");
        assert_eq!(bench.argv("plain.sh"), "bin/bash plain.sh");
        assert_eq!(bench.argv("./zsh.sh"), "bin/zsh ./zsh.sh");
        assert_eq!(bench.argv("./sh.sh"), "/bin/sh -e ./sh.sh");
        assert_eq!(bench.argv("bash locked.sh"), "bin/bash locked.sh");
        let error = bench.resolve("./locked.sh").expect_err("no x-bit");
        assert_eq!(error.to_string(), "tsm: './locked.sh' not found or not executable");
        assert_eq!(error.advice().as_deref(), Some("chmod +x ./locked.sh"));
    }

    #[test]
    fn what_is_missing_is_said_before_anything_is_made() {
        let bench = Fixture::new(&["bin/bash", "bin/node"]);
        fs::create_dir(bench.at("work/directory")).expect("a directory");
        bench.file("work/data", "", 0o644);
        for line in ["script.sh", "./script.sh", "nothing", "./nothing", "node missing.js", "directory/missing"] {
            let error = bench.resolve(line).expect_err(line);
            assert!(matches!(error, ProgramError::Missing { .. }), "{line}: {error:?}");
            assert_eq!(error.kind(), FaultKind::NotFound);
        }
        assert!(matches!(bench.resolve("./directory"), Err(ProgramError::NotExecutable { is_directory: true, .. })));
        assert!(matches!(bench.resolve("./data"), Err(ProgramError::NotExecutable { is_directory: false, .. })));
    }

    #[test]
    fn a_program_is_a_path_or_a_name_in_path_or_a_file_here() {
        let bench = Fixture::new(&["bin/tool", "work/local", "work/tool"]);
        assert_eq!(bench.argv("tool -x"), "tool -x");
        assert_eq!(bench.argv("./local -x"), "./local -x");
        assert_eq!(bench.argv("local -x"), "./local -x");
        assert_eq!(bench.resolve("tool").expect("it").interpreter, "");
    }
}
