//! `tkm ssh`

use super::context::{environments_of, find, find_store, host_plan, key_id, not_initialized};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::sys::host::Invocation;
use crate::tkm::access;
use crate::tkm::agent::protocol::Request;
use crate::tkm::error::TkmError;
use crate::tkm::host::HostName;
use crate::tkm::line::is_bound;
use crate::tkm::ssh::Connection;
use crate::tkm::state::Purpose;

/// Open a session on a host, or run a command there
///
/// With the key of its environment, the pinned host key, and no agent forwarding. The exit code is that of ssh.
#[derive(Debug, clap::Args)]
pub struct Ssh {
    /// The host
    host: HostName,
    /// The command, after `--`
    #[arg(last = true)]
    command: Vec<String>,
}

impl Command for Ssh {
    const NAME: &'static str = "tkm ssh";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm ssh dev", "tkm ssh dev -- uptime"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        environments_of(cx, &self.host)
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(host_plan([&find_store(cx)?.host(&self.host)?])))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let host = store.host(&self.host)?;
        let connection = Connection::open(&store, &host, cx.host.variables())?.lasting();
        if host.rules.agent.is_some() && is_bound(&host.env) && !is_request(&self.command) {
            return Err(TkmError::Bound { name: host.name, env: host.env.to_string() }.into());
        }
        let state = store.state()?;
        let key = state.accepted(&key_id(cx, &host.env, Purpose::Deploy), &host.name);
        let login = access::login_of(&store, key.ok_or_else(|| TkmError::NoKey { env: host.env.to_string() })?)?;
        // A changed host key is reported with both fingerprints, before anything is sent. The command goes over the same connection,
        // and over that of an earlier one which was let in.
        let is_checked = !cx.console.is_terminal() || !self.command.is_empty();
        if is_checked && !connection.reach(&login)? {
            access::greet(&connection, &login)?;
        }
        let call = Invocation {
            program: "ssh".to_owned(),
            arguments: connection.session_words(&login, &self.command),
            inherit_stdio: true,
            ..Invocation::default()
        };
        let fail = |error: std::io::Error| TkmError::Program { program: "ssh", why: error.to_string() };
        let done = cx.host.run(&call).map_err(fail)?;
        let code = u8::try_from(done.exit_code).unwrap_or(1);
        Ok(Report { code: (code != 0).then_some(code), ..Report::default() })
    }
}

/// True for what the agent of a host does.
fn is_request(command: &[String]) -> bool {
    matches!(command, [word] if Request::of_word(word).is_some())
}
