use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::header::{self, Header, Kind};
use crate::format::published::parity::{children_max, fits, parity_len};
use crate::format::published::reference::{put_slot, take_slots};
use crate::format::wire::Malformed;
use crate::types::limits::{NODE_REFERENCES, PAGE, TREE_LEVEL_MAX};

/// A node of the tree over the pages of a file. It does not say where in the file it stands: equal parts are one node.
#[derive(Clone, PartialEq, Eq)]
pub struct TreeNode {
    /// 1: the children are pages; else nodes of the level below.
    pub level: u8,
    /// Pages covered, holes included.
    pub pages: u64,
    /// Children that share one parity reference; 0: there is none.
    pub group: u8,
    /// The children in their order, holes included; not all are holes, for then the node is one.
    pub children: Vec<Option<Reference>>,
    /// One for each group; a hole when all of the group are holes.
    pub parity: Vec<Option<Reference>>,
}

impl TreeNode {
    /// Header (count: children, value: pages), children, parity, zeros.
    ///
    /// # Errors
    /// When the fields contradict each other, so that no reader would take the node.
    pub fn encode(&self) -> Result<Secret<PAGE>, Malformed> {
        self.check()?;
        let header = Header {
            level: self.level,
            group: self.group,
            count: u16::try_from(self.children.len()).unwrap_or(u16::MAX),
            length: 0,
            value: self.pages,
        };
        let mut out = header.begin(Kind::Tree);
        for slot in self.children.iter().chain(&self.parity) {
            put_slot(&mut out, slot.as_ref());
        }
        header::finish(out, Kind::Tree.name())
    }

    /// Reads a node.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (header, mut reader) = Header::open(bytes, Kind::Tree)?;
        let count = usize::from(header.count);
        if count > NODE_REFERENCES || header.length != 0 {
            return Err(reader.malformed());
        }
        let node = Self {
            level: header.level,
            pages: header.value,
            group: header.group,
            children: take_slots(&mut reader, count)?,
            parity: take_slots(&mut reader, parity_len(count, header.group))?,
        };
        header::zeros(reader)?;
        node.check()?;
        Ok(node)
    }

    /// What each node must fulfil for itself; whether it covers the pages that its place asks for, `Shape` tells.
    fn check(&self) -> Result<(), Malformed> {
        let count = self.children.len();
        let pages_fit = match usize::try_from(self.pages) {
            Ok(pages) if self.level == 1 => pages == count,
            Ok(pages) => pages >= count,
            Err(_) => self.level > 1,
        };
        let good = (1..=TREE_LEVEL_MAX).contains(&self.level)
            && pages_fit
            && count <= children_max(NODE_REFERENCES, self.group)
            && self.children.iter().any(Option::is_some)
            && fits(&self.children, self.group, &self.parity);
        if good {
            Ok(())
        } else {
            Err(Malformed(Kind::Tree.name()))
        }
    }
}
