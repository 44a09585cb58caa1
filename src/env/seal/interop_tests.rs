//! The format against what other programs write and read, and against changed files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64ct::{Base64, Encoding};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::age::{AgeFile, encrypt};
use super::keys::{IdentityKey, RecipientKey};
use super::ssh::{self, PrivateKeyError};
use super::stanza::{DecryptError, EncryptError};

const CHUNK_BYTES: usize = 64 * 1024;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Runs a program that has to succeed.
fn run(program: &str, words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect(program);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it runs");
    assert!(output.status.success(), "{program} {words:?}: {}", output.status);
    writer.join().expect("no panic").expect("it reads everything");
    output.stdout
}

/// Keys of every kind, made by the programs that others make them with.
struct Keys {
    home: tempfile::TempDir,
}

impl Keys {
    const ALL: [&str; 5] = ["age", "ed25519", "rsa", "rsa-pem", "rsa-4096"];

    fn new() -> Self {
        let keys = Self { home: tempfile::tempdir().expect("a directory") };
        keys.make("age-keygen", &["-o"], "age");
        keys.make("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f"], "ed25519");
        keys.make("ssh-keygen", &["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"], "rsa");
        keys.make("ssh-keygen", &["-q", "-t", "rsa", "-b", "2056", "-m", "PEM", "-N", "", "-f"], "rsa-pem");
        keys.make("ssh-keygen", &["-q", "-t", "rsa", "-b", "4096", "-N", "", "-f"], "rsa-4096");
        keys
    }

    fn make(&self, program: &str, words: &[&str], name: &str) {
        let mut command = Command::new(program);
        let made = command.args(words).arg(self.path(name)).output().expect(program);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    fn public(&self, name: &str) -> String {
        if name == "age" {
            let text = self.text("age");
            return text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("it has one").to_owned();
        }
        self.text(&format!("{name}.pub")).trim().to_owned()
    }

    fn private(&self, name: &str) -> Vec<IdentityKey> {
        let text = self.text(name);
        if name == "age" {
            IdentityKey::parse_file(&text).expect("keys")
        } else {
            vec![IdentityKey::parse_ssh(&text).expect(name)]
        }
    }

    fn all(&self) -> Vec<RecipientKey> {
        Self::ALL.iter().map(|name| RecipientKey::parse(&self.public(name)).expect(name)).collect()
    }
}

fn decrypt(file: &[u8], keys: &[IdentityKey]) -> Result<Vec<u8>, DecryptError> {
    Ok(AgeFile::parse(file)?.decrypt(keys)?.to_vec())
}

/// A key of age, and its public half.
fn x25519() -> (Vec<IdentityKey>, RecipientKey) {
    let text = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let public = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    (IdentityKey::parse_file(text).expect("a key"), RecipientKey::parse(public).expect("a key"))
}

/// Without armor.
fn bytes(armored: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(armored).expect("text");
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    Base64::decode_vec(&base64).expect("base64")
}

/// Text of so many bytes, in which no two chunks are the same.
fn text(length: usize) -> Vec<u8> {
    (0..length).map(|index| b'a' + u8::try_from(index / 7 % 23).expect("small")).collect()
}

/// Where the content begins, and where each chunk of it ends.
fn chunks(file: &[u8]) -> (usize, Vec<usize>) {
    let mac = file.windows(5).position(|part| part == b"\n--- ").expect("a header") + 5;
    let begin = mac + file[mac..].iter().position(|byte| *byte == b'\n').expect("a line") + 1 + 16;
    let count = (file.len() - begin).div_ceil(CHUNK_BYTES + 16);
    (begin, (1..=count).map(|index| file.len().min(begin + index * (CHUNK_BYTES + 16))).collect())
}

