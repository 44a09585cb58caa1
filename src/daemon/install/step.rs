//! One step of an installation: what it does in words, and doing it. Each can be repeated.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::disk;
use crate::ops::apply::{Action, ApplyPlan};
use crate::ops::unit::check_syntax;
use crate::sys::file::{self, Access, FileError};
use crate::sys::host::Host;
use crate::sys::install::{self, Artifact};
use crate::sys::passwd;
use crate::sys::paths::Paths;
use crate::sys::systemctl::Manager;
use crate::sys::systemctl::{Systemctl, run};
use crate::sys::unit_check::UnitDraft;
use crate::tsm::definition::Definition;
use crate::tsm::service::{Overwrite, Services};
use crate::unit::Account;

/// One step.
#[derive(Debug)]
pub enum Step {
    /// A group of the system.
    AddGroup(String),
    /// A user of the system, who cannot log in.
    AddUser {
        /// Its name and group.
        account: Account,
        /// Its home directory, which is made by another step.
        home: PathBuf,
    },
    /// A directory and its owner.
    MakeDirectory {
        /// The directory.
        path: PathBuf,
        /// To whom it belongs.
        owner: Account,
    },
    /// A directory that is root's, with all that is in it, gets the owner that the unit has.
    GiveDirectory {
        /// The directory.
        path: PathBuf,
        /// To whom it will belong.
        owner: Account,
    },
    /// A copy of this program where the user of the unit can execute it.
    CopyProgram {
        /// This program.
        from: PathBuf,
        /// The copy.
        to: PathBuf,
    },
    /// Something of `$TETRA_DIR` that `setup` makes too.
    Piece(Artifact),
    /// The definition of a service, which is also enabled.
    SaveService {
        /// Where it belongs.
        paths: Paths,
        /// What it says.
        definition: Box<Definition>,
        /// Whether one of that name is replaced.
        over: Overwrite,
    },
    /// The services of the environment.
    ApplyServices(ApplyPlan),
    /// The unit, which systemd then reads.
    WriteUnit {
        /// Its file.
        path: PathBuf,
        /// Its text.
        text: String,
        /// What was there.
        old: Option<String>,
    },
}

/// What steps are carried out with.
#[derive(Clone, Copy)]
pub struct StepContext<'a> {
    /// The files of the operator.
    pub paths: &'a Paths,
    /// Runs programs.
    pub host: &'a dyn Host,
    /// Whose units.
    pub manager: Manager,
}

impl Step {
    /// True for the unit itself.
    #[must_use]
    pub fn is_unit(&self) -> bool {
        matches!(self, Self::WriteUnit { .. })
    }

