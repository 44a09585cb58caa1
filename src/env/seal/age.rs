//! The file format of age, version 1, as <https://c2sp.org/age> has it.
//!
//! Everything that is computed is computed by crates; here is what is between: a header of text lines with the key of the file,
//! wrapped once for each recipient, then the content in chunks, all of it in an armor of text. Reading is as strict as the
//! format: what would be written otherwise is damaged.

use std::borrow::Cow;

use base64ct::{Base64, Base64Unpadded, Encoding};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::keys::{IdentityKey, RecipientKey};
use super::secret::Secret;
use super::stanza::{DecryptError, EncryptError, FileKey, Stanza, TAG_BYTES, decode_base64, hkdf};

const VERSION: &str = "age-encryption.org/v1";
/// How every version begins.
const VERSION_PREFIX: &str = "age-encryption.org/";
const ARMOR_BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const ARMOR_END: &str = "-----END AGE ENCRYPTED FILE-----";
/// How many characters a line of base64 has.
const COLUMNS: usize = 64;
const CHUNK_BYTES: usize = 64 * 1024;
const NONCE_BYTES: usize = 16;

/// A file that is sound as far as can be seen without a key.
pub(super) struct AgeFile<'a> {
    bytes: Cow<'a, [u8]>,
    stanzas: Vec<Stanza>,
    /// How much of the header its MAC covers.
    mac_covers: usize,
    mac: [u8; 32],
    /// Where the content begins, its nonce first.
    payload: usize,
}

/// Seals a text for everybody, in armor.
pub(super) fn encrypt(text: &[u8], recipients: &[RecipientKey]) -> Result<Vec<u8>, EncryptError> {
    let key = FileKey::random()?;
    let mut header = format!("{VERSION}\n");
    for recipient in recipients {
        let stanza = recipient.wrap(&key)?;
        header.push_str(&format!("-> {}\n", stanza.args.join(" ")));
        let body = Base64Unpadded::encode_string(&stanza.body);
        let (lines, last) = body.split_at(body.len() - body.len() % COLUMNS);
        push_lines(&mut header, lines);
        // The last line is always a short one, so that the end can be seen.
        header.push_str(last);
        header.push('\n');
    }
    header.push_str("---");
    let mac = header_mac(&key, header.as_bytes()).finalize().into_bytes();
    header.push_str(&format!(" {}\n", Base64Unpadded::encode_string(&mac)));

    let nonce = Secret::<NONCE_BYTES>::random()?;
    let cipher = payload_cipher(&key, &nonce[..]);
    let mut bytes = header.into_bytes();
    bytes.extend_from_slice(&nonce[..]);
    // There is a last chunk in an empty text, too.
    let chunks = text.len().div_ceil(CHUNK_BYTES).max(1);
    for index in 0..chunks {
        let begin = bytes.len();
        bytes.extend_from_slice(&text[index * CHUNK_BYTES..text.len().min((index + 1) * CHUNK_BYTES)]);
        let nonce = chunk_nonce(index, index + 1 == chunks);
        let tag = cipher
            .encrypt_inout_detached(&nonce, b"", bytes[begin..].as_mut().into())
            .expect("a chunk is shorter than any that the cipher refuses");
        bytes.extend_from_slice(&tag);
    }

    let mut armored = format!("{ARMOR_BEGIN}\n");
    push_lines(&mut armored, &Base64::encode_string(&bytes));
    armored.push_str(&format!("{ARMOR_END}\n"));
    Ok(armored.into_bytes())
}

/// Writes base64 in lines that are full but for the last.
fn push_lines(text: &mut String, base64: &str) {
    for line in base64.as_bytes().chunks(COLUMNS) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
}

impl<'a> AgeFile<'a> {
    /// Reads a file, in armor or not.
    pub(super) fn parse(file: &'a [u8]) -> Result<Self, DecryptError> {
        let begin = file.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let bytes = if file[begin..].starts_with(b"-----BEGIN") {
            Cow::Owned(dearmor(&file[begin..]).ok_or(DecryptError::InvalidArmor)?)
        } else {
            Cow::Borrowed(file)
        };
        let mut lines = HeaderLines(&bytes);
        match lines.next().ok_or(DecryptError::InvalidHeader)? {
            VERSION => {}
            other if other.starts_with(VERSION_PREFIX) => return Err(DecryptError::UnknownVersion),
            _ => return Err(DecryptError::InvalidHeader),
        }
        let (stanzas, mac_covers, mac) = lines.parse_header(bytes.len()).ok_or(DecryptError::InvalidHeader)?;
        let payload = bytes.len() - lines.0.len();
        // A passphrase says who sealed a file; beside other recipients it says nothing.
        if stanzas.is_empty() || stanzas.len() > 1 && stanzas.iter().any(|it| it.args[0] == "scrypt") {
            return Err(DecryptError::InvalidHeader);
        }
        if lines.0.len() < NONCE_BYTES {
            return Err(DecryptError::InvalidHeader);
        }
        Ok(Self { bytes, stanzas, mac_covers, mac, payload })
    }

