//! Env files and secrets on the operator's machine, to be carried to hosts.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use super::carried::{keys, read_if_exists};
use crate::base::environment::{EnvFileName, EnvName};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::config::document::{Document, Leaf};
use crate::config::path::KeyPath;
use crate::config::read;
use crate::deploy::carried::{Carried, CarriedFile, Form, MAX_CARRIED};
use crate::deploy::release::{ContentHash, EntryPath, Refusal};
use crate::disk;
use crate::env::env_file;
use crate::env::seal::{self, SealError, UnsealResult};
use crate::env::secrets::{self, SecretStore};
use crate::ops::secrets::default_identities;
use crate::ops::service_keys;
use crate::org::draft::OVERRIDES;
use crate::org::error::OrgError;
use crate::org::{profile, services};
use crate::sys::file::FileError;
use crate::sys::host::Host;
use crate::sys::paths::Paths;

/// Of what is gathered.
pub struct Source<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The surroundings.
    pub host: &'a dyn Host,
    /// The organization.
    pub org: &'a OrgName,
    /// The environment.
    pub env: &'a EnvName,
    /// What is deployed of it.
    pub document: &'a Document,
    /// local.toml; none if there is none.
    pub local: Option<&'a Document>,
}

/// What is carried, with remarks.
#[derive(Default)]
pub struct Gathered {
    /// What there is.
    pub files: Vec<CarriedFile>,
    /// What is to be known of it.
    pub notes: Vec<String>,
}

/// What this machine has: the secrets of the environment, and the env files that services name and that are here.
///
/// # Errors
///
/// Fails if a file is not one of settings or not safe, if a service names one that is elsewhere than below the directory, if sealed
/// and open secrets differ, or if there is too much.
pub fn gather(source: &Source) -> Result<Gathered, Fault> {
    let mut gathered = Gathered::default();
    source.secrets(&mut gathered)?;
    for path in source.names(&mut gathered.notes)? {
        source.env_file(path, &mut gathered)?;
    }
    let size: usize = gathered.files.iter().map(|it| it.bytes.len()).sum();
    if size > MAX_CARRIED {
        let why = format!("env files and secrets of {} have more than {} KiB", source.env, MAX_CARRIED >> 10);
        return Err(Fault::new(FaultKind::Preflight, why));
    }
    Ok(gathered)
}

impl<'a> Source<'a> {
    fn secrets(&self, gathered: &mut Gathered) -> Result<(), Fault> {
        let store = SecretStore::new(self.paths.org(self.org).join("secrets"));
        let (path, sealed_path) = (store.file(self.env), store.sealed_path(self.env));
        let plain = store.text(self.env)?;
        gathered.notes.extend(plain.as_ref().and_then(|(_, notice)| notice.clone()));
        let plain = plain.map(|(text, _)| Zeroizing::new(text));
        let (text, bytes) = match (plain, read_if_exists(&sealed_path)?) {
            (None, None) => return Ok(()),
            (plain, Some(bytes)) => (self.opened(&sealed_path, plain)?, Some(bytes)),
            (Some(text), None) => {
                let recipients = match seal::recipients(&self.paths.manifest(self.org)) {
                    Err(SealError::NoRecipients { .. }) => Vec::new(),
                    recipients => recipients?,
                };
                let sealed = (!recipients.is_empty()).then(|| seal::seal(&text, &recipients)).transpose()?;
                (Some(text), sealed.map(Zeroizing::new))
            }
        };
        if let Some(text) = &text {
            secrets::parse(&path, text)?;
        }
        let form = if bytes.is_some() { Form::Sealed } else { Form::Plain };
        let of_text = || Zeroizing::new(text.as_ref().map(|text| text.as_bytes().to_vec()).unwrap_or_default());
        gathered.files.push(CarriedFile {
            what: Carried::Secrets,
            form,
            text: text.as_ref().map(|text| ContentHash::of(text.as_bytes())),
            keys: text.as_ref().map(|text| keys(&path, text.as_bytes())).unwrap_or_default(),
            bytes: bytes.unwrap_or_else(of_text),
        });
        Ok(())
    }

    /// The text of sealed secrets; none if no key here opens them.
    fn opened(&self, path: &Path, plain: Option<Zeroizing<String>>) -> Result<Option<Zeroizing<String>>, Fault> {
        match seal::try_unseal(path, &default_identities(self.paths, self.host)) {
            UnsealResult::Unsealed(text) if plain.as_ref().is_some_and(|plain| **plain != text) => {
                let why = format!("`{}` does not say the same as the file beside it", path.display());
                Err(Fault::new(FaultKind::CheckFailed, why)
                    .with_advice(format!("`secrets seal {}` seals what is not sealed", self.env)))
            }
            UnsealResult::Unsealed(text) => Ok(Some(Zeroizing::new(text))),
            UnsealResult::ForOthers => Ok(None),
            UnsealResult::Broken(error) => Err(error.into()),
        }
    }

