//! `secrets doctor`

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{identities, store};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::findings::{FindingFilter, FindingResult, report_results};
use crate::command::{Command, Cx, Effect};
use crate::config::mask::MIN_SECRET_LENGTH;
use crate::config::patterns;
use crate::config::read;
use crate::disk;
use crate::env::seal::{self, UnsealResult};
use crate::env::secrets::{self, SecretStore};
use crate::ops::environments;
use crate::report::Report;
use crate::sys::file::FileError;
use crate::sys::process;
use crate::tsm::doctor::Finding;

/// The areas of findings: who can read, what is inside, and what environments have together.
const ACCESS: &str = "access";
const CONTENT: &str = "content";
const VALUES: &str = "values";

/// Check the secrets: permissions, syntax, missing and duplicate values
///
/// --fix removes the access of others. The exit code is 3 if findings remain.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Fix permissions
    #[arg(long)]
    fix: bool,
    /// Private key that opens sealed secrets
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl Command for Doctor {
    const NAME: &'static str = "secrets doctor";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["secrets doctor --fix"];

    fn effect(&self) -> Effect {
        if self.fix { Self::EFFECT } else { Effect::Read }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(store(cx)?.environments().into_iter().map(|env| cx.selection.qualify(env)).collect())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let store = store(cx)?;
        let mut checks = Checks { findings: Vec::new(), fix: self.fix };
        if store.directory().is_dir() {
            checks.modes(store.directory(), 0o700)?;
        }
        checks.gitignore(&store);
        let mut known = Vec::new();
        for env in store.environments() {
            for path in [store.file(&env), store.sealed_path(&env)].iter().filter(|path| path.exists()) {
                checks.modes(path, 0o600)?;
            }
            let found = checks.content(&store, &env, &identities(cx, &self.identity));
            match environments::check_exists(cx.paths, cx.selection.org.as_ref(), &env) {
                Ok(()) => {
                    // A sealed file stays when its last secret goes, and says nothing then.
                    let has_some = |it: &secrets::Secrets| !it.names.is_empty() || store.file(&env).exists();
                    known.extend(found.filter(has_some).map(|found| (env.clone(), found)));
                }
                Err(fault) => checks.stray(&store, &env, &fault),
            }
        }
        checks.check_duplicates(&known);
        let results: Vec<FindingResult> =
            checks.findings.iter().map(|(finding, fixed)| FindingResult { finding, fixed: fixed.clone() }).collect();
        Ok(report_results(&results, FindingFilter::All))
    }
}

struct Checks {
    /// Permissions are changed, not only reported.
    fix: bool,
    /// What was found, each with what was done about it.
    findings: Vec<(Finding, Option<String>)>,
}

impl Checks {
    fn add(&mut self, finding: Finding) {
        self.findings.push((finding, None));
    }

    /// Secrets of no environment.
    fn stray(&mut self, store: &SecretStore, env: &EnvName, fault: &Fault) {
        for path in [store.file(env), store.sealed_path(env)].iter().filter(|path| path.exists()) {
            let finding = Finding::warning(CONTENT, format!("`{}` is not used: {fault}", path.display()));
            self.add(finding.with_advice(format!("`rm '{}'` removes it", path.display())));
        }
    }

    fn modes(&mut self, path: &Path, wanted: u32) -> Result<(), Fault> {
        let fail = |source| FileError::Io { action: "inspect", path: path.to_owned(), source };
        let found = fs::metadata(path).map_err(fail)?;
        let (mode, name) = (found.mode() & 0o7777, path.display());
        let is_open = format!("`{name}` is accessible to other users (mode {mode:04o})");
        if process::owner(process::own_pid()) != Some(found.uid()) {
            let advice = format!("change its owner: sudo chown $USER '{name}'");
            self.add(Finding::error(ACCESS, format!("`{name}` belongs to another user")).with_advice(advice));
        } else if mode & 0o077 == 0 {
            self.add(Finding::ok(ACCESS, format!("`{name}` is private")));
        } else if self.fix {
            fs::set_permissions(path, fs::Permissions::from_mode(wanted)).map_err(fail)?;
            let finding = Finding::error(ACCESS, is_open).with_advice("consider who may have read it");
            self.findings.push((finding, Some(format!("set the mode to {wanted:04o}"))));
        } else {
            self.add(Finding::error(ACCESS, is_open).with_advice(format!("chmod {wanted:o} '{name}', or --fix")));
        }
        Ok(())
    }

