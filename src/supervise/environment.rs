//! The child's environment, put together anew for every start: the snapshot, the secrets, the env file, the settings, the mark.
//!
//! All of this runs in the forked child, so its memory is never the supervisor's.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::limits::RunAsUser;
use super::meta::Meta;
use super::version_dirs;
use crate::base::dotenv;
use crate::disk;

/// The snapshot of the starter's environment inside a process directory: `K=V`, each ended by a NUL.
pub(super) const SNAPSHOT: &str = "environ";

/// The variable that marks a child and whatever it starts: `TSM_RUN=<id>.<nonce>`.
pub(super) const RUN_MARKER_VAR: &str = "TSM_RUN";

/// The variable that names the process directory.
pub(super) const PROCESS_DIR_VAR: &str = "TSM_PROCESS_DIR";

/// The variable that tells the pre-start command from the process itself.
pub(super) const HOOK_VAR: &str = "TSM_HOOK";

/// The kind of process that is asked not to buffer its output, and the variable that does it.
const PYTHON: &str = "python";
const UNBUFFERED: &[u8] = b"PYTHONUNBUFFERED";

/// Variables that belong to the starter's own session.
const SESSION: [&[u8]; 4] = [b"XDG_RUNTIME_DIR", b"DBUS_SESSION_BUS_ADDRESS", b"XAUTHORITY", b"MAIL"];

/// Why there is no environment, in words and as the nearest error number.
#[derive(Debug)]
pub(super) struct EnvError {
    pub(super) errno: i32,
    pub(super) message: String,
}

/// The directories that the process in `dir` is looked for in at its next start, with those of versions that are gone replaced;
/// none if its environment cannot be read.
pub(crate) fn search_path(dir: &Path, meta: &Meta) -> Option<String> {
    let environment = Environment::read(dir, meta).ok()?;
    let directories = environment.get(b"PATH")?;
    let repaired = version_dirs::repair_search_path(directories);
    String::from_utf8(repaired.unwrap_or_else(|| directories.to_vec())).ok()
}

/// What the process in `dir` would be started with now; none if that cannot be read.
pub(crate) fn variables(dir: &Path, meta: &Meta) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    Environment::read(dir, meta).ok().map(|environment| environment.0)
}

/// Names and values in order.
#[derive(Debug, Default)]
pub(super) struct Environment(Vec<(Vec<u8>, Vec<u8>)>);

impl Environment {
    /// The environment of the process in `dir`. A missing secrets file is not an error; a missing env file or snapshot is.
    pub(super) fn read(dir: &Path, meta: &Meta) -> Result<Self, EnvError> {
        let mut environment = Self::default();
        environment.add_snapshot(&dir.join(SNAPSHOT))?;
        if let Some(user) = &meta.run.user {
            environment.set_user_variables(user);
        }
        if !meta.run.secrets_file.is_empty() {
            environment.add_file(Path::new(&meta.run.secrets_file), EnvFileMissing::Ignore)?;
        }
        for file in meta.env_files() {
            let absent = if file.optional { EnvFileMissing::Ignore } else { EnvFileMissing::Fail };
            environment.add_file(Path::new(file.path), absent)?;
        }
        environment.0.retain(|(name, _)| !meta.run.unset.iter().any(|unset| unset.as_bytes() == name));
        for (name, value) in &meta.run.set {
            environment.set(name.as_bytes(), value.as_bytes());
        }
        // Python holds back what it says where that goes to no terminal, and its last words are lost with it.
        if meta.process_type == PYTHON && environment.get(UNBUFFERED).is_none() {
            environment.set(UNBUFFERED, b"1");
        }
        environment.set(b"PWD", meta.cwd.as_os_str().as_bytes());
        environment.0.retain(|(name, _)| name != HOOK_VAR.as_bytes());
        environment.set(RUN_MARKER_VAR.as_bytes(), format!("{}.{}", meta.tsm_id, meta.run_state.nonce).as_bytes());
        environment.set(PROCESS_DIR_VAR.as_bytes(), dir.as_os_str().as_bytes());
        Ok(environment)
    }

    /// What a login would say of the user; the starter's own session does not belong to another user.
    fn set_user_variables(&mut self, user: &RunAsUser) {
        self.0.retain(|(name, _)| !SESSION.contains(&name.as_slice()));
        self.set(b"HOME", user.home.as_os_str().as_bytes());
        for name in [&b"USER"[..], b"LOGNAME"] {
            self.set(name, user.name.as_bytes());
        }
        self.set(b"SHELL", user.shell.as_bytes());
    }

    /// Sets one variable; a later setting replaces an earlier one.
    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.to_vec(),
            None => self.0.push((name.to_vec(), value.to_vec())),
        }
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// As `execve` takes it. Settings that hold a NUL cannot exist there and are left out.
    pub(super) fn to_strings(&self) -> Vec<CString> {
        let joined = self.0.iter().map(|(name, value)| [name.as_slice(), value].join(&b'='));
        joined.filter_map(|setting| CString::new(setting).ok()).collect()
    }

    fn add_snapshot(&mut self, path: &Path) -> Result<(), EnvError> {
        let bytes = disk::read_own(path).map_err(|error| read_error(&error, "environment", path))?;
        for setting in bytes.split(|byte| *byte == 0) {
            if let Some(at) = setting.iter().position(|byte| *byte == b'=').filter(|at| *at > 0) {
                self.set(&setting[..at], &setting[at + 1..]);
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path, absent: EnvFileMissing) -> Result<(), EnvError> {
        let text = match (disk::read_to_string(path), absent) {
            (Ok(text), _) => text,
            (Err(error), EnvFileMissing::Ignore) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            (Err(error), _) => return Err(read_error(&error, "env file", path)),
        };
        let settings = dotenv::parse(&text).map_err(|malformed| EnvError {
            errno: libc::EINVAL,
            message: format!("{}:{malformed}", path.display()),
        })?;
        for setting in settings {
            self.set(setting.key.as_bytes(), setting.value.as_bytes());
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum EnvFileMissing {
    Ignore,
    Fail,
}

fn read_error(error: &io::Error, what: &str, path: &Path) -> EnvError {
    EnvError {
        errno: error.raw_os_error().unwrap_or(libc::EINVAL),
        message: format!("failed to read {what} `{}`: {error}", path.display()),
    }
}