    /// The env files that services name by where they are from `TETRA_DIR`. One that is named from the root is the host's own, and
    /// so is what leads out: of a directory that is named from the root, or where it may be missing.
    fn names(&self, notes: &mut Vec<String>) -> Result<BTreeSet<EntryPath>, Fault> {
        let home = self.host.variable("HOME");
        let mut names = BTreeSet::new();
        for service in services::declared_services(self.document) {
            let definition = service_keys::definition(self.document, &service.name, Path::new(""), home);
            for file in definition.options.env_file.iter().flatten() {
                let EnvFileName { path, optional } = EnvFileName::of(file);
                let given = Path::new(path);
                let is_way_out = leads_out(given);
                if given.is_absolute() || is_way_out && definition.cwd.is_absolute() {
                    continue;
                }
                if is_way_out && optional {
                    notes.push(format!(
                        "{} reads `{path}` of the host, if there is one: a name that leads out of TETRA_DIR is not deployed",
                        service.name
                    ));
                    continue;
                }
                // `./web.env` is the same file as `web.env`.
                let name: PathBuf = given.components().filter(|part| *part != Component::CurDir).collect();
                let name = EntryPath::new(&name.to_string_lossy());
                names.insert(name.map_err(|refusal| self.refused(&service.name, file, refusal))?);
            }
        }
        Ok(names)
    }

    /// An env file that cannot be carried, where it is named: in local.toml, if it is.
    fn refused(&self, service: &str, file: &str, refusal: Refusal) -> OrgError {
        let key = KeyPath::new(["services", service, "env_file"].map(str::to_owned).to_vec());
        let is_own = |leaf: &&Leaf| match leaf.path.keys() {
            [first, env, rest @ ..] if first == OVERRIDES && env == self.env.as_str() => {
                profile::inner(rest).as_ref() == Some(&key)
            }
            _ => false,
        };
        let leaves = |document: &'a Document| document.leaves.iter();
        let general = |document| leaves(document).find(|leaf| leaf.path == key).map(|leaf| (document, leaf));
        let own = self.local.and_then(|local| leaves(local).find(is_own).map(|leaf| (local, leaf)));
        let place = own.or_else(|| self.local.and_then(general)).or_else(|| general(self.document));
        let (document, span) = place.map_or((self.document, 0..0), |(document, leaf)| (document, leaf.span.clone()));
        let why = if Path::new(EnvFileName::of(file).path).components().any(|part| part == Component::ParentDir) {
            "it leads out of the directory that env files are in".to_owned()
        } else {
            refusal.to_string()
        };
        let title = format!("`{key}` names the env file `{file}`, which cannot be deployed");
        let help =
            "name a file below that directory, or from the root if the host has one of its own; nothing was changed";
        let found = document.shown().error(title, span, why).help(help);
        OrgError::invalid(Path::new(&document.source.name), vec![found])
    }

    /// Where they are here: where relative paths of services begin, then in `TETRA_DIR`.
    fn directories(&self) -> Vec<PathBuf> {
        let home = self.host.variable("HOME");
        let source = self.local.map(|local| service_keys::source_directory(local, self.paths, home));
        source.into_iter().chain([self.paths.home().to_owned()]).collect()
    }

    fn env_file(&self, path: EntryPath, gathered: &mut Gathered) -> Result<(), Fault> {
        let mut places = self.directories().into_iter().map(|dir| dir.join(path.as_str()));
        let Some(file) = places.find(|file| file.is_file()) else { return Ok(()) };
        let bytes = Zeroizing::new(disk::read(&file).map_err(FileError::io("read", &file))?);
        let text = Zeroizing::new(read::decode(&file, bytes.to_vec())?);
        env_file::variables(&file.display().to_string(), &text)?;
        if SecretStore::mode(&file).is_some_and(|mode| mode & 0o077 != 0) {
            let file = file.display();
            gathered.notes.push(format!("{file} can be read by other users of this machine: `chmod 600 {file}`"));
        }
        gathered.files.push(CarriedFile {
            what: Carried::EnvFile(path),
            form: Form::Plain,
            text: Some(ContentHash::of(&bytes)),
            keys: keys(&file, &bytes),
            bytes,
        });
        Ok(())
    }
}

/// True for a name that leads out of the directory in which it begins.
fn leads_out(name: &Path) -> bool {
    let mut depth = 0_i32;
    name.components().any(|part| {
        depth += if part == Component::ParentDir { -1 } else { i32::from(part != Component::CurDir) };
        depth < 0
    })
}
