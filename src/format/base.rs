//! What a change of something shared was made from, as the one who changes it saw it.

use crate::crypto::derive::enc;
use crate::crypto::domain::ad;
use crate::crypto::publish::{HOLE, Reference};
use crate::format::wire::{Malformed, Reader};

const WHAT: &str = "base";
const VERSION: u8 = 1;
const FILE: u8 = 1;
const LINK: u8 = 2;

/// A version of a file or of a symlink. It opens nothing: of what opens the version, it has a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// `BLAKE3(enc("podfs/1/base", reference or hole))` of a file.
    File([u8; 32]),
    /// The same of the target of a symlink.
    Link([u8; 32]),
}

impl Base {
    /// Bytes of each.
    pub const LEN: usize = 34;

    /// The version of a file whose published inode this refers to; nothing when its entry says it all.
    pub fn of_file(contents: Option<&Reference>) -> Self {
        Self::File(contents.map_or_else(
            || hash(&HOLE),
            |contents| hash(contents.to_bytes().as_slice()),
        ))
    }

    /// A symlink with this target.
    pub fn of_link(target: &[u8]) -> Self {
        Self::Link(hash(target))
    }

    /// `version u8, kind u8, hash 32`.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, hash) = match self {
            Self::File(hash) => (FILE, hash),
            Self::Link(hash) => (LINK, hash),
        };
        [&[VERSION, kind], hash.as_slice()].concat()
    }

    /// Reads one.
    ///
    /// # Errors
    /// Anything that [`Base::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let ([version, kind], hash) = (reader.array()?, reader.array()?);
        let base = match (version, kind) {
            (VERSION, FILE) => Self::File(hash),
            (VERSION, LINK) => Self::Link(hash),
            _ => return Err(reader.malformed()),
        };
        reader.end()?;
        Ok(base)
    }
}

fn hash(version: &[u8]) -> [u8; 32] {
    *blake3::hash(&enc(&[ad::BASE, version])).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_a_base_of_its_own() {
        let reference = |byte| Reference::from_bytes(&[byte; 80]);
        let bases = [
            Base::of_file(None),
            Base::of_file(reference(1).as_ref()),
            Base::of_file(reference(2).as_ref()),
            Base::of_link(&[1; 80]),
            Base::of_link(b"a"),
        ];
        for (at, base) in bases.iter().enumerate() {
            assert_eq!(base.encode().len(), Base::LEN);
            assert_eq!(Base::decode(&base.encode()), Ok(*base));
            assert!(bases.iter().skip(at + 1).all(|other| other != base));
        }
        assert_eq!(Base::of_file(reference(0).as_ref()), bases[0]);
    }
}
