//! What the unit of an environment is made from: its TOML, or the profile's own values where there is none.

mod check;
mod installed;
mod port;

use std::path::{Path, PathBuf};

use super::{OpContext, environments};
use crate::base::environment::{EnvName, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::home;
use crate::base::name::OrgName;
use crate::base::sort::SortExt;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::org::services::declared_services;
use crate::org::store::OrgStore;
use crate::org::{read, store};
use crate::sys::paths::Paths;
use crate::sys::{passwd, process};
use crate::unit::{Account, Hardening, Owner, UnitSettings};

pub use check::{UnitError, check_exposure, check_syntax};
pub use installed::{InstalledUnit, TEMPLATE, find_unit, installed_units, unit_dirs};
pub use port::choose_port;

/// Whose manager runs a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitScope {
    /// As `daemon.scope` of the environment says; that of the machine where it says nothing.
    OfEnvironment,
    /// The operator's own manager.
    Session,
}

/// The first port that an ordinary user may listen on.
const FIRST_FREE_PORT: u16 = 1024;

/// The settings of the unit of an environment, from its TOML: `file`, or the one in its place.
///
/// The program is the one that runs now, the port the one of the environment: who installs the unit finds out whether its user
/// can reach the program, and whether the port is free.
///
/// # Errors
///
/// Fails if the environment does not exist, is `local`, exists in several organizations, or if a value in its file is invalid.
pub fn settings(
    context: &OpContext,
    env: &EnvName,
    scope: UnitScope,
    file: Option<&Path>,
) -> Result<UnitSettings, Fault> {
    if env.tier() == Some(Tier::Local) {
        return Err(Fault::usage("`@local` has no unit: it is the source of the other environments")
            .with_advice("`tsm daemon install @dev`"));
    }
    let org = match file {
        Some(_) => context.org.cloned(),
        None => organization(context, env)?,
    };
    if file.is_none() {
        environments::check_exists(context.paths, org.as_ref().or(context.org), env)?;
    }
    let in_place = || org.as_ref().map(|org| context.paths.environment(org, env));
    let file = file.map(Path::to_owned).or_else(in_place);
    let document = match (&file, &org) {
        (Some(file), Some(org)) => read::document(file, &context.paths.org(org))?,
        _ => None,
    };
    let tier = environments::tier_in(env, document.as_ref());
    let mut settings = UnitSettings::of_profile(env, tier, context.host.program());
    if settings.is_root() && process::own_uid() == 0 {
        // Where root keeps everything, and `tsm enable` put what the daemon starts.
        settings.home = context.paths.home().to_owned();
    }
    if let (Some(document), Some(file)) = (&document, &file) {
        Filling { document, file, context }.fill(&mut settings)?;
        settings.org = org;
    }
    let of_user = document.as_ref().and_then(|it| it.text_at(&["daemon", "scope"])) == Some("user");
    if scope == UnitScope::Session || of_user {
        settings.owner = Owner::Session;
        settings.home = context.paths.home().to_owned();
        settings.source = context.paths.source().to_owned();
    }
    check_paths(&settings)?;
    Ok(settings)
}

/// The units that the documents copy, for machines without organizations: the name of each, and its text. A program of root need
/// not be one that other users can execute.
#[must_use]
pub fn templates(of_root: &Path, of_all: &Path) -> Vec<(String, String)> {
    let text = |env: EnvName, tier, program| UnitSettings::of_profile(&env, tier, program).text();
    let name = |word: &str| word.parse().expect("the name of a built-in environment");
    vec![
        ("tetra@dev.service".to_owned(), text(name("dev"), Tier::Dev, of_root)),
        ("tetra.service".to_owned(), text(name("prod"), Tier::Prod, of_all)),
    ]
}

/// The organization that has an environment: the active one, else the only one that has it.
fn organization(context: &OpContext, env: &EnvName) -> Result<Option<OrgName>, Fault> {
    let has_it = |org: &OrgName| context.paths.environment(org, env).is_file();
    if let Some(org) = context.org.filter(|org| has_it(org)) {
        return Ok(Some(org.clone()));
    }
    let mut having: Vec<OrgName> = store::organizations(context.paths).into_iter().filter(has_it).collect();
    match having.len() {
        0 | 1 => Ok(having.pop()),
        _ => {
            let names: Vec<&str> = having.iter().map(OrgName::as_str).collect();
            let message = format!("`@{env}` exists in several organizations: {}", names.join(", "));
            Err(Fault::new(FaultKind::NotFound, message).with_advice(format!("say which: `--org {}`", names[0])))
        }
    }
}

