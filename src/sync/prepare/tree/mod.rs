//! The tree over the pages of one file: what changed is sealed anew, and the path above it; the rest stays.

mod page_run;

use std::ops::Range;

use crate::crypto::Secret;
use crate::crypto::keys::ConvKey;
use crate::crypto::publish::Reference;
use crate::format::published::{
    Contents, Page as PlainPage, Place, Shape, TreeNode, complement_sum, members, parity_len,
};
use crate::sync::error::SyncError;
use crate::sync::prepare::Preparation;
use crate::sync::prepare::pages::Pages;
use crate::types::Ino;
use crate::types::limits::{PAGE, TREE_LEVEL_MAX};

/// What was published before of the same file, or of the one whose lineage it continues.
pub(super) struct Old {
    /// Whose rows hold its nodes.
    pub(super) ino: Ino,
    pub(super) shape: Shape,
    pub(super) children: Vec<Option<Reference>>,
    pub(super) parity: Vec<Option<Reference>>,
}

/// The tree of what.
pub(super) struct Whose {
    pub(super) ino: Ino,
    /// The inode that it goes on from.
    pub(super) lineage: Option<Ino>,
    /// It is the tree of the inode that holds the attributes.
    pub(super) of_attributes: bool,
    /// Its pages are sealed anew, whatever was published.
    pub(super) anew: bool,
}

/// A child that is settled: its reference, and its plain page if it is at hand.
struct Child {
    reference: Reference,
    plain: Option<Secret<PAGE>>,
}

/// Children and parity of an old node.
type Slots = (Vec<Option<Reference>>, Vec<Option<Reference>>);

/// Builds one tree.
pub(super) struct Tree<'t, 'p> {
    prepare: &'t mut Preparation<'p>,
    of: Whose,
    ino: Ino,
    conv: &'t ConvKey,
    shape: Shape,
    old: Option<Old>,
    pages: &'t dyn Pages,
    /// Old nodes by level, the last one looked at.
    seen: Vec<Option<(u64, TreeNode)>>,
}

impl<'t, 'p> Tree<'t, 'p> {
    pub(super) fn new(
        prepare: &'t mut Preparation<'p>,
        (of, conv): (Whose, &'t ConvKey),
        shape: Shape,
        old: Option<Old>,
        pages: &'t dyn Pages,
    ) -> Self {
        let levels = usize::from(TREE_LEVEL_MAX).saturating_add(1);
        Self {
            prepare,
            ino: of.ino,
            of,
            conv,
            shape,
            old,
            pages,
            seen: (0..levels).map(|_| None).collect(),
        }
    }

    /// Settles every page and node; gives what the inode says of them.
    pub(super) fn build(mut self) -> Result<Contents, SyncError> {
        let level = self.shape.level();
        let old = self.old.as_ref().filter(|old| old.shape.level() == level);
        let old = old.map(|old| (old.children.clone(), old.parity.clone()));
        let mut children = self.children(level, 0..self.shape.children())?;
        let place = self.place(Place::INODE);
        let parity = self.parity(place, (level, 0), &mut children, old.as_ref())?;
        Ok(Contents::Tree {
            shape: self.shape,
            children: references(&children),
            parity,
        })
    }

    /// The places of nodes `numbers` of `level`, all children of one parent.
    fn children(
        &mut self,
        level: u8,
        numbers: Range<u64>,
    ) -> Result<Vec<Option<Child>>, SyncError> {
        if level == 0 {
            return self.page_run(numbers);
        }
        numbers.map(|number| self.node(level, number)).collect()
    }

    fn node(&mut self, level: u8, number: u64) -> Result<Option<Child>, SyncError> {
        let span = self.shape.span(level);
        let (first, covered) = self.shape.covered(level, number * span);
        let old = or_none(self.old_reference(level, number))?;
        let moved = self.old.as_ref().is_none_or(|old| {
            old.shape.level() < level || old.shape.covered(level, first) != (first, covered)
        });
        if !moved && !self.differs(&(first..first + covered)) {
            return Ok(old.map(|reference| Child {
                reference,
                plain: None,
            }));
        }
        let place = self.place(Place::node(level, number));
        if old.is_none() && self.pages.are_holes(&(first..first + covered))? {
            return Ok(None);
        }
        let before = if old.is_some() && !moved {
            let node = or_none(self.old_node(level, number))?;
            node.map(|node| (node.children.clone(), node.parity.clone()))
        } else {
            None
        };
        let below = number * (span / self.shape.span(level - 1));
        let fan = self.shape.fan(level, first);
        let mut children = self.children(level - 1, below..below + fan)?;
        let parity = self.parity(place, (level - 1, below), &mut children, before.as_ref())?;
        let node = TreeNode {
            level,
            pages: covered,
            group: self.shape.rate().group(level - 1),
            children: references(&children),
            parity,
        };
        if node.children.iter().all(Option::is_none) {
            self.prepare.drop_place(self.ino, place);
            self.prepare.flush_if_large()?;
            return Ok(None);
        }
        let plain = node.encode()?;
        let reference = self.settle(place, &plain)?;
        self.prepare.flush_if_large()?;
        let plain = Some(plain);
        Ok(Some(Child { reference, plain }))
    }

    /// Parity of the children of what stands at `place`, the first of them being number `first` of its level.
    fn parity(
        &mut self,
        place: Place,
        (level, first): (u8, u64),
        children: &mut [Option<Child>],
        old: Option<&Slots>,
    ) -> Result<Vec<Option<Reference>>, SyncError> {
        let group = self.shape.rate().group(level);
        let found = references(children);
        let mut parity = Vec::new();
        for number in 0..parity_len(children.len(), group) {
            let place = place.parity(u8::try_from(number).unwrap_or(u8::MAX));
            let members = members(found.iter().map(Option::as_ref), group, number);
            let same = old.filter(|_| self.is_own() && !self.prepare.is_sealed_anew(self.ino));
            let same = same.and_then(|old| same_group(&found, old, usize::from(group), number));
            if members.is_empty() {
                self.prepare.drop_place(self.ino, place);
            }
            if members.is_empty() || same.is_some() {
                parity.push(same);
                continue;
            }
            for member in &members {
                let number = first + u64::try_from(*member).unwrap_or(u64::MAX);
                if let Some(Some(child)) = children.get_mut(*member)
                    && child.plain.is_none()
                {
                    child.plain = Some(self.plain(level, number, &child.reference)?);
                }
            }
            let plain = |member: &usize| -> Option<&PlainPage> {
                Some(children.get(*member)?.as_ref()?.plain.as_ref()?.expose())
            };
            let sum = complement_sum(members.iter().filter_map(plain));
            parity.push(Some(self.settle(place, &sum)?));
        }
        Ok(parity)
    }
}

impl Tree<'_, '_> {
    /// Whether it goes on from what this very inode published.
    fn is_own(&self) -> bool {
        self.old.as_ref().is_some_and(|old| old.ino == self.ino)
    }

