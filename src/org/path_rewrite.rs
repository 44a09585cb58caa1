//! Paths that begin elsewhere in another environment.

/// One move: what begins with `from` begins with `to` afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRewrite {
    /// Whole directories; `~` is the home directory of the operator, however it is written.
    pub from: String,
    /// What takes its place.
    pub to: String,
}

/// The path after the longest move that fits; none if none does.
#[must_use]
pub fn rewrite(path: &str, moves: &[PathRewrite], home: Option<&str>) -> Option<String> {
    let path = with_tilde(path, home);
    let mut fitting: Vec<(String, &PathRewrite)> = moves.iter().map(|it| (with_tilde(&it.from, home), it)).collect();
    fitting.retain(|(from, _)| !from.is_empty() && rest(&path, from).is_some());
    let (from, to) = fitting.into_iter().max_by_key(|(from, _)| from.len()).map(|(from, it)| (from, &it.to))?;
    let rest = rest(&path, &from).unwrap_or_default();
    Some(format!("{}{rest}", to.trim_end_matches('/')))
}

/// Whether a path is a home directory itself.
#[must_use]
pub fn is_home(path: &str, home: Option<&str>) -> bool {
    with_tilde(path, home).trim_end_matches('/') == "~"
}

/// What is behind `from`, if it ends at the end of a directory's name.
fn rest<'a>(path: &'a str, from: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(from.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// The path with `~` for a home directory: the operator's own, or one where home directories usually are.
fn with_tilde(path: &str, home: Option<&str>) -> String {
    let own = home.map(|home| home.trim_end_matches('/')).filter(|home| !home.is_empty() && *home != "/root");
    if let Some(rest) = own.and_then(|home| rest(path, home)) {
        return format!("~{rest}");
    }
    for directory in ["/home/", "/Users/"] {
        if let Some(below) = path.strip_prefix(directory)
            && !below.is_empty()
        {
            return format!("~{}", below.find('/').map_or("", |at| &below[at..]));
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(pairs: &[(&str, &str)]) -> Vec<PathRewrite> {
        pairs.iter().map(|(from, to)| PathRewrite { from: (*from).to_owned(), to: (*to).to_owned() }).collect()
    }

    #[test]
    fn a_home_directory_is_one_however_it_is_written() {
        let to_root = moves(&[("~", "/root")]);
        for (path, expected) in [
            ("~/src/tetra", Some("/root/src/tetra")),
            ("/home/mricos/src", Some("/root/src")),
            ("/Users/mricos/src", Some("/root/src")),
            ("/data/me/src", Some("/root/src")),
            ("~", Some("/root")),
            ("env/dev.env", None),
            ("/opt/~/x", None),
            ("~other/x", None),
            ("${TETRA_SRC}/x", None),
        ] {
            assert_eq!(rewrite(path, &to_root, Some("/data/me")).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_home_directory_differs_from_what_is_in_it() {
        for (path, expected) in
            [("~", true), ("/home/me/", true), ("/data/me", true), ("~/tetra", false), ("/opt", false)]
        {
            assert_eq!(is_home(path, Some("/data/me")), expected, "{path}");
        }
    }

    #[test]
    fn the_longest_whole_directory_wins() {
        let several = moves(&[("~", "/var/lib/tetra"), ("~/src/tetra", "/opt/tetra")]);
        assert_eq!(rewrite("/home/a/src/tetra/app", &several, None).as_deref(), Some("/opt/tetra/app"));
        assert_eq!(rewrite("~/src/tetra-old/app", &several, None).as_deref(), Some("/var/lib/tetra/src/tetra-old/app"));
    }
}
