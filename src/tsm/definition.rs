//! Service definitions: `.tsm` files, the assignments of a shell, parsed and never executed.
//!
//! A line is `KEY=value`, `export KEY=value` or a comment. Values are shell words: bare, `'literal'`, `"with $NAME"`; a list in
//! parentheses may span lines. `$NAME`, `${NAME}` and `${NAME:-default}` are looked up in the surroundings and in earlier
//! lines, but stay as they are in `TSM_COMMAND`, `TSM_PRE_COMMAND` and `TSM_HEALTH_CHECK`, which see the process's own variables.

pub mod keys;
mod reader;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::options::ServiceOptions;
use super::options::value::{FormattedValue, RawOptionValue};
use super::port::PortSpec;
use crate::base::environment::EnvRef;
use crate::base::fault::{FaultKind, Location, UserFacingError};
use crate::base::name::sanitize;
use crate::base::redact;
use crate::base::suggest::closest_match;
use crate::config::secret::is_secret_text;
use crate::disk;
use keys::{DefinitionKey, keys};
use reader::{Assignment, DefinitionReader};

/// The key by which `org apply` knows again what it made, and from which environment.
pub const GENERATED_FROM: &str = "TETRA_MADE_FROM";

/// What a definition says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Definition {
    /// The file, with links resolved.
    pub file: PathBuf,
    /// `TSM_NAME`; without it the file's stem, made legal.
    pub name: String,
    /// `TSM_COMMAND`, and behind it what `TSM_ARGS` lists, quoted.
    pub command: String,
    /// `TSM_CWD`; the file's directory without it. Relative to the file's directory.
    pub cwd: PathBuf,
    /// `TSM_ENV`: a name, a file, `K=V …` or `none`.
    pub env: Option<String>,
    /// `TSM_ENVIRONMENT`: the environment that it belongs to, `ORG/ENV`.
    pub belongs: Option<EnvRef>,
    /// `TSM_PORT`.
    pub port: Option<PortSpec>,
    /// `TSM_DESCRIPTION`.
    pub description: Option<String>,
    /// `TSM_PRE_COMMAND`.
    pub pre_command: Option<String>,
    /// `TSM_AUTOSTART`: whether an enabled service is started with the others.
    pub autostart: Option<bool>,
    /// `TSM_INSTANCES`: how many of it run.
    pub instances: Option<u32>,
    /// The options of the process.
    pub options: ServiceOptions,
    /// `TSM_ARGS`, until they are a part of the command.
    pub arguments: Vec<String>,
    /// The `export` lines, in order.
    pub exports: Vec<(String, String)>,
    /// Every other key, as it was; a list has its values joined by spaces.
    pub unknown: Vec<(String, String)>,
    /// Keys that look like slips of the finger, with what was probably meant.
    pub typos: Vec<(String, &'static str)>,
}

/// Why a definition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The file cannot be read.
    #[error("failed to read the service definition `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not an assignment, or its value is invalid.
    #[error("{what}")]
    Malformed {
        /// Where.
        at: Location,
        /// What is wrong.
        what: String,
    },
    /// There is nothing to run.
    #[error("the service definition `{}` has no TSM_COMMAND", path.display())]
    NoCommand {
        /// The file.
        path: PathBuf,
    },
}

impl UserFacingError for DefinitionError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Unreadable { source, .. } if disk::untrusted_error(source).is_some() => FaultKind::Refused,
            _ => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } => disk::untrusted_error(source).map(disk::UntrustedFileError::advice),
            Self::Malformed { .. } => Some(
                "a definition holds lines `KEY=value`, `export KEY=value` and comments; it is read, never executed"
                    .to_owned(),
            ),
            Self::NoCommand { .. } => Some("add a line such as `TSM_COMMAND=\"node server.js\"`".to_owned()),
        }
    }

    fn location(&self) -> Option<Location> {
        match self {
            Self::Malformed { at, .. } => Some(at.clone()),
            Self::Unreadable { .. } | Self::NoCommand { .. } => None,
        }
    }
}

impl Definition {
    /// True if it says something that is not shown anywhere: a password in a URL, a variable of such a name.
    #[must_use]
    pub fn holds_secrets(&self) -> bool {
        let mut said = keys().filter_map(|key| key.write(self));
        let mut pairs = self.exports.iter().chain(&self.unknown);
        pairs.any(|(key, value)| is_secret_text(key, value))
            || said.any(|value| match value {
                FormattedValue::Text(value) => redact::text(&value) != value,
                FormattedValue::List(values) => redact::redact(&values) != values,
            })
    }

