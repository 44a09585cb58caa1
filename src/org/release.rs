//! `[release]` of an environment: the files of an application.

use crate::base::diagnostic::Diagnostic;
use crate::config::Value;
use crate::config::document::Document;

/// The table.
const TABLE: &str = "release";

/// The files of an application, as an environment names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredApplication {
    /// The directory, as it is written.
    pub from: String,
    /// Patterns of what is left out.
    pub exclude: Vec<String>,
    /// The command that makes them.
    pub build: Option<String>,
}

/// What an environment says; none if it has no such table.
///
/// # Errors
///
/// Fails with every key that means nothing, and if the directory is missing. Types were checked when the environment was promoted.
pub fn declared(document: &Document) -> Result<Option<DeclaredApplication>, Vec<Diagnostic>> {
    let mut it = DeclaredApplication { from: String::new(), exclude: Vec::new(), build: None };
    let mut found = Vec::new();
    let mut place = None;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for leaf in document.leaves.iter().filter(|leaf| leaf.path.keys()[0] == TABLE) {
        place.get_or_insert_with(|| leaf.statement.clone());
        match leaf.path.keys()[1..].iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["from"] => it.from = text(&leaf.value),
            ["exclude"] => it.exclude.extend(leaf.value.as_array().into_iter().flatten().map(text)),
            ["build"] => it.build = Some(text(&leaf.value)).filter(|command| !command.trim().is_empty()),
            _ => {
                let unknown = document.shown().error(format!("unknown key `{}`", leaf.path), leaf.key.clone(), "");
                found.push(unknown.help("the keys of `[release]` are from, exclude and build"));
            }
        }
    }
    match place {
        None => return Ok(None),
        Some(place) if it.from.is_empty() => {
            let missing = document.shown().error("`[release]` has no `from`", place, "");
            found.push(missing.help("write from = \"dist/\": the directory with the application files"));
        }
        Some(_) => {}
    }
    if found.is_empty() { Ok(Some(it)) } else { Err(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<DeclaredApplication>, Vec<String>> {
        let found = declared(&Document::parse("f", text).expect("TOML"));
        found.map_err(|found| found.into_iter().map(|it| it.title).collect())
    }

    #[test]
    fn a_table_has_a_directory_and_no_other_keys() {
        assert_eq!(of("[services.web]\ncommand = 'x'\n"), Ok(None));
        let whole = of("[release]\nfrom = 'dist/'\nexclude = ['*.map']\nbuild = 'make'\n");
        let expected = DeclaredApplication {
            from: "dist/".to_owned(),
            exclude: vec!["*.map".to_owned()],
            build: Some("make".to_owned()),
        };
        assert_eq!(whole, Ok(Some(expected)));
        assert_eq!(
            of("[release]\nfiles = 'dist'\nbuild = ''\n"),
            Err(vec!["unknown key `release.files`".to_owned(), "`[release]` has no `from`".to_owned()])
        );
    }
}