    /// What was sealed, if one of the keys opens it.
    pub(super) fn decrypt(&self, keys: &[IdentityKey]) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let key = self.file_key(keys)?;
        header_mac(&key, &self.bytes[..self.mac_covers])
            .verify_slice(&self.mac)
            .map_err(|_| DecryptError::InvalidMac)?;
        let (nonce, payload) = self.bytes[self.payload..].split_at(NONCE_BYTES);
        let cipher = payload_cipher(&key, nonce);
        let chunks = payload.len().div_ceil(CHUNK_BYTES + TAG_BYTES);
        // As large as it will ever be: growing would leave copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(payload.len()));
        for (index, chunk) in payload.chunks(CHUNK_BYTES + TAG_BYTES).enumerate() {
            let (chunk, tag) = chunk.split_last_chunk::<TAG_BYTES>().ok_or(DecryptError::InvalidPayload)?;
            let begin = text.len();
            text.extend_from_slice(chunk);
            let nonce = chunk_nonce(index, index + 1 == chunks);
            let tag = Tag::from(*tag);
            cipher
                .decrypt_inout_detached(&nonce, b"", text[begin..].as_mut().into(), &tag)
                .map_err(|_| DecryptError::InvalidPayload)?;
            // Only an empty text has an empty chunk.
            if chunk.is_empty() && index > 0 {
                return Err(DecryptError::InvalidPayload);
            }
        }
        if chunks == 0 { Err(DecryptError::InvalidPayload) } else { Ok(text) }
    }

    fn file_key(&self, keys: &[IdentityKey]) -> Result<FileKey, DecryptError> {
        for key in keys {
            for stanza in &self.stanzas {
                if let Some(key) = key.unwrap(stanza)? {
                    return Ok(key);
                }
            }
        }
        Err(DecryptError::NoMatchingKeys)
    }
}

/// What is in an armor. Lines may end as on Windows, and white space may be around it.
fn dearmor(file: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(file).ok()?.trim_ascii_end();
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let mut base64 = String::with_capacity(text.len());
    (lines.next()? == ARMOR_BEGIN).then_some(())?;
    let mut last = COLUMNS;
    loop {
        let line = lines.next()?;
        if line == ARMOR_END {
            break;
        }
        // Only the last line may be short, and none is empty.
        (last == COLUMNS && (1..=COLUMNS).contains(&line.len())).then_some(())?;
        last = line.len();
        base64.push_str(line);
    }
    // Nothing may follow.
    if lines.next().is_some() { None } else { Base64::decode_vec(&base64).ok() }
}

/// The lines of a header, and what follows them.
struct HeaderLines<'a>(&'a [u8]);

impl<'a> HeaderLines<'a> {
    /// The next line, if it is one of a header.
    fn next(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        line.iter().all(|byte| (b' '..=b'~').contains(byte)).then(|| std::str::from_utf8(line).ok())?
    }

    /// The recipients, how much of `length` bytes the MAC covers, and the MAC.
    fn parse_header(&mut self, length: usize) -> Option<(Vec<Stanza>, usize, [u8; 32])> {
        let mut stanzas = Vec::new();
        loop {
            let before = length - self.0.len();
            let line = self.next()?;
            if let Some(mac) = line.strip_prefix("--- ") {
                return Some((stanzas, before + "---".len(), decode_base64(mac)?));
            }
            let args: Vec<String> = line.strip_prefix("-> ")?.split(' ').map(str::to_owned).collect();
            let mut body = String::new();
            loop {
                let line = self.next()?;
                body.push_str(line);
                match line.len() {
                    0..COLUMNS => break,
                    COLUMNS => {}
                    _ => return None,
                }
            }
            let body = Base64Unpadded::decode_vec(&body).ok()?;
            args.iter().all(|word| !word.is_empty()).then(|| stanzas.push(Stanza { args, body }))?;
        }
    }
}

/// The MAC of a header.
fn header_mac(file: &FileKey, header: &[u8]) -> Hmac<Sha256> {
    let key = hkdf(&file[..], b"", "header");
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key[..]).expect("keys of any length will do");
    mac.update(header);
    mac
}

/// What the content is behind.
fn payload_cipher(file: &FileKey, nonce: &[u8]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new((&*hkdf(&file[..], nonce, "payload")).into())
}

/// What makes each chunk belong to its place.
fn chunk_nonce(index: usize, is_last: bool) -> Nonce {
    let mut number = [0; 12];
    number[3..11].copy_from_slice(&(index as u64).to_be_bytes());
    number[11] = u8::from(is_last);
    number.into()
}
