//! Bytes that are overwritten as soon as they are not needed any more.

use std::ops::{Deref, DerefMut};

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A key. It is on the heap, so that handing it on leaves no copy behind.
pub(super) struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Nothing but zeros, to be filled.
    pub(super) fn empty() -> Self {
        Self(Box::new([0; N]))
    }

    /// From the random numbers of the kernel.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut secret = Self::empty();
        getrandom::fill(&mut secret[..])?;
        Ok(secret)
    }

    /// A copy of a slice, if it is of the right length.
    pub(super) fn copy(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self::empty();
        (bytes.len() == N).then(|| secret.copy_from_slice(bytes))?;
        Some(secret)
    }
}

impl<const N: usize> Deref for Secret<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> DerefMut for Secret<N> {
    fn deref_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;

    /// The memory of this process, as the kernel shows it.
    fn memory(at: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let memory = File::open("/proc/self/mem").expect("it is there");
        // What the allocator has given back to the kernel cannot be read any more, and holds nothing.
        let _ = memory.read_exact_at(&mut bytes, at as u64);
        bytes
    }

    #[test]
    fn a_secret_is_overwritten_when_it_is_dropped() {
        let secret = Secret::<1024>::random().expect("random numbers");
        let (at, copy) = (secret.as_ptr().addr(), secret.to_vec());
        assert_eq!(memory(at, 1024), copy);
        drop(secret);
        // Another thread may have written there since; 16 bytes of it are not the same by chance.
        let now = memory(at, 1024);
        assert!(!now.chunks(16).zip(copy.chunks(16)).any(|(now, before)| now == before));
    }

    #[test]
    fn whatever_holds_a_key_overwrites_it() {
        fn overwritten<T: ZeroizeOnDrop>() {}
        overwritten::<Secret<16>>();
        overwritten::<x25519_dalek::StaticSecret>();
        overwritten::<x25519_dalek::SharedSecret>();
        overwritten::<rsa::PrivateKey>();
        overwritten::<rsa::oaep::DecryptingKey<sha2::Sha256>>();
        overwritten::<chacha20poly1305::ChaCha20Poly1305>();
        overwritten::<sha2::Sha256>();
        overwritten::<sha2::Sha512>();
    }
}
