use crate::format::rows::FileKind;
use crate::format::wire::{Malformed, Reader};
use crate::types::{Ino, Name};

/// One name in a directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Dentry {
    /// What it names.
    pub ino: Ino,
    /// The kind, so that `readdir` needs no inode.
    pub kind: FileKind,
    /// The name.
    pub name: Name,
}

/// Value of a `D` row: all entries of the directory whose names share the 63-bit hash; nearly always one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dentries(pub Vec<Dentry>);

impl Dentries {
    /// The entry of that name.
    pub fn find(&self, name: &Name) -> Option<&Dentry> {
        self.0.iter().find(|entry| entry.name == *name)
    }

    /// Bytes of the row: per entry `ino u64, mode type bits >> 12 u8, length u8, name`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        for entry in &self.0 {
            out.extend_from_slice(&entry.ino.0.to_le_bytes());
            let kind = entry.kind.bits().checked_shr(12).unwrap_or_default();
            out.push(u8::try_from(kind).unwrap_or_default());
            let name = entry.name.as_bytes();
            out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(name);
        }
        out
    }

    /// Reads a row; a row has at least one entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "directory row");
        let mut entries = Vec::with_capacity(1);
        while !reader.is_empty() {
            let ino = Ino(reader.u64()?);
            let bits = u32::from(reader.u8()?).checked_shl(12).unwrap_or_default();
            let kind = FileKind::from_mode(bits).filter(|kind| kind.bits() == bits);
            let kind = kind.ok_or(reader.malformed())?;
            let len = usize::from(reader.u8()?);
            let name = Name::parse(reader.bytes(len)?).map_err(|_| reader.malformed())?;
            entries.push(Dentry { ino, kind, name });
        }
        if entries.is_empty() {
            Err(reader.malformed())
        } else {
            Ok(Self(entries))
        }
    }
}
