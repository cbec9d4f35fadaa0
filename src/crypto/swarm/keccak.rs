//! Legacy Keccak-256 (padding byte `01`, not SHA-3's `06`) of messages that fit into one block: one at a time, and
//! the round from which the lanes are made.

use sha3::{Digest, Keccak256};

/// Bytes of a hash, and of a segment of the tree.
pub(super) const HASH_LEN: usize = 32;
/// Result of the hash.
pub(super) type Hash = [u8; HASH_LEN];
/// Two segments side by side, or a shorter message with the beginning of its padding.
pub(super) type Block = [u8; 64];

/// What the messages in some blocks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// All 64 bytes; the padding begins behind them.
    Pair,
    /// [`HEADED_LEN`] bytes, then `01`, the beginning of the padding, then zeros.
    Headed,
}

/// Bytes of a span and a root.
pub(super) const HEADED_LEN: usize = 40;

impl Message {
    /// The word behind the 64 bytes.
    pub(super) const fn ninth_word(self) -> u64 {
        match self {
            Self::Pair => 1,
            Self::Headed => 0,
        }
    }
}

/// Hashes one message. Our own round gives only a twentieth more than this when it runs alone.
pub(super) fn hash(block: &Block, message: Message) -> Hash {
    let (headed, _) = block.split_at(HEADED_LEN);
    let bytes = match message {
        Message::Pair => block.as_slice(),
        Message::Headed => headed,
    };
    Keccak256::digest(bytes).into()
}

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

/// The 17th word ends the padding, and with it the block of 136 bytes.
pub(super) const LAST_WORD: u64 = 0x8000_0000_0000_0000;

/// The parities of the five columns of a state, which the first round begins with.
macro_rules! parities {
    ($a:ident, $xor3:ident) => {
        [
            $xor3($xor3($a[0], $a[5], $a[10]), $a[15], $a[20]),
            $xor3($xor3($a[1], $a[6], $a[11]), $a[16], $a[21]),
            $xor3($xor3($a[2], $a[7], $a[12]), $a[17], $a[22]),
            $xor3($xor3($a[3], $a[8], $a[13]), $a[18], $a[23]),
            $xor3($xor3($a[4], $a[9], $a[14]), $a[19], $a[24]),
        ]
    };
}
pub(super) use parities;

/// One round of Keccak-f[1600] over the state `$a` and the parities `$c` of its columns; gives both anew.
///
/// `$xor` adds two words, `$rol` rotates each 64-bit lane left by a constant, `$chi` is `a ^ (!b & c)`. Rows are
/// finished one after the other, each from five words that nothing else needs any more, and are added to the parities
/// while they are at hand: beside the state only θ's five words, the parities and the row are alive at a time.
macro_rules! round {
    ($a:ident, $c:ident, $constant:expr, $xor:ident, $rol:ident, $chi:ident) => {{
        let d = [
            $xor($c[4], $rol::<1>($c[1])),
            $xor($c[0], $rol::<1>($c[2])),
            $xor($c[1], $rol::<1>($c[3])),
            $xor($c[2], $rol::<1>($c[4])),
            $xor($c[3], $rol::<1>($c[0])),
        ];
        let b = [
            $xor($a[0], d[0]),
            $rol::<44>($xor($a[6], d[1])),
            $rol::<43>($xor($a[12], d[2])),
            $rol::<21>($xor($a[18], d[3])),
            $rol::<14>($xor($a[24], d[4])),
        ];
        let row0 = [
            $xor($chi(b[0], b[1], b[2]), $constant),
            $chi(b[1], b[2], b[3]),
            $chi(b[2], b[3], b[4]),
            $chi(b[3], b[4], b[0]),
            $chi(b[4], b[0], b[1]),
        ];
        let b = [
            $rol::<28>($xor($a[3], d[3])),
            $rol::<20>($xor($a[9], d[4])),
            $rol::<3>($xor($a[10], d[0])),
            $rol::<45>($xor($a[16], d[1])),
            $rol::<61>($xor($a[22], d[2])),
        ];
        let row1 = [
            $chi(b[0], b[1], b[2]),
            $chi(b[1], b[2], b[3]),
            $chi(b[2], b[3], b[4]),
            $chi(b[3], b[4], b[0]),
            $chi(b[4], b[0], b[1]),
        ];
        let c = [
            $xor(row0[0], row1[0]),
            $xor(row0[1], row1[1]),
            $xor(row0[2], row1[2]),
            $xor(row0[3], row1[3]),
            $xor(row0[4], row1[4]),
        ];
        let b = [
            $rol::<1>($xor($a[1], d[1])),
            $rol::<6>($xor($a[7], d[2])),
            $rol::<25>($xor($a[13], d[3])),
            $rol::<8>($xor($a[19], d[4])),
            $rol::<18>($xor($a[20], d[0])),
        ];
        let row2 = [
            $chi(b[0], b[1], b[2]),
            $chi(b[1], b[2], b[3]),
            $chi(b[2], b[3], b[4]),
            $chi(b[3], b[4], b[0]),
            $chi(b[4], b[0], b[1]),
        ];
        let c = [
            $xor(c[0], row2[0]),
            $xor(c[1], row2[1]),
            $xor(c[2], row2[2]),
            $xor(c[3], row2[3]),
            $xor(c[4], row2[4]),
        ];
        let b = [
            $rol::<27>($xor($a[4], d[4])),
            $rol::<36>($xor($a[5], d[0])),
            $rol::<10>($xor($a[11], d[1])),
            $rol::<15>($xor($a[17], d[2])),
            $rol::<56>($xor($a[23], d[3])),
        ];
        let row3 = [
            $chi(b[0], b[1], b[2]),
            $chi(b[1], b[2], b[3]),
            $chi(b[2], b[3], b[4]),
            $chi(b[3], b[4], b[0]),
            $chi(b[4], b[0], b[1]),
        ];
        let c = [
            $xor(c[0], row3[0]),
            $xor(c[1], row3[1]),
            $xor(c[2], row3[2]),
            $xor(c[3], row3[3]),
            $xor(c[4], row3[4]),
        ];
        let b = [
            $rol::<62>($xor($a[2], d[2])),
            $rol::<55>($xor($a[8], d[3])),
            $rol::<39>($xor($a[14], d[4])),
            $rol::<41>($xor($a[15], d[0])),
            $rol::<2>($xor($a[21], d[1])),
        ];
        let row4 = [
            $chi(b[0], b[1], b[2]),
            $chi(b[1], b[2], b[3]),
            $chi(b[2], b[3], b[4]),
            $chi(b[3], b[4], b[0]),
            $chi(b[4], b[0], b[1]),
        ];
        let c = [
            $xor(c[0], row4[0]),
            $xor(c[1], row4[1]),
            $xor(c[2], row4[2]),
            $xor(c[3], row4[3]),
            $xor(c[4], row4[4]),
        ];
        let a = [
            row0[0], row0[1], row0[2], row0[3], row0[4], row1[0], row1[1], row1[2], row1[3],
            row1[4], row2[0], row2[1], row2[2], row2[3], row2[4], row3[0], row3[1], row3[2],
            row3[3], row3[4], row4[0], row4[1], row4[2], row4[3], row4[4],
        ];
        (a, c)
    }};
}
pub(super) use round;
