//! Env files and secrets on a host: how they are there, what arrives, and how it comes into its place.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::place::Place;
use crate::base::environment::EnvFileName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::sort::SortExt;
use crate::deploy::carried::{Carried, CarriedFile, CarriedState, Digests, Form, Found, Keys, MAX_CARRIED};
use crate::deploy::machine::State;
use crate::deploy::release::ContentHash;
use crate::disk;
use crate::env::secrets::{self, SecretStore};
use crate::env::{env_file, seal};
use crate::ops::apply::ApplyPlan;
use crate::ops::secrets::default_identities;
use crate::sys::file::{self, Access, FileError};

/// Where it is on this host, as text.
fn target(place: &Place, what: &Carried) -> PathBuf {
    match what {
        Carried::Secrets => place.paths.secrets(&place.org, &place.env),
        Carried::EnvFile(path) => place.paths.home().join(path.as_str()),
    }
}

/// Its files: the text, and the sealed form where there can be one.
fn files(place: &Place, what: &Carried) -> Vec<PathBuf> {
    let plain = target(place, what);
    match what {
        Carried::Secrets => vec![secrets::sealed_path(&plain), plain],
        Carried::EnvFile(_) => vec![plain],
    }
}

/// How what is asked about is here, and what was carried before.
///
/// # Errors
///
/// Fails if a file cannot be read.
pub(super) fn states(place: &Place, asked: Vec<Carried>) -> Result<Vec<CarriedState>, Fault> {
    let mut records = place.files().records()?;
    records.retain(|record| record.state == State::Committed && record.env == place.env.as_str());
    let deployed = |what: &Carried| {
        records.iter().find_map(|it| it.carried.iter().find(|(known, _)| known == what)).map(|(_, digests)| digests)
    };
    let mut all = asked;
    all.extend(records.iter().flat_map(|record| record.carried.iter().map(|(what, _)| what.clone())));
    all.order();
    all.dedup();
    let state =
        |what: Carried| Ok(CarriedState { found: find(place, &what)?, deployed: deployed(&what).cloned(), what });
    all.into_iter().map(state).collect()
}

/// How it is here.
fn find(place: &Place, what: &Carried) -> Result<Option<Found>, Fault> {
    let path = target(place, what);
    let plain = read_if_exists(&path)?;
    let sealed_path = secrets::sealed_path(&path);
    let sealed = if *what == Carried::Secrets { read_if_exists(&sealed_path)? } else { None };
    let (file, text) = match (&plain, &sealed) {
        (Some(bytes), _) => (&path, Some(bytes.clone())),
        (None, Some(bytes)) => (&sealed_path, open(place, &sealed_path, bytes).ok()),
        (None, None) => return Ok(None),
    };
    let hash = |bytes: &Option<Zeroizing<Vec<u8>>>| bytes.as_ref().map(|bytes| ContentHash::of(bytes));
    Ok(Some(Found {
        is_private: SecretStore::mode(file).is_some_and(|mode| mode & 0o077 == 0),
        keys: text.as_ref().map(|text| keys(&path, text)).unwrap_or_default(),
        digests: Digests { plain: hash(&plain), sealed: hash(&sealed) },
        text: hash(&text),
    }))
}

pub(super) fn read_if_exists(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    match disk::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::io("read", path)(source).into()),
    }
}

fn open(place: &Place, path: &Path, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let identity = seal::identity(&default_identities(place.paths, place.host))?;
    Ok(Zeroizing::new(seal::unseal(path, sealed, &identity)?.into_bytes()))
}

/// What a text sets; nothing if it is not one of settings.
pub(super) fn keys(path: &Path, text: &[u8]) -> Keys {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let settings = env_file::variables(&path.display().to_string(), text).unwrap_or_default();
    settings.into_iter().map(|it| (it.key.clone(), secrets::digest(&it.key, &it.value))).collect()
}

/// Takes what arrived in, beside what arrived before; nothing is written yet.
///
/// # Errors
///
/// Fails if it is not what was sent, if all of it together is too much, or if this host cannot open what is sealed.
pub(super) fn take(place: &Place, taken: &mut Vec<CarriedFile>, arrived: Arrived) -> Result<(), Fault> {
    let Arrived { what, form, sha256, bytes } = arrived;
    let refused = |why: String| Fault::new(FaultKind::Preflight, why);
    let name = what.name(&place.env);
    if ContentHash::of(&bytes) != sha256 {
        return Err(refused(format!("`{name}` arrived damaged")));
    }
    if taken.iter().map(|it| it.bytes.len()).sum::<usize>() + bytes.len() > MAX_CARRIED {
        return Err(refused(format!("env files and secrets have more than {} KiB", MAX_CARRIED >> 10)));
    }
    let path = target(place, &what);
    let text = match form {
        Form::Plain => Zeroizing::new(bytes.to_vec()),
        Form::Sealed => open(place, &secrets::sealed_path(&path), &bytes).map_err(|fault| {
            refused(format!("`{name}` is sealed: {fault}"))
                .with_advice("add a key of the host to [secrets.recipients] of manifest.toml, then `secrets rekey`")
        })?,
    };
    taken.retain(|it| it.what != what);
    taken.push(CarriedFile { keys: keys(&path, &text), text: Some(ContentHash::of(&text)), what, form, bytes });
    Ok(())
}

