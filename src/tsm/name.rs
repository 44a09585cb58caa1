//! What a process is called.
//!
//! `--name`, else the service's name, else the trailing word of the command line, else the `name` of `package.json` for package
//! runners, else `<directory>-<module>`; then `-<port>` when there is one. The first three are *given*: they are taken as they
//! are and must be free. The others are *derived*: they are made legal.

use std::path::Path;

use crate::base::name::{InvalidName, MAX_NAME_LENGTH, ProcessName, sanitize};
use crate::disk;

use super::detect::CommandShape;

/// A name without its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseName {
    /// The text; legal by itself.
    pub text: String,
    /// An operator chose it.
    pub given: bool,
    /// It is complete: no port is added. That of a process which is started again.
    pub is_complete: bool,
}

/// Room for `-65535`.
const PORT_SUFFIX_LEN: usize = 6;

/// The programs that run what `package.json` says.
const PACKAGE_RUNNERS: [&str; 6] = ["npm", "npx", "yarn", "pnpm", "bun", "bunx"];

/// The words that mean every process, and so none in particular.
const ALL: &str = "all";

impl BaseName {
    /// A name that an operator or a definition gives.
    ///
    /// # Errors
    ///
    /// Fails if it is not legal.
    pub fn given(text: &str) -> Result<Self, InvalidName> {
        if text == ALL {
            return Err(InvalidName { given: text.to_owned(), what: "one process; it means every one" });
        }
        text.parse::<ProcessName>()?;
        Ok(Self { text: text.to_owned(), given: true, is_complete: false })
    }

    /// The full name of a process that there is.
    #[must_use]
    pub fn existing(name: &ProcessName) -> Self {
        Self { text: name.as_str().to_owned(), given: true, is_complete: true }
    }

    /// A name for what runs in `cwd`; always legal.
    #[must_use]
    pub fn derived(words: &[String], shape: &CommandShape, cwd: &Path) -> Self {
        let text = package_name(words, cwd).unwrap_or_else(|| {
            let dir = cwd.file_name().map(|name| name.to_string_lossy().into_owned());
            [dir.as_deref().unwrap_or_default(), &module(words, shape)].join("-")
        });
        let mut text = sanitize(&text, "process");
        text.truncate(MAX_NAME_LENGTH - PORT_SUFFIX_LEN);
        Self { text: sanitize(&text, "process"), given: false, is_complete: false }
    }

    /// The full name of a process with this port.
    ///
    /// # Errors
    ///
    /// Fails if a given name becomes too long.
    pub fn with_port(&self, port: Option<u16>) -> Result<ProcessName, InvalidName> {
        match port {
            Some(port) if !self.is_complete && !self.text.ends_with(&format!("-{port}")) => {
                format!("{}-{port}", self.text).parse()
            }
            _ => self.text.parse(),
        }
    }

    /// The names to try in turn for a process without a port: this one, and for a derived one `-2`, `-3`, ….
    pub fn portless(&self) -> impl Iterator<Item = Result<ProcessName, InvalidName>> + '_ {
        let more = (2..).take_while(|_| !self.given).map(|n: u32| format!("{}-{n}", self.text));
        std::iter::once(self.text.clone()).chain(more).map(|name| name.parse())
    }
}

/// The name in the port registry: without `-<port>`.
#[must_use]
pub fn without_port(name: &str, port: u16) -> &str {
    name.strip_suffix(&port.to_string()).and_then(|rest| rest.strip_suffix('-')).unwrap_or(name)
}

/// The trailing name of a command line: the single extra word after a script, unless it is a number, a path or a flag.
#[must_use]
pub fn trailing<'a>(words: &'a [String], shape: &CommandShape, cwd: &Path) -> Option<&'a str> {
    shape.script?;
    let [word] = words.get(shape.arguments..)? else { return None };
    let legal = word != ALL && word.parse::<ProcessName>().is_ok();
    (legal && !cwd.join(word).exists()).then_some(word)
}

/// What runs, in one word: the module up to its first dot, the script without its ending, or the program.
fn module(words: &[String], shape: &CommandShape) -> String {
    if let Some(module) = shape.module.and_then(|at| words.get(at)) {
        return module.split('.').next().unwrap_or_default().to_owned();
    }
    let file = words.get(shape.script.unwrap_or(0)).map(Path::new);
    let stem = file.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_default()
}

