//! The operator's side: one request over ssh.

use super::command;
use super::protocol::{self, AgentBlob, AgentOutput, Reply, Request};
use crate::base::environment::EnvRef;
use crate::tkm::error::TkmError;
use crate::tkm::host::RemotePath;
use crate::tkm::key::Fingerprint;
use crate::tkm::login::Login;
use crate::tkm::remote;
use crate::tkm::ssh::{self, Connection, SshAnswer};

impl Connection<'_> {
    /// Has something done on the host: by the agent where the key of the login is bound to it, else by a script.
    ///
    /// # Errors
    ///
    /// Fails if the host is not reached, refuses the login, or runs nothing; also if the agent refuses it.
    pub fn perform(&self, login: &Login, request: &Request) -> Result<SshAnswer, TkmError> {
        if let Some((program, env)) = self.agent(login) {
            let (reply, accepted) = self.ask(login, &format!("{program} {}", super::words(&env)), request)?;
            return match reply {
                Reply::Hello { env: found, .. } if found == env.to_string() => {
                    Ok(SshAnswer { status: 0, output: Vec::new(), accepted })
                }
                Reply::Hello { env: found, .. } => {
                    Err(self.agent_error(format!("it is bound to {found}, not to {env}")))
                }
                Reply::Done { status, output: AgentBlob(output) } => Ok(SshAnswer { status, output, accepted }),
                Reply::Data(_) | Reply::Ran(_) => {
                    Err(self.agent_error("it answered something else than was asked".to_owned()))
                }
                Reply::Error { message, .. } => Err(self.agent_error(message)),
            };
        }
        let Some(script) = remote::script(request) else {
            return Err(self.agent_error(format!("`{}` needs `tetra agent`, which is not installed", request.name())));
        };
        self.run(login, &script, remote::input(request))
    }

    /// Runs a command of tetra on the host: by the agent where the key of the login is bound to it, which runs what only looks
    /// at processes of its environment; else the program that is found there.
    ///
    /// # Errors
    ///
    /// Fails if the host is not reached, refuses the login, or has no tetra; also if the agent refuses the command.
    pub fn run_command(&self, login: &Login, words: &[String]) -> Result<AgentOutput, TkmError> {
        if let Some((program, env)) = self.agent(login) {
            let request = Request::Run { words: words.to_vec() };
            return match self.ask(login, &format!("{program} {}", super::words(&env)), &request)?.0 {
                Reply::Ran(output) => Ok(output),
                Reply::Error { message, .. } => Err(self.agent_error(message)),
                _ => Err(self.agent_error("it answered something else than was asked".to_owned())),
            };
        }
        let mark = ssh::mark();
        let answer = self.run(login, &command::script(words, &mark), b"")?;
        command::split(&answer.output, &mark)
            .map(|(output, errors)| AgentOutput {
                code: u8::try_from(answer.status).unwrap_or(1),
                output: AgentBlob(output),
                errors: AgentBlob(errors),
            })
            .ok_or_else(|| TkmError::NoProgram { name: self.host.name.clone() })
    }

    /// What a login with a key of the store runs on this host; none if its keys are not bound.
    pub(in crate::tkm) fn agent(&self, login: &Login) -> Option<(&RemotePath, EnvRef)> {
        // `ORG/ENV/FILE`, with `_` for no organization.
        let below = login.key_file()?.strip_prefix(self.store.keys_dir()).ok()?;
        let org = below.components().next()?.as_os_str().to_str()?;
        let env = EnvRef { org: org.parse().ok().filter(|_| org != "_"), env: self.host.env.clone() };
        Some((self.host.rules.agent.as_ref()?, env))
    }

    fn ask(&self, login: &Login, line: &str, request: &Request) -> Result<(Reply, Option<Fingerprint>), TkmError> {
        let nonce = ssh::mark();
        let framed = protocol::frame(&nonce, request);
        let exchanged = self.exchange(login, line.to_owned(), framed.as_bytes())?;
        match protocol::find_reply(&exchanged.found.stdout, &nonce) {
            Ok(Some(reply)) => Ok((reply, exchanged.accepted())),
            Ok(None) => Err(self.no_answer(&exchanged)),
            Err(error) => Err(self.agent_error(error.to_string())),
        }
    }

    fn agent_error(&self, why: String) -> TkmError {
        TkmError::Agent { name: self.host.name.clone(), why }
    }
}