    fn differs(&self, pages: &Range<u64>) -> bool {
        !self.is_own() || self.prepare.is_sealed_anew(self.ino) || self.pages.differ(pages)
    }

    fn place(&self, place: Place) -> Place {
        if self.of.of_attributes {
            place.of_attributes()
        } else {
            place
        }
    }

    /// The plain page of a node that stays as it is.
    fn plain(
        &self,
        level: u8,
        number: u64,
        reference: &Reference,
    ) -> Result<Secret<PAGE>, SyncError> {
        let place = self.place(Place::node(level, number));
        self.prepare.published(self.ino, place, reference)
    }

    fn settle(&mut self, place: Place, plain: &Secret<PAGE>) -> Result<Reference, SyncError> {
        self.prepare
            .settle((self.ino, place), self.of.lineage, self.conv, plain)
    }

    fn old_reference(&mut self, level: u8, number: u64) -> Result<Option<Reference>, SyncError> {
        let Some(old) = &self.old else {
            return Ok(None);
        };
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if old.shape.level() < level {
            return Ok(None);
        }
        if old.shape.level() == level {
            return Ok(old.children.get(at).cloned().flatten());
        }
        let first = number.saturating_mul(old.shape.span(level));
        if first >= old.shape.pages() {
            return Ok(None);
        }
        let slot = old.shape.slot(level, first);
        let parent = first / old.shape.span(level + 1);
        let node = self.old_node(level + 1, parent)?;
        Ok(node.and_then(|node| node.children.get(slot).cloned().flatten()))
    }

    /// An old node; when it is lost, what an earlier try at this publication made of it: it refers to all pages that
    /// did not change.
    fn old_plain(
        &self,
        ino: Ino,
        place: Place,
        reference: &Reference,
    ) -> Result<Secret<PAGE>, SyncError> {
        match self.prepare.published(ino, place, reference) {
            Err(error) if error.is_loss() && self.prepare.trusted == Some(ino) => {
                let kept = self.prepare.kept.get(ino, place)?;
                kept.map(|(_, plain)| plain).ok_or(error)
            }
            other => other,
        }
    }

    fn old_node(&mut self, level: u8, number: u64) -> Result<Option<&TreeNode>, SyncError> {
        let at = usize::from(level);
        let known = self.seen.get(at).and_then(Option::as_ref);
        if known.is_none_or(|(seen, _)| *seen != number) {
            let (Some(reference), Some(old)) = (self.old_reference(level, number)?, &self.old)
            else {
                return Ok(None);
            };
            let place = self.place(Place::node(level, number));
            let plain = self.old_plain(old.ino, place, &reference)?;
            let node = TreeNode::decode(plain.expose());
            let node = node.map_err(|_| SyncError::corrupt(self.ino, &reference))?;
            if let Some(seen) = self.seen.get_mut(at) {
                *seen = Some((number, node));
            }
        }
        let known = self.seen.get(at).and_then(Option::as_ref);
        Ok(known.map(|(_, node)| node))
    }
}

/// What is lost is as good as never published, for who has all that is to be published.
fn or_none<T>(found: Result<Option<T>, SyncError>) -> Result<Option<T>, SyncError> {
    match found {
        Err(error) if error.is_loss() => Ok(None),
        other => other,
    }
}

fn references(children: &[Option<Child>]) -> Vec<Option<Reference>> {
    let reference = |child: &Option<Child>| child.as_ref().map(|child| child.reference.clone());
    children.iter().map(reference).collect()
}

/// The old parity of a group that has the same children as before.
fn same_group(
    children: &[Option<Reference>],
    (old, parity): &Slots,
    group: usize,
    number: usize,
) -> Option<Reference> {
    let now = children.chunks(group).nth(number)?;
    let before = old.chunks(group).nth(number)?;
    let parity = parity.get(number)?.clone();
    parity.filter(|_| now == before)
}
