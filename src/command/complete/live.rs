//! What there is just now, read when it is asked for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Selection;
use crate::disk;
use crate::sys::paths::Paths;
use crate::tsm::store::{Process, Store};

/// A kind of things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Processes, running or not.
    Process,
    /// Service definitions.
    Service,
    /// Organizations.
    Org,
    /// Environments of the active organization, and the built-in ones.
    Env,
    /// Names for lines of commands.
    Alias,
    /// Programs of the system.
    Program,
    /// Users of the system.
    User,
}

/// A file or folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// It is a folder, or a link to one.
    pub folder: bool,
}

/// The world as completion sees it. Everything is local and quick: nothing here asks a network.
pub trait Live {
    /// The names of all things of a kind, sorted.
    fn names(&self, kind: Kind) -> Vec<String>;

    /// What is to be known about one of them, in a line. Asked only for what is shown.
    fn about(&self, kind: Kind, name: &str) -> Option<String>;

    /// What is in a folder, sorted. A relative path counts from the working directory, `~` is the home.
    fn folder(&self, folder: &Path) -> Vec<Listed>;
}

/// The files of `$TETRA_DIR` and the folders of the operator.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Where everything is.
    pub paths: Paths,
    /// The active choices.
    pub selection: Selection,
    /// The working directory.
    pub cwd: PathBuf,
    /// The operator's home, for `~`.
    pub home: PathBuf,
    /// The names for lines of commands, with the lines.
    pub aliases: Vec<(String, String)>,
    /// Where programs are, as in `PATH`.
    pub programs: String,
}

impl Live for Disk {
    fn names(&self, kind: Kind) -> Vec<String> {
        let mut names = match kind {
            Kind::Process => self.processes(),
            Kind::Service => with_suffix(&self.paths.services_available(), ".tsm"),
            Kind::Org => folders(&self.paths.orgs()),
            Kind::Env => self.environments(),
            Kind::Alias => self.aliases.iter().map(|(name, _)| name.clone()).collect(),
            Kind::User => crate::sys::account::names(),
            Kind::Program => self.programs.split(':').flat_map(|folder| with_suffix(Path::new(folder), "")).collect(),
        };
        if kind != Kind::Env {
            names.sort_unstable();
            names.dedup();
        }
        names
    }

    fn about(&self, kind: Kind, name: &str) -> Option<String> {
        match kind {
            Kind::Process => Some(describe(&Store::open(&self.paths).get(&name.parse().ok()?)?)),
            Kind::Service => self.service(name),
            Kind::Org => Some("organization".to_owned()),
            Kind::Program | Kind::User => None,
            Kind::Env => self.environment(name),
            Kind::Alias => self.aliases.iter().find(|(alias, _)| alias == name).map(|(_, line)| line.clone()),
        }
    }

    fn folder(&self, folder: &Path) -> Vec<Listed> {
        let folder = match folder.strip_prefix("~") {
            Ok(rest) => self.home.join(rest),
            Err(_) => self.cwd.join(folder),
        };
        let mut listed: Vec<Listed> =
            entries(&folder).map(|(name, entry)| Listed { name, folder: entry.path().is_dir() }).collect();
        listed.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        listed
    }
}

impl Disk {
    /// The built-in environments, least strict first, and those of the active organization.
    fn environments(&self) -> Vec<String> {
        let mut names: Vec<String> =
            crate::base::environment::BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        if let Some(org) = &self.selection.org {
            let mut own = with_suffix(&self.paths.org(org).join("environments"), ".toml");
            own.retain(|name| !names.contains(name));
            own.sort_unstable();
            names.extend(own);
        }
        names
    }

    /// No names if they cannot be listed: completion has nobody to complain to.
    fn processes(&self) -> Vec<String> {
        let names = Store::open(&self.paths).names().unwrap_or_default();
        names.into_iter().map(|name| name.as_str().to_owned()).collect()
    }

    fn service(&self, name: &str) -> Option<String> {
        let text = disk::read_to_string(self.paths.service(&name.parse().ok()?)).ok()?;
        let setting = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key))?;
            Some(line.trim_matches(['"', '\'', ' ']).to_owned())
        };
        setting("TSM_DESCRIPTION=").or_else(|| setting("TSM_COMMAND="))
    }

    fn environment(&self, name: &str) -> Option<String> {
        let org = self.selection.org.as_ref()?;
        let there = self.paths.environment(org, &name.parse().ok()?).exists();
        Some(if there { format!("of {org}") } else { format!("not in {org} yet") })
    }
}