/// What arrived.
pub(super) struct Arrived {
    pub(super) what: Carried,
    pub(super) form: Form,
    /// Of what was sent.
    pub(super) sha256: ContentHash,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// What would be done, before anything is done.
pub(super) struct Incoming {
    /// Files that will be others.
    pub(super) paths: Vec<PathBuf>,
    /// In words.
    pub(super) lines: Vec<String>,
    /// How all of it is afterwards.
    pub(super) digests: Vec<(Carried, Digests)>,
}

/// Compares what arrived with what is here.
///
/// # Errors
///
/// Fails if a file cannot be read.
pub(super) fn compare(place: &Place, taken: &[CarriedFile]) -> Result<Incoming, Fault> {
    let mut incoming = Incoming { paths: Vec::new(), lines: Vec::new(), digests: Vec::new() };
    for it in taken {
        let found = find(place, &it.what)?;
        if let Some(found) = found.as_ref().filter(|found| it.is_there(Some(found))) {
            incoming.digests.push((it.what.clone(), found.digests.clone()));
            continue;
        }
        incoming.digests.push((it.what.clone(), it.digests()));
        incoming.paths.extend(files(place, &it.what));
        incoming.lines.push(format!("{}: {}", it.what.name(&place.env), it.changes(found.as_ref())));
    }
    Ok(incoming)
}

/// Whether services read what arrived where it is put.
///
/// # Errors
///
/// Fails with an env file that a service finds elsewhere on this host.
pub(super) fn check(place: &Place, taken: &[CarriedFile], plan: &ApplyPlan) -> Result<(), Fault> {
    let definitions = || plan.services.iter().filter_map(|it| it.definition.as_ref());
    let reads = || {
        definitions().flat_map(|it| {
            let named = it.options.env_file.iter().flatten().map(|file| EnvFileName::of(file).path);
            named.map(|path| (&it.name, it.cwd.join(path)))
        })
    };
    for it in taken {
        let Carried::EnvFile(path) = &it.what else { continue };
        let target = target(place, &it.what);
        if reads().any(|(_, read)| read == target) {
            continue;
        }
        let other = reads().find(|(_, read)| read.ends_with(path.as_str()));
        let why = other.map_or_else(
            || format!("no service reads `{path}`"),
            |(name, read)| format!("{name} reads `{}` there, and not the `{path}` that is deployed", read.display()),
        );
        return Err(
            Fault::new(FaultKind::Preflight, why).with_advice("remove the one on the host, or name it from the root")
        );
    }
    Ok(())
}

/// Keeps what will be replaced, and writes down how it is afterwards.
///
/// # Errors
///
/// Fails if it cannot be read, or the disk is full.
pub(super) fn keep(place: &Place, txid: &str, taken: &[CarriedFile]) -> Result<(), Fault> {
    let Incoming { paths, digests, .. } = compare(place, taken)?;
    let files = place.files();
    let _act = files.act()?;
    files.note_carried(txid, digests)?;
    if paths.is_empty() { Ok(()) } else { Ok(files.keep(txid, &paths)?) }
}

/// Puts what arrived into its place, as far as it is not there: what did not change is not touched.
///
/// # Errors
///
/// Fails if a file cannot be written; what was kept is put back then.
pub(super) fn put(place: &Place, taken: &[CarriedFile]) -> Result<(), Fault> {
    for it in taken {
        if it.is_there(find(place, &it.what)?.as_ref()) {
            continue;
        }
        let plain = target(place, &it.what);
        let dir = plain.parent().unwrap_or(Path::new("/"));
        match it.what {
            Carried::Secrets => file::create_private_dir(dir)?,
            Carried::EnvFile(_) => file::create_dir(dir)?,
        }
        let sealed = secrets::sealed_path(&plain);
        let (path, other) = if it.form == Form::Plain { (&plain, &sealed) } else { (&sealed, &plain) };
        file::write(path, &it.bytes, Access::Private)?;
        if it.what == Carried::Secrets {
            super::place::remove(other)?;
        }
    }
    Ok(())
}
