//! What ssh itself wrote of a call (`-E`), apart from what the host said.

use super::key::Fingerprint;

/// `debug1: Server accepts key: PATH ED25519 SHA256:… agent`, without its beginning.
fn last_accepted(log: &str) -> Option<&str> {
    log.lines().rev().find_map(|line| line.strip_prefix("debug1: Server accepts key: "))
}

const REFUSED_TO_SIGN: &str = "it refused to sign: nothing confirmed it, or its key is for other hosts";
const DOES_NOT_HOLD: &str = "it does not hold the key, or is locked";

/// Why an agent did not sign with a key that the host would have let in; none if that was not what failed.
pub(super) fn agent_failure(log: &str) -> Option<&'static str> {
    if log.lines().any(|line| !line.starts_with("debug") && line.contains("agent refused operation")) {
        return Some(REFUSED_TO_SIGN);
    }
    let is_held = last_accepted(log)?.split_whitespace().any(|word| word == "agent");
    (!is_held).then_some(DOES_NOT_HOLD)
}

/// True if ssh found no private key in its file, though there is one: that is not what a host refuses.
pub(super) fn is_unreadable_key(log: &str) -> bool {
    log.lines().any(|line| line.starts_with("Load key \""))
}

/// The same for a certificate, from what `ssh-keygen -U` said.
pub(super) fn signing_failure(said: &str) -> Option<&'static str> {
    [
        ("agent refused operation", REFUSED_TO_SIGN),
        ("agent contains no identities", DOES_NOT_HOLD),
        ("not found in agent", DOES_NOT_HOLD),
        ("agent not present", "there is none: `SSH_AUTH_SOCK` is not set"),
        ("Cannot use public key for CA signature", "`SSH_AUTH_SOCK` leads to none"),
    ]
    .into_iter()
    .find_map(|(text, why)| said.contains(text).then_some(why))
}

/// The fingerprint of the key that was let in.
pub(super) fn accepted(log: &str) -> Option<Fingerprint> {
    last_accepted(log)?.split_whitespace().rev().find_map(|word| word.parse().ok())
}

/// What ssh said of a call and of its login. A call that found nothing behind the socket logged in itself: what was said of the
/// other login is not its own.
pub(super) fn with_login(login_said: &str, said: String) -> String {
    let is_shared = said.lines().any(|line| line.starts_with("debug1: mux_client_request_session: master session id:"));
    if is_shared { login_said.to_owned() + &said } else { said }
}

pub(super) fn is_authenticated(log: &str) -> bool {
    log.lines().any(|line| line.starts_with("Authenticated to "))
}

/// True if the key that was let in last was a certificate.
pub(super) fn is_by_certificate(log: &str) -> bool {
    last_accepted(log).is_some_and(|line| line.split_whitespace().any(|word| word.ends_with("-CERT")))
}

pub(super) fn is_host_key_failure(line: &str) -> bool {
    !line.starts_with("debug")
        && ["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED", "REVOKED HOST KEY DETECTED"]
            .iter()
            .any(|text| line.contains(text))
}

/// The fingerprint that the host showed: `debug1: Server host key: ssh-ed25519 SHA256:…`.
pub(super) fn offered(log: &str) -> Option<Fingerprint> {
    let line = log.lines().find_map(|line| line.strip_prefix("debug1: Server host key: "))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_what_ssh_itself_says() {
        assert!(is_authenticated("debug1: x\nAuthenticated to 127.0.0.1 ([127.0.0.1]:22) using \"publickey\".\n"));
        assert!(!is_authenticated("debug1: Remote: Authenticated to x\n"));
        let login = "Authenticated to 127.0.0.1 ([127.0.0.1]:22) using \"publickey\".\n";
        let shared = "debug1: mux_client_request_session: master session id: 2\n".to_owned();
        assert!(is_authenticated(&with_login(login, shared)));
        assert!(!is_authenticated(&with_login(login, "Permission denied (publickey).\n".to_owned())));
        assert!(is_host_key_failure("Host key verification failed."));
        assert!(is_unreadable_key("debug1: x\nLoad key \"/k\": error in libcrypto\nPermission denied.\n"));
        assert!(!is_unreadable_key("debug1: Remote: Load key \"/k\": x\n"));
        assert!(!is_host_key_failure("debug1: Remote: Host key verification failed."));
    }
}
