//! A release: what it holds, where that comes from, and how a host keeps it.
//!
//! ```text
//! $TETRA_DIR/org/<org>/
//!   releases/<rid>/      one directory for each release, read-only, with manifest.json
//!   current              -> releases/<rid>, switched by one rename
//!   previous             -> releases/<rid>
//!   failed/<rid>/        releases that were switched to and taken back
//!   deploy/blobs/<sha>   contents by their SHA-256; <sha>.part is one that has not arrived in full
//! ```
//!
//! [`Payload::collect`] gathers on the operator's machine, [`ReleaseStore`] keeps on the host; a [`Manifest`] is what both know.
//! The store takes no lock: the transaction that calls it holds the one of the organization.

mod blobs;
mod build;
mod copy;
mod error;
mod manifest;
mod names;
mod payload;
mod prune;
mod refusal;
mod store;
mod tree;

pub use blobs::MissingBlob;
pub use build::{Drift, DriftKind};
pub use error::ReleaseError;
pub use manifest::{Entry, EntryKind, Manifest};
pub use names::{ContentHash, EntryPath, InvalidId, ReleaseId};
pub use payload::{Blob, Document, Payload, SourceFile, Sources};
pub use prune::Pruned;
pub use refusal::Refusal;
pub use store::ReleaseStore;
pub use tree::Application;

/// The directory of a release with the files of the application.
pub const APPLICATION: &str = "app";

/// The most entries that a release has.
pub const MAX_ENTRIES: usize = 20_000;

/// The most bytes that the files of a release have together.
pub const MAX_SIZE: u64 = 200 << 20;

#[cfg(test)]
mod tests;
