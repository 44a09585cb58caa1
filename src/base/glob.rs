//! Patterns of paths: `*` and `?` within a name, `**` across directories.

use std::path::Path;

/// True if a path below a watched directory is meant by `pattern`: a pattern with a `/` is compared with the whole of it, one
/// without with each name on the way.
#[must_use]
pub fn matches(pattern: &str, below: &Path) -> bool {
    let names: Vec<&str> = below.iter().filter_map(|name| name.to_str()).collect();
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    if !pattern.contains('/') && pattern != "**" {
        return names.iter().any(|name| matches_name(pattern.as_bytes(), name.as_bytes()));
    }
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    // What is below something that is meant is meant too.
    (1..=names.len()).any(|end| matches_parts(&parts, &names[..end]))
}

fn matches_parts(parts: &[&str], names: &[&str]) -> bool {
    match (parts, names) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=names.len()).any(|skip| matches_parts(rest, &names[skip..])),
        ([part, parts @ ..], [name, names @ ..]) => {
            matches_name(part.as_bytes(), name.as_bytes()) && matches_parts(parts, names)
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

/// One name. Goes back to the last `*` only, so that no pattern takes long.
fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_anywhere_and_paths_from_the_top() {
        for (pattern, path, meant) in [
            ("*.log", "a.log", true),
            ("*.log", "deep/down/a.log", true),
            ("*.log", "a.log.js", false),
            ("node_modules", "node_modules/x/y.js", true),
            ("node_modules/", "sub/node_modules/x", true),
            ("build/*.js", "build/a.js", true),
            ("build/*.js", "src/build/a.js", false),
            ("**/build/*.js", "src/build/a.js", true),
            ("src/**", "src/a/b", true),
            ("src/**/*.tmp", "src/a.tmp", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, Path::new(path)), meant, "{pattern} {path}");
        }
    }
}
