//! What a reader finds, and what belongs together.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use podfs::crypto::publish::Reference;
use podfs::format::published::{Attributes, Head};
use podfs::types::{Address, Ino};

/// Something that is not there, not even by parity; never a panic over what is there.
pub type Lost = &'static str;

/// The children of something and their parity.
#[derive(Default)]
pub struct Family {
    pub children: Vec<Option<Reference>>,
    pub group: u8,
    pub parity: Vec<Option<Reference>>,
}

impl Family {
    pub fn new<'a>(
        children: impl Iterator<Item = &'a Reference>,
        group: u8,
        parity: &[Reference],
    ) -> Rc<Self> {
        Rc::new(Self {
            children: children.cloned().map(Some).collect(),
            group,
            parity: parity.iter().cloned().map(Some).collect(),
        })
    }

    /// A reference that is alone with its parity.
    pub fn alone(child: &Reference, parity: Option<&Reference>) -> Rc<Self> {
        Rc::new(Self {
            children: vec![Some(child.clone())],
            group: u8::from(parity.is_some()),
            parity: parity.cloned().map(Some).into_iter().collect(),
        })
    }
}

pub type Names = BTreeMap<Vec<u8>, (Attributes, Rc<Family>)>;

/// A published pod that was read whole.
pub struct Whole {
    pub listing: String,
    /// Every name and what its entry says.
    pub entries: BTreeMap<Vec<u8>, Attributes>,
    pub head: Head,
    /// All chunks that its newest state consists of, but for the head.
    pub chunks: BTreeMap<Address, Seen>,
}

/// A chunk that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The inodes that it belongs to.
    pub of: BTreeSet<Ino>,
    /// The first two bytes, of a node.
    pub begin: [u8; 2],
}
