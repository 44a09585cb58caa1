//! The sources of names, read at each completion.

use std::fs;
use std::path::{Path, PathBuf};

use super::name_kind::NameKind;
use super::org_names::{self, NamePlace};
use crate::base::control;
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::base::sort::SortExt;
use crate::command::Selection;
use crate::disk;
use crate::ops::environments;
use crate::sys::paths::Paths;
use crate::tkm::host::Host;
use crate::tkm::store::Store;
use crate::tsm::store::{Process, ProcessStore};

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its name.
    pub name: String,
    /// True for a directory or a symlink to one.
    pub is_dir: bool,
}

/// What is chosen beside the session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// The organization of `--org`.
    pub org: Option<OrgName>,
    /// The environment of `--env`, or the one that the command is for.
    pub env: Option<EnvName>,
}

/// The source of candidates. Local and fast: no network access.
pub trait CandidateSource {
    /// All names of a kind, sorted.
    fn names(&self, kind: NameKind) -> Vec<String>;

    /// A one-line description of a name. Only requested for shown candidates.
    fn description(&self, kind: NameKind, name: &str) -> Option<String>;

    /// All names of a kind, each with what is known about it. For kinds that are read from one file, in its order.
    fn described(&self, kind: NameKind) -> Vec<(String, String)> {
        let about = |name: &str| self.description(kind, name).unwrap_or_default();
        self.names(kind).into_iter().map(|name| (about(&name), name)).map(|(about, name)| (name, about)).collect()
    }

    /// The entries of a directory, sorted. A relative path starts at the working directory, `~` is the home directory.
    fn list_dir(&self, directory: &Path) -> Vec<ListedFile>;

    /// The same where an organization or an environment is chosen; none if it makes no difference.
    fn scoped(&self, _: &Scope) -> Option<Box<dyn CandidateSource + '_>> {
        None
    }
}

/// Reads `$TETRA_DIR` and the file system.
#[derive(Debug, Clone)]
pub struct DiskSource {
    /// The paths of all files.
    pub paths: Paths,
    /// The active selection.
    pub selection: Selection,
    /// The working directory.
    pub cwd: PathBuf,
    /// The home directory, for `~`.
    pub home: PathBuf,
    /// Aliases and their lines.
    pub aliases: Vec<(String, String)>,
    /// Abbreviations and their lines.
    pub abbreviations: Vec<(String, String)>,
    /// The value of `PATH`.
    pub programs: String,
    /// The variables of the prompt, each with what it is now.
    pub variables: Vec<(String, String)>,
}

impl CandidateSource for DiskSource {
    fn names(&self, kind: NameKind) -> Vec<String> {
        let mut names = match kind {
            NameKind::Process => self.processes(),
            NameKind::Service => with_suffix(&self.paths.services_available(), ".tsm"),
            NameKind::Org => subdirectories(&self.paths.orgs()),
            NameKind::Env => self.environments(),
            NameKind::KnownEnv => environments::names(&self.paths, self.selection.org.as_ref()),
            NameKind::Alias => self.aliases.iter().map(|(name, _)| name.clone()).collect(),
            NameKind::Abbreviation => self.abbreviations.iter().map(|(name, _)| name.clone()).collect(),
            NameKind::SessionVariable => self.variables.iter().map(|(name, _)| name.clone()).collect(),
            NameKind::User => crate::sys::passwd::names(),
            NameKind::Host => self.hosts().into_iter().map(|host| host.name.to_string()).collect(),
            NameKind::Program => {
                self.programs.split(':').flat_map(|directory| with_suffix(Path::new(directory), "")).collect()
            }
            other => org_names::names(&self.place(), other).into_iter().map(|(name, _)| name).collect(),
        };
        if !matches!(kind, NameKind::Env | NameKind::Version | NameKind::HistoryLine) {
            names.order();
            names.dedup();
        }
        names
    }