#[test]
fn every_vector_is_read_as_it_says() {
    let mut seen = BTreeMap::new();
    for entry in fs::read_dir(vectors().join("age")).expect("vectors") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name == "README.md" {
            continue;
        }
        let file = fs::read(&path).expect("read");
        let end = file.windows(2).position(|part| part == b"\n\n").expect("a header");
        let header = std::str::from_utf8(&file[..end]).expect("text");
        let fields: Vec<(&str, &str)> = header.lines().filter_map(|line| line.split_once(": ")).collect();
        let one = |key: &str| fields.iter().find(|field| field.0 == key).map(|field| field.1);
        let mut body = file[end + 2..].to_vec();
        if one("compressed") == Some("zlib") {
            let program = "import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))";
            body = run("python3", &["-c", program], &body);
        }
        let keys = fields.iter().filter(|field| field.0 == "identity");
        let keys: Vec<IdentityKey> = keys.flat_map(|field| IdentityKey::parse_file(field.1).expect("a key")).collect();
        let opened = decrypt(&body, &keys);
        let expected = one("expect").expect("it says so");
        *seen.entry(expected.to_owned()).or_insert(0) += 1;
        if one("passphrase").is_some() {
            assert!(opened.is_err(), "{name}: there are no passphrases here");
            continue;
        }
        match (expected, &opened) {
            ("success", Ok(text)) => {
                let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(Some(&*digest), one("payload"), "{name}");
            }
            ("no match", Err(DecryptError::NoMatchingKeys))
            | ("HMAC failure", Err(DecryptError::InvalidMac))
            | ("header failure", Err(DecryptError::InvalidHeader | DecryptError::UnknownVersion))
            | ("payload failure", Err(DecryptError::InvalidPayload))
            | ("armor failure", Err(DecryptError::InvalidArmor)) => {}
            // What does not begin as an armor is none.
            ("armor failure", Err(DecryptError::InvalidHeader))
                if !body.trim_ascii_start().starts_with(b"-----BEGIN") => {}
            other => panic!("{name}: {other:?}\n{header}"),
        }
    }
    assert!(seen.values().sum::<i32>() > 100 && seen.len() == 6, "{seen:?}");
}

#[test]
fn age_reads_what_is_sealed_and_writes_what_is_opened() {
    let keys = Keys::new();
    let file = keys.path("file");
    let mut everybody: Vec<String> = vec!["-e".into()];
    everybody.extend(Keys::ALL.iter().flat_map(|name| ["-r".to_owned(), keys.public(name)]));
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    for length in
        [0, 1, 47, 48, 49, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1, 300_000]
    {
        let text = text(length);
        fs::write(&file, encrypt(&text, &keys.all()).expect("sealed")).expect("written");
        let theirs = run("age", &everybody, &text);
        let theirs_armored = run("age", &[&["-a"], &everybody[..]].concat(), &text);
        for name in Keys::ALL {
            assert!(run("age", &["-d", "-i", &keys.path(name), &file], b"") == text, "{name}, {length} bytes");
            let private = keys.private(name);
            assert!(decrypt(&theirs, &private).as_ref() == Ok(&text), "{name}, {length} bytes");
            assert!(decrypt(&theirs_armored, &private).as_ref() == Ok(&text), "{name}, {length} bytes, in armor");
            assert!(decrypt(&fs::read(&file).expect("read"), &private).as_ref() == Ok(&text), "{name}, {length} bytes");
        }
    }
}

#[test]
fn what_earlier_versions_sealed_is_opened() {
    let dir = vectors().join("sealed");
    let file = fs::read(dir.join("dev.env.age")).expect("read");
    let read = |name: &str| fs::read_to_string(dir.join(name)).expect(name);
    let expected = Ok(b"API_KEY=hunter2\n".to_vec());
    assert_eq!(decrypt(&file, &IdentityKey::parse_file(&read("alice")).expect("a key")), expected);
    for name in ["bob", "carol", "dave"] {
        assert_eq!(decrypt(&file, &[IdentityKey::parse_ssh(&read(name)).expect(name)]), expected, "{name}");
    }
    assert_eq!(decrypt(&file, &x25519().0), Err(DecryptError::NoMatchingKeys));
}

#[test]
fn no_byte_of_a_file_can_be_changed() {
    let keys = Keys::new();
    let (private, public) = x25519();
    let mut all = keys.all();
    all.push(public);
    let file = bytes(&encrypt(b"API_KEY=hunter2\n", &all).expect("sealed"));
    assert!(decrypt(&file, &private).is_ok());
    for index in 0..file.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = file.clone();
            changed[index] ^= bit;
            assert!(decrypt(&changed, &private).is_err(), "bit {bit:#x} of byte {index}");
        }
        let mut without = file.clone();
        without.remove(index);
        assert!(decrypt(&without, &private).is_err(), "without byte {index}");
        assert!(decrypt(&file[..index], &private).is_err(), "cut off after {index} bytes");
    }
}

