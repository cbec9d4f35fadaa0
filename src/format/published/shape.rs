//! The shape of the tree over the pages of a file: it follows from the size alone, so that who changes one page
//! rewrites its path and nothing else, and a reader knows the way before it has seen a node.

use crate::format::published::parity::children_max;
use crate::types::limits::{
    INLINE_MAX, INODE_REFERENCES, NODE_REFERENCES, PAGE_BYTES, TREE_LEVEL_MAX,
};

/// How many children share one parity reference: 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Where the children are pages of files.
    pub pages: u8,
    /// Where they are nodes.
    pub nodes: u8,
}

impl Rate {
    /// A lost page loses a page; a lost node would lose all below it.
    pub const DEFAULT: Self = Self {
        pages: 0,
        nodes: 16,
    };
    /// Of contents that have no tree.
    pub const NONE: Self = Self { pages: 0, nodes: 0 };

    /// The group of children of `level`.
    pub const fn group(self, level: u8) -> u8 {
        if level == 0 { self.pages } else { self.nodes }
    }
}

/// The tree of a file of some size. Levels count from the pages, which are level 0; the children of the inode are
/// the nodes of the highest level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pages: u64,
    rate: Rate,
    level: u8,
}

impl Shape {
    /// The tree of `size` bytes; none when they stand in the inode itself.
    pub fn of(size: u64, rate: Rate) -> Option<Self> {
        if size <= INLINE_MAX {
            return None;
        }
        let mut shape = Self {
            pages: size.div_ceil(PAGE_BYTES),
            rate,
            level: 0,
        };
        while shape.children() > shape.room() && shape.level < TREE_LEVEL_MAX {
            shape.level = shape.level.saturating_add(1);
        }
        Some(shape)
    }

    /// Pages of the file.
    pub const fn pages(self) -> u64 {
        self.pages
    }

    /// Level of the children of the inode; 0: they are pages.
    pub const fn level(self) -> u8 {
        self.level
    }

    /// Parity of its nodes.
    pub const fn rate(self) -> Rate {
        self.rate
    }

    /// Children of the inode.
    pub fn children(self) -> u64 {
        self.pages.div_ceil(self.span(self.level))
    }

    /// Pages below a full node of `level`: 1 for a page.
    pub fn span(self, level: u8) -> u64 {
        (1..=level).fold(1, |span: u64, level| {
            let fan = children_max(NODE_REFERENCES, self.rate.group(level.saturating_sub(1)));
            span.saturating_mul(u64::try_from(fan).unwrap_or(u64::MAX))
        })
    }

    /// First page below the node of `level` that has `page` below it, and how many pages it covers.
    pub fn covered(self, level: u8, page: u64) -> (u64, u64) {
        let span = self.span(level);
        let first = page.saturating_sub(page.checked_rem(span).unwrap_or(0));
        (first, span.min(self.pages.saturating_sub(first)))
    }

    /// Children of the node of `level`, at least 1, that has `page` below it.
    pub fn fan(self, level: u8, page: u64) -> u64 {
        let (_, covered) = self.covered(level, page);
        covered.div_ceil(self.span(level.saturating_sub(1)))
    }

    /// Which child of its parent the node or page of `level` is that has `page` below it; the parent is a node of the
    /// next level, or the inode.
    pub fn slot(self, level: u8, page: u64) -> usize {
        let first = if level >= self.level {
            0
        } else {
            self.covered(level.saturating_add(1), page).0
        };
        let below = page.saturating_sub(first).checked_div(self.span(level));
        usize::try_from(below.unwrap_or(0)).unwrap_or(usize::MAX)
    }

    fn room(self) -> u64 {
        let most = children_max(INODE_REFERENCES, self.rate.group(self.level));
        u64::try_from(most).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "numbers of a test"
)]
mod tests {
    use super::*;
    use crate::types::limits::FILE_SIZE_MAX;
    use proptest::prelude::*;

    fn shape(pages: u64) -> Shape {
        Shape::of(pages * PAGE_BYTES, Rate::DEFAULT).unwrap()
    }

    #[test]
    fn levels_follow_the_size() {
        assert_eq!(Shape::of(0, Rate::DEFAULT), None);
        assert_eq!(Shape::of(INLINE_MAX, Rate::DEFAULT), None);
        assert_eq!(Shape::of(INLINE_MAX + 1, Rate::DEFAULT).unwrap().pages(), 1);
        for (pages, level, children) in [
            (1, 0, 1),
            (44, 0, 44),
            (45, 1, 1),
            (41 * 51, 1, 41),
            (41 * 51 + 1, 2, 1),
            (41 * 51 * 48, 2, 41),
            (1 << 18, 3, 3),
            (41 * 51 * 48 * 48 + 1, 4, 1),
        ] {
            let shape = shape(pages);
            assert_eq!(
                (shape.level(), shape.children()),
                (level, children),
                "{pages}"
            );
        }
        for rate in [Rate::NONE, Rate::DEFAULT, Rate { pages: 1, nodes: 1 }] {
            let largest = Shape::of(FILE_SIZE_MAX, rate).unwrap();
            assert!(largest.children() <= largest.room(), "{rate:?}");
        }
    }

    #[test]
    fn one_page_of_a_gibibyte_is_five_chunks_away() {
        // The inode, one node of each level, and the page.
        assert_eq!(1 + shape(1 << 18).level() + 1, 5);
    }

    proptest! {
        /// Every page is found by its slots from the inode down, and nowhere else.
        #[test]
        fn slots_lead_to_the_page(
            pages in 1_u64..1 << 30,
            at in any::<prop::sample::Index>(),
            group in 0_u8..20,
        ) {
            let rate = Rate { pages: group, nodes: 19 - group };
            let shape = Shape::of(pages * PAGE_BYTES, rate).unwrap();
            let page = at.index(usize::try_from(pages).unwrap()) as u64;
            let (mut first, mut covered) = (0, pages);
            for level in (0..=shape.level()).rev() {
                let children = covered.div_ceil(shape.span(level));
                if level < shape.level() {
                    prop_assert_eq!(children, shape.fan(level + 1, page));
                }
                let slot = shape.slot(level, page) as u64;
                prop_assert!(slot < children);
                first += slot * shape.span(level);
                covered = shape.span(level).min(covered - slot * shape.span(level));
                prop_assert_eq!((first, covered), shape.covered(level, page));
            }
            prop_assert_eq!((first, covered), (page, 1));
        }

        /// A file that grows keeps every node that was full.
        #[test]
        fn growing_moves_no_page(pages in 1_u64..1 << 24, more in 0_u64..1 << 24) {
            let (before, after) = (shape(pages), shape(pages + more));
            for level in 0..=before.level() {
                prop_assert_eq!(before.span(level), after.span(level));
            }
            prop_assert!(before.level() <= after.level());
        }
    }
}
