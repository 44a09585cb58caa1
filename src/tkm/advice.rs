//! What to do about hosts that cannot be reached or are not as they should be, and about errors that few commands have: certificates,
//! agents, tokens, and users on hosts.

use std::path::Path;

use super::error::TkmError;
use crate::base::fault::UserFacingError;

impl TkmError {
    pub(super) fn further_advice(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { why, .. } if why.contains("no matching ") => {
                "let its sshd offer what ssh here accepts, or set `KexAlgorithms`, `Ciphers` or `MACs` for its address in \
                 ~/.ssh/config"
                    .to_owned()
            }
            Self::Unreachable { why, .. } if ["Connection closed", "Connection reset"].iter().any(|it| why.contains(it)) => {
                "what answers there ends the connection: its log says why if it is an sshd; check the address and the port"
                    .to_owned()
            }
            Self::Unreachable { .. } => "check the address and the port, and that sshd runs there".to_owned(),
            Self::NoHosts { env } => format!("add one: `tkm host add NAME ADDRESS --env {env}`"),
            Self::NoCertificate { env } => format!("run `tkm ca sign {env}`"),
            Self::NoAuthority { env } => format!("run `tkm ca init {env}`"),
            Self::NoSuchCertificate(_) => "`tkm ca list` lists the certificates".to_owned(),
            Self::CertificateRefused { env, .. } => format!(
                "`tkm ca list` shows until when it is valid, and `tkm ca sign {env}` makes another; the line of its key in \
                 `authorized_keys` may be bound to another program or address by now, or the key was revoked"
            ),
            Self::NoCommand { .. } => {
                "the login shell must run commands, and no ForceCommand may replace them".to_owned()
            }
            Self::Bound { name, .. } => format!(
                "`tkm ssh {name} -- list`, `status` and `health` show its processes; use a key of your own for a session"
            ),
            Self::Agent { name, .. } => format!(
                "`tkm bootstrap {name}` with a key of your own installs the program there again; `tkm host show {name}` \
                 shows which keys of yours there are"
            ),
            Self::Verification { is_restored: true, .. } => {
                "the file of keys on the host is as it was before; see AuthorizedKeysFile, AllowUsers and StrictModes \
                 of its sshd"
                    .to_owned()
            }
            Self::Verification { name, .. } => {
                format!("the old keys are still in the file; remove the lines of tetra on `{name}` by hand")
            }
            Self::Lost { name, .. } => format!("run `tkm test {name}` to see the state of the host"),
            Self::Armed { name, .. } => format!("then run `tkm test {name}`, and the same command again"),
            Self::AuthorizedKeys { .. } => "nothing was changed on the host".to_owned(),
            Self::LastWayIn(_) => "add another way to log in first".to_owned(),
            Self::NoPrivateKey { .. } => "check the path, or restore the file from a backup".to_owned(),
            Self::ForeignKey { .. } => "use a key of your own, or run it as the owner of the key".to_owned(),
            Self::Untried { cause, .. } => return cause.advice(),
            Self::Setup { .. } => {
                "what was done before stays, and is not done twice: solve it, and run the line again".to_owned()
            }
            other => return other.advice_about_agents(),
        })
    }

    /// About what holds or makes a key.
    fn advice_about_agents(&self) -> Option<String> {
        Some(match self {
            Self::AgentDidNotSign { key, .. } if key.ends_with(".pub") || !Path::new(key).is_absolute() => format!(
                "the agent that `SSH_AUTH_SOCK` or `IdentityAgent` leads to has to hold the private half of `{key}`: `ssh-add -l` \
                 lists what it holds, and `ssh-add -X` unlocks it"
            ),
            Self::AgentDidNotSign { key, .. } => format!(
                "`ssh-add {key}` gives it the key, `ssh-add -X` unlocks it, and its `SSH_ASKPASS` asks for what has to be confirmed"
            ),
            Self::SeveralKeys { name, keys } => format!(
                "name one of them with `--identity FILE`, also by the file of its public half (`ssh-add -L` shows those of the agent), or \
                 with `IdentityFile` for the address of {name} in ~/.ssh/config: {}",
                keys.join(", ")
            ),
            Self::NoToken(why) if why.starts_with("start_helper: ") => {
                "install `ssh-sk-helper` of OpenSSH, or name it in `SSH_SK_HELPER`; without `--fido` the key is a file"
                    .to_owned()
            }
            Self::NoToken(_) => {
                "plug one in, and touch it when it blinks; without `--fido` the key is a file".to_owned()
            }
            _ => return None,
        })
    }
}
