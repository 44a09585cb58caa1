//! The only place that knows file names.

use std::path::{Path, PathBuf};

use super::disk_space::is_writable;
use super::host::Host;
use crate::base::environment::EnvName;
use crate::base::fault::UserFacingError;
use crate::base::name::{OrgName, ProcessName, ServiceName};

/// Where the templates are, if the operator can write there, before their own data directory.
const SOURCES: [&str; 2] = ["/root/src/devops/tetra", "/opt/tetra"];

/// There is no home directory to keep anything in.
#[derive(Debug, thiserror::Error)]
#[error("cannot determine the home directory")]
pub struct NoHomeDirectoryError;

impl UserFacingError for NoHomeDirectoryError {
    fn advice(&self) -> Option<String> {
        Some("set HOME, or TETRA_DIR and the XDG variables".to_owned())
    }
}

/// Where everything is. Built once from the surroundings, or under one directory for a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    home: PathBuf,
    config: PathBuf,
    state: PathBuf,
    source: PathBuf,
}

impl Paths {
    /// `$TETRA_DIR`, the directory of the shell's settings, the directory of its state, and `$TETRA_SRC`.
    #[must_use]
    pub fn new(home: PathBuf, config: PathBuf, state: PathBuf, source: PathBuf) -> Self {
        Self { home, config, state, source }
    }

    /// The places of the operator's surroundings: `TETRA_DIR` or `~/tetra`, `TETRA_SRC` or where it usually is, and the XDG directories.
    ///
    /// # Errors
    ///
    /// Fails if there is no home directory and not all of the paths are set by variables.
    pub fn find(host: &dyn Host) -> Result<Self, NoHomeDirectoryError> {
        let set = |name: &str| host.variable(name).map(|path| host.cwd().join(path));
        let base = directories::BaseDirs::new();
        let below = |part: fn(&directories::BaseDirs) -> Option<&Path>| {
            base.as_ref().and_then(part).map(|path| path.join("tetra"))
        };
        let home = set("TETRA_DIR").or_else(|| below(|base| Some(base.home_dir()))).ok_or(NoHomeDirectoryError)?;
        let config = below(|base| Some(base.config_dir())).ok_or(NoHomeDirectoryError)?;
        let state = below(directories::BaseDirs::state_dir).ok_or(NoHomeDirectoryError)?;
        // A user who cannot write to that of root does not use it: `setup` would fail at each of its files.
        let usual = || SOURCES.iter().map(PathBuf::from).find(|path| is_writable(path));
        let source = set("TETRA_SRC")
            .or_else(usual)
            .or_else(|| below(|base| Some(base.data_dir())))
            .ok_or(NoHomeDirectoryError)?;
        Ok(Self::new(home, config, state, source))
    }

    /// Everything below one directory, for tests.
    #[must_use]
    pub fn under(dir: &Path) -> Self {
        Self::new(dir.join("tetra"), dir.join("config"), dir.join("state"), dir.join("src"))
    }

    /// The same with another `$TETRA_DIR`.
    #[must_use]
    pub fn with_home(&self, home: PathBuf) -> Self {
        Self { home, ..self.clone() }
    }

    /// `$TETRA_DIR`.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `$TETRA_SRC`: templates that the program wrote.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The templates below `$TETRA_SRC`.
    #[must_use]
    pub fn templates(&self) -> PathBuf {
        self.source.join("templates")
    }

    /// Completion for shells, read by the shell file.
    #[must_use]
    pub fn completions(&self) -> PathBuf {
        self.home.join("completions")
    }

    /// Where fish looks for completion, beside the shell's own settings directory.
    #[must_use]
    pub fn fish_completions(&self) -> PathBuf {
        self.config.with_file_name("fish").join("completions")
    }

    /// The shell's own settings directory.
    #[must_use]
    pub fn config_dir(&self) -> &Path {
        &self.config
    }

    /// `config.toml`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// Lines run at the start of an interactive session.
    #[must_use]
    pub fn rc(&self) -> PathBuf {
        self.config.join("rc.tetra")
    }

    /// The organization and environment that were chosen to be kept.
    #[must_use]
    pub fn context(&self) -> PathBuf {
        self.config.join("context")
    }

    /// Says that the prompt without an editor was offered to this user: `plain-offered` beside the history.
    #[must_use]
    pub fn plain_offered(&self) -> PathBuf {
        self.state.join("plain-offered")
    }

