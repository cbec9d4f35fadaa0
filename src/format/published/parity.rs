//! Parity: what brings a lost node back.
//!
//! The children of a node form groups of `group` in their order; each group has one parity reference behind the
//! children. The parity page is the bytewise complement of the exclusive or of the plain pages of the group: the code
//! of Reed and Solomon with one symbol, so that a change of one child changes one parity chunk, not all. The complement
//! keeps the parity of a single child from being that child's own chunk, which would be lost with it. A reference
//! that stands several times in a group counts once, else it would cancel itself. Parity is made of plain pages and
//! sealed as a node: of sealed pages its chunk would be the sum of others, and show an observer which belong together.

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::header::Page;
use crate::types::limits::PAGE;

/// How many parity references `children` have; none when `group` is 0.
pub const fn parity_len(children: usize, group: u8) -> usize {
    match group {
        0 => 0,
        #[expect(clippy::as_conversions, reason = "u8 to usize; From is not const")]
        group => children.div_ceil(group as usize),
    }
}

/// Most children whose parity leaves room for them in `slots`.
pub(super) fn children_max(slots: usize, group: u8) -> usize {
    (0..=slots)
        .rev()
        .find(|children| children.saturating_add(parity_len(*children, group)) <= slots)
        .unwrap_or(0)
}

/// The children that the parity page number `parity` is made of, holes and repetitions left out: their positions.
pub fn members<'a>(
    children: impl Iterator<Item = Option<&'a Reference>>,
    group: u8,
    parity: usize,
) -> Vec<usize> {
    let group = usize::from(group);
    let (mut seen, mut found) = (Vec::with_capacity(group), Vec::with_capacity(group));
    let first = parity.saturating_mul(group);
    for (at, child) in children.enumerate().skip(first).take(group) {
        let Some(child) = child else { continue };
        if !seen.contains(&child.address()) {
            seen.push(child.address());
            found.push(at);
        }
    }
    found
}

/// The complement of the exclusive or of `pages`: of the pages of a group their parity, of the parity and all but one
/// of them the missing one.
pub fn complement_sum<'a>(pages: impl IntoIterator<Item = &'a Page>) -> Secret<PAGE> {
    Secret::fill_with(|sum| {
        sum.fill(0xff);
        for page in pages {
            for (to, from) in sum.iter_mut().zip(page) {
                *to ^= from;
            }
        }
    })
}

/// Whether the parity references are those these children must have: as many as groups, a hole where all are holes.
pub(super) fn fits(
    children: &[Option<Reference>],
    group: u8,
    parity: &[Option<Reference>],
) -> bool {
    if group == 0 {
        return parity.is_empty();
    }
    let groups = children.chunks(usize::from(group));
    groups.len() == parity.len()
        && groups
            .zip(parity)
            .all(|(group, parity)| group.iter().any(Option::is_some) == parity.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::published::tests::reference;

    #[test]
    fn any_one_page_comes_back_from_the_others() {
        let pages: Vec<Box<Page>> = (1..=5_u8)
            .map(|byte| {
                Box::new(std::array::from_fn(|at| {
                    byte.wrapping_mul(at.to_le_bytes()[0])
                }))
            })
            .collect();
        let parity = complement_sum(pages.iter().map(AsRef::as_ref));
        for lost in 0..pages.len() {
            let others = pages.iter().enumerate().filter(|(at, _)| *at != lost);
            let others = others.map(|(_, page)| page.as_ref());
            assert_eq!(
                complement_sum(others.chain([parity.expose()])).expose(),
                pages[lost].as_ref(),
                "{lost}"
            );
        }
        assert_ne!(
            complement_sum([pages[0].as_ref()]).expose(),
            pages[0].as_ref()
        );
    }

    #[test]
    fn repetitions_and_holes_are_no_members() {
        let (one, two) = (reference(1), reference(2));
        let children = [Some(&one), None, Some(&one), Some(&two), Some(&one)];
        assert_eq!(members(children.into_iter(), 4, 0), [0, 3]);
        assert_eq!(members(children.into_iter(), 4, 1), [4]);
        assert!(members(children.into_iter(), 4, 2).is_empty());
        assert!(members(children.into_iter(), 0, 0).is_empty());
    }

    #[test]
    fn children_and_parity_share_the_slots() {
        for (slots, group, most) in [
            (51, 0, 51),
            (51, 16, 48),
            (44, 16, 41),
            (51, 1, 25),
            (44, 1, 22),
            (51, 2, 34),
            (51, 255, 50),
        ] {
            assert_eq!(children_max(slots, group), most, "{slots} {group}");
            assert!(most + parity_len(most, group) <= slots);
        }
    }
}
