//! Names of releases, of contents and of places in a release.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::base::time::Timestamp;
use crate::sys::digest::sha256;

/// The name of the manifest in its release.
pub(super) const MANIFEST: &str = "manifest.json";

/// Longer paths are not kept: with the directory around them they come near the kernel's limit of 4096.
const MAX_PATH: usize = 1024;

/// As deep as directories may be.
const MAX_DEPTH: usize = 64;

/// What a release is called: the time when it was made, in UTC, and the first eight digits of what it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(String);

/// SHA-256 of a file, 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash(String);

/// A path in a release: relative, without `.` and `..`, without control characters, of bounded length and depth.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryPath(String);

/// A name of a release or of a content that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {expected}")]
pub struct InvalidId {
    /// What was given.
    pub given: String,
    /// What would have been valid.
    pub expected: &'static str,
}

impl ReleaseId {
    /// The name of what was made at some time and holds `content`.
    #[must_use]
    pub fn new(at: Timestamp, content: &ContentHash) -> Self {
        let time = i64::try_from(at.0).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
        let time = time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
        Self(format!("{}-{}", time.strftime("%Y%m%dT%H%M%SZ"), &content.0[..8]))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first digits of what it holds.
    #[must_use]
    pub fn content8(&self) -> &str {
        self.0.rsplit('-').next().unwrap_or_default()
    }
}

impl FromStr for ReleaseId {
    type Err = InvalidId;

    fn from_str(given: &str) -> Result<Self, InvalidId> {
        const SHAPE: &[u8] = b"00000000T000000Z-xxxxxxxx";
        let fits = given.len() == SHAPE.len()
            && given.bytes().zip(SHAPE).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                b'x' => is_hex(byte),
                exact => byte == *exact,
            });
        fits.then(|| Self(given.to_owned())).ok_or_else(|| InvalidId {
            given: given.escape_debug().to_string(),
            expected: "the name of a release, as 20260131T235959Z-0123abcd",
        })
    }
}

impl ContentHash {
    /// Of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha256(bytes))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContentHash {
    type Err = InvalidId;

    fn from_str(given: &str) -> Result<Self, InvalidId> {
        if given.len() == 64 && given.bytes().all(is_hex) {
            return Ok(Self(given.to_owned()));
        }
        Err(InvalidId { given: given.escape_debug().to_string(), expected: "64 hexadecimal digits" })
    }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

impl EntryPath {
    /// A path, if it can be one.
    ///
    /// # Errors
    ///
    /// Says why it cannot.
    pub fn new(path: &str) -> Result<Self, Refusal> {
        if path.chars().any(char::is_control) || path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(Refusal::Name);
        }
        if path.len() > MAX_PATH || path.split('/').count() > MAX_DEPTH || path.split('/').any(|name| name.len() > 255)
        {
            return Err(Refusal::TooDeep);
        }
        // Also in small letters on file systems that do not tell them apart.
        if path.split('/').next().is_some_and(|top| top.eq_ignore_ascii_case(MANIFEST)) {
            return Err(Refusal::Taken);
        }
        Ok(Self(path.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directories on the way, outermost first.
    pub(super) fn parents(&self) -> impl Iterator<Item = Self> {
        self.0.match_indices('/').map(|(at, _)| Self(self.0[..at].to_owned()))
    }

    /// How many directories are around it.
    pub(super) fn depth(&self) -> usize {
        self.0.matches('/').count()
    }

    /// The directory around it; none at the top.
    pub(super) fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(dir, _)| dir)
    }
}

/// Whether a link with `depth` directories around it that leads to `target` stays below the outermost one. With names after the
/// `../` only, where each directory around is a real one, it does whatever other links there are.
pub(super) fn link_stays(depth: usize, target: &str) -> bool {
    let up = target.split('/').take_while(|name| *name == "..").count();
    let mut down = target.split('/').skip(up);
    let is_plain = target.len() <= MAX_PATH && !target.contains(char::is_control);
    up <= depth && is_plain && down.all(|name| !matches!(name, "" | "." | ".."))
}

fn checked_path(given: &str) -> Result<EntryPath, String> {
    EntryPath::new(given).map_err(|why| format!("`{}` cannot be part of a release: {why}", given.escape_debug()))
}

macro_rules! texts {
    ($($name:ident: $parse:expr;)*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(given: String) -> Result<Self, String> {
                $parse(&given).map_err(|error| error.to_string())
            }
        }

        impl From<$name> for String {
            fn from(it: $name) -> Self {
                it.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

texts! {
    ReleaseId: str::parse::<ReleaseId>;
    ContentHash: str::parse::<ContentHash>;
    EntryPath: checked_path;
}
