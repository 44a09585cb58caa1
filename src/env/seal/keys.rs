//! The keys of recipients: those of age itself, and those of ssh.

use base64ct::{Base64Unpadded, Encoding};
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use curve25519_dalek::edwards::CompressedEdwardsY;
use getrandom::SysRng;
use rsa::oaep::{DecryptingKey, EncryptingKey};
use rsa::traits::{Decryptor, RandomizedEncryptor};
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::ssh::{self, PrivateKey, PrivateKeyError, SshReader};
use super::stanza::{DecryptError, EncryptError, FileKey, Stanza, decode_base64, hkdf, unwrap_file_key, wrap_file_key};

const X25519_TYPE: &str = "X25519";
const X25519_INFO: &str = "age-encryption.org/v1/X25519";
const ED25519_INFO: &str = "age-encryption.org/v1/ssh-ed25519";
const RSA_LABEL: &str = "age-encryption.org/v1/ssh-rsa";

/// Keys that are shorter are too weak; longer ones are refused by others who read the format.
const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// A key to seal for.
pub(super) enum RecipientKey {
    /// `age1…`.
    X25519(PublicKey),
    /// `ssh-ed25519 …`: as ssh writes it, and as a point of the other curve.
    Ed25519(Vec<u8>, PublicKey),
    /// `ssh-rsa …`: as ssh writes it, and its numbers.
    Rsa(Vec<u8>, Box<rsa::PublicKey>),
}

/// A key to open with.
pub(super) enum IdentityKey {
    /// `AGE-SECRET-KEY-1…`.
    X25519(StaticSecret),
    /// Of ssh: its public half as ssh writes it, and its secret on the other curve.
    Ed25519(Vec<u8>, StaticSecret),
    /// Of ssh, or in the older file of OpenSSL.
    Rsa(Vec<u8>, Box<DecryptingKey<Sha256>>),
}

impl RecipientKey {
    /// Reads a key as it is in a manifest. A comment may follow a key of ssh.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.starts_with("age1") {
            return Some(Self::X25519(PublicKey::from(*decode_bech32("age", text)?)));
        }
        let mut words = text.split_ascii_whitespace();
        let (kind, key) = (words.next()?, words.next()?);
        let bytes = Base64Unpadded::decode_vec(key.trim_end_matches('=')).ok()?;
        let mut reader = SshReader(&bytes);
        (reader.read_string()? == kind.as_bytes()).then_some(())?;
        let public = match kind {
            ssh::ED25519_TYPE => {
                let point = CompressedEdwardsY::from_slice(reader.read_string()?).ok()?.decompress()?;
                let key = PublicKey::from(point.to_montgomery().to_bytes());
                Self::Ed25519(bytes.clone(), key)
            }
            ssh::RSA_TYPE => {
                let (e, n) = (reader.read_mpint()?, reader.read_mpint()?);
                let key =
                    rsa::PublicKey::new_with_size_limits(ssh::boxed_uint(n), ssh::boxed_uint(e), RSA_MODULUS_BITS)
                        .ok()?;
                Self::Rsa(bytes.clone(), Box::new(key))
            }
            _ => return None,
        };
        reader.0.is_empty().then_some(public)
    }

    /// Wraps the key of a file for it.
    pub(super) fn wrap(&self, file: &FileKey) -> Result<Stanza, EncryptError> {
        let stanza = |args: &[&str], body| Stanza { args: args.iter().map(|it| (*it).to_owned()).collect(), body };
        Ok(match self {
            Self::X25519(public) => {
                let (share, secret) = key_agreement(public)?;
                let key = hkdf(secret.as_bytes(), &salt(&share, public), X25519_INFO);
                stanza(&[X25519_TYPE, &Base64Unpadded::encode_string(share.as_bytes())], wrap_file_key(file, &key))
            }
            Self::Ed25519(blob, public) => {
                let (share, secret) = key_agreement(public)?;
                let secret = tweak(blob, &secret);
                let key = hkdf(secret.as_bytes(), &salt(&share, public), ED25519_INFO);
                let share = Base64Unpadded::encode_string(share.as_bytes());
                stanza(&[ssh::ED25519_TYPE, &ssh_tag(blob), &share], wrap_file_key(file, &key))
            }
            Self::Rsa(blob, public) => {
                let key = EncryptingKey::<Sha256>::new_with_label((**public).clone(), RSA_LABEL.as_bytes());
                let body = key.encrypt_with_rng(&mut SysRng, &file[..]).map_err(|_| EncryptError::WeakRecipient)?;
                stanza(&[ssh::RSA_TYPE, &ssh_tag(blob)], body)
            }
        })
    }
}