/// The names of the folders in a folder.
fn folders(folder: &Path) -> Vec<String> {
    entries(folder)
        .filter(|(name, entry)| !name.starts_with('.') && entry.path().is_dir())
        .map(|(name, _)| name)
        .collect()
}

/// The names of the files with a suffix in a folder, without it.
fn with_suffix(folder: &Path, suffix: &str) -> Vec<String> {
    entries(folder).filter_map(|(name, _)| name.strip_suffix(suffix).map(str::to_owned)).collect()
}

/// What is in a folder; nothing if it cannot be read. Names that are no text, or hold control characters, are left out: they
/// cannot be typed, and a terminal might obey them.
fn entries(folder: &Path) -> impl Iterator<Item = (String, fs::DirEntry)> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry)))
        .filter(|(name, _)| !name.chars().any(char::is_control))
}

/// A process in a line: its state, and where it listens.
fn describe(process: &Process) -> String {
    let state = process.view.state.word();
    let port = process.meta.port.map(|port| format!(", port {port}")).unwrap_or_default();
    let pid = process.pid().map(|pid| format!(", pid {pid}")).unwrap_or_default();
    format!("{state}{port}{pid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(folder: &Path) -> Disk {
        let paths = Paths::under(folder);
        let write = |path: &Path, text: &str| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        let record = r#"{"tsm_id":0,"name":"api","pid":0,"command":"x","port":8000,"cwd":"/","status":"crashed"}"#;
        write(&paths.processes().join("api/meta.json"), record);
        write(&paths.processes().join("broken/meta.json"), "{");
        write(&paths.services_available().join("web.tsm"), "TSM_COMMAND='node web.js'\n");
        write(&paths.services_available().join("db.tsm"), "TSM_COMMAND=db\nTSM_DESCRIPTION=\"the data\"\n");
        write(&paths.orgs().join("acme/environments/qa.toml"), "");
        write(&folder.join("cwd/my file"), "");
        write(&folder.join("cwd/bad\u{1b}[2J"), "");
        write(&folder.join("home/notes/x"), "");
        Disk {
            paths,
            selection: Selection { org: "acme".parse().ok(), ..Selection::default() },
            cwd: folder.join("cwd"),
            home: folder.join("home"),
            aliases: vec![("d".to_owned(), "use @dev".to_owned())],
            programs: format!("{0}/cwd:{0}/nowhere:{0}/cwd", folder.display()),
        }
    }

    #[test]
    fn names_are_read_from_the_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = disk(folder.path());
        for (kind, names) in [
            (Kind::Process, &["api", "broken"][..]),
            (Kind::Service, &["db", "web"]),
            (Kind::Org, &["acme"]),
            (Kind::Env, &["local", "dev", "staging", "prod", "qa"]),
            (Kind::Alias, &["d"]),
            (Kind::Program, &["my file"]),
        ] {
            assert_eq!(disk.names(kind), names);
        }
    }

    #[test]
    fn what_is_known_about_them_is_a_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = disk(folder.path());
        assert_eq!(disk.about(Kind::Process, "api").as_deref(), Some("crashed, port 8000"));
        assert!(disk.about(Kind::Process, "broken").is_some(), "damaged is still there");
        assert_eq!(disk.about(Kind::Process, "none"), None);
        assert_eq!(disk.about(Kind::Service, "web").as_deref(), Some("node web.js"));
        assert_eq!(disk.about(Kind::Service, "db").as_deref(), Some("the data"));
        assert_eq!(disk.about(Kind::Env, "qa").as_deref(), Some("of acme"));
        assert_eq!(disk.about(Kind::Alias, "d").as_deref(), Some("use @dev"));
    }

    #[test]
    fn folders_are_those_of_the_operator() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = disk(folder.path());
        let listed = |path: &str| disk.folder(Path::new(path)).into_iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(listed("."), ["my file"]);
        assert_eq!(listed("~/"), ["notes"]);
        assert_eq!(listed("../home/notes"), ["x"]);
        assert_eq!(listed("nowhere"), Vec::<String>::new());
    }
}
