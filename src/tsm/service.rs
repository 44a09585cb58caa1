//! The services of this `$TETRA_DIR`: definitions in `services-available`, links to those that are started at boot in
//! `services-enabled`.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::ServiceName;
use crate::base::sort::SortExt;
use crate::base::suggest::closest_match;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;

use super::definition::Definition;

/// Why a service cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is none of that name.
    #[error("service not found: `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// One that may have been meant.
        suggestion: Option<String>,
    },
    /// There is one of that name already.
    #[error("the service `{name}` already exists")]
    Taken {
        /// The service.
        name: ServiceName,
    },
    /// Something that is not a link is in place of the link.
    #[error("`{}` is not a symlink", path.display())]
    NoLink {
        /// What is there.
        path: PathBuf,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl UserFacingError for ServiceError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Unknown { .. } => FaultKind::NotFound,
            Self::Taken { .. } => FaultKind::Refused,
            Self::NoLink { .. } => FaultKind::Failed,
            Self::File(error) => error.kind(),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Unknown { suggestion: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::Unknown { suggestion: None, .. } => Some("run `tsm list available` to see all services".to_owned()),
            Self::Taken { .. } => Some("use --force to replace it".to_owned()),
            Self::NoLink { .. } => Some("move it away; `tsm enable` creates the link".to_owned()),
            Self::File(error) => error.advice(),
        }
    }
}

/// Whether something had to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkChange {
    /// It was done.
    Made,
    /// It was so already.
    None,
}

/// Which definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceSet {
    /// All there are.
    Available,
    /// Those that are started at boot.
    Enabled,
}

/// The services below `$TETRA_DIR`.
pub struct Services<'a> {
    paths: &'a Paths,
}

impl<'a> Services<'a> {
    /// Touches nothing.
    #[must_use]
    pub fn open(paths: &'a Paths) -> Self {
        Self { paths }
    }

    /// The files of all definitions, or the links to those that are enabled, by name. A directory that is not there holds none.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be listed.
    pub fn files(&self, which: ServiceSet) -> Result<Vec<PathBuf>, ServiceError> {
        let dir = match which {
            ServiceSet::Available => self.paths.services_available(),
            ServiceSet::Enabled => self.paths.services_enabled(),
        };
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(FileError::Io { action: "list", path: dir, source }.into()),
        };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|it| it == "tsm"));
        files.order();
        Ok(files)
    }

    /// True if it is started at boot, also when the link is dangling.
    #[must_use]
    pub fn is_enabled(&self, name: &ServiceName) -> bool {
        self.link(name).symlink_metadata().is_ok()
    }

    /// The file of a service.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn find(&self, name: &ServiceName) -> Result<PathBuf, ServiceError> {
        let file = self.paths.service(name);
        if file.exists() { Ok(file) } else { Err(self.unknown(name)) }
    }

    /// Saves a definition under its name; the file. One that holds secrets can be read by its owner only.
    ///
    /// # Errors
    ///
    /// Fails if there is one of that name and it is not to be replaced, or if the file cannot be written.
    pub fn save(&self, definition: &Definition, over: Overwrite) -> Result<PathBuf, ServiceError> {
        let name: ServiceName = definition.name.parse().expect("a definition has a legal name");
        file::create_dir(&self.paths.services_available())?;
        let path = self.paths.service(&name);
        let access = if definition.holds_secrets() { Access::Private } else { Access::Shared };
        // A link leads to a file elsewhere, which is the definition.
        let target = path.canonicalize().unwrap_or(path.clone());
        file::update(&target, access, |old| {
            if !old.is_empty() && over == Overwrite::Never {
                return Err(ServiceError::Taken { name });
            }
            Ok(definition.to_text().into_bytes())
        })?;
        Ok(path)
    }

    /// Links a service so that it is started at boot. A link that leads elsewhere is made anew.
    ///
    /// # Errors
    ///
    /// Fails if there is no such service, or if the link cannot be made.
    pub fn enable(&self, name: &ServiceName) -> Result<LinkChange, ServiceError> {
        let file = self.find(name)?;
        let link = self.link(name);
        file::create_dir(&self.paths.services_enabled())?;
        match link.symlink_metadata() {
            Ok(_) if link.canonicalize().ok() == file.canonicalize().ok() => return Ok(LinkChange::None),
            Ok(found) if found.is_symlink() => fs::remove_file(&link).map_err(failed("remove", &link))?,
            Ok(_) => return Err(ServiceError::NoLink { path: link }),
            Err(_) => {}
        }
        let made = symlink(format!("../services-available/{name}.tsm"), &link);
        made.map_err(failed("make", &link)).map(|()| LinkChange::Made)
    }

    /// Removes the link of a service; also one that is dangling.
    ///
    /// # Errors
    ///
    /// Fails if there is neither a link nor a service of that name, or if the link cannot be removed.
    pub fn disable(&self, name: &ServiceName) -> Result<LinkChange, ServiceError> {
        let link = self.link(name);
        match link.symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                fs::remove_file(&link).map_err(failed("remove", &link)).map(|()| LinkChange::Made)
            }
            Ok(_) => Err(ServiceError::NoLink { path: link }),
            Err(_) => self.find(name).map(|_| LinkChange::None),
        }
    }

    /// Removes a service: its link and its definition. What runs of it goes on.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or if a file cannot be removed.
    pub fn remove(&self, name: &ServiceName) -> Result<(), ServiceError> {
        let file = self.paths.service(name);
        let dangling = file.symlink_metadata().is_ok() || self.is_enabled(name);
        if !dangling {
            return Err(self.unknown(name));
        }
        if self.is_enabled(name) {
            self.disable(name)?;
        }
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &file)(error)),
            _ => Ok(()),
        }
    }

    fn link(&self, name: &ServiceName) -> PathBuf {
        self.paths.services_enabled().join(format!("{name}.tsm"))
    }

    fn unknown(&self, name: &ServiceName) -> ServiceError {
        let files = self.files(ServiceSet::Available).unwrap_or_default();
        let stems: Vec<_> = files.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
        let near = closest_match(name.as_str(), stems).map(str::to_owned);
        ServiceError::Unknown { name: name.to_string(), suggestion: near }
    }
}