    /// What it makes: a kind, and which one.
    #[must_use]
    pub fn subject(&self) -> (&'static str, String) {
        match self {
            Self::AddGroup(group) => ("group", group.clone()),
            Self::AddUser { account, home } => {
                ("user", format!("{} (group {}, home {})", account.user, account.group, home.display()))
            }
            Self::MakeDirectory { path, owner } => {
                ("directory", format!("{} ({}:{})", path.display(), owner.user, owner.group))
            }
            Self::GiveDirectory { path, owner } => {
                ("owner", format!("{} and all in it: {}:{}", path.display(), owner.user, owner.group))
            }
            Self::CopyProgram { from, to } => ("program", format!("{}, a copy of {}", to.display(), from.display())),
            Self::Piece(piece) => (piece.kind_name(), piece.path().display().to_string()),
            Self::SaveService { paths, definition, .. } => {
                let name = &definition.name;
                (
                    "service",
                    format!("{}/{name}.tsm, enabled: {}", paths.services_available().display(), definition.command),
                )
            }
            Self::ApplyServices(plan) => {
                let changed = plan.services.iter().filter(|service| service.action != Action::Keep);
                let names: Vec<&str> = changed.map(|service| service.name.as_str()).collect();
                ("services", names.join(", "))
            }
            Self::WriteUnit { path, .. } => ("unit", path.display().to_string()),
        }
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// Fails if the machine does not allow it. A unit that systemd does not take is put back as it was.
    pub fn run(&self, context: &StepContext) -> Result<(), Fault> {
        match self {
            // Another installation may have made them since it was looked.
            Self::AddGroup(group) if passwd::group_id(group).is_some() => {}
            Self::AddUser { account, .. } if passwd::find(&account.user).ok().flatten().is_some() => {}
            Self::AddGroup(group) => run(context.host, "groupadd", &["--system", group]).map(drop)?,
            Self::AddUser { account, home } => {
                let home = home.to_string_lossy();
                let place = ["--home-dir", &home, "--no-create-home", "--shell", "/usr/sbin/nologin"];
                let words = [&["--system", "--gid", &account.group][..], &place, &[&account.user]].concat();
                run(context.host, "useradd", &words)?;
            }
            Self::MakeDirectory { path, owner } => {
                file::create_dir(path)?;
                let (user, group) = ids(owner)?;
                give(path, user, group)?;
            }
            Self::GiveDirectory { path, owner } => {
                let (user, group) = ids(owner)?;
                give_all(path, user, group)?;
            }
            Self::CopyProgram { from, to } => {
                file::create_dir(to.parent().unwrap_or(Path::new("/")))?;
                install::copy_program(from, to)?;
            }
            Self::Piece(piece) => drop(piece.install()?),
            Self::SaveService { paths, definition, over } => {
                let services = Services::open(paths);
                let name: ServiceName = definition.name.parse()?;
                let file = paths.service(&name);
                if !disk::read_to_string(&file).is_ok_and(|text| text == definition.to_text()) {
                    services.save(definition, *over)?;
                }
                services.enable(&name)?;
            }
            Self::ApplyServices(plan) => plan.install(context.paths)?,
            Self::WriteUnit { path, text, old } => write_unit(context, path, text, old.as_deref())?,
        }
        Ok(())
    }
}

fn write_unit(context: &StepContext, path: &Path, text: &str, old: Option<&str>) -> Result<(), Fault> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = UnitDraft::new(&name, text, context.manager)?;
    check_syntax(&draft, context.host)?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    file::create_dir(dir)?;
    file::write(path, text.as_bytes(), Access::Shared)?;
    let systemctl = Systemctl { host: context.host, manager: context.manager };
    if let Err(error) = systemctl.call(&["daemon-reload"]) {
        match old {
            Some(old) => file::write(path, old.as_bytes(), Access::Shared)?,
            None => fs::remove_file(path).map_err(FileError::io("remove", path))?,
        }
        return Err(error.into());
    }
    Ok(())
}

fn ids(owner: &Account) -> Result<(u32, u32), Fault> {
    let unknown = |kind: &str, name: &str| {
        Fault::new(crate::base::fault::FaultKind::Failed, format!("{kind} `{name}` does not exist"))
            .with_advice("`--dry-run` shows what would be made")
    };
    let user = passwd::find(&owner.user).ok().flatten().ok_or_else(|| unknown("user", &owner.user))?;
    let group = passwd::group_id(&owner.group).ok_or_else(|| unknown("group", &owner.group))?;
    Ok((user.uid, group))
}

fn give(path: &Path, user: u32, group: u32) -> Result<(), FileError> {
    lchown(path, Some(user), Some(group)).map_err(FileError::io("change the owner of", path))
}

/// Gives a directory and all that is in it, and follows no link. Nothing else of another user is taken away from them.
fn give_all(path: &Path, user: u32, group: u32) -> Result<(), FileError> {
    let mut open = vec![path.to_owned()];
    while let Some(dir) = open.pop() {
        let entries = fs::read_dir(&dir).map_err(FileError::io("list", &dir))?;
        for entry in entries {
            let path = entry.map_err(FileError::io("list", &dir))?.path();
            let found = path.symlink_metadata().map_err(FileError::io("read the attributes of", &path))?;
            if found.uid() == 0 {
                give(&path, user, group)?;
            }
            if found.is_dir() {
                open.push(path);
            }
        }
    }
    give(path, user, group)
}
