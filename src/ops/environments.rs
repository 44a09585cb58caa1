//! Which environments there are, and how careful to be in them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::environment::{BUILT_IN, EnvName, EnvRef, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::base::sort::SortExt;
use crate::base::suggest::closest_match;
use crate::config::document::{Document, Leaf};
use crate::config::path::KeyPath;
use crate::org::read;
use crate::sys::paths::Paths;

/// Lets an environment pass that is built in, or that the organization or the operator has a file or a profile for.
///
/// # Errors
///
/// Fails with [`FaultKind::NotFound`] and the nearest name: a slip must not be taken for an environment of its own.
pub fn check_exists(paths: &Paths, org: Option<&OrgName>, name: &EnvName) -> Result<(), Fault> {
    let mut directories = directories(paths, org);
    if name.tier().is_some() || directories.any(|directory| directory.join(format!("{name}.toml")).is_file()) {
        return Ok(());
    }
    let known = names(paths, org);
    let fault = Fault::new(FaultKind::NotFound, format!("no environment is called `@{name}`"));
    Err(match closest_match(name.as_str(), known.iter().map(String::as_str)) {
        Some(near) => fault.with_advice(format!("did you mean `@{near}`?")),
        None => fault.with_advice(format!("there are @{}", known.join(", @"))),
    })
}

/// The environments that [`check_exists`] lets pass.
#[must_use]
pub fn names(paths: &Paths, org: Option<&OrgName>) -> Vec<String> {
    let mut known: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    for name in directories(paths, org).flat_map(|directory| file_stems(&directory, ".toml")) {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    known
}

fn directories(paths: &Paths, org: Option<&OrgName>) -> impl Iterator<Item = PathBuf> {
    let of_org = org.map(|org| [paths.org(org).join("environments"), paths.profiles(org)]);
    of_org.into_iter().flatten().chain([paths.shared_profiles()])
}

/// The names in a directory that end in `suffix`, without it, sorted.
#[must_use]
pub fn file_stems(dir: &Path, suffix: &str) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(suffix)?.to_owned())).collect();
    names.order();
    names
}

/// How careful to be in an environment: its own rung if it is a built-in one, else the `type` in its file, else the strictest.
#[must_use]
pub fn tier(paths: &Paths, EnvRef { org, env }: &EnvRef) -> Tier {
    let file = || {
        let org = org.as_ref().filter(|_| env.tier().is_none())?;
        read::document(&paths.environment(org, env), &paths.org(org)).ok()?
    };
    tier_in(env, file().as_ref())
}

/// The same by the file of the environment.
#[must_use]
pub fn tier_in(env: &EnvName, file: Option<&Document>) -> Tier {
    let declared = || Tier::of(file?.text_at(&["environment", "type"])?);
    env.tier().or_else(declared).unwrap_or(Tier::Prod)
}

/// Where an environment is said to be read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadOnlyBy {
    /// In its own file, this one, which may be generated.
    OwnFile(PathBuf),
    /// In the manifest of its organization, this file.
    Manifest(PathBuf),
}

/// True if the file of an environment has `readonly = true` in `[environment]`, or the manifest of its organization in
/// `[environments.NAME]`. Anything but a boolean counts as true: who wrote it wanted fewer changes, not more.
#[must_use]
pub fn is_readonly(paths: &Paths, env: &EnvRef) -> bool {
    readonly_by(paths, env).is_some()
}