    /// Git must not take the files that are not sealed.
    fn gitignore(&mut self, store: &SecretStore) {
        let organization = store.directory().parent().unwrap_or(Path::new("/"));
        let says = |path: &Path| {
            let text = disk::read_to_string(path).unwrap_or_default();
            text.lines()
                .map(str::trim)
                .any(|line| ["*.env", "secrets/", "secrets/*.env", "secrets/*", "*"].contains(&line))
        };
        let is_ignored = says(&store.directory().join(".gitignore")) || says(&organization.join(".gitignore"));
        if store.directory().is_dir() && !is_ignored {
            let name = store.directory().display();
            let advice = format!("echo '*.env' >> '{name}/.gitignore'");
            self.add(Finding::warning("git", format!("`{name}` is not ignored by git")).with_advice(advice));
        }
    }

    /// The secrets of an environment: those in its open file, else those in its sealed one.
    fn content(&mut self, store: &SecretStore, env: &EnvName, keys: &[PathBuf]) -> Option<secrets::Secrets> {
        let (path, sealed_path) = (store.file(env), store.sealed_path(env));
        // The modes are reported already: here only what is inside counts, and nothing is changed.
        let open = read::text_if_exists(&path).unwrap_or_else(|error| {
            self.add(Finding::error(CONTENT, error.to_string()));
            None
        });
        let sealed = if sealed_path.exists() { self.sealed(&sealed_path, env, keys) } else { None };
        if let (Some(open), Some(sealed)) = (&open, &sealed)
            && open != sealed
        {
            let advice = format!("`secrets seal {env}` if the open file is right; remove it if the sealed one is");
            let problem = format!("`{}` differs from {env}.env", sealed_path.display());
            self.add(Finding::error(CONTENT, problem).with_advice(advice));
        }
        let (path, text) = match (open, sealed) {
            (Some(text), _) => (path, text),
            (None, Some(text)) => (sealed_path, text),
            (None, None) => return None,
        };
        match secrets::parse(&path, &text) {
            Ok(found) => Some(found),
            Err(error) => {
                let place = Fault::from(error).at.map(|at| format!(" (line {})", at.line)).unwrap_or_default();
                let problem = format!("`{}` is not a valid env file{place}", path.display());
                self.add(Finding::error(CONTENT, problem).with_advice(format!("secrets edit {env}")));
                None
            }
        }
    }

    /// The text of a sealed file.
    fn sealed(&mut self, path: &Path, env: &EnvName, keys: &[PathBuf]) -> Option<String> {
        let name = path.display();
        match seal::try_unseal(path, keys) {
            UnsealResult::Unsealed(text) => return Some(text),
            UnsealResult::ForOthers => {
                let advice = "a recipient can `secrets rekey` with your key in the manifest".to_owned();
                self.add(Finding::warning(CONTENT, format!("no key here opens `{name}`")).with_advice(advice));
            }
            UnsealResult::Broken(error) => {
                let fault = Fault::from(error);
                let problem = format!("no key can open `{name}`: {}", fault.causes().join(": "));
                let advice = format!("restore it from git or a backup, or `secrets seal {env}` the open file again");
                self.add(Finding::error(CONTENT, problem).with_advice(advice));
            }
        }
        None
    }

    /// Checks across environments.
    fn check_duplicates(&mut self, known: &[(EnvName, secrets::Secrets)]) {
        let mut names: BTreeMap<&str, Vec<&EnvName>> = BTreeMap::new();
        let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (env, found) in known {
            for (name, value) in &found.values {
                names.entry(name).or_default().push(env);
                if patterns::is_placeholder(value) || value.is_empty() {
                    let problem = format!("{name} of {env} is still a placeholder");
                    self.add(Finding::error(VALUES, problem).with_advice(format!("secrets set {env} {name}")));
                } else if value.len() >= MIN_SECRET_LENGTH {
                    values.entry(value).or_default().push(format!("{name} of {env}"));
                }
            }
        }
        for places in values.values().filter(|places| places.len() > 1) {
            let problem = format!("{} have the same value", places.join(", "));
            self.add(Finding::warning(VALUES, problem).with_advice("give each environment secrets of its own"));
        }
        for (name, envs) in names {
            for (env, _) in known.iter().filter(|(env, _)| !envs.contains(&env) && env.as_str() != "local") {
                let problem = format!("{name} of {env} is missing; {} has it", envs[0]);
                self.add(Finding::warning(VALUES, problem).with_advice(format!("secrets set {env} {name}")));
            }
        }
    }
}