#[test]
fn no_line_of_an_armor_can_be_changed() {
    let (private, public) = x25519();
    let armored = String::from_utf8(encrypt(&text(500), &[public]).expect("sealed")).expect("text");
    let lines: Vec<&str> = armored.lines().collect();
    for index in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(index);
        let mut twice = lines.clone();
        twice.insert(index, lines[index]);
        for changed in [without, twice] {
            assert!(decrypt(changed.join("\n").as_bytes(), &private).is_err(), "line {index}");
        }
        assert!(decrypt(lines[..index].join("\n").as_bytes(), &private).is_err(), "cut off after {index} lines");
    }
    for armored in [armored.replace('\n', "\r\n"), format!("\n \t{armored}\n\n"), armored.trim_end().to_owned()] {
        assert_eq!(decrypt(armored.as_bytes(), &private), Ok(text(500)), "what mail and editors do to it is borne");
    }
}

#[test]
fn no_chunk_can_be_cut_off_moved_or_added() {
    let (private, public) = x25519();
    for length in [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 5] {
        let public = [match &public {
            RecipientKey::X25519(key) => RecipientKey::X25519(*key),
            _ => unreachable!("it is one of age"),
        }];
        let file = bytes(&encrypt(&text(length), &public).expect("sealed"));
        assert!(decrypt(&file, &private) == Ok(text(length)), "{length} bytes");
        let (begin, ends) = chunks(&file);
        let starts: Vec<usize> = [begin].into_iter().chain(ends.iter().copied()).collect();
        for end in &starts {
            for end in end - 17..=(end + 17).min(file.len()) {
                let opened = decrypt(&file[..end], &private);
                let closed = if end < begin { DecryptError::InvalidHeader } else { DecryptError::InvalidPayload };
                assert!(end == file.len() || opened == Err(closed), "cut off at {end} of {length}");
            }
        }
        let chunk = |index: usize| &file[starts[index]..starts[index + 1]];
        let with = |order: &[usize]| {
            let mut changed = file[..begin].to_vec();
            order.iter().for_each(|index| changed.extend_from_slice(chunk(*index)));
            changed
        };
        let right: Vec<usize> = (0..ends.len()).collect();
        for index in 0..ends.len() {
            let (mut without, mut twice) = (right.clone(), right.clone());
            without.remove(index);
            twice.insert(index, index);
            let mut swapped = right.clone();
            swapped.swap(index, (index + 1) % ends.len());
            for order in [without, twice, swapped] {
                let opened = decrypt(&with(&order), &private);
                assert!(order == right || opened == Err(DecryptError::InvalidPayload), "{order:?} of {length}");
            }
        }
        for more in [&[0][..], &[0; 16], &[0; 17], &[0; CHUNK_BYTES + 16]] {
            assert_eq!(
                decrypt(&[&file, more].concat(), &private),
                Err(DecryptError::InvalidPayload),
                "{} added",
                more.len()
            );
        }
    }
}

#[test]
fn every_file_has_keys_of_its_own() {
    let (private, public) = x25519();
    let public = [public];
    let (one, two) = (bytes(&encrypt(b"x", &public).expect("sealed")), bytes(&encrypt(b"x", &public).expect("sealed")));
    let differ = one.iter().zip(&two).filter(|(one, two)| one != two).count();
    assert!(differ > 100, "share, body, code, nonce and content: {differ} bytes");
    // The header of one file with the content of another.
    let at = chunks(&one).0;
    assert_eq!(decrypt(&[&one[..at - 16], &two[at - 16..]].concat(), &private), Err(DecryptError::InvalidPayload));
}

#[test]
fn a_weak_key_is_not_a_recipient() {
    let mut zeros = String::new();
    let name = bech32::Hrp::parse("age").expect("a name");
    bech32::encode_lower_to_fmt::<bech32::Bech32, _>(&mut zeros, name, &[0; 32]).expect("encoded");
    let weak = RecipientKey::parse(&zeros).expect("it has the form of a key");
    assert!(matches!(encrypt(b"x", &[weak]), Err(EncryptError::WeakRecipient)));
    // The neutral element of the curve of ssh keys: y is 1.
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20\x01".to_vec();
    blob.resize(51, 0);
    let weak = RecipientKey::parse(&format!("ssh-ed25519 {}", Base64::encode_string(&blob))).expect("it has the form");
    assert!(matches!(encrypt(b"x", &[weak]), Err(EncryptError::WeakRecipient)));
    let keys = Keys::new();
    keys.make("ssh-keygen", &["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f"], "short");
    assert!(RecipientKey::parse(&keys.public("short")).is_none());
}