    fn description(&self, kind: NameKind, name: &str) -> Option<String> {
        match kind {
            NameKind::Process => Some(describe(&ProcessStore::open(&self.paths).get(&name.parse().ok()?)?)),
            NameKind::Service => self.service_description(name),
            NameKind::Org => Some("organization".to_owned()),
            NameKind::Program | NameKind::User => None,
            NameKind::Env => self.environment_description(name),
            NameKind::Alias => line_of(&self.aliases, name),
            NameKind::Abbreviation => line_of(&self.abbreviations, name),
            NameKind::SessionVariable => line_of(&self.variables, name),
            NameKind::Host => {
                let host = self.hosts().into_iter().find(|host| host.name.as_str() == name)?;
                Some(format!("{} of {}", host.address, host.env))
            }
            // They come with the names.
            _ => None,
        }
    }

    fn described(&self, kind: NameKind) -> Vec<(String, String)> {
        let names = org_names::names(&self.place(), kind);
        if !names.is_empty() {
            return names;
        }
        let about = |name: &str| self.description(kind, name).unwrap_or_default();
        self.names(kind).into_iter().map(|name| (about(&name), name)).map(|(about, name)| (name, about)).collect()
    }

    fn list_dir(&self, directory: &Path) -> Vec<ListedFile> {
        let directory = match directory.strip_prefix("~") {
            Ok(rest) => self.home.join(rest),
            Err(_) => self.cwd.join(directory),
        };
        let mut listed: Vec<ListedFile> =
            entries(&directory).map(|(name, entry)| ListedFile { name, is_dir: entry.path().is_dir() }).collect();
        listed.order_by(|a, b| a.name.cmp(&b.name));
        listed
    }

    fn scoped(&self, scope: &Scope) -> Option<Box<dyn CandidateSource + '_>> {
        let mut scoped = self.clone();
        if scope.org.is_some() && scope.org != self.selection.org {
            // An environment belongs to the organization it was selected in.
            scoped.selection = Selection { org: scope.org.clone(), ..Selection::default() };
        }
        scoped.selection.env = scope.env.clone().or(scoped.selection.env);
        Some(Box::new(scoped))
    }
}

fn line_of(lines: &[(String, String)], name: &str) -> Option<String> {
    lines.iter().find(|(known, _)| known == name).map(|(_, line)| line.clone())
}

impl DiskSource {
    fn place(&self) -> NamePlace<'_> {
        NamePlace { paths: &self.paths, selection: &self.selection, cwd: &self.cwd }
    }

    /// The built-in environments, least strict first, and those of the active organization.
    fn environments(&self) -> Vec<String> {
        let mut names: Vec<String> =
            crate::base::environment::BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        if let Some(org) = &self.selection.org {
            let mut own = with_suffix(&self.paths.org(org).join("environments"), ".toml");
            own.retain(|name| !names.contains(name));
            own.order();
            names.extend(own);
        }
        names
    }

    fn hosts(&self) -> Vec<Host> {
        let store = Store::find(&self.paths).ok().flatten();
        store.and_then(|store| store.hosts().ok()).unwrap_or_default()
    }

    /// No names if they cannot be listed: completion does not report errors.
    fn processes(&self) -> Vec<String> {
        let names = ProcessStore::open(&self.paths).names().unwrap_or_default();
        names.into_iter().map(|name| name.as_str().to_owned()).collect()
    }

    fn service_description(&self, name: &str) -> Option<String> {
        let text = disk::read_to_string(self.paths.service(&name.parse().ok()?)).ok()?;
        let setting = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key))?;
            Some(line.trim_matches(['"', '\'', ' ']).to_owned())
        };
        setting("TSM_DESCRIPTION=").or_else(|| setting("TSM_COMMAND="))
    }

    fn environment_description(&self, name: &str) -> Option<String> {
        let org = self.selection.org.as_ref()?;
        let there = self.paths.environment(org, &name.parse().ok()?).exists();
        Some(if there { format!("of {org}") } else { format!("not in {org} yet") })
    }
}

/// The names of the subdirectories.
fn subdirectories(dir: &Path) -> Vec<String> {
    entries(dir).filter(|(name, entry)| !name.starts_with('.') && entry.path().is_dir()).map(|(name, _)| name).collect()
}

