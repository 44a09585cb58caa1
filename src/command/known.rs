//! Which environments there are, and how careful to be in them.

use std::fs;
use std::path::Path;

use crate::base::environment::{BUILT_IN, EnvName, EnvRef, Rung};
use crate::base::fault::{Fault, Kind};
use crate::base::name::OrgName;
use crate::base::near::nearest;
use crate::org::read;
use crate::sys::paths::Paths;

/// Lets an environment pass that is built in, or that the organization or the operator has a file or a profile for.
///
/// # Errors
///
/// Fails with [`Kind::NotFound`] and the nearest name: a slip must not be taken for an environment of its own.
pub fn environment(paths: &Paths, org: Option<&OrgName>, name: &EnvName) -> Result<(), Fault> {
    let folders = || {
        let of_org = org.map(|org| [paths.org(org).join("environments"), paths.profiles(org)]);
        of_org.into_iter().flatten().chain([paths.shared_profiles()])
    };
    if name.rung().is_some() || folders().any(|folder| folder.join(format!("{name}.toml")).is_file()) {
        return Ok(());
    }
    let mut known: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.extend(folders().flat_map(|folder| names(&folder, ".toml")));
    known.dedup();
    let fault = Fault::new(Kind::NotFound, format!("no environment is called `@{name}`"));
    Err(match nearest(name.as_str(), known.iter().map(String::as_str)) {
        Some(near) => fault.advise(format!("did you mean `@{near}`?")),
        None => fault.advise(format!("there are @{}", known.join(", @"))),
    })
}

/// The names in a folder that end in `suffix`, without it, sorted.
#[must_use]
pub fn names(folder: &Path, suffix: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(suffix)?.to_owned())).collect();
    names.sort();
    names
}

/// How careful to be in an environment: its own rung if it is a built-in one, else the `type` in its file, else the strictest.
#[must_use]
pub fn rung(paths: &Paths, EnvRef { org, env }: &EnvRef) -> Rung {
    let declared = || {
        let org = org.as_ref()?;
        let file = read::document(&paths.environment(org, env), &paths.org(org)).ok()??;
        Rung::of(file.text_at(&["environment", "type"])?)
    };
    env.rung().or_else(declared).unwrap_or(Rung::Prod)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file;

    #[test]
    fn an_environment_of_ones_own_counts_as_its_type_says() {
        let home = tempfile::tempdir().expect("a folder");
        let paths = Paths::under(home.path());
        let org: OrgName = "acme".parse().expect("a name");
        let env = |name: &str| name.parse::<EnvName>().expect("a name");
        file::folder(&paths.org(&org).join("environments")).expect("made");
        for (name, text) in
            [("qa", "[environment]\ntype = 'staging'\n"), ("odd", "[environment]\ntype = 'x'\n"), ("broken", "[")]
        {
            fs::write(paths.environment(&org, &env(name)), text).expect("written");
        }
        let rung = |org: Option<&OrgName>, name: &str| rung(&paths, &EnvRef { org: org.cloned(), env: env(name) });
        assert_eq!(rung(Some(&org), "qa"), Rung::Staging);
        assert_eq!(rung(Some(&org), "odd"), Rung::Prod);
        assert_eq!(rung(Some(&org), "broken"), Rung::Prod);
        assert_eq!(rung(Some(&org), "absent"), Rung::Prod);
        assert_eq!(rung(None, "qa"), Rung::Prod);
        assert_eq!(rung(None, "dev"), Rung::Dev);
    }
}