/// What a save may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Nothing: a service of that name is an error.
    Never,
    /// What was saved under that name.
    Existing,
}

fn failed(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> ServiceError {
    move |source| FileError::Io { action, path: path.to_owned(), source }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(services: &[&str]) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        fs::create_dir_all(paths.services_available()).expect("a directory");
        for name in services {
            fs::write(paths.service(&service(name)), "TSM_COMMAND=\"sleep 9\"\n").expect("a definition");
        }
        (dir, paths)
    }

    fn service(name: &str) -> ServiceName {
        name.parse().expect("a name")
    }

    #[test]
    fn the_link_is_relative_and_survives_a_move_of_the_home() {
        let (directory, paths) = home(&["api"]);
        let services = Services::open(&paths);
        assert_eq!(services.enable(&service("api")).expect("linked"), LinkChange::Made);
        assert_eq!(services.enable(&service("api")).expect("linked"), LinkChange::None);
        let link = paths.services_enabled().join("api.tsm");
        assert_eq!(fs::read_link(&link).expect("a link"), PathBuf::from("../services-available/api.tsm"));
        let moved = directory.path().join("moved");
        fs::rename(paths.home(), &moved).expect("moved");
        assert!(moved.join("tsm/services-enabled/api.tsm").exists());
    }

    #[test]
    fn a_link_that_leads_nowhere_or_elsewhere_is_made_anew_and_can_be_removed() {
        let (_directory, paths) = home(&["api"]);
        let services = Services::open(&paths);
        fs::create_dir_all(paths.services_enabled()).expect("a directory");
        for target in ["/nowhere.tsm", "/etc/hostname"] {
            let link = paths.services_enabled().join("api.tsm");
            let _ = fs::remove_file(&link);
            symlink(target, &link).expect("a link");
            assert_eq!(services.enable(&service("api")).expect("linked"), LinkChange::Made);
            assert!(link.exists());
        }
        symlink("/nowhere.tsm", paths.services_enabled().join("gone.tsm")).expect("a link");
        assert_eq!(services.disable(&service("gone")).expect("removed"), LinkChange::Made);
        assert_eq!(services.disable(&service("api")).expect("removed"), LinkChange::Made);
        assert_eq!(services.disable(&service("api")).expect("nothing to do"), LinkChange::None);
        assert_eq!(
            services.disable(&service("ap")).expect_err("none").advice().as_deref(),
            Some("did you mean `api`?")
        );
    }

    #[test]
    fn what_is_not_a_link_is_left_alone() {
        let (_directory, paths) = home(&["api"]);
        fs::create_dir_all(paths.services_enabled()).expect("a directory");
        fs::write(paths.services_enabled().join("api.tsm"), "TSM_COMMAND=x\n").expect("a file");
        let services = Services::open(&paths);
        assert!(matches!(services.disable(&service("api")), Err(ServiceError::NoLink { .. })));
    }

    #[test]
    fn secrets_make_the_file_private_and_nothing_is_replaced_unasked() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, paths) = home(&[]);
        let services = Services::open(&paths);
        let mut definition = Definition { name: "api".into(), command: "x".into(), ..Definition::default() };
        definition.exports = vec![("API_TOKEN".to_owned(), "t".to_owned())];
        let mode = |file: &PathBuf| fs::metadata(file).expect("a file").permissions().mode() & 0o777;
        let file = services.save(&definition, Overwrite::Never).expect("saved");
        assert_eq!(mode(&file), 0o600);
        assert!(matches!(services.save(&definition, Overwrite::Never), Err(ServiceError::Taken { .. })));
        services.save(&definition, Overwrite::Existing).expect("replaced");
        let export = |key: &str, value: &str| Definition {
            exports: vec![(key.to_owned(), value.to_owned())],
            ..Definition { name: "api".into(), command: "x".into(), ..Definition::default() }
        };
        let runs = |command: &str| Definition { command: command.to_owned(), ..export("A", "b") };
        let probed =
            Definition { pre_command: Some("curl -H 'Authorization: Bearer abc' h".to_owned()), ..export("A", "b") };
        for (definition, wanted) in [
            (export("DATABASE_URL", "postgres://u:hunter2@h/db"), 0o600),
            (export("A", "b"), 0o644),
            (export("CACHE", "redis://:hunter2@h"), 0o600),
            (runs("curl -u me:hunter2 h"), 0o600),
            (runs("node a.js"), 0o644),
            (probed, 0o600),
            (Definition { env: Some("A=b TOKEN=hunter2".to_owned()), ..export("A", "b") }, 0o600),
            (export("API_TOKEN", "${TOKEN}"), 0o644),
        ] {
            services.save(&definition, Overwrite::Existing).expect("replaced");
            assert_eq!(mode(&file), wanted, "{definition:?}");
        }
    }

    #[test]
    fn removing_takes_the_link_too() {
        let (_directory, paths) = home(&["api"]);
        let services = Services::open(&paths);
        services.enable(&service("api")).expect("linked");
        services.remove(&service("api")).expect("removed");
        assert!(services.files(ServiceSet::Enabled).expect("a list").is_empty());
        assert!(matches!(services.remove(&service("api")), Err(ServiceError::Unknown { .. })));
    }
}
