//! `secrets scan`

use std::fs;
use std::path::{Path, PathBuf};

use super::scan_guard;
use crate::base::diagnostic::Severity;
use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::base::sort::SortExt;
use crate::command::{Command, Cx, Effect};
use crate::config::read;
use crate::report::{Block, Report};
use crate::sys::file::FileError;
use crate::sys::host::Invocation;

/// Find secrets in plain text
///
/// Without files: tetra.toml and the templates here, and the TOML files of the active organization. With --staged: the contents
/// of the next git commit, for a hook. Finds secrets by the name of the key in any text (`k: v`, `k = v`, `"k": "v"`, `ENV k=v` …),
/// by the format of well-known tokens, by entropy if the name suggests a secret, and in the commands of services by what the logs
/// mask (`curl -u user:password`). Skips documented examples, references such as `$NAME`, placeholders, and lines that end in
/// `# tetra:allow-secret REASON`. The exit code is 3 if there are errors.
#[derive(Debug, clap::Args)]
pub struct Scan {
    /// Files and directories
    files: Vec<PathBuf>,
    /// Scan what is staged in git
    #[arg(long, conflicts_with = "files")]
    staged: bool,
}

/// How many files are read at most. A directory with more is not configuration.
const MAX_FILES: usize = 100_000;

impl Command for Scan {
    const NAME: &'static str = "secrets scan";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["secrets scan", "secrets scan --staged"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut found = Vec::new();
        let mut count = 0;
        if self.staged {
            for name in staged_files(cx)? {
                let shown = git(cx, &["show".to_owned(), format!(":{name}")])?;
                count += 1;
                found.extend(scan_guard::scan_file(&name, &read::decode_lossy(&shown)));
            }
        } else {
            let named = !self.files.is_empty();
            for path in if named { files_below(cx, &self.files)? } else { default_paths(cx) } {
                match read::read_lossy(&path) {
                    Ok(content) => found.extend(scan_guard::scan_file(&shown(cx, &path), &content)),
                    Err(error @ read::ReadFileError::TooLarge { .. }) if named => {
                        cx.console.note(&format!("skipped: {error}"));
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
                count += 1;
            }
        }
        let errors = found.iter().filter(|it| it.severity == Severity::Error).count();
        let warnings = found.len() - errors;
        let said =
            [(count, "file"), (errors, "error"), (warnings, "warning")].map(|(count, word)| pluralize(count, word));
        let mut report = Report::of(Block::Findings(found)).note(said.join(", "));
        report.check_failed = errors > 0;
        Ok(report)
    }
}

/// What is committed and copied: TOML files and templates, here and of the organization.
fn default_paths(cx: &Cx) -> Vec<PathBuf> {
    let here = cx.host.cwd();
    let mut files = vec![here.join("tetra.toml")];
    let organization = cx.selection.org.as_ref().map(|org| cx.paths.org(org));
    let directories = [Some(here.join("env")), organization.clone(), organization.map(|org| org.join("environments"))];
    for directory in directories.into_iter().flatten() {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        files.extend(entries.filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.ends_with(".toml") || name.ends_with(".env.tmpl")
        }));
    }
    files.retain(|path| path.is_file());
    files.order();
    files
}

/// The files that were named, and all regular ones below directories that were. Links are not followed, and what version control
/// and package managers keep for themselves is left out.
fn files_below(cx: &Cx, given: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = given.iter().map(|path| cx.host.cwd().join(path)).collect();
    while let Some(path) = open.pop() {
        let found = fs::symlink_metadata(&path);
        let found = found.map_err(|source| FileError::Io { action: "read", path: path.clone(), source })?;
        if !found.is_dir() {
            files.push(path);
        } else {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
            open.extend(entries.filter(|path| is_content(path)));
        }
        if files.len() > MAX_FILES {
            return Err(Fault::usage(format!("more than {MAX_FILES} files")).with_advice("pass fewer files"));
        }
    }
    files.order();
    Ok(files)
}

fn is_content(path: &Path) -> bool {
    const IGNORED_DIRS: [&str; 6] = [".git", ".hg", ".svn", ".venv", ".terraform", "node_modules"];
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    let is_others = || path.file_name().is_some_and(|name| IGNORED_DIRS.iter().any(|other| name == *other));
    // What a build made says so by this file.
    let is_made = || path.join("CACHEDIR.TAG").exists();
    found.is_file() || (found.is_dir() && !is_others() && !is_made())
}

/// The files that the next commit changes or adds.
fn staged_files(cx: &Cx) -> Result<Vec<String>, Fault> {
    let words = ["diff", "--cached", "--name-only", "--diff-filter=ACMR", "-z"].map(str::to_owned);
    let names = String::from_utf8_lossy(&git(cx, &words)?).into_owned();
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}

fn git(cx: &Cx, words: &[String]) -> Result<Vec<u8>, Fault> {
    let cwd = Some(cx.host.cwd().to_owned());
    let call = Invocation { program: "git".to_owned(), arguments: words.to_vec(), cwd, ..Invocation::default() };
    let failed = |source| FileError::Io { action: "start", path: PathBuf::from("git"), source };
    let finished = cx.host.run(&call).map_err(failed)?;
    if finished.exit_code != 0 {
        let said = String::from_utf8_lossy(&finished.stderr).lines().next().unwrap_or_default().to_owned();
        return Err(Fault::new(FaultKind::Failed, format!("failed to list staged files: {said}")));
    }
    Ok(finished.stdout)
}

/// A path as people write it: below the working directory without it.
fn shown(cx: &Cx, path: &Path) -> String {
    path.strip_prefix(cx.host.cwd()).unwrap_or(path).display().to_string()
}