/// `name` of the `package.json` in `cwd`, when a package runner runs.
fn package_name(words: &[String], cwd: &Path) -> Option<String> {
    let program = Path::new(words.first()?).file_name()?.to_str()?;
    if !PACKAGE_RUNNERS.contains(&program) {
        return None;
    }
    let text = disk::read(cwd.join("package.json")).ok()?;
    let package: serde_json::Value = serde_json::from_slice(&text).ok()?;
    package.get("name")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::detect::detect;
    use super::*;

    fn words(line: &str) -> Vec<String> {
        shlex::split(line).expect("words")
    }

    fn derived(line: &str, cwd: &str) -> String {
        let words = words(line);
        BaseName::derived(&words, &detect(&words), Path::new(cwd)).text
    }

    fn full(line: &str, cwd: &str, port: u16) -> String {
        let words = words(line);
        BaseName::derived(&words, &detect(&words), Path::new(cwd)).with_port(Some(port)).expect("legal").to_string()
    }

    #[test]
    fn the_published_examples() {
        assert_eq!(full("python -m http.server 8000", "/home/u/my-api", 8000), "my-api-http-8000");
        assert_eq!(full("python server.py 9000", "/home/u/demos/test", 9000), "test-server-9000");
        assert_eq!(full("node app.js 3000", "/home/u/backend", 3000), "backend-app-3000");
        assert_eq!(
            BaseName::given("tetra").and_then(|base| base.with_port(Some(4444))).expect("legal").as_str(),
            "tetra-4444"
        );
    }

    #[test]
    fn derived_names_are_made_legal() {
        assert_eq!(derived("./my script!.sh", "/srv/My Api"), "My-Api-script");
        assert_eq!(derived("node server/server.js --env local", "/srv/x"), "x-server");
        assert_eq!(derived("sleep 30", "/"), "sleep");
        assert_eq!(derived("sleep 30", "/srv/2024"), "2024-sleep");
        assert_eq!(derived("./ünïcode.py", "/srv/дом"), "n-code");
        assert_eq!(derived("node -e 'x'", "/srv/a"), "a-node");
    }

    #[test]
    fn a_derived_name_leaves_room_for_its_port() {
        let name = full("node app.js", &format!("/srv/{}", "long".repeat(40)), 65535);
        assert!(name.len() <= MAX_NAME_LENGTH && name.ends_with("-65535"), "{name}");
    }

    #[test]
    fn a_given_name_is_taken_as_it_is_or_not_at_all() {
        for bad in ["", "a b", "123", "../x", "-x", "all"] {
            assert!(BaseName::given(bad).is_err(), "{bad:?}");
        }
        assert_eq!(BaseName::given("api").and_then(|base| base.with_port(None)).expect("legal").as_str(), "api");
        assert_eq!(
            BaseName::given("api-80").and_then(|base| base.with_port(Some(80))).expect("legal").as_str(),
            "api-80"
        );
        assert!(BaseName::given(&"a".repeat(64)).and_then(|base| base.with_port(Some(80))).is_err(), "too long");
    }

    #[test]
    fn only_a_derived_portless_name_is_counted_on() {
        let counted: Vec<String> = BaseName { text: "a-b".into(), given: false, is_complete: false }
            .portless()
            .take(3)
            .map(|name| name.expect("legal").to_string())
            .collect();
        assert_eq!(counted, ["a-b", "a-b-2", "a-b-3"]);
        assert_eq!(BaseName::given("api").expect("legal").portless().count(), 1);
    }

    #[test]
    fn package_json_names_what_package_runners_run_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("package.json"), r#"{"name":"@shop/web-ui"}"#).expect("a file");
        let name = |line: &str| {
            let words = words(line);
            BaseName::derived(&words, &detect(&words), dir.path()).text
        };
        for line in ["npm run dev", "yarn dev", "pnpm dev", "bun run dev"] {
            assert_eq!(name(line), "shop-web-ui", "{line}");
        }
        assert!(name("node app.js").ends_with("-app"));
        std::fs::write(dir.path().join("package.json"), "{broken").expect("a file");
        assert!(name("npm run dev").ends_with("-npm"), "a broken file does not name it");
    }

    #[test]
    fn the_single_extra_word_after_a_script_is_the_name() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("data"), "").expect("a file");
        let name = |line: &str| {
            let words = words(line);
            trailing(&words, &detect(&words), dir.path()).map(str::to_owned)
        };
        assert_eq!(name("./test-service.sh my-app").as_deref(), Some("my-app"));
        assert_eq!(name("node server.js myapp").as_deref(), Some("myapp"));
        for line in [
            "./x.sh",
            "./x.sh 3000",
            "./x.sh a/b",
            "./x.sh --flag",
            "./x.sh one two",
            "./x.sh data",
            "./x.sh 'a b'",
            "./x.sh all",
            "sleep forever",
            "python -m http.server name",
        ] {
            assert_eq!(name(line), None, "{line}");
        }
    }

    #[test]
    fn the_registry_knows_a_process_without_its_port() {
        assert_eq!(without_port("devpages-3000", 3000), "devpages");
        assert_eq!(without_port("api", 3000), "api");
        assert_eq!(without_port("api3000", 3000), "api3000");
    }
}
