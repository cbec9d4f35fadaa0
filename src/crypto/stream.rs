//! Random bytes from a seed, for libraries that take no other source.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::crypto::derive::derived;
use crate::crypto::domain::Domain;
use crate::crypto::secret::Secret;

/// Block `n` of 32 bytes is `KDF[domain](seed ‖ le64 n)`. A request takes whole blocks.
pub(in crate::crypto) struct Stream {
    domain: Domain,
    seed: Secret<32>,
    block: u64,
}

impl Stream {
    /// The stream of a seed that is used for nothing else.
    pub(in crate::crypto) const fn new(domain: Domain, seed: Secret<32>) -> Self {
        Self {
            domain,
            seed,
            block: 0,
        }
    }

    fn fill(&mut self, out: &mut [u8]) {
        for piece in out.chunks_mut(32) {
            let block = self.block.to_le_bytes();
            let bytes: Secret<32> = derived(self.domain, |hasher| {
                hasher.update(self.seed.expose()).update(&block);
            });
            self.block = self.block.saturating_add(1);
            for (to, from) in piece.iter_mut().zip(bytes.expose()) {
                *to = *from;
            }
        }
    }

    fn word<const N: usize>(&mut self) -> [u8; N] {
        let mut word = [0; N];
        self.fill(&mut word);
        word
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.word()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.word()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Stream {}
