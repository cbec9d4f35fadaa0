//! Places in the tree of what is published of one inode: what a page, node or parity page is known by on this machine.

use crate::format::published::{Rate, Shape};
use crate::types::limits::{BUCKET_PAGES, TREE_LEVEL_MAX};

/// Bits of the number.
const NUMBER_BITS: u32 = 56;
/// Bits of a number that tell groups of parity apart: no node has more groups than references.
const GROUP_BITS: u32 = 6;
/// Level of an inode, above all levels of trees.
const INODE: u8 = 31;
/// Level of what stands in a head and not in a node.
const HEAD: u8 = 30;
const LEVEL: u8 = (1 << 5) - 1;
const PARITY: u8 = 1 << 5;
const DIRECTORY: u8 = 1 << 6;
const ATTRIBUTES: u8 = 1 << 7;

/// A place: level and kind in the upper byte, number in the others. The order of places has no meaning.
///
/// A node of a file is numbered by the pages before it, so that it keeps its place when the file grows. A node of a
/// directory is numbered by its first name, so that it keeps its place when names come and go before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u64);

/// A place taken apart, but for whether it is one of names or of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The level; none for an inode, and for the root of a tree of names.
    pub level: Option<u8>,
    /// The number in this level.
    pub number: u64,
    /// The group, when it is parity of what stands there.
    pub group: Option<u8>,
}

impl Place {
    /// The inode itself.
    pub const INODE: Self = Self::at(INODE, 0);

    /// The root of the tree of names of a directory, whatever its level.
    pub const NAMES: Self = Self::at(DIRECTORY | INODE, 0);

    /// Page `page` of the file.
    pub const fn page(page: u64) -> Self {
        Self::at(0, page)
    }

    /// Node `number` of `level`, the first being 0; at level 0 a page.
    pub const fn node(level: u8, number: u64) -> Self {
        Self::at(level, number)
    }

    /// Node of `level` (0: a leaf) of a directory below the root, by the first name below it.
    pub fn names(level: u8, first: &[u8]) -> Self {
        let hash = blake3::hash(first);
        let hash = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        let number = u64::from_le_bytes(hash) >> (64 - NUMBER_BITS);
        Self::at(DIRECTORY | level, number & !((1 << GROUP_BITS) - 1))
    }

    /// The place to take when another node of the same directory has this one: hashes of names may be equal.
    #[must_use]
    pub const fn beside(self) -> Self {
        Self::at(self.kind(), self.number().wrapping_add(1 << GROUP_BITS))
    }

    /// Parity of group `group` of what stands at this place.
    #[must_use]
    pub const fn parity(self, group: u8) -> Self {
        let kind = self.kind();
        let number = if kind & DIRECTORY == 0 {
            self.number() << GROUP_BITS
        } else {
            self.number()
        };
        #[expect(clippy::as_conversions, reason = "u8 to u64; From is not const")]
        Self::at(kind | PARITY, number | group as u64)
    }

    /// The only parity of the node that holds the attributes of this inode.
    pub const fn parity_of_attributes() -> Self {
        Self::INODE.parity((1 << GROUP_BITS) - 1)
    }

    /// Parity of group `group` of the changes in the head.
    pub const fn parity_of_changes(group: u8) -> Self {
        Self::at(HEAD, 0).parity(group)
    }

    /// Parity of the root of the top directory's tree of names.
    pub const fn parity_of_root() -> Self {
        Self::at(HEAD, 1).parity(0)
    }

    /// What it is made of.
    pub fn parts(self) -> Parts {
        let (kind, number) = (self.kind(), self.number());
        let within = number & ((1 << GROUP_BITS) - 1);
        let group = (kind & PARITY != 0).then(|| u8::try_from(within).unwrap_or(u8::MAX));
        let number = match (group, self.is_of_names()) {
            (Some(_), true) => number.saturating_sub(within),
            (Some(_), false) => number >> GROUP_BITS,
            (None, _) => number,
        };
        let level = kind & LEVEL;
        Parts {
            level: (level != INODE).then_some(level),
            number,
            group,
        }
    }

    /// The same place in the inode that holds the attributes.
    #[must_use]
    pub const fn of_attributes(self) -> Self {
        Self::at(self.kind() | ATTRIBUTES, self.number())
    }

    /// The same place in the inode of the file itself.
    #[must_use]
    pub const fn of_file(self) -> Self {
        Self::at(self.kind() & !ATTRIBUTES, self.number())
    }

    /// Whether it belongs to the tree of names of a directory.
    pub const fn is_of_names(self) -> bool {
        self.kind() & DIRECTORY != 0
    }

    /// Whether it belongs to the inode that holds the attributes, or to its tree.
    pub const fn is_of_attributes(self) -> bool {
        self.kind() & ATTRIBUTES != 0
    }

    /// Whether a head alone refers to it.
    pub const fn is_of_head(self) -> bool {
        self.kind() & LEVEL == HEAD
    }

