//! `tkm bootstrap`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::context::{actor, environments_of, find, find_store, host_plan, key_of, not_initialized};
use super::line_limits::LineLimits;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::argument::UserName;
use crate::command::shell::version::VERSION;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tkm::access::{self, Installation};
use crate::tkm::agent::install::Installed;
use crate::tkm::audit::Actor;
use crate::tkm::bootstrap::{self, Bootstrapped};
use crate::tkm::client_config;
use crate::tkm::host::{Address, HostName};
use crate::tkm::host_user::{HostUser, NewUser, Sudo};
use crate::tkm::lasting::LastingConnections;
use crate::tkm::line::is_bound;
use crate::tkm::login::Login;
use crate::tkm::own_keys;
use crate::tkm::ssh::Connection;
use crate::tkm::state::KeyId;

/// Lets the key of an environment in on hosts, whatever thread that is done in.
pub(in crate::command) struct KeyInstaller<'a> {
    id: KeyId,
    actor: Actor<'a>,
    program: &'a Path,
    variables: &'a BTreeMap<String, String>,
}

impl<'a> KeyInstaller<'a> {
    /// Of the chosen organization.
    pub(in crate::command) fn of(cx: &Cx<'a>, env: &EnvName) -> Self {
        let host = cx.host;
        Self { id: key_of(cx, env), actor: actor(cx), program: host.program(), variables: host.variables() }
    }

    /// Lets it in on a host of the environment.
    ///
    /// # Errors
    ///
    /// Fails without a key or a way in; the file of keys there is then as it was.
    pub(in crate::command) fn install(
        &self,
        connection: &Connection,
        by: &Login,
        user: Option<&NewUser>,
    ) -> Result<Bootstrapped, Fault> {
        let Self { id, actor, program, variables } = self;
        let _lock = LastingConnections::lock(connection.store, variables)?;
        let by = &own_keys::settle(connection, by)?;
        let wanted = bootstrap::Bootstrap { by, id, program, version: VERSION, user };
        let done = bootstrap::run(connection, *actor, &wanted)?;
        client_config::write(connection.store, id.org.as_ref(), variables)?;
        Ok(done)
    }
}

/// Install the key of its environment on a host
///
/// Logs in with --identity, or with a key that you use already: the one that ~/.ssh/config names, else that of your agent or of
/// ~/.ssh. A few are tried, each on a connection of its own; of more, name one. Adds the key to ~/.ssh/authorized_keys of that user,
/// and verifies it on a fresh connection. If that fails, the file is put back. The way in that was used stays, and is noted as
/// break-glass. A key of staging or prod is bound to `tetra agent`: this program is put on the host, in ~/.local/lib/tetra, if it
/// runs there. For a user who is made it is in /usr/local/lib/tetra, where root alone can change it.
#[derive(Debug, clap::Args)]
pub struct Bootstrap {
    /// The host
    host: HostName,
    /// The user to log in as, and whose key it becomes, unless --create-user names another
    #[arg(long = "as", value_name = "USER")]
    user: Option<UserName>,
    /// A private key that the host accepts already
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Make this user, unless there is one, and let the key in there; the login is that of root, or of one with `sudo`
    #[arg(long, value_name = "USER")]
    create_user: Option<HostUser>,
    /// Let the user run `tetra agent` of the environment as root, and nothing else: a line in /etc/sudoers.d
    #[arg(long, requires = "create_user")]
    sudo: bool,
    #[command(flatten)]
    limits: LineLimits,
}

impl Command for Bootstrap {
    const NAME: &'static str = "tkm bootstrap";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &[
        "tkm bootstrap dev",
        "tkm bootstrap prod --as root --identity ~/.ssh/id_ed25519",
        "tkm bootstrap prod --as root --create-user tetra-deploy --sudo",
    ];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        environments_of(cx, &self.host)
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = find_store(cx)?;
        Ok(Some(host_plan([&store.host(&self.host)?])))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let mut host = store.host(&self.host)?;
        if let Some(UserName(user)) = &self.user {
            // Checked as the address of which it becomes a part.
            host.address = format!("{user}@{}", Address { user: None, ..host.address }).parse::<Address>()?;
        }
        if self.sudo && !is_bound(&host.env) {
            return Err(Fault::usage(
                "`--sudo` is for keys that are bound to `tetra agent`: those of staging and prod",
            ));
        }
        self.limits.apply(&mut host.rules);
        let variables = cx.host.variables();
        let by = match &self.identity {
            Some(path) => access::login_with(&cx.host.cwd().join(path), variables)?,
            None => Login::Operator,
        };
        let login = Connection::open(&store, &host, variables)?.route.user;
        let by = match &self.create_user {
            Some(user) => Login::Become { by: Box::new(by), login, user: user.to_string() },
            None => by,
        };
        if let Some(user) = &self.create_user {
            host.address.user = Some(user.to_string());
        }
        let connection = Connection::open(&store, &host, variables)?.shared();
        let sudo = if self.sudo { Sudo::Agent } else { Sudo::Nothing };
        let user = self.create_user.map(|name| NewUser { name, sudo });
        let done = KeyInstaller::of(cx, &host.env).install(&connection, &by, user.as_ref())?;
        let user = &connection.route.user;
        let text = match done.installation {
            Installation::Added => {
                format!("installed the key of {} on {} for {user}, and verified it", host.env, host.name)
            }
            Installation::Present => format!("{} accepts the key of {} for {user} already", host.name, host.env),
        };
        let message = Message::new(text)
            .with("host", host.name.as_str())
            .with("env", host.env.as_str())
            .with("user", user.as_str())
            .with("fingerprint", done.fingerprint.as_str())
            .with("agent", matches!(done.agent, Some(Installed::Ready(_))))
            .with("added", done.installation == Installation::Added);
        let report = match done.agent {
            Some(Installed::Impossible(why)) => Report::of(message).note(format!(
                "the key has `restrict` only and is not bound to `tetra agent`: {why}; it can run any command{}",
                if self.sudo { ", and no line of sudo was written" } else { "" }
            )),
            Some(Installed::Ready(_)) | None => Report::of(message),
        };
        Ok(report.note(format!("next: `tkm test {0}`, `tkm ssh {0}`", host.name)))
    }
}