/// The names of the files with a suffix, without it.
fn with_suffix(dir: &Path, suffix: &str) -> Vec<String> {
    entries(dir).filter_map(|(name, _)| name.strip_suffix(suffix).map(str::to_owned)).collect()
}

/// The entries of a directory; none if it cannot be read. Names that are not UTF-8 or contain control characters are left out:
/// they cannot be typed.
fn entries(dir: &Path) -> impl Iterator<Item = (String, fs::DirEntry)> {
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry)))
        .filter(|(name, _)| !control::is_harmful(name))
}

/// A one-line description of a process: state, port, PID.
fn describe(process: &Process) -> String {
    let state = process.live.state.as_str();
    let port = process.meta.port.map(|port| format!(", port {port}")).unwrap_or_default();
    let pid = process.pid().map(|pid| format!(", pid {pid}")).unwrap_or_default();
    format!("{state}{port}{pid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(directory: &Path) -> DiskSource {
        let paths = Paths::under(directory);
        let write = |path: &Path, text: &str| {
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(path, text).expect("written");
        };
        let record = r#"{"tsm_id":0,"name":"api","pid":0,"command":"x","port":8000,"cwd":"/","status":"crashed"}"#;
        write(&paths.processes().join("api/meta.json"), record);
        write(&paths.processes().join("broken/meta.json"), "{");
        write(&paths.services_available().join("web.tsm"), "TSM_COMMAND='node web.js'\n");
        write(&paths.services_available().join("db.tsm"), "TSM_COMMAND=db\nTSM_DESCRIPTION=\"the data\"\n");
        write(&paths.orgs().join("acme/environments/qa.toml"), "");
        write(&directory.join("cwd/my file"), "");
        write(&directory.join("cwd/bad\u{1b}[2J"), "");
        write(&directory.join("home/notes/x"), "");
        DiskSource {
            paths,
            selection: Selection { org: "acme".parse().ok(), ..Selection::default() },
            cwd: directory.join("cwd"),
            home: directory.join("home"),
            aliases: vec![("d".to_owned(), "use @dev".to_owned())],
            abbreviations: Vec::new(),
            programs: format!("{0}/cwd:{0}/nowhere:{0}/cwd", directory.display()),
            variables: Vec::new(),
        }
    }

    #[test]
    fn names_are_read_from_the_files() {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = disk(directory.path());
        for (kind, names) in [
            (NameKind::Process, &["api", "broken"][..]),
            (NameKind::Service, &["db", "web"]),
            (NameKind::Org, &["acme"]),
            (NameKind::Env, &["local", "dev", "staging", "prod", "qa"]),
            (NameKind::Alias, &["d"]),
            (NameKind::Program, &["my file"]),
        ] {
            assert_eq!(disk.names(kind), names);
        }
    }

    #[test]
    fn what_is_known_about_them_is_a_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = disk(directory.path());
        assert_eq!(disk.description(NameKind::Process, "api").as_deref(), Some("crashed, port 8000"));
        assert!(disk.description(NameKind::Process, "broken").is_some(), "damaged is still there");
        assert_eq!(disk.description(NameKind::Process, "none"), None);
        assert_eq!(disk.description(NameKind::Service, "web").as_deref(), Some("node web.js"));
        assert_eq!(disk.description(NameKind::Service, "db").as_deref(), Some("the data"));
        assert_eq!(disk.description(NameKind::Env, "qa").as_deref(), Some("of acme"));
        assert_eq!(disk.description(NameKind::Alias, "d").as_deref(), Some("use @dev"));
    }

    #[test]
    fn directories_are_those_of_the_operator() {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = disk(directory.path());
        let listed = |path: &str| disk.list_dir(Path::new(path)).into_iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(listed("."), ["my file"]);
        assert_eq!(listed("~/"), ["notes"]);
        assert_eq!(listed("../home/notes"), ["x"]);
        assert_eq!(listed("nowhere"), Vec::<String>::new());
    }
}
