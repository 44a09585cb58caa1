//! Files with private keys of ssh.
//!
//! The format of OpenSSH is described in its `PROTOCOL.key`; RSA keys may also be in the older PEM file (PKCS #1).

use base64ct::{Base64, Encoding};
use rsa::BoxedUint;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

use super::secret::Secret;

pub(super) const ED25519_TYPE: &str = "ssh-ed25519";
pub(super) const RSA_TYPE: &str = "ssh-rsa";

/// A private key, with its public half as ssh writes it.
pub(super) enum PrivateKey {
    /// And the seed of its secret.
    Ed25519(Vec<u8>, Secret<32>),
    /// And its numbers.
    Rsa(Vec<u8>, Box<rsa::PrivateKey>),
}

/// Why a private key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PrivateKeyError {
    /// It is none.
    Invalid,
    /// It is sealed itself.
    Encrypted,
    /// It cannot decrypt, as those of a token, or does not here.
    Unsupported,
}

/// Reads a private key.
pub(super) fn parse_private_key(text: &str) -> Result<PrivateKey, PrivateKeyError> {
    let text = text.trim_ascii_start();
    if text.starts_with("-----BEGIN RSA PRIVATE KEY-----") {
        return if text.contains("Proc-Type: 4,ENCRYPTED") {
            Err(PrivateKeyError::Encrypted)
        } else {
            parse_pkcs1(text)
        };
    }
    parse_openssh(&decode_pem(text, "OPENSSH PRIVATE KEY").ok_or(PrivateKeyError::Invalid)?)
}

/// The content of a PEM file, whatever the length of its lines.
fn decode_pem(text: &str, name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (begin, end) = (format!("-----BEGIN {name}-----"), format!("-----END {name}-----"));
    let text = text.strip_prefix(&begin)?.split_once(&end)?.0;
    // As large as it will ever be: growing would leave copies behind.
    let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
    text.split_ascii_whitespace().for_each(|line| base64.push_str(line));
    Some(Zeroizing::new(Base64::decode_vec(&base64).ok()?))
}

fn parse_pkcs1(text: &str) -> Result<PrivateKey, PrivateKeyError> {
    let end = "-----END RSA PRIVATE KEY-----";
    let text = text.find(end).map_or(text, |at| &text[..at + end.len()]);
    let key = rsa::PrivateKey::from_pkcs1_pem(text).map_err(|_| PrivateKeyError::Invalid)?;
    let mut blob = Vec::new();
    push_string(&mut blob, RSA_TYPE.as_bytes());
    for number in [key.e().to_be_bytes_trimmed_vartime(), key.n().to_be_bytes_trimmed_vartime()] {
        let sign: &[u8] = if number.first().is_some_and(|first| *first >= 0x80) { &[0] } else { &[] };
        push_string(&mut blob, &[sign, &number[..]].concat());
    }
    Ok(PrivateKey::Rsa(blob, Box::new(key)))
}

fn parse_openssh(bytes: &[u8]) -> Result<PrivateKey, PrivateKeyError> {
    let mut file = SshReader(bytes.strip_prefix(b"openssh-key-v1\0").ok_or(PrivateKeyError::Invalid)?);
    if file.read_string().ok_or(PrivateKeyError::Invalid)? != b"none" {
        return Err(PrivateKeyError::Encrypted);
    }
    let (public, private) = file.read_key_blobs().ok_or(PrivateKeyError::Invalid)?;
    let mut private = SshReader(private);
    let (one, two) = (private.read_u32(), private.read_u32());
    let kind = private.read_string().filter(|_| one == two).ok_or(PrivateKeyError::Invalid)?;
    let key = match std::str::from_utf8(kind) {
        Ok(ED25519_TYPE) => private.read_ed25519(public),
        Ok(RSA_TYPE) => private.read_rsa(public),
        _ => return Err(PrivateKeyError::Unsupported),
    };
    key.filter(|_| private.is_padded()).ok_or(PrivateKeyError::Invalid)
}

/// The types of ssh, one after the other.
pub(super) struct SshReader<'a>(pub(super) &'a [u8]);

impl<'a> SshReader<'a> {
    fn read_u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    /// Bytes of any length.
    pub(super) fn read_string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.read_u32()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }

    /// A number that is not negative, in as few bytes as it needs.
    pub(super) fn read_mpint(&mut self) -> Option<&'a [u8]> {
        match self.read_string()? {
            [0, rest @ ..] => rest.first().is_some_and(|first| *first >= 0x80).then_some(rest),
            number => number.first().is_some_and(|first| *first < 0x80).then_some(number),
        }
    }

    /// The halves of the only key in a file that is not sealed, after the name of its cipher.
    fn read_key_blobs(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        (self.read_string()? == b"none" && self.read_string()?.is_empty() && self.read_u32()? == 1).then_some(())?;
        Some((self.read_string()?, self.read_string()?))
    }

    /// The rest of a key after its kind, if it has the public half given.
    fn read_ed25519(&mut self, public: &[u8]) -> Option<PrivateKey> {
        let (half, both) = (self.read_string()?, self.read_string()?);
        let mut blob = Vec::new();
        push_string(&mut blob, ED25519_TYPE.as_bytes());
        push_string(&mut blob, half);
        let (seed, other) = both.split_at_checked(32)?;
        let seed = Secret::copy(seed)?;
        (half.len() == 32 && half == other && blob == public).then(|| PrivateKey::Ed25519(blob, seed))
    }

    /// The rest of a key after its kind, if it has the public half given.
    fn read_rsa(&mut self, public: &[u8]) -> Option<PrivateKey> {
        let (n, e, d) = (self.read_mpint()?, self.read_mpint()?, self.read_mpint()?);
        let (_, p, q) = (self.read_mpint()?, self.read_mpint()?, self.read_mpint()?);
        let mut half = SshReader(public);
        (half.read_string()? == RSA_TYPE.as_bytes() && half.read_mpint()? == e && half.read_mpint()? == n)
            .then_some(())?;
        let primes = vec![boxed_uint(p), boxed_uint(q)];
        let key = rsa::PrivateKey::from_components(boxed_uint(n), boxed_uint(e), boxed_uint(d), primes).ok()?;
        half.0.is_empty().then(|| PrivateKey::Rsa(public.to_vec(), Box::new(key)))
    }

    /// Whether a comment and 1, 2, 3… are all that is left.
    fn is_padded(&mut self) -> bool {
        self.read_string().is_some() && self.0.iter().zip(1..=u8::MAX).all(|(byte, number)| *byte == number)
    }
}

fn push_string(blob: &mut Vec<u8>, string: &[u8]) {
    blob.extend_from_slice(&u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    blob.extend_from_slice(string);
}

pub(super) fn boxed_uint(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}
