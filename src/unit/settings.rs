//! What a unit is made from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::base::environment::{EnvName, Tier};
use crate::base::name::OrgName;

/// Everything that a unit says, as plain values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSettings {
    /// The name of its file: `tetra-dev.service`.
    pub name: String,
    /// The environment whose services it runs.
    pub env: EnvName,
    /// The organization, where the environment has one.
    pub org: Option<OrgName>,
    /// How careful to be: production is closed further than staging.
    pub tier: Tier,
    /// Whose unit it is.
    pub owner: Owner,
    /// `$TETRA_SRC`: programs and code, read-only where the unit is strict.
    pub source: PathBuf,
    /// `$TETRA_DIR`: data, and where the daemon runs.
    pub home: PathBuf,
    /// The program that the unit executes. Its user must be able to reach it.
    pub program: PathBuf,
    /// The port of the `tetra` service.
    pub port: u16,
    /// What all its processes together may use.
    pub limits: UnitLimits,
    /// How closed it is.
    pub hardening: Hardening,
    /// Whether a service listens below port 1024, which an ordinary user may not do.
    pub has_low_port: bool,
    /// `Environment=` and `EnvironmentFile=` lines that an operator added to the unit before.
    pub kept_environment: Vec<String>,
}

/// Whose unit it is, and so which manager runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A unit of the machine that runs as this account.
    Account(Account),
    /// A unit of the machine whose instance is the name of the user: `tetra@root.service`.
    Instance,
    /// A unit of a user's own manager.
    Session,
}

/// A user of the machine and a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `User=`
    pub user: String,
    /// `Group=`
    pub group: String,
}

/// What all processes of a unit together may use. `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnitLimits {
    /// `MemoryMax=`, in MiB.
    pub memory_max: Option<u64>,
    /// `LimitNOFILE=`, for each process.
    pub limit_nofile: Option<u64>,
    /// `LimitNPROC=`, for each user, and `TasksMax=`, for the unit.
    pub limit_nproc: Option<u64>,
}

/// How much of the machine a unit can see and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hardening {
    /// What costs no service anything.
    Relaxed,
    /// All that programs which serve the network do without.
    Strict,
}

impl Hardening {
    /// The word of `daemon.hardening`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Hardening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Hardening {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::Relaxed, Self::Strict].into_iter().find(|it| it.word() == word).ok_or(())
    }
}

impl UnitSettings {
    /// The settings of an environment of which nothing else is known: those of the documents for the built-in ones.
    #[must_use]
    pub fn of_profile(env: &EnvName, tier: Tier, program: &Path) -> Self {
        let is_dev = tier <= Tier::Dev;
        let (user, source, home) = match is_dev {
            true => ("root", "/root/src/devops/tetra", "/root/tetra"),
            false => ("tetra", "/opt/tetra", "/var/lib/tetra"),
        };
        let (memory_max, limit_nofile) = match tier {
            Tier::Local | Tier::Dev => (1024, 65536),
            Tier::Staging => (2048, 65536),
            Tier::Prod => (4096, 131_072),
        };
        Self {
            name: unit_name(env),
            env: env.clone(),
            org: None,
            tier,
            owner: Owner::Account(Account { user: user.to_owned(), group: user.to_owned() }),
            source: source.into(),
            home: home.into(),
            program: program.to_owned(),
            port: 4444,
            limits: UnitLimits {
                memory_max: Some(memory_max),
                limit_nofile: Some(limit_nofile),
                limit_nproc: Some(4096),
            },
            hardening: if is_dev { Hardening::Relaxed } else { Hardening::Strict },
            has_low_port: false,
            kept_environment: Vec::new(),
        }
    }

    /// What its lines in the journal are called.
    #[must_use]
    pub fn identifier(&self) -> &str {
        self.name.strip_suffix(".service").unwrap_or(&self.name)
    }

    /// True if it runs with the rights of root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        matches!(&self.owner, Owner::Account(account) if account.user == "root")
    }
}

/// The unit of an environment that names none: `tetra-dev.service`, and `tetra.service` for production.
#[must_use]
pub fn unit_name(env: &EnvName) -> String {
    match env.tier() {
        Some(Tier::Prod) => "tetra.service".to_owned(),
        _ => format!("tetra-{env}.service"),
    }
}
