//! The directory of a tour: a home, a TETRA_DIR, and a project to try things with.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::base::fault::{Fault, FaultKind};
use crate::command::Settings;
use crate::sys::file::{self, Access, FileError};
use crate::sys::host::{CommandOutput, Host, Invocation, READONLY};
use crate::sys::{daemonize, process, signal};

/// How the names of the directories begin.
const PREFIX: &str = "tetra-tour-";

/// Marks the directory of a tour. It is locked while the tour is there.
const MARK: &str = ".tetra-tour";

/// The directory of the project, beside the TETRA_DIR.
const PROJECT: &str = "project";

/// Files of the project.
const FILES: [(&str, &str); 3] = [
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
];

/// The file of the project that is there once variables are explained: a process that is started beside it gets what it says.
const DEV: (&str, &str) = ("env/dev.env", "GREETING=\"this is dev, it is\"\n");

/// Variables of tetra that do not choose what it works on.
const KEPT: [&str; 2] = ["TETRA_PLAIN", "TETRA_PAGER"];

/// The directory; removed when this is dropped.
pub(super) struct Scratch {
    dir: tempfile::TempDir,
    /// Says that it is in use.
    _lock: File,
}

/// True for the TETRA_DIR of a tour.
pub(super) fn contains(home: &Path) -> bool {
    home.with_file_name(MARK).is_file()
}

/// The project of the tour with this TETRA_DIR.
pub(super) fn project(home: &Path) -> PathBuf {
    home.with_file_name(PROJECT)
}

/// Writes the file of the environment `dev`.
pub(super) fn write_dev(home: &Path) -> Result<(), FileError> {
    write(&project(home), DEV)
}

fn write(dir: &Path, (name, text): (&str, &str)) -> Result<(), FileError> {
    let path = dir.join(name);
    file::create_dir(path.parent().unwrap_or(&path))?;
    file::write(&path, text.as_bytes(), Access::Private)
}

/// Keeps the directory of the tour with this TETRA_DIR in use until this program ends: the one that created it may be killed before.
pub(super) fn occupy(home: &Path) -> io::Result<()> {
    std::mem::forget(daemonize::lock_shared(&home.with_file_name(MARK))?);
    Ok(())
}

/// Stops what runs in the directories of tours that were killed, and removes them; each that was one.
pub(super) fn remove_abandoned(host: &dyn Host) -> Vec<Result<PathBuf, Fault>> {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let mut removed = Vec::new();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let (place, mark) = (entry.path(), entry.path().join(MARK));
        let is_own = entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == process::own_uid());
        if !is_own || !mark.is_file() {
            continue;
        }
        // Held up to the end: another tour that begins now leaves it alone.
        let Ok(Some(_lock)) = daemonize::try_lock_exclusive(&mark) else { continue };
        let failed = |error| Fault::new(FaultKind::Failed, format!("failed to remove {}: {error}", place.display()));
        removed
            .push(stop(&place, host).and_then(|()| fs::remove_dir_all(&place).map_err(failed)).map(|()| place.clone()));
    }
    removed
}

impl Scratch {
    /// Creates it, readable for its owner only, with the files of the project.
    pub(super) fn create() -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        // What has the mark without the lock was left by a tour that was killed.
        let (unmarked, mark) = (dir.path().join("mark"), dir.path().join(MARK));
        let lock = daemonize::lock_shared(&unmarked)?;
        fs::rename(&unmarked, &mark)?;
        let project = dir.path().join(PROJECT);
        FILES.into_iter().try_for_each(|file| write(&project, file)).map_err(io::Error::other)?;
        Ok(Self { dir, _lock: lock })
    }

    /// Runs the prompt of the tour in the directory; its terminal is the operator's.
    pub(super) fn run(&self, host: &dyn Host, settings: &Settings) -> io::Result<CommandOutput> {
        let mut call = Invocation { inherit_stdio: true, ..call(self.dir.path(), host, &["tour", "--inside"]) };
        if settings.is_on("plain") {
            call.variables.push(("TETRA_PLAIN".to_owned(), "1".to_owned()));
        }
        host.run(&call)
    }

    /// Stops what runs there and removes the directory.
    ///
    /// # Errors
    ///
    /// Fails if something could not be stopped; the directory stays then.
    pub(super) fn remove(self, host: &dyn Host) -> Result<PathBuf, Fault> {
        // A terminal that is closed says so more than once.
        let _to_the_end = signal::ignore_sighup();
        let place = self.dir.path().to_owned();
        if let Err(fault) = stop(&place, host) {
            let _ = self.dir.keep();
            return Err(fault);
        }
        self.dir
            .close()
            .map_err(|error| Fault::new(FaultKind::Failed, format!("failed to remove {}: {error}", place.display())))?;
        Ok(place)
    }
}

/// Stops what runs in the directory of a tour.
fn stop(place: &Path, host: &dyn Host) -> Result<(), Fault> {
    let why = match host.run(&call(place, host, &["--yes", "tsm", "delete", "*"])) {
        Ok(finished) if finished.exit_code == 0 => return Ok(()),
        Ok(finished) => String::from_utf8_lossy(&finished.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    let home = place.join("tetra");
    Err(Fault::new(FaultKind::Failed, format!("failed to stop what runs in {}: {why}", place.display()))
        .with_advice(format!("run `tetra --dir '{}' tsm delete '*'`, then remove the directory", home.display())))
}

/// Tetra in the directory of a tour.
fn call(place: &Path, host: &dyn Host, words: &[&str]) -> Invocation {
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
    let places = places.map(|(name, below)| (name.to_owned(), place.join(below).display().to_string()));
    Invocation {
        program: host.program().display().to_string(),
        arguments: words.iter().map(|&word| word.to_owned()).collect(),
        cwd: Some(place.join(PROJECT)),
        variables: emptied.chain(places).collect(),
        ..Invocation::default()
    }
}