    /// Reads the definition in `file`, looking variables up in `variables`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, at its first malformed line, or if it has nothing to run.
    pub fn read(file: &Path, variables: &BTreeMap<String, String>) -> Result<Self, DefinitionError> {
        let unreadable = |source| DefinitionError::Unreadable { path: file.to_owned(), source };
        let text = disk::read_to_string(file).map_err(unreadable)?;
        Self::of(file, &text, variables)
    }

    /// The same to run it: nothing is run that another user says, or could change.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and if it is not to be trusted.
    pub fn read_to_run(file: &Path, variables: &BTreeMap<String, String>) -> Result<Self, DefinitionError> {
        let unreadable = |source| DefinitionError::Unreadable { path: file.to_owned(), source };
        let text = disk::read_trusted(file).map_err(unreadable)?;
        Self::of(file, &text, variables)
    }

    fn of(file: &Path, text: &str, variables: &BTreeMap<String, String>) -> Result<Self, DefinitionError> {
        let unreadable = |source| DefinitionError::Unreadable { path: file.to_owned(), source };
        let resolved = file.canonicalize().map_err(unreadable)?;
        // A definition that is reached through a linked directory runs in that directory, wherever the link leads by then.
        let dir = if file.is_symlink() { resolved.parent() } else { file.parent() };
        // Messages name the file as the operator did.
        let read = Self::parse_in(dir.unwrap_or(Path::new("/")), text, &resolved, variables);
        read.map_err(|error| error.with_path(file))
    }

    /// Reads a definition from its text; `file` need not be there.
    ///
    /// # Errors
    ///
    /// Fails at the first malformed line, or if there is nothing to run.
    pub fn parse(text: &str, file: &Path, variables: &BTreeMap<String, String>) -> Result<Self, DefinitionError> {
        Self::parse_in(file.parent().unwrap_or(Path::new("/")), text, file, variables)
    }

    /// Paths of the text begin in `directory`.
    fn parse_in(
        dir: &Path,
        text: &str,
        file: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, DefinitionError> {
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let name = sanitize(&stem, "service");
        let mut definition = Self { file: file.to_owned(), name, cwd: dir.to_owned(), ..Self::default() };
        for assignment in DefinitionReader::new(text, file, variables).assignments()? {
            definition.apply(assignment, dir)?;
        }
        if definition.command.trim().is_empty() {
            return Err(DefinitionError::NoCommand { path: file.to_owned() });
        }
        definition.complete();
        Ok(definition)
    }

    /// Puts what `TSM_ARGS` lists behind the command, once everything is read.
    pub fn complete(&mut self) {
        for argument in self.arguments.drain(..) {
            self.command.push(' ');
            self.command.push_str(&super::command_line::quoted(&argument));
        }
    }

    /// The env files that it names, in order.
    #[must_use]
    pub fn env_files(&self) -> &[String] {
        self.options.env_file.as_deref().unwrap_or_default()
    }

    /// The services that have to be ready before it.
    #[must_use]
    pub fn deps(&self) -> &[String] {
        self.options.deps.as_deref().unwrap_or_default()
    }

    /// The environment that it belongs to: the one it names, or else the one it was made from.
    #[must_use]
    pub fn environment(&self) -> Option<EnvRef> {
        self.belongs.clone().or_else(|| self.generated_from()?.parse().ok())
    }

    /// The environment that `org apply` made it from.
    #[must_use]
    pub fn generated_from(&self) -> Option<&str> {
        self.unknown.iter().find(|(key, _)| key == GENERATED_FROM).map(|(_, value)| value.as_str())
    }

    fn apply(&mut self, line: Assignment, directory: &Path) -> Result<(), DefinitionError> {
        if line.export {
            let value = line.value();
            self.exports.retain(|(key, _)| *key != line.key);
            self.exports.push((line.key, value));
            return Ok(());
        }
        if let Some(key) = DefinitionKey::of_tsm(&line.key) {
            let given = RawOptionValue { values: &line.values, list: line.list, dir: directory };
            return key.read(self, &given).map_err(|wants| line.error(wants));
        }
        if line.key.starts_with("TSM_") && !keys::LEGACY_KEYS.contains(&line.key.as_str()) {
            // By the name that TOML has for it, such as `health` or `max_memory_restart`.
            let of_toml = || DefinitionKey::of_toml(&line.key["TSM_".len()..].to_ascii_lowercase()).map(|key| key.tsm);
            let all = keys().map(|key| key.tsm).chain(keys::LEGACY_KEYS);
            let meant = of_toml().or_else(|| closest_match(&line.key, all));
            self.typos.extend(meant.map(|meant| (line.key.clone(), meant)));
        }
        let value = line.value();
        self.unknown.push((line.key, value));
        Ok(())
    }
}

/// The environment that the service in `file` belongs to, also where the definition cannot be used; for the guard.
#[must_use]
pub fn environment_of(file: &Path) -> Option<EnvRef> {
    let text = disk::read_to_string(file).ok()?;
    let value = |key: &str| {
        let mut values = text.lines().filter_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix('='));
        values.next_back()?.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).parse().ok()
    };
    value("TSM_ENVIRONMENT").or_else(|| value(GENERATED_FROM))
}