/// The environments that have a generated file here, of the active organization or of all.
#[must_use]
pub fn generated_environments(paths: &Paths, org: Option<&OrgName>) -> Vec<EnvName> {
    let orgs = org.map_or_else(|| store::organizations(paths), |org| vec![org.clone()]);
    let of_org = |org: &OrgName| OrgStore::open(paths, org).map(|store| store.environments()).unwrap_or_default();
    let mut all: Vec<EnvName> = orgs.iter().flat_map(of_org).filter(|env| env.tier() != Some(Tier::Local)).collect();
    all.order();
    all.dedup();
    all
}

/// An environment's file, read into settings.
struct Filling<'a> {
    document: &'a Document,
    file: &'a Path,
    context: &'a OpContext<'a>,
}

impl Filling<'_> {
    fn fill(&self, settings: &mut UnitSettings) -> Result<(), Fault> {
        self.account(settings);
        if let Some(port) = self.number(&["ports", "tetra"])? {
            settings.port = u16::try_from(port)
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| self.invalid(&["ports", "tetra"], &port.to_string(), "a port: 1 to 65535"))?;
        }
        for (key, older, limit) in [
            ("memory_max", "memory_max", &mut settings.limits.memory_max),
            ("limit_nofile", "nofile", &mut settings.limits.limit_nofile),
            ("limit_nproc", "nproc", &mut settings.limits.limit_nproc),
        ] {
            let given = self.number(&["resources", key])?.or(self.number(&["resources", older])?);
            *limit = given.filter(|number| *number != 0);
        }
        if let Some(name) = self.document.text_at(&["daemon", "unit"]) {
            settings.name = unit_file_name(name)
                .ok_or_else(|| self.invalid(&["daemon", "unit"], name, "the name of a unit: `tetra-dev.service`"))?;
        }
        if let Some(word) = self.document.text_at(&["daemon", "hardening"]) {
            let expected = "`relaxed` or `strict`";
            settings.hardening =
                word.parse::<Hardening>().map_err(|()| self.invalid(&["daemon", "hardening"], word, expected))?;
        }
        let ports = declared_services(self.document).into_iter().filter_map(|service| service.port);
        settings.has_low_port = ports.chain([settings.port]).any(|port| port < FIRST_FREE_PORT);
        Ok(())
    }

    /// User, group, and the directories, whose `~` is the home directory of that user.
    fn account(&self, settings: &mut UnitSettings) {
        let text = |key: &str| self.document.text_at(&["deployment", key]).filter(|text| !text.is_empty());
        let Owner::Account(account) = &mut settings.owner else { return };
        if let Some(user) = text("user") {
            *account = Account { user: user.to_owned(), group: user.to_owned() };
        }
        if let Some(group) = text("group") {
            group.clone_into(&mut account.group);
        }
        let known = passwd::find(&account.user).ok().flatten().map(|user| user.home);
        let home = known.unwrap_or_else(|| Path::new("/home").join(&account.user));
        let place = |text: &str| PathBuf::from(home::expand(text, home.to_str()));
        if let Some(source) = text("tetra_src") {
            settings.source = place(source);
        }
        settings.home = match text("tetra_dir") {
            Some(dir) => place(dir),
            None => self.context.paths.home().to_owned(),
        };
    }

    /// A whole number that is not negative.
    fn number(&self, keys: &[&str]) -> Result<Option<u64>, Fault> {
        let Some(leaf) = self.document.leaf(&KeyPath::of(keys)) else { return Ok(None) };
        let number = leaf.value.as_integer().and_then(|number| u64::try_from(number).ok());
        number.map(Some).ok_or_else(|| self.invalid(keys, &leaf.value.to_string(), "a whole number"))
    }

    fn invalid(&self, keys: &[&str], value: &str, expected: &str) -> Fault {
        let key = keys.join(".");
        Fault::new(
            FaultKind::Failed,
            format!("invalid value `{value}` for `{key}` in `{}`: expected {expected}", self.file.display()),
        )
        .with_advice(format!("set {key} below [overrides] in local.toml, and promote it again"))
    }
}

/// The name of a unit file, if it is one.
fn unit_file_name(name: &str) -> Option<String> {
    let name = name.strip_suffix(".service").unwrap_or(name);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    let is_name = !name.is_empty() && name.len() <= 200 && name.chars().all(is_allowed) && name.starts_with("tetra");
    is_name.then(|| format!("{name}.service"))
}

/// Lets no path pass that a unit cannot name.
fn check_paths(settings: &UnitSettings) -> Result<(), Fault> {
    for path in [&settings.home, &settings.source, &settings.program] {
        let is_text = path.to_str().is_some_and(|text| !text.chars().any(char::is_control));
        if !(is_text && path.is_absolute()) {
            let message =
                format!("`{}` cannot be in a unit: expected an absolute path of printable characters", path.display());
            return Err(Fault::new(FaultKind::Failed, message));
        }
    }
    Ok(())
}