    /// The page of the file that stands here, if it is one.
    pub const fn as_page(self) -> Option<u64> {
        if self.kind() == 0 {
            Some(self.number())
        } else {
            None
        }
    }

    /// The first page below the node of the lowest level that stands here, with the parity that is the rule; none of
    /// anything else.
    pub fn first_page(self) -> Option<u64> {
        let span = Shape::of(u64::MAX, Rate::DEFAULT)?.span(1);
        (self.kind() == 1).then(|| self.number().saturating_mul(span))
    }

    /// Whether what stands here is sealed as a page and not as a node.
    pub const fn is_sealed_as_page(self) -> bool {
        self.kind() & !ATTRIBUTES == 0
    }

    /// Whether it is a page or node of a file that a tree of this shape does not have; without a shape none is had.
    pub fn is_behind(self, shape: Option<Shape>) -> bool {
        let kind = self.kind();
        let level = kind & LEVEL;
        if kind & (DIRECTORY | ATTRIBUTES) != 0 || level > TREE_LEVEL_MAX {
            return false;
        }
        let number = if kind & PARITY == 0 {
            self.number()
        } else {
            self.number() >> GROUP_BITS
        };
        shape.is_none_or(|shape| {
            level > shape.level() || number >= shape.pages().div_ceil(shape.span(level))
        })
    }

    /// Bucket of the row that tells of this place, and the position in it.
    pub fn row(self) -> (u64, u8) {
        let within = self.0 % BUCKET_PLACES;
        (
            self.0 / BUCKET_PLACES,
            u8::try_from(within).unwrap_or(u8::MAX),
        )
    }

    /// The place at `position` of row `bucket`.
    pub fn of_row(bucket: u64, position: u8) -> Self {
        Self(
            bucket
                .wrapping_mul(BUCKET_PLACES)
                .wrapping_add(position.into()),
        )
    }

    const fn at(kind: u8, number: u64) -> Self {
        #[expect(clippy::as_conversions, reason = "u8 to u64; From is not const")]
        let kind = (kind as u64) << NUMBER_BITS;
        Self(kind | number & ((1 << NUMBER_BITS) - 1))
    }

    #[expect(clippy::as_conversions, reason = "the upper byte")]
    const fn kind(self) -> u8 {
        (self.0 >> NUMBER_BITS) as u8
    }

    const fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }
}

/// Places that one row tells of.
#[expect(clippy::as_conversions, reason = "usize to u64; From is not const")]
const BUCKET_PLACES: u64 = BUCKET_PAGES as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_things_have_the_same_place() {
        let node = |level, number| Place::node(level, number);
        let leaf = |name: &[u8]| Place::names(0, name);
        let mut places = vec![
            Place::INODE,
            Place::NAMES,
            Place::NAMES.parity(0),
            Place::page(0),
            Place::page(1),
            Place::parity_of_attributes(),
            Place::parity_of_changes(0),
            Place::parity_of_changes(1),
            Place::parity_of_root(),
            leaf(b"a"),
            leaf(b"b"),
            Place::names(1, b"a"),
            Place::names(1, b"a").parity(0),
        ];
        for level in 1..13 {
            places.extend([0, 1, 64].map(|number| node(level, number)));
            places.extend([0, 1, 63].map(|group| node(level, 1).parity(group)));
        }
        places.extend([0, 1, 50].map(|group| leaf(b"a").parity(group)));
        places.extend([0, 1, 43].map(|group| Place::INODE.parity(group)));
        let attributes: Vec<_> = places
            .iter()
            .filter(|place| !place.is_of_names())
            .map(|place| place.of_attributes())
            .collect();
        places.extend(attributes);
        let different: BTreeSet<_> = places.iter().collect();
        assert_eq!(different.len(), places.len());
        let of_head = places.iter().filter(|place| place.is_of_head());
        assert_eq!(of_head.count(), 2 * 3);
        for place in places {
            assert!(place.is_of_attributes() || place.of_attributes().of_file() == place);
            let (bucket, position) = place.row();
            assert!(position < 32);
            assert_eq!(Place::of_row(bucket, position), place);
        }
        let parts = |level, number, group| Parts {
            level,
            number,
            group,
        };
        assert_eq!(node(3, 77).parts(), parts(Some(3), 77, None));
        let parity = node(3, 77).parity(50).of_attributes();
        assert_eq!(parity.parts(), parts(Some(3), 77, Some(50)));
        assert_eq!(Place::INODE.parity(2).parts(), parts(None, 0, Some(2)));
        assert_eq!(Place::NAMES.parity(2).parts(), parts(None, 0, Some(2)));
        let (of, leaf) = (leaf(b"a").parity(9).parts(), leaf(b"a").parts());
        assert_eq!((of.number, of.group), (leaf.number, Some(9)));
        assert_eq!(Place::page(77).as_page(), Some(77));
        assert_eq!(Place::page(77).of_attributes().as_page(), None);
        assert_eq!(node(1, 77).as_page(), None);
    }
}
