//! Sites in nginx's directories: put there, taken away, looked at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::site::{Site, SiteOrigin, origin, ports_of};
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::ProcessName;
use crate::disk;
use crate::sys::file::{self, Access, FileError};
use crate::sys::host::{Host, Invocation};

/// An nginx and its directories.
pub struct Nginx<'a> {
    /// The directory with `nginx.conf`, `sites-available` and `sites-enabled`.
    pub dir: PathBuf,
    /// Its program.
    pub program: String,
    /// The directory is not the one that the program takes by itself.
    pub elsewhere: bool,
    /// Runs it.
    pub host: &'a dyn Host,
}

/// Why a site was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NginxError {
    /// There is no nginx.
    #[error("nginx is not installed: {what}")]
    Missing {
        /// What is not there.
        what: String,
    },
    /// The site was edited by hand, or is not ours.
    #[error("`{}` was {how}", path.display())]
    Edited {
        /// The site.
        path: PathBuf,
        /// In what way it is not ours.
        how: &'static str,
    },
    /// There is no site of this process.
    #[error("no site is installed for `{process}`")]
    NotInstalled {
        /// The process.
        process: ProcessName,
    },
    /// nginx rejects its configuration; what was changed was changed back.
    #[error("nginx rejected the site; it was removed again:\n{said}")]
    Rejected {
        /// What nginx said.
        said: String,
    },
    /// nginx rejects its configuration, and did before.
    #[error("the nginx configuration is already invalid without the site:\n{said}")]
    Broken {
        /// What nginx said.
        said: String,
    },
    /// A file cannot be changed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl UserFacingError for NginxError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Missing { .. } | Self::Broken { .. } => FaultKind::Failed,
            Self::Edited { .. } => FaultKind::HandEdited,
            Self::NotInstalled { .. } => FaultKind::NotFound,
            Self::Rejected { .. } => FaultKind::Reverted,
            Self::File(error) => error.kind(),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("install it: apt-get install nginx-light".to_owned()),
            Self::Edited { .. } => Some("use --force to replace it".to_owned()),
            Self::NotInstalled { process } => Some(format!("tsm nginx install {process}")),
            Self::Rejected { .. } => Some("nothing was changed".to_owned()),
            Self::Broken { .. } => Some("fix it first; `nginx -t` checks it".to_owned()),
            Self::File(error) => error.advice(),
        }
    }
}

/// What was done with a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallResult {
    /// Its file.
    pub path: PathBuf,
    /// False if it was there already, the same.
    pub changed: bool,
    /// nginx took it over while running; false if it does not run.
    pub reloaded: bool,
}

/// How a site is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteStatus {
    /// Its file.
    pub path: PathBuf,
    /// It is there.
    pub installed: bool,
    /// It is linked among those that are enabled.
    pub enabled: bool,
    /// It was edited by hand.
    pub edited: bool,
    /// The ports to which it leads.
    pub ports: Vec<u16>,
    /// What `nginx -t` said where it failed; none if nginx is content.
    pub objection: Option<String>,
}

