//! Keccak-f[1600] for messages of one block, and legacy Keccak-256 (padding byte `01`, not SHA-3's `06`).

/// Bytes of a hash, and of a segment of the tree.
pub(super) const HASH_LEN: usize = 32;
/// Two segments, side by side.
pub(super) type Pair = [u8; 64];
/// Result of the hash.
pub(super) type Hash = [u8; HASH_LEN];

/// Constants of the 24 rounds (FIPS 202 §3.2.5).
pub(super) const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Where the 17th word, the last of a block of 136 bytes, ends the padding.
pub(super) const LAST_WORD: u64 = 0x8000_0000_0000_0000;

/// One round over 25 words that lie in `$a`, written once for words of 64, 256 and 512 bits.
///
/// `$xor3` adds three words, `$xor` two, `$rol` rotates each 64-bit lane left by a constant, `$chi` is
/// `a ^ (!b & c)`. Rows are finished one by one, each from five words that nothing else needs any more, so that
/// no more than the 25 words, five of θ and two others are alive at a time.
macro_rules! round {
    ($a:ident, $constant:expr, $xor:ident, $xor3:ident, $rol:ident, $chi:ident) => {{
        let [c0, c1, c2, c3, c4] = [
            $xor3($xor3($a[0], $a[5], $a[10]), $a[15], $a[20]),
            $xor3($xor3($a[1], $a[6], $a[11]), $a[16], $a[21]),
            $xor3($xor3($a[2], $a[7], $a[12]), $a[17], $a[22]),
            $xor3($xor3($a[3], $a[8], $a[13]), $a[18], $a[23]),
            $xor3($xor3($a[4], $a[9], $a[14]), $a[19], $a[24]),
        ];
        let [d0, d1, d2, d3, d4] = [
            $xor(c4, $rol::<1>(c1)),
            $xor(c0, $rol::<1>(c2)),
            $xor(c1, $rol::<1>(c3)),
            $xor(c2, $rol::<1>(c4)),
            $xor(c3, $rol::<1>(c0)),
        ];
        let row0 = [
            $xor($a[0], d0),
            $rol::<44>($xor($a[6], d1)),
            $rol::<43>($xor($a[12], d2)),
            $rol::<21>($xor($a[18], d3)),
            $rol::<14>($xor($a[24], d4)),
        ];
        let row1 = [
            $rol::<28>($xor($a[3], d3)),
            $rol::<20>($xor($a[9], d4)),
            $rol::<3>($xor($a[10], d0)),
            $rol::<45>($xor($a[16], d1)),
            $rol::<61>($xor($a[22], d2)),
        ];
        let row2 = [
            $rol::<1>($xor($a[1], d1)),
            $rol::<6>($xor($a[7], d2)),
            $rol::<25>($xor($a[13], d3)),
            $rol::<8>($xor($a[19], d4)),
            $rol::<18>($xor($a[20], d0)),
        ];
        let row3 = [
            $rol::<27>($xor($a[4], d4)),
            $rol::<36>($xor($a[5], d0)),
            $rol::<10>($xor($a[11], d1)),
            $rol::<15>($xor($a[17], d2)),
            $rol::<56>($xor($a[23], d3)),
        ];
        let row4 = [
            $rol::<62>($xor($a[2], d2)),
            $rol::<55>($xor($a[8], d3)),
            $rol::<39>($xor($a[14], d4)),
            $rol::<41>($xor($a[15], d0)),
            $rol::<2>($xor($a[21], d1)),
        ];
        [
            $xor($chi(row0[0], row0[1], row0[2]), $constant),
            $chi(row0[1], row0[2], row0[3]),
            $chi(row0[2], row0[3], row0[4]),
            $chi(row0[3], row0[4], row0[0]),
            $chi(row0[4], row0[0], row0[1]),
            $chi(row1[0], row1[1], row1[2]),
            $chi(row1[1], row1[2], row1[3]),
            $chi(row1[2], row1[3], row1[4]),
            $chi(row1[3], row1[4], row1[0]),
            $chi(row1[4], row1[0], row1[1]),
            $chi(row2[0], row2[1], row2[2]),
            $chi(row2[1], row2[2], row2[3]),
            $chi(row2[2], row2[3], row2[4]),
            $chi(row2[3], row2[4], row2[0]),
            $chi(row2[4], row2[0], row2[1]),
            $chi(row3[0], row3[1], row3[2]),
            $chi(row3[1], row3[2], row3[3]),
            $chi(row3[2], row3[3], row3[4]),
            $chi(row3[3], row3[4], row3[0]),
            $chi(row3[4], row3[0], row3[1]),
            $chi(row4[0], row4[1], row4[2]),
            $chi(row4[1], row4[2], row4[3]),
            $chi(row4[2], row4[3], row4[4]),
            $chi(row4[3], row4[4], row4[0]),
            $chi(row4[4], row4[0], row4[1]),
        ]
    }};
}
pub(super) use round;

/// Hashes one message of at most 64 bytes. `ninth` is the word behind them: 1, the padding, when all 64 are message.
pub(super) fn hash(block: &Pair, ninth: u64) -> Hash {
    let mut a = [0; 25];
    for (word, bytes) in a.iter_mut().zip(block.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    a[8] = ninth;
    a[16] = LAST_WORD;
    for constant in ROUND_CONSTANTS {
        a = round!(a, constant, xor, xor3, rol, chi);
    }
    let mut hash = [0; HASH_LEN];
    for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(a) {
        *bytes = word.to_le_bytes();
    }
    hash
}

#[inline]
fn xor(a: u64, b: u64) -> u64 {
    a ^ b
}

#[inline]
fn xor3(a: u64, b: u64, c: u64) -> u64 {
    a ^ b ^ c
}

#[inline]
fn rol<const BITS: u32>(a: u64) -> u64 {
    a.rotate_left(BITS)
}

#[inline]
fn chi(a: u64, b: u64, c: u64) -> u64 {
    a ^ (!b & c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha3::{Digest, Keccak256};

    proptest! {
        #[test]
        fn it_is_keccak_256(full in any::<[[u8; 32]; 2]>(), short in any::<[u8; 32]>(), len in 0..64_usize) {
            let block: Pair = full.as_flattened().try_into().unwrap();
            prop_assert_eq!(hash(&block, 1), <[u8; 32]>::from(Keccak256::digest(block)));

            let mut padded = [0; 64];
            let message = [short, short].concat();
            padded[..len].copy_from_slice(&message[..len]);
            padded[len] = 1;
            prop_assert_eq!(hash(&padded, 0), <[u8; 32]>::from(Keccak256::digest(&message[..len])));
        }
    }
}
