//! The hosts of a file for ssh, such as `~/.ssh/config`, with those of the files that it includes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::TkmError;
use super::host::{Address, Host, HostName, HostRules};
use super::imported::ImportedKey;
use crate::base::environment::EnvName;
use crate::base::glob;
use crate::base::name::sanitize;
use crate::base::sort::SortExt;
use crate::config::read;

/// How deep files include others: the limit of ssh.
const MAX_DEPTH: usize = 16;

/// The most files that are read.
const MAX_FILES: usize = 256;

/// The names of `Host` lines. The address of each is its name: ssh knows the rest. What names no host is left out, and named.
///
/// # Errors
///
/// Fails if the file cannot be read. One that it includes is named instead.
pub(super) fn read(path: &Path, env: &EnvName, home: &Path) -> Result<ImportedKey, TkmError> {
    let mut reading = Reading { env, ssh: home.join(".ssh"), seen: BTreeSet::new(), found: ImportedKey::default() };
    reading.file(path, 0)?;
    if !path.starts_with(&reading.ssh) {
        let note =
            format!("what `{}` says of its hosts: ssh reads ~/.ssh/config, which may include it", path.display());
        reading.found.ignored.push(note);
    }
    Ok(reading.found)
}

/// What was found so far.
struct Reading<'a> {
    env: &'a EnvName,
    ssh: PathBuf,
    seen: BTreeSet<PathBuf>,
    found: ImportedKey,
}

impl Reading<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), TkmError> {
        if !self.seen.insert(path.to_owned()) {
            return Ok(());
        }
        let text = read::text(path)?;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
            let (keyword, rest) = line.split_at(end);
            let rest = rest.trim_start();
            let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
            let place = format!("{}:{}", path.display(), index + 1);
            // A quote that is not closed is an error of ssh, which says so itself.
            let words = shlex::split(rest).unwrap_or_else(|| vec![rest.to_owned()]);
            match keyword.to_ascii_lowercase().as_str() {
                "host" => self.hosts(&words, &place),
                "match" => self.skip(&place, &format!("`Match {rest}`: it names no host by itself")),
                "include" => words.iter().for_each(|pattern| self.include(pattern, &place, depth)),
                _ => {}
            }
        }
        Ok(())
    }

    fn skip(&mut self, place: &str, what: &str) {
        self.found.ignored.push(format!("{what} ({place})"));
    }

    fn hosts(&mut self, words: &[String], place: &str) {
        let (patterns, names): (Vec<&String>, Vec<&String>) = words.iter().partition(|it| it.contains(['*', '?', '!']));
        if !patterns.is_empty() {
            let list: Vec<String> = patterns.into_iter().map(|it| format!("`{it}`")).collect();
            self.skip(place, &format!("{}: not the name of one host", list.join(", ")));
        }
        for word in names {
            let address = word.parse::<Address>().ok().filter(|it| it.host == *word);
            let name = word.parse::<HostName>().or_else(|_| sanitize(word, "host").parse());
            let (Some(address), Ok(name)) = (address, name) else {
                self.skip(place, &format!("`{}`: not the name of a host", word.escape_debug()));
                continue;
            };
            if word.starts_with("tetra-") {
                self.skip(place, &format!("`{word}`: names that begin with `tetra-` are those of `tkm config`"));
                continue;
            }
            self.found.add(Host { name, address, env: self.env.clone(), rules: HostRules::default() });
        }
    }

    /// Reads the files of an `Include`: below `~/.ssh` unless the path says otherwise, patterns in the last name.
    fn include(&mut self, pattern: &str, place: &str, depth: usize) {
        let below_home = pattern.strip_prefix("~/").and_then(|rest| Some(self.ssh.parent()?.join(rest)));
        let path = below_home.unwrap_or_else(|| self.ssh.join(pattern));
        let (dir, name) = (path.parent().unwrap_or(&path), path.file_name().unwrap_or_default().to_string_lossy());
        let is_pattern = |text: &str| text.contains(['*', '?', '[', '$', '%']);
        if is_pattern(&dir.to_string_lossy()) || name.contains(['[', '$', '%']) || depth == MAX_DEPTH {
            return self.skip(place, &format!("`Include {pattern}`: it is not followed"));
        }
        let mut files = vec![path.clone()];
        if is_pattern(&name) {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
            let is_meant = |file: &Path| !file.to_string_lossy().starts_with('.') && glob::matches(&name, file);
            files = entries.map(PathBuf::from).filter(|file| is_meant(file)).map(|file| dir.join(file)).collect();
            files.order();
        }
        for file in files {
            if self.seen.len() == MAX_FILES {
                return self.skip(place, &format!("`Include {pattern}`: more than {MAX_FILES} files"));
            }
            // The file of `tkm config` has the hosts that are there already.
            if file.ends_with("tkm/ssh_config") {
                continue;
            }
            if let Err(error) = self.file(&file, depth + 1) {
                self.skip(place, &format!("`{}`: {error}", file.display()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hosts_and_all_else_is_named() {
        let home = tempfile::tempdir().expect("a directory");
        let ssh = home.path().join(".ssh");
        std::fs::create_dir_all(ssh.join("config.d")).expect("ours");
        let write = |name: &str, text: &str| std::fs::write(ssh.join(name), text).expect("written");
        write(
            "config",
            "Include config.d/* none\nHost web \"db\" !bad *.corp # not this\n  Port 22\nMatch host x\nhost=app\n\
             Host tetra-web \"two words\" ann@web 2001:db8::5\nInclude /opt/*/x\n",
        );
        write("config.d/a", "Host inner web\nInclude config\n");
        write("config.d/.hidden", "Host hidden\n");
        let config = ssh.join("config");
        let found = read(&config, &"dev".parse().expect("a name"), home.path()).expect("read");
        let names: Vec<String> = found.hosts.iter().map(|it| format!("{} {}", it.name, it.address)).collect();
        assert_eq!(names, ["inner inner", "web web", "db db", "app app", "2001-db8-5 2001:db8::5"]);
        let shown = found.ignored.join("\n").replace(&ssh.display().to_string(), "~/.ssh");
        for expected in [
            "`!bad`, `*.corp`: not the name of one host (~/.ssh/config:2)",
            "`Match host x`: it names no host by itself (~/.ssh/config:4)",
            "`tetra-web`: names that begin with `tetra-` are those of `tkm config` (~/.ssh/config:6)",
            "`two words`: not the name of a host (~/.ssh/config:6)",
            "`ann@web`: not the name of a host (~/.ssh/config:6)",
            "`Include /opt/*/x`: it is not followed (~/.ssh/config:7)",
            "`~/.ssh/none`: failed to read `~/.ssh/none` (~/.ssh/config:1)",
        ] {
            assert!(shown.contains(expected), "{expected}\n{shown}");
        }
        let elsewhere = home.path().join("other");
        std::fs::write(&elsewhere, "Host a\n").expect("written");
        let found = read(&elsewhere, &"dev".parse().expect("a name"), home.path()).expect("read");
        assert!(found.ignored[0].ends_with("says of its hosts: ssh reads ~/.ssh/config, which may include it"));
    }
}
