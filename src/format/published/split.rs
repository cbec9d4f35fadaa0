//! Where the nodes of a directory begin.
//!
//! What a node holds depends on the names alone, not on the order in which they came: the same directory gives the
//! same nodes after a crash, on another machine, and after names that came and went. And one new name rewrites one
//! leaf and its path, for a node's end depends only on what is in it and on what comes next: a node ends after a name
//! whose hash says so, once it is half full, or when it is full. A borrowed boundary moves on by a node or two
//! until both ways meet at such a name.

use crate::crypto::publish::REFERENCE_LEN;
use crate::format::published::parity::parity_len;
use crate::types::limits::PAGE;
use std::ops::Range;

/// Bytes of the header of a node.
const HEADER: usize = 16;
/// From here on a node ends after any name that may be a last one.
const HALF: usize = PAGE / 2;
/// One name of so many may be a last one.
const LAST_OF: u8 = 8;

/// What a node of a directory is filled with. Names are secrets: no `Debug`.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Its name, or the first name below it.
    pub name: &'a [u8],
    /// Bytes that it takes.
    pub bytes: usize,
    /// References in it that count for parity.
    pub references: usize,
}

/// Tells of one item after the other, in order, whether it begins a node.
///
/// To change a directory, begin anew at the first item of the node before the changed one and go on until an item
/// behind the change begins a node where one began before: from there on the nodes are the old ones.
#[derive(Clone, Copy, Debug)]
pub struct Splitter {
    level: u8,
    group: u8,
    bytes: usize,
    references: usize,
    ended: bool,
}

impl Splitter {
    /// For the nodes of `level` (0: leaves) whose children share parity in groups of `group`.
    pub const fn new(level: u8, group: u8) -> Self {
        Self {
            level,
            group,
            bytes: 0,
            references: 0,
            ended: true,
        }
    }

    /// Takes the next item.
    pub fn begins(&mut self, item: Item<'_>) -> bool {
        let begins = self.ended || self.filled(item.bytes, item.references) > PAGE;
        if begins {
            (self.bytes, self.references) = (0, 0);
        }
        self.bytes = self.bytes.saturating_add(item.bytes);
        self.references = self.references.saturating_add(item.references);
        self.ended = self.filled(0, 0) >= HALF && may_be_last(self.level, item.name);
        begins
    }

    /// Bytes of the node with so many more.
    fn filled(&self, bytes: usize, references: usize) -> usize {
        let references = self.references.saturating_add(references);
        let parity = parity_len(references, self.group).saturating_mul(REFERENCE_LEN);
        let items = self.bytes.saturating_add(bytes);
        HEADER.saturating_add(items).saturating_add(parity)
    }
}

/// Cuts `items`, which are in order, into nodes of `level`.
pub fn split<'a>(
    items: impl IntoIterator<Item = Item<'a>>,
    level: u8,
    group: u8,
) -> Vec<Range<usize>> {
    let mut splitter = Splitter::new(level, group);
    let (mut nodes, mut end) = (Vec::new(), 0_usize);
    let mut first = 0;
    for item in items {
        if splitter.begins(item) && end > first {
            nodes.push(first..end);
            first = end;
        }
        end = end.saturating_add(1);
    }
    if end > first {
        nodes.push(first..end);
    }
    nodes
}

/// The hash that decides is keyless: it guards nothing. Names that were chosen to hit or to miss it make leaves half
/// full, or boundaries that move further.
fn may_be_last(level: u8, name: &[u8]) -> bool {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[level]).update(name);
    let [first, ..] = *hasher.finalize().as_bytes();
    first.is_multiple_of(LAST_OF)
}
