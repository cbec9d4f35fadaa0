use crate::format::wire::{Malformed, Reader};
use crate::types::limits::XATTR_VALUE_MAX;

/// One extended attribute. Names and values are secrets: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Xattr {
    /// Full name, `user.` included; 1 to 255 bytes.
    pub name: Box<[u8]>,
    /// Value, at most 64 KiB.
    pub value: Box<[u8]>,
}

/// Value of an `X` row: all attributes of the inode whose names share the 63-bit hash; nearly always one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Xattrs(pub Vec<Xattr>);

impl Xattrs {
    /// The attribute of that name.
    pub fn find(&self, name: &[u8]) -> Option<&Xattr> {
        self.0.iter().find(|xattr| *xattr.name == *name)
    }

    /// Bytes of the row: per attribute `length u8, name, length u32, value`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        for xattr in &self.0 {
            out.push(u8::try_from(xattr.name.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(&xattr.name);
            crate::format::wire::put_long(&mut out, &xattr.value);
        }
        out
    }

    /// Reads a row; a row has at least one attribute.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "xattr row");
        let mut xattrs = Vec::with_capacity(1);
        while !reader.is_empty() {
            let len = usize::from(reader.u8()?);
            let name: Box<[u8]> = reader.bytes(len)?.into();
            let value: Box<[u8]> = reader.long()?.into();
            if name.is_empty() || name.contains(&0) || value.len() > XATTR_VALUE_MAX {
                return Err(reader.malformed());
            }
            xattrs.push(Xattr { name, value });
        }
        if xattrs.is_empty() {
            Err(reader.malformed())
        } else {
            Ok(Self(xattrs))
        }
    }
}