impl IdentityKey {
    /// The keys in a file of age: one a line, with comments.
    pub(super) fn parse_file(text: &str) -> Option<Vec<Self>> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| Some(Self::X25519(static_secret(&decode_bech32("AGE-SECRET-KEY-", line)?)))).collect()
    }

    /// Reads a file with a private key of ssh.
    pub(super) fn parse_ssh(text: &str) -> Result<Self, PrivateKeyError> {
        Ok(match ssh::parse_private_key(text)? {
            PrivateKey::Ed25519(public, seed) => {
                // What the scalar of the key is made of, as RFC 8032 has it.
                let mut hash = Zeroizing::new([0; 64]);
                sha2::Sha512::new_with_prefix(&seed[..]).finalize_into((&mut *hash).into());
                let mut scalar = Secret::empty();
                scalar.copy_from_slice(&hash[..32]);
                Self::Ed25519(public, static_secret(&scalar))
            }
            PrivateKey::Rsa(public, key) => {
                Self::Rsa(public, Box::new(DecryptingKey::new_with_label(*key, RSA_LABEL.as_bytes())))
            }
        })
    }

    /// The key of a file, if it was wrapped for this one.
    pub(super) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, DecryptError> {
        let args: Vec<&str> = stanza.args.iter().map(String::as_str).collect();
        match (self, &args[..]) {
            (Self::X25519(private), [X25519_TYPE, args @ ..]) => {
                let [share] = args else { return Err(DecryptError::InvalidHeader) };
                let (share, body) = parse_x25519_stanza(share, stanza)?;
                let secret = private.diffie_hellman(&share);
                if !secret.was_contributory() {
                    return Err(DecryptError::InvalidHeader);
                }
                let key = hkdf(secret.as_bytes(), &salt(&share, &private.into()), X25519_INFO);
                // For which key it is cannot be seen before.
                Ok(unwrap_file_key(body, &key))
            }
            (Self::Ed25519(blob, private), [ssh::ED25519_TYPE, its, args @ ..]) if *its == ssh_tag(blob) => {
                let [share] = args else { return Err(DecryptError::InvalidHeader) };
                let (share, body) = parse_x25519_stanza(share, stanza)?;
                let secret = private.diffie_hellman(&share);
                if !secret.was_contributory() {
                    return Err(DecryptError::InvalidHeader);
                }
                let secret = tweak(blob, &secret);
                let key = hkdf(secret.as_bytes(), &salt(&share, &private.into()), ED25519_INFO);
                unwrap_file_key(body, &key).map(Some).ok_or(DecryptError::InvalidHeader)
            }
            (Self::Rsa(blob, private), [ssh::RSA_TYPE, its, args @ ..]) if *its == ssh_tag(blob) => {
                if !args.is_empty() {
                    return Err(DecryptError::InvalidHeader);
                }
                let file = Zeroizing::new(private.decrypt(&stanza.body).map_err(|_| DecryptError::InvalidHeader)?);
                FileKey::copy(&file).map(Some).ok_or(DecryptError::InvalidHeader)
            }
            _ => Ok(None),
        }
    }
}

/// A key of age: so many bytes behind a name.
fn decode_bech32(name: &str, text: &str) -> Option<Secret<32>> {
    let text = CheckedHrpstring::new::<Bech32>(text).ok()?;
    (text.hrp() == Hrp::parse(name).ok()?).then_some(())?;
    let mut key = Secret::empty();
    let mut bytes = text.byte_iter();
    for byte in key.iter_mut() {
        *byte = bytes.next()?;
    }
    bytes.next().is_none().then_some(key)
}

fn static_secret(bytes: &Secret<32>) -> StaticSecret {
    StaticSecret::from(**bytes)
}

/// A share that is made for this once, and what only the recipient can compute from it.
fn key_agreement(public: &PublicKey) -> Result<(PublicKey, SharedSecret), EncryptError> {
    let ephemeral = static_secret(&Secret::random()?);
    let secret = ephemeral.diffie_hellman(public);
    if secret.was_contributory() { Ok((PublicKey::from(&ephemeral), secret)) } else { Err(EncryptError::WeakRecipient) }
}

/// What binds a key of ssh to its use here, so that nothing computed elsewhere with it opens a file.
fn tweak(blob: &[u8], shared: &SharedSecret) -> SharedSecret {
    let scalar = static_secret(&hkdf(b"", blob, ED25519_INFO));
    scalar.diffie_hellman(&PublicKey::from(shared.to_bytes()))
}

fn salt(share: &PublicKey, public: &PublicKey) -> [u8; 64] {
    let mut salt = [0; 64];
    salt[..32].copy_from_slice(share.as_bytes());
    salt[32..].copy_from_slice(public.as_bytes());
    salt
}

fn parse_x25519_stanza<'a>(share: &str, stanza: &'a Stanza) -> Result<(PublicKey, &'a [u8; 32]), DecryptError> {
    let share: [u8; 32] = decode_base64(share).ok_or(DecryptError::InvalidHeader)?;
    Ok((PublicKey::from(share), stanza.body[..].try_into().map_err(|_| DecryptError::InvalidHeader)?))
}

/// The beginning of the digest of a key of ssh, by which its owner finds what is theirs.
fn ssh_tag(blob: &[u8]) -> String {
    Base64Unpadded::encode_string(&Sha256::digest(blob)[..4])
}
