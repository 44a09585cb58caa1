//! Opening sealed secrets for processes that are to be started.

use std::path::{Path, PathBuf};

use crate::base::fault::Fault;
use crate::env::seal;
use crate::env::secrets;
use crate::sys::host::Host;
use crate::sys::paths::Paths;

/// Opens the sealed form of a secrets file; gives nothing if there is none.
pub fn unsealer<'a>(
    paths: &'a Paths,
    host: &'a dyn Host,
) -> impl Fn(&Path) -> Result<Vec<(String, String)>, Fault> + 'a {
    move |file| {
        let path = secrets::sealed_path(file);
        let text = seal::text(&path, &default_identities(paths, host))?.unwrap_or_default();
        Ok(secrets::parse(&path, &text)?.values.into_iter().collect())
    }
}

/// Where keys are looked for: `$TETRA_AGE_IDENTITY` alone if it is set, else `age.key` of tetra and the SSH keys of the user.
#[must_use]
pub fn default_identities(paths: &Paths, host: &dyn Host) -> Vec<PathBuf> {
    if let Some(path) = host.variable("TETRA_AGE_IDENTITY") {
        return vec![host.cwd().join(path)];
    }
    let home = host.variable("HOME").map(PathBuf::from).unwrap_or_default();
    vec![paths.config_dir().join("age.key"), home.join(".ssh/id_ed25519"), home.join(".ssh/id_rsa")]
}
