//! What to do about hosts that cannot be reached, and about errors that few commands have: certificates, agents, tokens, and users
//! on hosts.

use super::error::TkmError;

impl TkmError {
    pub(super) fn further_advice(&self) -> Option<String> {
        Some(match self {
            Self::AgentDidNotSign { file, .. } if file.extension().is_some_and(|it| it == "pub") => format!(
                "the agent that `SSH_AUTH_SOCK` or `IdentityAgent` leads to has to hold the private half of `{}`: `ssh-add -l` lists \
                 what it holds, and `ssh-add -X` unlocks it",
                file.display()
            ),
            Self::AgentDidNotSign { file, .. } => format!(
                "`ssh-add {}` gives it the key, `ssh-add -X` unlocks it, and its `SSH_ASKPASS` asks for what has to be confirmed",
                file.display()
            ),
            Self::NoToken(why) if why.starts_with("start_helper: ") => {
                "install `ssh-sk-helper` of OpenSSH, or name it in `SSH_SK_HELPER`; without `--fido` the key is a file"
                    .to_owned()
            }
            Self::NoToken(_) => {
                "plug one in, and touch it when it blinks; without `--fido` the key is a file".to_owned()
            }
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
            Self::Setup { .. } => {
                "what was done before stays, and is not done twice: solve it, and run the line again".to_owned()
            }
            _ => return None,
        })
    }
}
