//! The key of a sealed file, wrapped for one recipient.

use base64ct::{Base64Unpadded, Encoding};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;

use super::secret::Secret;

/// What the cipher adds to a text, in bytes.
pub(super) const TAG_BYTES: usize = 16;

/// The key that the whole file hangs on.
pub(super) type FileKey = Secret<16>;

/// Why a file is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// The text around it is not as it was written.
    #[error("its armor is damaged")]
    InvalidArmor,
    /// A version that is not known here.
    #[error("it is of a newer format than is known here")]
    UnknownVersion,
    /// What is before the content is not as it was written.
    #[error("its header is damaged")]
    InvalidHeader,
    /// What is before the content was changed.
    #[error("its header was changed after it was sealed")]
    InvalidMac,
    /// None of the keys belongs to a recipient.
    #[error("it is not sealed for any key here")]
    NoMatchingKeys,
    /// The content was changed or cut off.
    #[error("its content is damaged or cut off")]
    InvalidPayload,
}

/// Why a text is not sealed.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncryptError {
    /// The kernel gives no random numbers.
    #[error("failed to get random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// A public key that everybody could open.
    #[error("the key of a recipient is weak")]
    WeakRecipient,
}

/// The key of the file, wrapped for one recipient.
pub(super) struct Stanza {
    /// What kind of recipient it is, and what its private key needs to know.
    pub(super) args: Vec<String>,
    /// The wrapped key.
    pub(super) body: Vec<u8>,
}

/// So many bytes in base64.
pub(super) fn decode_base64<const N: usize>(base64: &str) -> Option<[u8; N]> {
    Base64Unpadded::decode_vec(base64).ok()?.try_into().ok()
}

/// A key that is made of a secret, for one purpose.
pub(super) fn hkdf(secret: &[u8], salt: &[u8], info: &str) -> Secret<32> {
    let mut key = Secret::empty();
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info.as_bytes(), &mut key[..])
        .expect("it is shorter than the longest key that can be made");
    key
}

/// The key of the file behind another key, which is used for nothing else.
pub(super) fn wrap_file_key(file: &FileKey, key: &Secret<32>) -> Vec<u8> {
    let mut body = file.to_vec();
    let tag = ChaCha20Poly1305::new((&**key).into())
        .encrypt_inout_detached(&Nonce::default(), b"", body[..].as_mut().into())
        .expect("it is shorter than any that the cipher refuses");
    body.extend_from_slice(&tag);
    body
}

/// The key of the file, if it is behind this key.
pub(super) fn unwrap_file_key(body: &[u8; 16 + TAG_BYTES], key: &Secret<32>) -> Option<FileKey> {
    let (body, tag) = body.split_last_chunk::<TAG_BYTES>()?;
    let mut file = FileKey::copy(body)?;
    ChaCha20Poly1305::new((&**key).into())
        .decrypt_inout_detached(&Nonce::default(), b"", file[..].as_mut().into(), &Tag::from(*tag))
        .ok()?;
    Some(file)
}