impl DefinitionError {
    fn with_path(mut self, file: &Path) -> Self {
        match &mut self {
            Self::Malformed { at, .. } => at.file = file.display().to_string(),
            Self::Unreadable { path, .. } | Self::NoCommand { path } => *path = file.to_owned(),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::meta::RestartPolicy;

    fn parse(text: &str) -> Result<Definition, DefinitionError> {
        let variables = BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]);
        Definition::parse(text, Path::new("/srv/app/api.tsm"), &variables)
    }

    fn place(text: &str) -> (usize, usize, usize) {
        let at = parse(text).expect_err("malformed").location().expect("a place");
        (at.line, at.column, at.width)
    }

    #[test]
    fn reads_the_published_definition() {
        let text = "# /root/tetra/tsm/services-available/tetra.tsm\nTSM_NAME=\"tetra\"\nTSM_CWD=\"/root/src/devops/tetra\"\n\
                    TSM_ENV_FILE=\"env/dev.env\"\nTSM_PORT=\"4444\"\nTSM_COMMAND=\"node server/server.js --env dev\"\n\
                    TSM_DESCRIPTION=\"Tetra unified orchestration server (@dev environment)\"\nTSM_AUTOSTART=\"true\"\n";
        let read = parse(text).expect("a definition");
        assert_eq!((read.name.as_str(), read.port), ("tetra", Some(PortSpec::Exact(4444))));
        assert_eq!(read.command, "node server/server.js --env dev");
        assert_eq!(read.cwd, Path::new("/root/src/devops/tetra"));
        assert_eq!(read.options.env_file.as_deref(), Some(&["env/dev.env".to_owned()][..]));
        assert_eq!(read.autostart, Some(true));
        let read = parse("TSM_COMMAND=x\nTSM_ORG=acme\n").expect("a definition");
        assert_eq!(read.unknown, [("TSM_ORG".to_owned(), "acme".to_owned())], "unknown keys are kept");
        assert!(read.typos.is_empty());
    }

    #[test]
    fn name_and_directory_default_to_those_of_the_file() {
        let read = parse("TSM_COMMAND='./run'\n").expect("a definition");
        assert_eq!((read.name.as_str(), read.cwd.as_path()), ("api", Path::new("/srv/app")));
        let read = parse("TSM_COMMAND=./run\nTSM_CWD=server\n").expect("a definition");
        assert_eq!(read.cwd, Path::new("/srv/app/server"));
    }

