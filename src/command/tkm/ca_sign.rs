//! `tkm ca sign`

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::context::{actor, find, find_store, key_id, not_initialized};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::base::time::{HumanDuration, Timestamp};
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::sys::file::{self, Access};
use crate::tkm::audit::{self, AuditEvent};
use crate::tkm::authority::Authority;
use crate::tkm::certificate::{self, Networks, Signing};
use crate::tkm::client_config;
use crate::tkm::error::TkmError;
use crate::tkm::host::Host;
use crate::tkm::key::PublicKey;
use crate::tkm::keygen;
use crate::tkm::line::is_bound;
use crate::tkm::state::{Certificate, Purpose};
use crate::tkm::store::Store;

/// A certificate is valid for less than a month: hosts need no list to forget it.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Make a certificate that the hosts of an environment let in for a while
///
/// Of the key of this machine, which is then used where a host accepts certificates alone, or of the public key in FILE: the
/// certificate is FILE without `.pub`, with `-cert.pub`, where ssh finds it. It allows what the keys of the environment are
/// allowed: in staging and prod that is `tetra agent`.
#[derive(Debug, clap::Args)]
pub struct CaSign {
    /// The environment
    env: EnvName,
    /// The public key of someone else
    #[arg(value_name = "FILE", if_not_given = "the key of the environment on this machine")]
    public: Option<PathBuf>,
    /// How long it is valid, 30d at most
    #[arg(long = "for", value_name = "TIME", default_value = "8h")]
    period: HumanDuration,
    /// Networks that may use it, such as 10.0.0.0/8,192.0.2.7
    #[arg(long, value_name = "NETWORKS")]
    from: Option<Networks>,
}

impl Command for CaSign {
    const NAME: &'static str = "tkm ca sign";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["tkm ca sign dev", "tkm ca sign dev ann.pub --for 2h --from 10.0.0.0/8", "tkm ca sign prod --for 15m"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(vec![cx.selection.qualify(self.env.clone())])
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        find_store(cx).map(|_| None)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        if self.period.0 < Duration::from_secs(60) || self.period.0 > LONGEST {
            return Err(Fault::usage(format!("invalid value `{}` for `--for`: expected 1m to 30d", self.period)));
        }
        let id = key_id(cx, &self.env, Purpose::Deploy);
        let _lock = store.lock()?;
        let mut state = store.state()?;
        let found = Authority::find(&state, &id)?;
        let authority = found.ok_or_else(|| TkmError::NoAuthority { env: self.env.to_string() })?;
        let given = self.public.as_ref().map(|path| cx.host.cwd().join(path));
        let public = match &given {
            Some(path) => given_key(path)?,
            None => authority.trial.public_key().ok_or_else(|| TkmError::NoKey { env: self.env.to_string() })?,
        };
        let signing = self.signing(&store, &authority, &public, certificate::free_serial(&state, cx.host.now()))?;
        let bytes = certificate::sign(&store, cx.host.variables(), &signing)?;
        let (path, below) = match &given {
            Some(path) => (certificate::beside(path), None),
            None => (certificate::path_of(&store, authority.trial), Some(certificate::below(authority.trial))),
        };
        file::write(&path, &bytes, Access::Private)?;
        let made = signing.made(below, cx.host.now());
        let report = report(&self.env, &made, &path);
        let is_open = signing.command.is_none() && is_bound(&self.env);
        let fingerprint = authority.key.fingerprint.clone();
        certificate::enter(&mut state, made);
        store.write_state(&state)?;
        client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
        audit::record(&store, actor(cx), AuditEvent { event: "ca-sign", host: None, key: Some(&fingerprint) })?;
        Ok(if is_open { report.note(OPEN) } else { report })
    }
}

impl CaSign {
    /// What is signed: it allows what keys of the environment may do on the hosts that let it in.
    fn signing<'a>(
        &self,
        store: &Store,
        authority: &Authority<'a>,
        public: &'a PublicKey,
        serial: u64,
    ) -> Result<Signing<'a>, TkmError> {
        let hosts = store.hosts()?;
        let trusting: Vec<&Host> = hosts.iter().filter(|host| authority.key.hosts.contains(&host.name)).collect();
        let usual = authority.signing(public, serial, &trusting);
        Ok(Signing { period: self.period.0, networks: self.from.clone(), ..usual })
    }
}

/// What is said of a certificate that is not bound by itself.
const OPEN: &str = "the certificate names no command, as its hosts do not have one and the same `tetra agent`; the line of the \
                    key on each host binds it, where there is an agent";

fn report(env: &EnvName, made: &Certificate, path: &Path) -> Report {
    let text = format!(
        "signed certificate {} of {} for {env}, valid for {}, in {}",
        made.serial,
        made.key,
        HumanDuration(Duration::from_millis(made.expires - made.created)),
        path.display()
    );
    let message = Message::new(text)
        .with("env", env.as_str())
        .with("serial", made.serial)
        .with("fingerprint", made.key.as_str())
        .with("principal", made.principal.as_str())
        .with("expires", Timestamp(made.expires))
        .with("file", path.display().to_string());
    Report::of(message)
}

/// The key that a file holds, if it is strong enough.
fn given_key(path: &Path) -> Result<PublicKey, TkmError> {
    let public = keygen::read_public(path)?;
    public.check_strength().map_err(|why| TkmError::KeyFile { path: path.to_owned(), why })?;
    Ok(public)
}