/// What says that an environment is read-only, if it is.
#[must_use]
pub fn readonly_by(paths: &Paths, EnvRef { org, env }: &EnvRef) -> Option<ReadOnlyBy> {
    let org = org.as_ref()?;
    let tree = paths.org(org);
    let in_own = |file: &Document| file.leaf(&KeyPath::of(&["environment", "readonly"])).is_some_and(may_be_true);
    let in_manifest = |file: &Document| {
        file.leaves.iter().any(|leaf| {
            matches!(leaf.path.keys(), [table, name, key]
                if table == "environments" && key == "readonly" && name.parse().is_ok_and(|name: EnvName| name == *env))
                && may_be_true(leaf)
        })
    };
    let holds = |path: &Path, says: &dyn Fn(&Document) -> bool| {
        read::document(path, &tree).is_ok_and(|file| file.as_ref().is_some_and(says))
    };
    let (own, manifest) = (paths.environment(org, env), paths.manifest(org));
    if holds(&own, &in_own) {
        return Some(ReadOnlyBy::OwnFile(own));
    }
    holds(&manifest, &in_manifest).then_some(ReadOnlyBy::Manifest(manifest))
}

fn may_be_true(leaf: &Leaf) -> bool {
    leaf.value.as_bool() != Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file;

    #[test]
    fn an_unknown_environment_is_answered_with_each_one_once() {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        let org: OrgName = "acme".parse().expect("a name");
        file::create_dir(&paths.org(&org).join("environments")).expect("made");
        for name in ["local", "qa"] {
            fs::write(paths.environment(&org, &name.parse().expect("a name")), "").expect("written");
        }
        let fault = check_exists(&paths, Some(&org), &"nope".parse().expect("a name")).expect_err("unknown");
        assert_eq!(fault.advice.as_deref(), Some("there are @local, @dev, @staging, @prod, @qa"));
    }

    #[test]
    fn an_environment_of_ones_own_counts_as_its_type_says() {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        let org: OrgName = "acme".parse().expect("a name");
        let env = |name: &str| name.parse::<EnvName>().expect("a name");
        file::create_dir(&paths.org(&org).join("environments")).expect("made");
        for (name, text) in
            [("qa", "[environment]\ntype = 'staging'\n"), ("odd", "[environment]\ntype = 'x'\n"), ("broken", "[")]
        {
            fs::write(paths.environment(&org, &env(name)), text).expect("written");
        }
        let rung = |org: Option<&OrgName>, name: &str| tier(&paths, &EnvRef { org: org.cloned(), env: env(name) });
        assert_eq!(rung(Some(&org), "qa"), Tier::Staging);
        assert_eq!(rung(Some(&org), "odd"), Tier::Prod);
        assert_eq!(rung(Some(&org), "broken"), Tier::Prod);
        assert_eq!(rung(Some(&org), "absent"), Tier::Prod);
        assert_eq!(rung(None, "qa"), Tier::Prod);
        assert_eq!(rung(None, "dev"), Tier::Dev);
    }

    #[test]
    fn an_environment_is_read_only_if_its_file_says_so() {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        let org: OrgName = "acme".parse().expect("a name");
        file::create_dir(&paths.org(&org).join("environments")).expect("made");
        for (value, is) in [("true", true), ("false", false), ("'yes'", true), ("0", true)] {
            let env = EnvRef { org: Some(org.clone()), env: "prod".parse().expect("a name") };
            assert!(!is_readonly(&paths, &EnvRef { org: None, ..env.clone() }));
            fs::write(paths.environment(&org, &env.env), format!("[environment]\nreadonly = {value}\n"))
                .expect("written");
            assert_eq!(is_readonly(&paths, &env), is, "{value}");
        }
    }

    #[test]
    fn an_environment_is_read_only_if_the_manifest_says_so() {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        let org: OrgName = "acme".parse().expect("a name");
        file::create_dir(&paths.org(&org)).expect("made");
        let env = |name: &str| EnvRef { org: Some(org.clone()), env: name.parse().expect("a name") };
        for (value, is) in [("true", true), ("false", false), ("'yes'", true)] {
            fs::write(paths.manifest(&org), format!("[environments.production]\nreadonly = {value}\n"))
                .expect("written");
            assert_eq!(is_readonly(&paths, &env("prod")), is, "{value}");
            assert!(!is_readonly(&paths, &env("dev")), "{value}");
        }
    }
}
