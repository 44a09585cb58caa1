//! What the shell reads from files of others: the type of an environment.

use std::fs;

use crate::base::environment::{EnvName, Rung};
use crate::base::name::OrgName;
use crate::sys::paths::Paths;

/// How careful to be in an environment: its own rung if it is a built-in one, else the `type` in its file, else the strictest.
#[must_use]
pub fn rung(paths: &Paths, org: Option<&OrgName>, env: &EnvName) -> Rung {
    env.rung().or_else(|| declared(&fs::read_to_string(paths.environment(org?, env)).ok()?)).unwrap_or(Rung::Prod)
}

fn declared(text: &str) -> Option<Rung> {
    let file: toml::Table = text.parse().ok()?;
    Rung::of(file.get("environment")?.get("type")?.as_str()?)
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
        let rung = |org: Option<&OrgName>, name: &str| rung(&paths, org, &env(name));
        assert_eq!(rung(Some(&org), "qa"), Rung::Staging);
        assert_eq!(rung(Some(&org), "odd"), Rung::Prod);
        assert_eq!(rung(Some(&org), "broken"), Rung::Prod);
        assert_eq!(rung(Some(&org), "absent"), Rung::Prod);
        assert_eq!(rung(None, "qa"), Rung::Prod);
        assert_eq!(rung(None, "dev"), Rung::Dev);
    }
}