impl Nginx<'_> {
    /// Puts a site into place, links it, and has nginx check everything. A running nginx takes it over.
    ///
    /// # Errors
    ///
    /// Fails if the site there was edited by hand (unless `over` it), or if nginx rejects it; then everything is as it was.
    pub fn install(&self, site: &Site, over: OverwriteEdited) -> Result<InstallResult, NginxError> {
        let (path, link) = self.site_paths(&site.process);
        self.check_installed()?;
        let old = read(&path)?;
        refuse_edited(old.as_deref(), &path, over)?;
        let linked = link.symlink_metadata().is_ok();
        let text = site.text();
        if old.as_deref() == Some(&*text) && linked {
            return Ok(InstallResult { path, changed: false, reloaded: false });
        }
        self.check()?.map_or(Ok(()), |said| Err(NginxError::Broken { said }))?;
        file::write(&path, text.as_bytes(), Access::Shared)?;
        if !linked {
            let target = Path::new("../sites-available").join(Site::file_name(&site.process));
            std::os::unix::fs::symlink(target, &link).map_err(io_error("link", &link))?;
        }
        if let Some(said) = self.check()? {
            match &old {
                Some(old) => file::write(&path, old.as_bytes(), Access::Shared)?,
                None => remove(&path)?,
            }
            if !linked {
                remove(&link)?;
            }
            return Err(NginxError::Rejected { said });
        }
        Ok(InstallResult { path, changed: true, reloaded: self.reload()? })
    }

    /// Takes a site away. A running nginx lets it go.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or it was edited by hand (unless `over` it).
    pub fn uninstall(&self, process: &ProcessName, over: OverwriteEdited) -> Result<InstallResult, NginxError> {
        let path = self.site(process)?;
        refuse_edited(read(&path)?.as_deref(), &path, over)?;
        remove(&self.site_paths(process).1)?;
        remove(&path)?;
        Ok(InstallResult { path, changed: true, reloaded: self.reload()? })
    }

    /// The file of a site.
    ///
    /// # Errors
    ///
    /// Fails if a site of this name does not exist.
    pub fn site(&self, process: &ProcessName) -> Result<PathBuf, NginxError> {
        if self.has_site(process) {
            Ok(self.site_paths(process).0)
        } else {
            Err(NginxError::NotInstalled { process: process.clone() })
        }
    }

    /// Whether there is a site under a name.
    #[must_use]
    pub fn has_site(&self, process: &ProcessName) -> bool {
        let (path, link) = self.site_paths(process);
        path.exists() || link.symlink_metadata().is_ok()
    }

    /// Looks at a site, and asks nginx what it thinks of everything.
    ///
    /// # Errors
    ///
    /// Fails if there is no nginx, or the site cannot be read.
    pub fn status(&self, process: &ProcessName) -> Result<SiteStatus, NginxError> {
        let (path, link) = self.site_paths(process);
        let text = read(&path)?;
        let resolved = |path: &Path| path.canonicalize().ok();
        Ok(SiteStatus {
            installed: text.is_some(),
            enabled: resolved(&link).is_some_and(|target| Some(target) == resolved(&path)),
            edited: text.as_deref().is_some_and(|text| origin(text) != SiteOrigin::Ours),
            ports: text.as_deref().map(ports_of).unwrap_or_default(),
            objection: self.check()?,
            path,
        })
    }

    fn site_paths(&self, process: &ProcessName) -> (PathBuf, PathBuf) {
        let name = Site::file_name(process);
        (self.dir.join("sites-available").join(&name), self.dir.join("sites-enabled").join(name))
    }

    fn check_installed(&self) -> Result<(), NginxError> {
        let directories = [self.dir.join("sites-available"), self.dir.join("sites-enabled")];
        match directories.into_iter().find(|directory| !directory.is_dir()) {
            Some(directory) => {
                Err(NginxError::Missing { what: format!("the directory `{}` does not exist", directory.display()) })
            }
            None => Ok(()),
        }
    }

    /// `nginx -t`: what it said if it is not content.
    fn check(&self) -> Result<Option<String>, NginxError> {
        let finished = self.run("-t", None)?;
        Ok((finished.0 != 0).then_some(finished.1))
    }

    /// Tells a running nginx to read its configuration again; false if none runs.
    fn reload(&self) -> Result<bool, NginxError> {
        Ok(self.run("-s", Some("reload"))?.0 == 0)
    }

    fn run(&self, option: &str, value: Option<&str>) -> Result<(i32, String), NginxError> {
        let mut arguments = vec![option.to_owned()];
        arguments.extend(value.map(str::to_owned));
        if self.elsewhere {
            arguments.extend(["-c".to_owned(), self.dir.join("nginx.conf").display().to_string()]);
        }
        let call = Invocation { program: self.program.clone(), arguments, ..Invocation::default() };
        let missing =
            |error: io::Error| NginxError::Missing { what: format!("failed to run `{}`: {error}", self.program) };
        let finished = self.host.run(&call).map_err(missing)?;
        Ok((finished.exit_code, String::from_utf8_lossy(&finished.stderr).trim_end().to_owned()))
    }
}

/// Whether a site that was edited by hand is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverwriteEdited {
    /// It is kept, and nothing is done.
    Keep,
    /// It is replaced.
    Replace,
}

fn refuse_edited(old: Option<&str>, path: &Path, over: OverwriteEdited) -> Result<(), NginxError> {
    let how = match old.map(origin) {
        Some(SiteOrigin::Edited) => "edited by hand",
        Some(SiteOrigin::Unmanaged) => "not written by tetra",
        Some(SiteOrigin::Ours) | None => return Ok(()),
    };
    if over == OverwriteEdited::Replace { Ok(()) } else { Err(NginxError::Edited { path: path.to_owned(), how }) }
}

fn read(path: &Path) -> Result<Option<String>, FileError> {
    match disk::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error("read", path)(source)),
    }
}

fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| FileError::Io { action, path: path.to_owned(), source }
}
