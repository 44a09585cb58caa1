//! The directory of a tour: a home, a TETRA_DIR, and a project to try things with.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::fault::{Fault, FaultKind};
use crate::command::Settings;
use crate::sys::file::{self, Access, FileError};
use crate::sys::host::{CommandOutput, Host, Invocation, READONLY};
use crate::sys::signal;

/// Marks the directory of a tour.
const MARK: &str = ".tetra-tour";

/// The directory of the project, beside the TETRA_DIR.
const PROJECT: &str = "project";

/// Files of the project.
const FILES: [(&str, &str); 4] = [
    (
        "clock.sh",
        "# Writes the time every second.\nwhile :; do\n  echo \"${GREETING:-it is} $(date +%T)\"\n  sleep 1\ndone\n",
    ),
    (
        "broken.sh",
        "# Fails as a program does whose database does not run.\necho 'starting'\n\
         echo 'error: connection refused by 127.0.0.1:5432' >&2\nexit 3\n",
    ),
    ("clock.env", "GREETING=\"good morning, it is\"\n"),
    ("env/dev.env", "GREETING=\"this is dev, it is\"\n"),
];

/// Variables of tetra that do not choose what it works on.
const KEPT: [&str; 2] = ["TETRA_PLAIN", "TETRA_PAGER"];

/// The directory; removed when this is dropped.
pub(super) struct Scratch(tempfile::TempDir);

/// True for the TETRA_DIR of a tour.
pub(super) fn contains(home: &Path) -> bool {
    home.with_file_name(MARK).is_file()
}

/// The project of the tour with this TETRA_DIR.
pub(super) fn project(home: &Path) -> PathBuf {
    home.with_file_name(PROJECT)
}

impl Scratch {
    /// Creates it, readable for its owner only, with the files of the project.
    pub(super) fn create() -> io::Result<Self> {
        let scratch = Self(tempfile::Builder::new().prefix("tetra-tour-").tempdir()?);
        let write = |name: &str, text: &str| -> Result<(), FileError> {
            let path = scratch.path(name);
            file::create_dir(path.parent().unwrap_or(&path))?;
            file::write(&path, text.as_bytes(), Access::Private)
        };
        let project = |(name, text): (&str, &str)| write(&format!("{PROJECT}/{name}"), text);
        write(MARK, "").and_then(|()| FILES.into_iter().try_for_each(project)).map_err(io::Error::other)?;
        Ok(scratch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the prompt of the tour in the directory; its terminal is the operator's.
    pub(super) fn run(&self, host: &dyn Host, settings: &Settings) -> io::Result<CommandOutput> {
        let mut call = Invocation { inherit_stdio: true, ..self.call(host, &["tour", "--inside"]) };
        if settings.is_on("plain") {
            call.variables.push(("TETRA_PLAIN".to_owned(), "1".to_owned()));
        }
        host.run(&call)
    }

    fn call(&self, host: &dyn Host, words: &[&str]) -> Invocation {
        // An empty variable counts as absent.
        let chooses = |name: &str| (name.starts_with("TETRA_") || name.starts_with("TSM_")) && !KEPT.contains(&name);
        let chosen = host.variables().keys().map(String::as_str).filter(|name| chooses(name));
        let emptied = chosen.chain([READONLY]).map(|name| (name.to_owned(), String::new()));
        let places = [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_DATA_HOME", "data"),
            ("TETRA_DIR", "tetra"),
            ("TETRA_SRC", "src"),
        ];
        let places = places.map(|(name, place)| (name.to_owned(), self.path(place).display().to_string()));
        Invocation {
            program: host.program().display().to_string(),
            arguments: words.iter().map(|&word| word.to_owned()).collect(),
            cwd: Some(self.path(PROJECT)),
            variables: emptied.chain(places).collect(),
            ..Invocation::default()
        }
    }

    /// Stops what runs there and removes the directory.
    ///
    /// # Errors
    ///
    /// Fails if something could not be stopped; the directory stays then.
    pub(super) fn remove(self, host: &dyn Host) -> Result<PathBuf, Fault> {
        // A terminal that is closed says so more than once.
        let _to_the_end = signal::ignore_sighup();
        let place = self.0.path().to_owned();
        let left = match host.run(&self.call(host, &["--yes", "tsm", "delete", "*"])) {
            Ok(finished) if finished.exit_code == 0 => None,
            Ok(finished) => Some(String::from_utf8_lossy(&finished.stderr).trim().to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = left {
            let place = self.0.keep();
            let home = place.join("tetra");
            return Err(Fault::new(
                FaultKind::Failed,
                format!("failed to stop what runs in {}: {why}", place.display()),
            )
            .with_advice(format!("run `tetra --dir '{}' tsm delete '*'`, then remove the directory", home.display())));
        }
        self.0
            .close()
            .map_err(|error| Fault::new(FaultKind::Failed, format!("failed to remove {}: {error}", place.display())))?;
        Ok(place)
    }
}