    #[test]
    fn values_are_shell_words() {
        for (line, value) in [
            (r#"TSM_DESCRIPTION="say \"hi\" \$5 \\ \`x\`""#, r#"say "hi" $5 \ `x`"#),
            ("TSM_DESCRIPTION='it'\\''s $HOME'", "it's $HOME"),
            ("TSM_DESCRIPTION=$HOME/x", "/home/u/x"),
            ("TSM_DESCRIPTION=\"${HOME}/x\" # note", "/home/u/x"),
            ("TSM_DESCRIPTION=\"${NONE:-fall back}\"", "fall back"),
            ("TSM_DESCRIPTION=a#b", "a#b"),
            ("TSM_DESCRIPTION=~/x", "/home/u/x"),
            ("TSM_DESCRIPTION=~other/x~", "~other/x~"),
            ("TSM_DESCRIPTION=\"two\nlines\"", "two\nlines"),
            ("TSM_DESCRIPTION=crlf\r", "crlf"),
            ("A=1; TSM_DESCRIPTION=$A$A", "11"),
            ("TSM_DESCRIPTION=\"naïve ✅\"", "naïve ✅"),
        ] {
            let read = parse(&format!("TSM_COMMAND=x\n{line}\n")).expect(line);
            assert_eq!(read.description.as_deref(), Some(value), "{line:?}");
        }
    }

    #[test]
    fn a_command_keeps_its_variables_for_its_own_shell() {
        let read = parse("TSM_COMMAND=\"serve --on $PORT $(nproc)\"\nTSM_PRE_COMMAND='echo $HOME'\n").expect("it");
        assert_eq!(read.command, "serve --on $PORT $(nproc)");
        assert_eq!(read.pre_command.as_deref(), Some("echo $HOME"));
    }

    #[test]
    fn exports_arrays_and_policies() {
        let text = "TSM_COMMAND=serve\nTSM_ARGS=(--flag \"two words\"\n  third) # note\nexport A=\"1\"\nexport B='x y'\n\
                    export A=2\nTSM_RESTART_ON_FAILURE=true\nTSM_PORT=8000+\nTSM_DEPS=(db cache)\n";
        let read = parse(text).expect("a definition");
        assert_eq!(read.command, "serve --flag 'two words' third");
        assert_eq!(read.exports, [("B".to_owned(), "x y".to_owned()), ("A".to_owned(), "2".to_owned())]);
        assert_eq!((read.options.restart, read.port), (Some(RestartPolicy::OnFailure), Some(PortSpec::AtLeast(8000))));
        assert_eq!(read.deps(), ["db", "cache"]);
        assert_eq!(parse("TSM_COMMAND=x\nTSM_PORT=auto").expect("it").port, Some(PortSpec::AtLeast(8000)));
        assert_eq!(parse("TSM_COMMAND=x\nTSM_PORT=none").expect("it").port, Some(PortSpec::None));
    }

    #[test]
    fn nothing_is_executed_and_the_place_is_shown() {
        for (text, at) in [
            ("TSM_COMMAND=x\nrm -rf /\n", (2, 1, 2)),
            ("TSM_COMMAND=x\n\n  source other.sh\n", (3, 3, 6)),
            ("TSM_CWD=\"$(pwd)\"\n", (1, 10, 2)),
            ("TSM_CWD=`pwd`\n", (1, 9, 1)),
            ("TSM_CWD=$NOWHERE/x\n", (1, 9, 8)),
            ("TSM_NAME=\"open\n", (1, 10, 1)),
            ("TSM_ARGS=(a b\n", (1, 10, 1)),
            ("TSM_PORT=\"70000\"\n", (1, 10, 7)),
            ("TSM_PORT=0\n", (1, 10, 1)),
            ("TSM_NAME='my app'\n", (1, 10, 8)),
            ("TSM_RESTART=sometimes\n", (1, 13, 9)),
            ("TSM_NAME = x\n", (1, 1, 8)),
            ("TSM_NAME=a b\n", (1, 12, 1)),
            ("export A\n", (1, 8, 1)),
            ("export \u{a0}x\n", (1, 8, 1)),
            ("é\n", (1, 1, 1)),
            ("TSM_NAME=a && rm x\n", (1, 12, 2)),
            ("TSM_NAME=a|b\n", (1, 11, 1)),
        ] {
            assert_eq!(place(text), at, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[ -~\\n\\t\u{a0}é]{0,80}", key in "(export )?TSM_[A-Z]{1,8}=") {
            let variables = BTreeMap::new();
            let parse = |text: &str| Definition::parse(text, Path::new("/srv/x.tsm"), &variables);
            let _ = parse(&text);
            if let Err(error) = parse(&format!("{key}{text}")) && let Some(at) = error.location() {
                assert!(at.column <= at.text.chars().count() + 1, "{at:?}");
            }
        }

        #[test]
        fn any_value_in_single_quotes_is_itself(value in "[^'\\r]{0,40}") {
            let read = parse(&format!("TSM_COMMAND=x\nTSM_DESCRIPTION='{value}'\n")).expect("well formed");
            let expected = Some(value).filter(|value| !value.trim().is_empty());
            assert_eq!(read.description, expected);
        }
    }

    #[test]
    fn a_semicolon_in_a_list_is_an_error_and_no_endless_word() {
        for text in ["TSM_DEPS=(;)", "TSM_DEPS=(a; b)", "TSM_DEPS=(;"] {
            assert!(
                matches!(
                    DefinitionReader::new(text, Path::new("x"), &BTreeMap::new()).assignments(),
                    Err(DefinitionError::Malformed { .. })
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_noticed_and_no_command_is_an_error() {
        let read = parse("TSM_COMMAND=x\nTSM_COMAND=y\n").expect("a definition");
        assert_eq!(read.typos, [("TSM_COMAND".to_owned(), "TSM_COMMAND")]);
        assert!(matches!(parse("TSM_NAME=x\n"), Err(DefinitionError::NoCommand { .. })));
        assert!(matches!(parse(""), Err(DefinitionError::NoCommand { .. })));
    }
}
