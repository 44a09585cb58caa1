//! Why something cannot be part of a release.

/// Why a file cannot be part of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A named pipe, a socket, a device.
    #[error("it is neither a file nor a directory nor a link")]
    SpecialFile,
    /// A link that leads out.
    #[error("it is a link that leaves the release")]
    LinkLeaves,
    /// Bytes that are no text, or control characters.
    #[error("its name has control characters or is not UTF-8")]
    Name,
    /// Longer or deeper than is kept.
    #[error("its path is too long or too deep")]
    TooDeep,
    /// Runs with the rights of its owner.
    #[error("it has a set-user-ID or set-group-ID bit")]
    SetId,
    /// An env file or a private key.
    #[error("it looks like a secret, which is never part of a release")]
    Secret,
    /// The manifest has this name, or two sources do.
    #[error("its path is taken")]
    Taken,
    /// What should be the directory of the application is something else.
    #[error("it is not a directory")]
    NotADirectory,
}