    /// The history of the prompt, an SQLite file.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.state.join("history.sqlite3")
    }

    /// What setup put in place outside of this directory.
    #[must_use]
    pub fn setup_record(&self) -> PathBuf {
        self.home.join(".setup.json")
    }

    /// The shell functions for bash and zsh.
    #[must_use]
    pub fn shell_file(&self) -> PathBuf {
        self.home.join("tetra.sh")
    }

    /// The directory of all organizations.
    #[must_use]
    pub fn orgs(&self) -> PathBuf {
        self.home.join("org")
    }

    /// The directory of one organization.
    #[must_use]
    pub fn org(&self, org: &OrgName) -> PathBuf {
        self.orgs().join(org.as_str())
    }

    /// The TOML of one environment.
    #[must_use]
    pub fn environment(&self, org: &OrgName, env: &EnvName) -> PathBuf {
        self.org(org).join("environments").join(format!("{env}.toml"))
    }

    /// What holds for a whole organization.
    #[must_use]
    pub fn manifest(&self, org: &OrgName) -> PathBuf {
        self.org(org).join("manifest.toml")
    }

    /// The profiles of one organization.
    #[must_use]
    pub fn profiles(&self, org: &OrgName) -> PathBuf {
        self.org(org).join("profiles")
    }

    /// Profiles for all organizations.
    #[must_use]
    pub fn shared_profiles(&self) -> PathBuf {
        self.home.join("profiles")
    }

    /// Former versions of the environments of one organization, and the record of them.
    #[must_use]
    pub fn versions(&self, org: &OrgName) -> PathBuf {
        self.org(org).join("history")
    }

    /// The secrets of one environment.
    #[must_use]
    pub fn secrets(&self, org: &OrgName, env: &EnvName) -> PathBuf {
        self.org(org).join("secrets").join(format!("{env}.env"))
    }

    /// The directory of the process manager.
    #[must_use]
    pub fn tsm(&self) -> PathBuf {
        self.home.join("tsm")
    }

    /// What is done when something happens inside a process.
    #[must_use]
    pub fn triggers(&self) -> PathBuf {
        self.tsm().join("config/triggers.conf")
    }

    /// Private: everything that belongs to running processes.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.tsm().join("runtime")
    }

    /// The directory with one directory per process.
    #[must_use]
    pub fn processes(&self) -> PathBuf {
        self.runtime().join("processes")
    }

    /// The directory of one process.
    #[must_use]
    pub fn process(&self, name: &ProcessName) -> PathBuf {
        self.processes().join(name.as_str())
    }

    /// One empty file for each name that a process has.
    #[must_use]
    pub fn process_names(&self) -> PathBuf {
        self.runtime().join("names")
    }

    /// Where readers of events have their FIFOs.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.runtime().join("events")
    }

    /// Held while ids and names are given out.
    #[must_use]
    pub fn id_lock(&self) -> PathBuf {
        self.runtime().join(".id_allocation_lock")
    }

    /// What the daemon is that runs, or ran last.
    #[must_use]
    pub fn daemon_record(&self) -> PathBuf {
        self.runtime().join("daemon.json")
    }

    /// Held by the daemon while it runs.
    #[must_use]
    pub fn daemon_lock(&self) -> PathBuf {
        self.runtime().join("daemon.lock")
    }

    /// Where the daemon takes requests to launch something.
    #[must_use]
    pub fn daemon_socket(&self) -> PathBuf {
        self.runtime().join("daemon.socket")
    }

    /// What the daemon says, in lines.
    #[must_use]
    pub fn daemon_log(&self) -> PathBuf {
        self.logs().join("tetra.log")
    }

    /// What keys that are bound to `tetra agent` had it do, and were refused.
    #[must_use]
    pub fn agent_log(&self) -> PathBuf {
        self.logs().join("agent.log")
    }

    /// The port registry: lines `name:port`.
    #[must_use]
    pub fn ports(&self) -> PathBuf {
        self.tsm().join("ports")
    }

    /// All service definitions.
    #[must_use]
    pub fn services_available(&self) -> PathBuf {
        self.tsm().join("services-available")
    }

    /// Links to the definitions that are started at boot.
    #[must_use]
    pub fn services_enabled(&self) -> PathBuf {
        self.tsm().join("services-enabled")
    }

    /// Files that name services which belong together.
    #[must_use]
    pub fn stacks(&self) -> PathBuf {
        self.tsm().join("stacks")
    }

    /// The definition of one service.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> PathBuf {
        self.services_available().join(format!("{name}.tsm"))
    }

    /// A line for every start of the enabled services.
    #[must_use]
    pub fn startup_log(&self) -> PathBuf {
        self.tsm().join("startup.log")
    }

    /// Private: keys and what belongs to them.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.home.join("tkm")
    }

    /// The directory of the logs below.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.home.join("logs")
    }

    /// Every command that changed something, one JSON object a line.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.logs().join("tetra.jsonl")
    }
}
