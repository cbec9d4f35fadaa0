//! Several hashes at once: eight in the 512-bit registers of AVX-512, four in the 256-bit ones of AVX2.
//!
//! Lane `i` of every register belongs to message `i`. What can be used is found out when the program runs; without
//! either the hashes are made one after the other. The bytes hashed here are sealed and stand in the network, so
//! nothing is wiped.
//!
//! The one file with `unsafe`: it calls functions that are compiled for a processor that has been looked for, and
//! loads and stores arrays through their pointers.
#![allow(
    unsafe_code,
    reason = "intrinsics that only some processors have; every block says why it is sound"
)]

use crate::crypto::swarm::keccak;
use crate::crypto::swarm::keccak::{Block, Hash, Message};

/// Messages that are handed to the lanes together. AVX-512 has as many lanes; of AVX2 two states are worked on in
/// turn, for one alone waits for itself.
const GROUP: usize = 8;

/// How many hashes are made at once. A value is proof that the processor can do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes(Width);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    One,
    #[cfg(target_arch = "x86_64")]
    Four,
    #[cfg(target_arch = "x86_64")]
    Eight,
}

impl Lanes {
    /// One after the other: what every processor can do.
    pub(super) const ONE: Self = Self(Width::One);

    /// Four at once, where there is AVX2.
    fn four() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Some(Self(Width::Four));
        }
        None
    }

    /// Eight at once, where there is AVX-512.
    fn eight() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f") {
            return Some(Self(Width::Eight));
        }
        None
    }

    /// Everything that this processor can do, the widest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::eight(), Self::four(), Some(Self::ONE)]
            .into_iter()
            .flatten()
    }

    /// Hashes made at once.
    pub const fn count(self) -> usize {
        match self.0 {
            Width::One => 1,
            #[cfg(target_arch = "x86_64")]
            Width::Four => 4,
            #[cfg(target_arch = "x86_64")]
            Width::Eight => 8,
        }
    }

    /// The most that this processor can do.
    pub(super) fn widest() -> Self {
        Self::eight().or_else(Self::four).unwrap_or(Self::ONE)
    }

    /// Hashes the message in every block into its place; as many as the shorter of both lists holds.
    pub(super) fn hash_all(self, blocks: &[Block], message: Message, hashes: &mut [Hash]) {
        for (blocks, hashes) in blocks.chunks(GROUP).zip(hashes.chunks_mut(GROUP)) {
            let count = blocks.len().min(hashes.len());
            if count <= self.alone() {
                each(blocks, message, hashes);
            } else if let (Ok(blocks), Ok(hashes)) = (blocks.try_into(), (&mut *hashes).try_into())
            {
                self.hash_group(blocks, message, hashes);
            } else {
                let (mut group, mut results) = ([[0; 64]; GROUP], [[0; 32]; GROUP]);
                for (to, from) in group.iter_mut().zip(blocks) {
                    *to = *from;
                }
                self.hash_group(&group, message, &mut results);
                for (to, from) in hashes.iter_mut().zip(results).take(count) {
                    *to = from;
                }
            }
        }
    }

    /// So many messages are faster hashed one after the other than as a group.
    const fn alone(self) -> usize {
        match self.0 {
            Width::One => GROUP,
            #[cfg(target_arch = "x86_64")]
            Width::Four => 2,
            #[cfg(target_arch = "x86_64")]
            Width::Eight => 0,
        }
    }

    fn hash_group(self, blocks: &[Block; GROUP], message: Message, hashes: &mut [Hash; GROUP]) {
        match self.0 {
            Width::One => each(blocks, message, hashes),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Lanes` of this width is only made where the processor was found to have AVX2.
            Width::Four => unsafe { avx2::hash(blocks, message, hashes) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Lanes` of this width is only made where the processor was found to have AVX-512F.
            Width::Eight => unsafe { avx512::hash(blocks, message, hashes) },
        }
    }
}

