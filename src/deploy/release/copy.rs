//! Bytes of files, hashed on the way.

use std::fs::File;
use std::io::{self, Read, Write};

use super::names::ContentHash;
use crate::sys::digest::Sha256Stream;

/// What went by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) size: u64,
    pub(super) hash: ContentHash,
}

/// Reads on to the end, or to one byte more than `most`.
pub(super) fn measure(file: &File, most: u64) -> io::Result<Measured> {
    copy(file, &mut io::sink(), most)
}

/// Copies to the end, or to `most` bytes; what is longer measures as one byte more.
pub(super) fn copy(from: &File, to: &mut impl Write, most: u64) -> io::Result<Measured> {
    let (mut stream, mut size, mut buffer) = (Sha256Stream::default(), 0, vec![0; 128 << 10]);
    loop {
        let room = usize::try_from(most - size).unwrap_or(usize::MAX).min(buffer.len());
        let count = (&*from).read(&mut buffer[..room.max(1)])?;
        if count == 0 || room == 0 {
            size += count as u64;
            break;
        }
        stream.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        size += count as u64;
    }
    let hash = stream.finish().parse().expect("it is 64 digits");
    Ok(Measured { size, hash })
}
