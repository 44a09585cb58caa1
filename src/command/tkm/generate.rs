//! `tkm generate`

use std::time::Duration;

use super::context::{actor, find, find_store, key_id, not_initialized};
use super::passphrase::{Wish, of_new_key};
use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::Fault;
use crate::base::time::millis;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tkm::audit::{self, AuditEvent};
use crate::tkm::client_config;
use crate::tkm::error::TkmError;
use crate::tkm::keygen::{self, NewKey};
use crate::tkm::state::{Key, KeyId, Purpose};
use crate::tkm::store::Store;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The environments that `all` means.
const ALL: [&str; 3] = ["dev", "staging", "prod"];

/// Make a key for an environment
///
/// `ssh-keygen` makes it. The key of prod takes a passphrase, which `ssh-keygen` asks for and `ssh-add` gives to the agent;
/// --no-passphrase makes one without.
#[derive(Debug, clap::Args)]
pub struct Generate {
    /// The environment, or `all`
    env: EnvName,
    /// What the key is for
    #[arg(value_enum, default_value_t = PurposeWord::Deploy)]
    purpose: PurposeWord,
    /// Days until hosts stop accepting it
    #[arg(value_parser = clap::value_parser!(u16).range(1..=365), if_not_given = "no end")]
    days: Option<u16>,
    /// Ask for a passphrase, also for other environments than prod
    #[arg(long, conflicts_with = "no_passphrase")]
    passphrase: bool,
    /// Make it without a passphrase, also for prod
    #[arg(long)]
    no_passphrase: bool,
    /// Keep it on a FIDO token that is touched for each login
    #[arg(long)]
    fido: bool,
}

/// A [`Purpose`] as a word of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PurposeWord {
    Deploy,
    Admin,
    Test,
}

impl From<PurposeWord> for Purpose {
    fn from(word: PurposeWord) -> Self {
        match word {
            PurposeWord::Deploy => Self::Deploy,
            PurposeWord::Admin => Self::Admin,
            PurposeWord::Test => Self::Test,
        }
    }
}

impl Command for Generate {
    const NAME: &'static str = "tkm generate";
    const ALIASES: &'static [&'static str] = &["tkm gen"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["tkm generate dev", "tkm generate prod --no-passphrase", "tkm gen staging admin 90"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(self.targets()?.into_iter().map(|env| cx.selection.qualify(env)).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        find_store(cx).map(|_| None)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let mut report = Report::each(Vec::<Message>::new());
        for env in self.targets()? {
            match self.generate(cx, &store, &env) {
                Ok(key) => report = report.and(message(&store, &key)),
                Err(fault) => report.faults.push(fault),
            }
        }
        let _lock = store.lock()?;
        client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
        Ok(report)
    }
}

impl Generate {
    fn targets(&self) -> Result<Vec<EnvName>, Fault> {
        if self.env.as_str() == "all" {
            return Ok(ALL.iter().map(|env| env.parse()).collect::<Result<_, _>>()?);
        }
        if self.env.tier() == Some(Tier::Local) {
            return Err(Fault::usage("`local` is this machine, and needs no key"));
        }
        Ok(vec![self.env.clone()])
    }

    fn generate(&self, cx: &Cx, store: &Store, env: &EnvName) -> Result<Key, Fault> {
        let id: KeyId = key_id(cx, env, self.purpose.into());
        let wish = match (self.passphrase, self.no_passphrase || self.fido) {
            (true, _) => Wish::Always,
            (false, true) => Wish::Never,
            (false, false) => Wish::AsUsual,
        };
        let passphrase = of_new_key(cx, env, wish, &format!("tkm generate {env}"))?;
        let _lock = store.lock()?;
        let mut state = store.state()?;
        if let Some(key) = state.active(&id).and_then(Key::public_key) {
            return Err(TkmError::KeyExists { env: env.to_string(), fingerprint: key.fingerprint }.into());
        }
        let now = cx.host.now().0;
        let expires = self.days.map(|days| now + u64::from(days) * millis(DAY));
        let algorithm = if self.fido { "ed25519-sk" } else { "ed25519" };
        let key = keygen::generate(store, cx.host, actor(cx), &NewKey { id: &id, passphrase, algorithm, expires })?;
        state.keys.push(key.clone());
        store.write_state(&state)?;
        audit::record(store, actor(cx), AuditEvent { event: "key-generate", host: None, key: Some(&key.fingerprint) })?;
        Ok(key)
    }
}

fn message(store: &Store, key: &Key) -> Message {
    let file = store.dir().join(&key.file).display().to_string();
    let Key { env, purpose, fingerprint, .. } = key;
    Message::new(format!("generated the {} key of {env} in {file}\n  {fingerprint}", purpose.word()))
        .with("env", env.as_str())
        .with("purpose", purpose.word())
        .with("file", file)
        .with("fingerprint", fingerprint.as_str())
}
