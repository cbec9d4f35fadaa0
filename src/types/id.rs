/// Inode number: device 16 bits ‖ counter 48 bits. It is the FUSE node id too, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

/// The root directory: device 0, counter 1, as FUSE demands.
pub const ROOT: Ino = Ino(1);

impl Ino {
    /// Bits of the counter; the device number stands above them.
    pub const COUNTER_BITS: u32 = 48;

    /// The inode number `counter` of `device`.
    pub const fn new(device: u16, counter: u64) -> Self {
        Self(((device as u64) << Self::COUNTER_BITS) | (counter & ((1 << Self::COUNTER_BITS) - 1)))
    }

    /// The counter within its device.
    pub const fn counter(self) -> u64 {
        self.0 & ((1 << Self::COUNTER_BITS) - 1)
    }

    /// The device that made it.
    pub const fn device(self) -> u64 {
        self.0 >> Self::COUNTER_BITS
    }
}

impl std::fmt::Display for Ino {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
