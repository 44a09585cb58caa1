//! How a host is reached, as the operator's own `~/.ssh/config` says.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::TkmError;
use super::host::{Address, Host};
use super::own_config::OwnConfig;
use crate::sys::capture::Capture;

/// What of the operator's configuration is kept for a call. Keys, host keys and agents are not: those are ours to say.
const KEPT: [&str; 8] = [
    "addressfamily",
    "bindaddress",
    "bindinterface",
    "ciphers",
    "kexalgorithms",
    "macs",
    "pubkeyacceptedalgorithms",
    "proxycommand",
];

/// How long `ssh -G` may take: `Match exec` runs programs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The name or address that is connected to.
    pub hostname: String,
    /// The port.
    pub port: u16,
    /// The login name.
    pub user: String,
    /// True if the operator's configuration has a control socket for it.
    pub(super) has_control: bool,
    /// The agent that the operator's configuration names.
    agent: Option<String>,
    /// The keys that it names.
    pub(super) own: OwnConfig,
    /// Options of `ssh -o`.
    options: Vec<String>,
}

impl Route {
    /// Asks `ssh -G`, which reads `~/.ssh/config` with its `Match` blocks.
    ///
    /// # Errors
    ///
    /// Fails if there is no `ssh`, or its configuration is not valid.
    pub fn find(host: &Host, variables: &BTreeMap<String, String>) -> Result<Self, TkmError> {
        let mut arguments = vec!["-G".to_owned()];
        let Address { user, host: target, port } = &host.address;
        if let Some(user) = user {
            arguments.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(port) = port {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        arguments.extend(["--".to_owned(), target.clone()]);
        let capture = Capture {
            program: "ssh",
            arguments: &arguments,
            variables,
            input: b"",
            limit: PATIENCE,
            max_output: 1 << 20,
        };
        let fail = |why: String| TkmError::Program { program: "ssh -G", why };
        let found = capture.run().map_err(|error| fail(error.to_string()))?;
        let text = String::from_utf8_lossy(&found.stdout);
        let said = String::from_utf8_lossy(&found.stderr);
        // The line before says which option, and where.
        let lines: Vec<&str> = said.lines().filter(|line| !line.contains(": terminating, ")).collect();
        Self::parse(&text).ok_or_else(|| fail(last_line(lines.join("\n").as_bytes())))
    }

    /// What `ssh -G` printed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let settings: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let set = |key: &str| settings.get(key).copied().filter(|value| *value != "none");
        let mut options: Vec<String> = KEPT.iter().filter_map(|key| Some(format!("{key}={}", set(key)?))).collect();
        // ssh would start the jump with our options; it is the operator's, with the operator's own.
        if let Some(jumps) = set("proxyjump") {
            options.push(format!("proxycommand={}", jump_command(jumps)));
        }
        Some(Self {
            hostname: set("hostname")?.to_owned(),
            port: set("port")?.parse().ok()?,
            user: set("user")?.to_owned(),
            has_control: set("controlpath").is_some(),
            agent: set("identityagent").filter(|it| *it != "SSH_AUTH_SOCK").map(str::to_owned),
            own: OwnConfig::parse(text),
            options,
        })
    }

    /// The options by which one key is used that an agent holds.
    pub(super) fn agent_options(&self) -> impl Iterator<Item = String> + '_ {
        let agent = self.agent.iter().map(|agent| format!("IdentityAgent={agent}"));
        std::iter::once("IdentitiesOnly=yes".to_owned()).chain(agent)
    }

    /// The program that connects, also where hosts are jumped through.
    pub(super) fn proxy_command(&self) -> Option<&str> {
        self.options.iter().find_map(|option| option.strip_prefix("proxycommand="))
    }

    /// Its options, as words of `ssh`.
    pub fn words(&self) -> impl Iterator<Item = String> + '_ {
        self.options.iter().flat_map(|option| ["-o".to_owned(), option.clone()])
    }
}

/// The command that connects through jump hosts. ssh fills in `%h` and `%p`.
fn jump_command(jumps: &str) -> String {
    let (through, last) = jumps.rsplit_once(',').map_or((None, jumps), |(through, last)| (Some(through), last));
    let via = through.map_or_else(String::new, |through| format!("-J {through} "));
    format!("ssh {via}-o BatchMode=yes -W [%h]:%p {last}")
}

/// The last line of what a program said.
pub(super) fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    line.trim().chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_kept_and_the_keys_are_not() {
        let text = "user ann\nhostname 10.0.0.5\nport 2222\nidentityfile ~/.ssh/id_rsa\nforwardagent yes\nproxyjump a,b\n\
                    ciphers aes128-ctr\nbindaddress none\n";
        let route = Route::parse(text).expect("a route");
        assert_eq!((route.user.as_str(), route.hostname.as_str(), route.port), ("ann", "10.0.0.5", 2222));
        let words: Vec<String> = route.words().collect();
        let expected = ["-o", "ciphers=aes128-ctr", "-o", "proxycommand=ssh -J a -o BatchMode=yes -W [%h]:%p b"];
        assert_eq!(words, expected);
        assert_eq!(Route::parse(""), None);
    }
}
