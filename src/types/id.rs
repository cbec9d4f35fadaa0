/// Inode number: device 16 bits ‖ counter 48 bits. It is the FUSE node id too, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

/// The root directory: device 0, counter 1, as FUSE demands.
pub const ROOT: Ino = Ino(1);

/// In place of a device, in the numbers of inodes that others share with the owner of the pod: rows of this machine,
/// which are never published. No device has it.
pub const RECEIVED: u16 = u16::MAX;

/// The directory of what others share; it stands in the root directory, though no row says so.
pub const SHARED: Ino = Ino::new(RECEIVED, 1);

/// The directory of what others added to what the owner shares. No path leads to it.
pub const ADDED: Ino = Ino::new(RECEIVED, 0);

/// The directory of what podfs tells programs. No row has this number or one behind it.
pub const TOLD: Ino = Ino::new(RECEIVED, 1 << 47);

impl Ino {
    /// Bits of the counter; the device number stands above them.
    pub const COUNTER_BITS: u32 = 48;

    /// The last number that something of the owner's can have: behind it is what others share.
    pub const LAST_OWN: Self = Self((RECEIVED as u64) << Self::COUNTER_BITS);

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

    /// Whether it is something that podfs tells programs.
    pub const fn is_told(self) -> bool {
        self.0 >= TOLD.0
    }

    /// Whether it is something that another person shares, or that podfs tells: not the owner's to change.
    pub const fn is_received(self) -> bool {
        self.device() == RECEIVED as u64
    }
}

impl std::fmt::Display for Ino {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a chunk stands in Swarm: the hash of its bytes, or of an identifier and an owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 32]);

/// A text that is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address is 64 hexadecimal digits")]
pub struct AddressError;

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = [0; 64];
        for (digits, byte) in text.as_chunks_mut().0.iter_mut().zip(self.0) {
            *digits = [byte >> 4, byte & 15].map(|digit| match digit {
                0..=9 => b'0' + digit,
                _ => b'a' - 10 + digit,
            });
        }
        f.write_str(str::from_utf8(&text).map_err(|_| std::fmt::Error)?)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({self})")
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    /// 64 hexadecimal digits, small or capital.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut address = [0; 32];
        if pairs.len() != address.len() || !rest.is_empty() {
            return Err(AddressError);
        }
        for (byte, pair) in address.iter_mut().zip(pairs) {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            *byte = high
                .zip(low)
                .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
                .ok_or(AddressError)?;
        }
        Ok(Self(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_64_hexadecimal_digits() {
        let text = "00ff10a0".repeat(8);
        let address: Address = text.parse().unwrap();
        assert_eq!(address.0[..4], [0x00, 0xff, 0x10, 0xa0]);
        assert_eq!(address.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(address));
        assert_eq!(format!("{address:?}"), format!("Address({text})"));
        let with = |beginning: &str| text.replacen("00", beginning, 1);
        for wrong in ["", "0", "000", "0x", "+1", " 0", "é"].map(with) {
            assert_eq!(wrong.parse::<Address>(), Err(AddressError), "{wrong}");
        }
    }
}
