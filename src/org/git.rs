//! The commit of a working tree, read from the files of git: starting git would take longer than a promotion.

use std::path::Path;

use crate::disk;

/// The commit that is checked out around a directory, in its short form; looked for up to the directory around `home`.
#[must_use]
pub fn head_commit(dir: &Path, home: &Path) -> Option<String> {
    // A repository around everything has other things to say.
    let around = home.parent().unwrap_or(home);
    let git =
        dir.ancestors().take_while(|at| at.starts_with(around)).map(|at| at.join(".git")).find(|git| git.exists())?;
    let git = match disk::read_to_string(&git) {
        Ok(link) => git.parent()?.join(link.strip_prefix("gitdir:")?.trim()),
        Err(_) => git,
    };
    let head = disk::read_to_string(git.join("HEAD")).ok()?;
    let head = head.trim();
    let Some(name) = head.strip_prefix("ref: ") else { return short_hash(head) };
    let shared = disk::read_to_string(git.join("commondir")).ok().map(|it| git.join(it.trim()));
    let git_dirs: Vec<_> = [Some(git), shared].into_iter().flatten().collect();
    let loose = git_dirs.iter().find_map(|git| short_hash(disk::read_to_string(git.join(name)).ok()?.trim()));
    loose.or_else(|| {
        let packed = git_dirs.iter().find_map(|git| disk::read_to_string(git.join("packed-refs")).ok())?;
        short_hash(packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' '))?)
    })
}

fn short_hash(hash: &str) -> Option<String> {
    (hash.len() >= 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| hash[..7].to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_commit_is_read_without_git() {
        let home = tempfile::tempdir().expect("a directory");
        let git = home.path().join(".git");
        let inner = home.path().join("org/acme");
        fs::create_dir_all(git.join("refs/heads")).expect("made");
        fs::create_dir_all(&inner).expect("made");
        assert_eq!(head_commit(&inner, &home.path().join("org")), None);
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("written");
        fs::write(git.join("packed-refs"), format!("# x\n{} refs/heads/main\n", "b".repeat(40))).expect("written");
        assert_eq!(head_commit(&inner, &home.path().join("org")).as_deref(), Some("bbbbbbb"));
        fs::write(git.join("refs/heads/main"), format!("{}\n", "a1".repeat(20))).expect("written");
        assert_eq!(head_commit(&inner, &home.path().join("org")).as_deref(), Some("a1a1a1a"));
    }
}