fn each(blocks: &[Block], message: Message, hashes: &mut [Hash]) {
    for (hash, block) in hashes.iter_mut().zip(blocks) {
        *hash = keccak::hash(block, message);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use crate::crypto::swarm::keccak::{
        Block, Hash, LAST_WORD, Message, ROUND_CONSTANTS, parities, round,
    };
    use std::arch::x86_64::{
        __m512i, _mm512_loadu_si512, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_setzero_si512,
        _mm512_shuffle_i64x2, _mm512_storeu_si512, _mm512_ternarylogic_epi64,
        _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
    };

    /// Eight lanes of 64 bits.
    type Word = __m512i;

    /// The hashes of eight messages.
    #[target_feature(enable = "avx512f")]
    pub(super) fn hash(blocks: &[Block; 8], message: Message, hashes: &mut [Hash; 8]) {
        let mut a = [_mm512_setzero_si512(); 25];
        [a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]] = words(blocks);
        a[8] = splat(message.ninth_word());
        a[16] = splat(LAST_WORD);
        let mut c = parities!(a, xor3);
        // The first round meets many zeros and of the last little is needed: standing apart, they are shortened.
        let [first, between @ .., last] = &ROUND_CONSTANTS;
        (a, c) = round!(a, c, splat(*first), xor, rol, chi);
        for constant in between {
            (a, c) = round!(a, c, splat(*constant), xor, rol, chi);
        }
        (a, _) = round!(a, c, splat(*last), xor, rol, chi);
        write(a[0], a[1], a[2], a[3], hashes);
    }

    /// Word `i` of all messages, for each `i`: an 8 × 8 transpose.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn words(blocks: &[Block; 8]) -> [Word; 8] {
        let [m0, m1, m2, m3, m4, m5, m6, m7] = [
            load(&blocks[0]),
            load(&blocks[1]),
            load(&blocks[2]),
            load(&blocks[3]),
            load(&blocks[4]),
            load(&blocks[5]),
            load(&blocks[6]),
            load(&blocks[7]),
        ];
        let [w0, w2, w4, w6] = quarters(
            _mm512_unpacklo_epi64(m0, m1),
            _mm512_unpacklo_epi64(m2, m3),
            _mm512_unpacklo_epi64(m4, m5),
            _mm512_unpacklo_epi64(m6, m7),
        );
        let [w1, w3, w5, w7] = quarters(
            _mm512_unpackhi_epi64(m0, m1),
            _mm512_unpackhi_epi64(m2, m3),
            _mm512_unpackhi_epi64(m4, m5),
            _mm512_unpackhi_epi64(m6, m7),
        );
        [w0, w1, w2, w3, w4, w5, w6, w7]
    }

    /// The four words of each hash, side by side: the transpose back.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn write(w0: Word, w1: Word, w2: Word, w3: Word, hashes: &mut [Hash; 8]) {
        let pairs = quarters(
            _mm512_unpacklo_epi64(w0, w1),
            _mm512_unpacklo_epi64(w2, w3),
            _mm512_unpackhi_epi64(w0, w1),
            _mm512_unpackhi_epi64(w2, w3),
        );
        let (places, _) = hashes.as_flattened_mut().as_chunks_mut();
        for (place, pair) in places.iter_mut().zip(pairs) {
            store(place, pair);
        }
    }

    /// Quarter `i` of all four, for each `i`: a 4 × 4 transpose of 128 bits each.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn quarters(a: Word, b: Word, c: Word, d: Word) -> [Word; 4] {
        let even = [
            _mm512_shuffle_i64x2::<0x88>(a, b),
            _mm512_shuffle_i64x2::<0x88>(c, d),
        ];
        let odd = [
            _mm512_shuffle_i64x2::<0xdd>(a, b),
            _mm512_shuffle_i64x2::<0xdd>(c, d),
        ];
        [
            _mm512_shuffle_i64x2::<0x88>(even[0], even[1]),
            _mm512_shuffle_i64x2::<0x88>(odd[0], odd[1]),
            _mm512_shuffle_i64x2::<0xdd>(even[0], even[1]),
            _mm512_shuffle_i64x2::<0xdd>(odd[0], odd[1]),
        ]
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load(block: &Block) -> Word {
        // SAFETY: the reference makes all 64 bytes readable, and the load asks for no alignment.
        unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn store(place: &mut Block, word: Word) {
        // SAFETY: the reference makes all 64 bytes writable, and the store asks for no alignment.
        unsafe { _mm512_storeu_si512(place.as_mut_ptr().cast(), word) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn splat(word: u64) -> Word {
        _mm512_set1_epi64(word.cast_signed())
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn xor(a: Word, b: Word) -> Word {
        _mm512_xor_si512(a, b)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn xor3(a: Word, b: Word, c: Word) -> Word {
        _mm512_ternarylogic_epi64::<0x96>(a, b, c)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn rol<const BITS: i32>(a: Word) -> Word {
        _mm512_rol_epi64::<BITS>(a)
    }

    /// `a ^ (!b & c)`, as its table of truth.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn chi(a: Word, b: Word, c: Word) -> Word {
        _mm512_ternarylogic_epi64::<0xd2>(a, b, c)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use crate::crypto::swarm::keccak::{
        Block, Hash, LAST_WORD, Message, ROUND_CONSTANTS, parities, round,
    };
    use std::arch::x86_64::{
        __m256i, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256,
        _mm256_permute2x128_si256, _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_slli_epi64,
        _mm256_srlv_epi64, _mm256_storeu_si256, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64,
        _mm256_xor_si256,
    };

    /// Four lanes of 64 bits.
    type Word = __m256i;

    /// The hashes of two times four messages.
    #[target_feature(enable = "avx2")]
    pub(super) fn hash(blocks: &[Block; 8], message: Message, hashes: &mut [Hash; 8]) {
        let ([left, right], _) = blocks.as_chunks::<4>() else {
            return;
        };
        let (mut a, mut b) = (state(left, message), state(right, message));
        let (mut c, mut d) = (parities!(a, xor3), parities!(b, xor3));
        // The first round meets many zeros and of the last little is needed: standing apart, they are shortened.
        let [first, between @ .., last] = &ROUND_CONSTANTS;
        (a, c) = round!(a, c, splat(*first), xor, rol, chi);
        (b, d) = round!(b, d, splat(*first), xor, rol, chi);
        for constant in between {
            (a, c) = round!(a, c, splat(*constant), xor, rol, chi);
            (b, d) = round!(b, d, splat(*constant), xor, rol, chi);
        }
        (a, _) = round!(a, c, splat(*last), xor, rol, chi);
        (b, _) = round!(b, d, splat(*last), xor, rol, chi);
        let left = transpose([a[0], a[1], a[2], a[3]]);
        let right = transpose([b[0], b[1], b[2], b[3]]);
        for (place, hash) in hashes.iter_mut().zip(left.into_iter().chain(right)) {
            store(place, hash);
        }
    }

    /// The state before the first round.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn state(blocks: &[Block; 4], message: Message) -> [Word; 25] {
        let mut a = [_mm256_setzero_si256(); 25];
        [[a[0], a[1], a[2], a[3]], [a[4], a[5], a[6], a[7]]] = words(blocks);
        a[8] = splat(message.ninth_word());
        a[16] = splat(LAST_WORD);
        a
    }

    /// Words 0 to 3 of all messages, and words 4 to 7.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn words(blocks: &[Block; 4]) -> [[Word; 4]; 2] {
        let zero = _mm256_setzero_si256();
        let (mut left, mut right) = ([zero; 4], [zero; 4]);
        for ((left, right), block) in left.iter_mut().zip(&mut right).zip(blocks) {
            let (halves, _) = block.as_chunks();
            if let [first, second] = halves {
                (*left, *right) = (load(first), load(second));
            }
        }
        [transpose(left), transpose(right)]
    }

    /// Word `i` of all four, for each `i`: a 4 × 4 transpose, which undoes itself.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn transpose([a, b, c, d]: [Word; 4]) -> [Word; 4] {
        let even = [_mm256_unpacklo_epi64(a, b), _mm256_unpacklo_epi64(c, d)];
        let odd = [_mm256_unpackhi_epi64(a, b), _mm256_unpackhi_epi64(c, d)];
        [
            _mm256_permute2x128_si256::<0x20>(even[0], even[1]),
            _mm256_permute2x128_si256::<0x20>(odd[0], odd[1]),
            _mm256_permute2x128_si256::<0x31>(even[0], even[1]),
            _mm256_permute2x128_si256::<0x31>(odd[0], odd[1]),
        ]
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(bytes: &Hash) -> Word {
        // SAFETY: the reference makes all 32 bytes readable, and the load asks for no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn store(place: &mut Hash, word: Word) {
        // SAFETY: the reference makes all 32 bytes writable, and the store asks for no alignment.
        unsafe { _mm256_storeu_si256(place.as_mut_ptr().cast(), word) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn splat(word: u64) -> Word {
        _mm256_set1_epi64x(word.cast_signed())
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn xor(a: Word, b: Word) -> Word {
        _mm256_xor_si256(a, b)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn xor3(a: Word, b: Word, c: Word) -> Word {
        xor(xor(a, b), c)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn rol<const BITS: i32>(a: Word) -> Word {
        let back = _mm256_set1_epi64x(i64::from(64_i32.saturating_sub(BITS)));
        _mm256_or_si256(_mm256_slli_epi64::<BITS>(a), _mm256_srlv_epi64(a, back))
    }

    /// `a ^ (!b & c)`.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn chi(a: Word, b: Word, c: Word) -> Word {
        xor(a, _mm256_andnot_si256(b, c))
    }
}