#[test]
fn keys_are_distinguished_from_other_text() {
    let keys = Keys::new();
    for (name, words) in [
        ("closed", &["-t", "ed25519", "-N", "pass phrase"][..]),
        ("closed-rsa", &["-t", "rsa", "-b", "2048", "-N", "pass phrase"]),
        ("closed-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "pass phrase"]),
        ("ecdsa", &["-t", "ecdsa", "-N", ""]),
    ] {
        keys.make("ssh-keygen", &[&["-q"], words, &["-f"]].concat(), name);
        let expected = if name == "ecdsa" { PrivateKeyError::Unsupported } else { PrivateKeyError::Encrypted };
        assert_eq!(IdentityKey::parse_ssh(&keys.text(name)).err(), Some(expected), "{name}");
    }
    assert!(RecipientKey::parse(&keys.public("ecdsa")).is_none());
    for name in ["ed25519", "rsa", "rsa-pem"] {
        let text = keys.text(name);
        let end = text.trim_end().len();
        for length in (0..end).step_by(if name == "ed25519" { 1 } else { 13 }) {
            assert_eq!(
                IdentityKey::parse_ssh(&text[..length]).err(),
                Some(PrivateKeyError::Invalid),
                "{name}, {length} bytes of it"
            );
        }
        let crlf = format!("\n{}\r\n# more\n", text.trim_end().replace('\n', "\r\n"));
        assert!(IdentityKey::parse_ssh(&crlf).is_ok(), "{name}");
        let public = keys.public(name);
        let (kind, key) = public.split_once(' ').expect("two words");
        let key = key.split(' ').next().expect("a word");
        for length in 0..key.len() - 2 {
            assert!(RecipientKey::parse(&format!("{kind} {}", &key[..length])).is_none(), "{name}, {length} of it");
        }
        let other = if kind == ssh::RSA_TYPE { ssh::ED25519_TYPE } else { ssh::RSA_TYPE };
        assert!(RecipientKey::parse(&format!("{other} {key}")).is_none(), "{name} as {other}");
        assert!(RecipientKey::parse(&format!("{kind} {}", key.trim_end_matches('='))).is_some(), "{name}");
    }
    let text = keys.text("age");
    let key = text.lines().last().expect("a line");
    assert!(IdentityKey::parse_file(&format!("\r\n# two\r\n{key}\r\n{key}")).is_some_and(|keys| keys.len() == 2));
    for bad in [&key[..key.len() - 1], &key.replace("AGE", "age"), &format!("{key} "), &format!("{key}\nx")] {
        assert!(IdentityKey::parse_file(bad).is_none(), "{bad}");
    }
    let public = keys.public("age");
    for bad in [&public[..public.len() - 1], &format!("{public}x"), "age1", "", "ssh-ed25519", "ssh-rsa AAAA"] {
        assert!(RecipientKey::parse(bad).is_none(), "{bad}");
    }
}

proptest! {
    #[test]
    fn nothing_breaks_what_reads_a_file(
        lines in prop::collection::vec("(-> |--- |-----BEGIN |age-encryption.org/v1)?[ -~]{0,66}", 0..6),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut file = b"age-encryption.org/v1\n".to_vec();
        file.extend(lines.join("\n").as_bytes());
        file.extend(tail);
        prop_assert!(decrypt(&file, &x25519().0).is_err());
        prop_assert!(decrypt(&file[22..], &x25519().0).is_err());
        prop_assert!(IdentityKey::parse_ssh(&String::from_utf8_lossy(&file)).is_err());
    }

    #[test]
    fn nothing_breaks_what_reads_a_key(blob in prop::collection::vec(any::<u8>(), 0..200), at in 0..200_usize) {
        let key = include_str!("../../../tests/vectors/sealed/bob");
        let inner: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
        let mut bytes = Base64::decode_vec(&inner).expect("base64");
        let at = at.min(bytes.len());
        let end = bytes.len().min(at + blob.len());
        bytes.splice(at..end, blob);
        let base64 = Base64::encode_string(&bytes);
        let _ = IdentityKey::parse_ssh(&format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{base64}\n-----END OPENSSH PRIVATE KEY-----\n"));
        let _ = RecipientKey::parse(&format!("ssh-ed25519 {base64}"));
        let _ = RecipientKey::parse(&format!("ssh-rsa {base64}"));
    }
}
