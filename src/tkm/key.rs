//! Public keys and their fingerprints.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};

use crate::sys::digest::sha256_base64;

/// Fewest bits of an RSA key.
const MIN_RSA_BITS: usize = 3072;

/// Longest line of a public key, in bytes. One of RSA with 16384 bits has 2900.
const MAX_LINE: usize = 16 << 10;

/// A text that is not a public key, or one that is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid public key: {0}")]
pub struct InvalidKey(pub &'static str);

/// What a key is recognised by: `SHA256:` and 43 characters, as OpenSSH shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The text, with `SHA256:`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last six characters, which a person compares and types.
    #[must_use]
    pub fn tail(&self) -> &str {
        &self.0[self.0.len() - 6..]
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let digits = given.strip_prefix("SHA256:").unwrap_or_default();
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if digits.len() == 43 && digits.bytes().all(is_base64) {
            Ok(Self(given.to_owned()))
        } else {
            Err("expected `SHA256:` and 43 characters, as `ssh-keygen -l` shows it".to_owned())
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A public key as it is in `authorized_keys` and `.pub` files: algorithm, base64, comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// `ssh-ed25519` and others.
    pub algorithm: String,
    /// The key itself.
    pub base64: String,
    /// What follows it.
    pub comment: String,
    /// Of the key itself.
    pub fingerprint: Fingerprint,
    bits: Option<usize>,
}

impl PublicKey {
    /// Reads one line, which may end with CR.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong if it is not a key.
    pub fn parse(line: &str) -> Result<Self, InvalidKey> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.len() > MAX_LINE {
            return Err(InvalidKey("the line is too long"));
        }
        let mut parts = line.splitn(3, [' ', '\t']);
        let (algorithm, base64) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if !is_algorithm(algorithm) {
            return Err(InvalidKey("it does not begin with an algorithm such as `ssh-ed25519`"));
        }
        let blob = Base64::decode_vec(base64).map_err(|_| InvalidKey("the base64 of the key is corrupted"))?;
        let corrupted = InvalidKey("the key is corrupted: its inside is of another algorithm, or cut off");
        let Some(fields) = fields(&blob).filter(|fields| fields.first() == Some(&algorithm.as_bytes())) else {
            return Err(corrupted);
        };
        let bits = match algorithm {
            "ssh-rsa" => Some(fields.get(2).map_or(0, |modulus| bits(modulus))),
            "ssh-ed25519" if fields.get(1).is_none_or(|point| point.len() != 32) => return Err(corrupted),
            _ => None,
        };
        Ok(Self {
            algorithm: algorithm.to_owned(),
            base64: base64.to_owned(),
            comment: parts.next().unwrap_or_default().trim().to_owned(),
            fingerprint: Fingerprint(format!("SHA256:{}", sha256_base64(&blob))),
            bits,
        })
    }

    /// Refuses what is too weak to be installed anywhere.
    ///
    /// # Errors
    ///
    /// Fails for DSA, and for RSA with fewer than 3072 bits.
    pub fn check_strength(&self) -> Result<(), InvalidKey> {
        match (self.algorithm.as_str(), self.bits) {
            ("ssh-dss", _) => Err(InvalidKey("DSA is broken")),
            (_, Some(bits)) if bits < MIN_RSA_BITS => Err(InvalidKey("RSA with fewer than 3072 bits is too weak")),
            _ => Ok(()),
        }
    }

    /// Algorithm and key, which is what two lines of the same key have in common.
    #[must_use]
    pub fn body(&self) -> String {
        format!("{} {}", self.algorithm, self.base64)
    }

    /// The line of a `.pub` file, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.body(), self.comment).trim_end().to_owned()
    }
}

/// True for the names of algorithms that a key begins with.
#[must_use]
pub fn is_algorithm(word: &str) -> bool {
    let known =
        ["ssh-ed25519", "ssh-rsa", "ssh-dss", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"];
    known.contains(&word) || word.starts_with("ecdsa-sha2-nistp")
}

/// The fields of a key: each a length of four bytes and so many bytes. None if one is cut off.
fn fields(mut blob: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !blob.is_empty() {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        found.push(field);
        blob = rest;
    }
    Some(found)
}

fn bits(number: &[u8]) -> usize {
    let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// True if a private key in OpenSSH's format asks for a passphrase; none if it is not one.
#[must_use]
pub fn needs_passphrase(private: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(private).ok()?;
    let body = text.trim().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let joined: String = body.split("-----END").next()?.split_whitespace().collect();
    let bytes = zeroize::Zeroizing::new(Base64::decode_vec(&joined).ok()?);
    let fields = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let (length, rest) = fields.split_first_chunk::<4>()?;
    let cipher = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some(cipher != b"none")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a comment";

    #[test]
    fn a_key_has_the_fingerprint_that_openssh_shows() {
        let key = PublicKey::parse(GOOD).expect("a key");
        assert_eq!(key.fingerprint.as_str(), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!((key.comment.as_str(), key.line().as_str()), ("a comment", GOOD));
        assert_eq!(key.fingerprint.tail(), "UvCOqU");
        assert_eq!(PublicKey::parse(&format!("{GOOD}\r\n")).expect("a key"), key, "CRLF");
        assert_eq!(key.fingerprint.to_string().parse(), Ok(key.fingerprint));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for line in [
            "",
            "-oProxyCommand=x",
            "ssh-ed25519",
            "ssh-ed25519 %%%",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert!(PublicKey::parse(line).is_err(), "{line}");
        }
        for text in ["", "SHA256:short", "MD5:00:11", "SHA256:-------------------------------------------"] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
