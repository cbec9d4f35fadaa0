//! Chance that can be repeated: `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).

/// A stream of numbers that its seed alone decides.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// A seed of the machine, or `PODFS_SEED`; printed, so that a failure can be repeated.
    pub fn new(test: &str) -> Self {
        let asked = std::env::var("PODFS_SEED")
            .ok()
            .and_then(|value| value.parse().ok());
        let seed = asked.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).unwrap();
            u64::from_le_bytes(bytes)
        });
        println!("{test}: PODFS_SEED={seed}");
        Self(seed)
    }

    /// A stream of a known seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A place in a list of `len` things.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}
