//! `secrets seal`

use std::fs;
use std::path::PathBuf;

use super::{OtherCopy, org, reseal, store};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::env::secrets::SecretStore;
use crate::org::template;
use crate::report::{Block, Message, Report};
use crate::sys::file::FileError;

/// Seal the secrets of an environment for the recipients of the manifest, and remove the unsealed file
///
/// Recipients are listed in manifest.toml: `[secrets.recipients] alice = "ssh-ed25519 …"` or `"age1…"`. secrets/ENV.env.age can be
/// committed. Keys are read from --identity, TETRA_AGE_IDENTITY, ~/.config/tetra/age.key and ~/.ssh. The unsealed file is removed
/// only after one of your keys opened the sealed one; with --keep it stays, and both are kept in sync.
#[derive(Debug, clap::Args)]
pub struct Seal {
    /// The environment
    #[arg(value_name = "ENV")]
    target: EnvName,
    /// Keep the unsealed file
    #[arg(long)]
    keep: bool,
    /// Private key that opens sealed secrets
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl Command for Seal {
    const NAME: &'static str = "secrets seal";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["secrets seal prod", "secrets seal dev --keep"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(vec![cx.selection.qualify(self.target.clone())])
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = store(cx)?;
        self.unsealed(&store)?;
        let (from, to) = (store.file(&self.target), store.sealed_path(&self.target));
        let then = if self.keep { String::new() } else { format!(", then remove {}", from.display()) };
        Ok(Some(Report::of(Block::Text(format!("seal {} as {}{then}\n", from.display(), to.display())))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let env = &self.target;
        let store = store(cx)?;
        let lock = store.lock()?;
        let text = self.unsealed(&store)?;
        let path = store.sealed_path(env);
        let other = if self.keep { OtherCopy::Stays } else { OtherCopy::Goes };
        let resealed = reseal(cx, &path, &self.identity, &text, other)?;
        resealed.write(&store, env)?;
        if !self.keep {
            let open = store.file(env);
            fs::remove_file(&open).map_err(|source| FileError::Io { action: "remove", path: open.clone(), source })?;
        }
        drop(lock);
        let git = template::track_sealed_secrets(&cx.paths.org(org(cx)?))?;
        let count = resealed.recipients.len();
        let s = if count == 1 { "" } else { "s" };
        let rest = if self.keep { "" } else { "; removed the unsealed file" };
        let report = Report::of(
            Message::new(format!("sealed the secrets of {env} for {count} recipient{s}{rest}"))
                .with("env", env.as_str())
                .with("file", path.display().to_string())
                .with("recipients", count)
                .with("open_file_kept", self.keep),
        );
        Ok(if git { report.note("changed .gitignore, which ignored sealed files too") } else { report })
    }
}

impl Seal {
    /// The text that is sealed.
    fn unsealed(&self, store: &SecretStore) -> Result<String, Fault> {
        store.text(&self.target)?.map(|(text, _)| text).ok_or_else(|| {
            Fault::new(FaultKind::NotFound, format!("{} has no unsealed secrets", self.target))
                .with_advice("`secrets rekey` seals sealed secrets again")
        })
    }
}
