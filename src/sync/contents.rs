//! Small contents of a published inode as a whole: targets of symlinks, and extended attributes.

use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::{Contents, Inode, Shape, TreeNode};
use crate::format::wire::Malformed;
use crate::sync::fetch::{Family, FetchError, Fetcher, Sort};
use crate::types::limits::PAGE;

/// Nodes above which an outline is not made finer. A sparse file rarely has as many; for a dense one they cost a request
/// for each 10 MiB below 640 MiB, and hardly any above.
const OUTLINE_NODES: usize = 64;

/// Why contents cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ContentsError {
    /// A page or node is not to be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A node is not what its place asks for: whoever published it made a mistake.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// More bytes than such contents ever have.
    #[error("contents of {0} bytes, where there are never so many")]
    Large(u64),
}

/// A node or page on the way down: its first page, and where it is.
struct Below {
    first: u64,
    level: u8,
    reference: Reference,
    family: Arc<Family>,
}

/// A node of a file.
pub(super) struct Tree {
    level: u8,
    pages: u64,
    /// What stands below it.
    pub(super) family: Arc<Family>,
}

impl Family {
    /// The children of an inode that has a tree.
    pub(super) fn of_inode(
        shape: Shape,
        children: &[Option<Reference>],
        parity: &[Option<Reference>],
    ) -> Self {
        Self {
            sort: sort_of(shape.level()),
            children: children.to_vec(),
            group: shape.rate().group(shape.level()),
            parity: parity.to_vec(),
        }
    }
}

/// What stands at a level of a tree.
pub(super) const fn sort_of(level: u8) -> Sort {
    if level == 0 { Sort::Page } else { Sort::Node }
}

impl Tree {
    /// Reads a node of a file.
    pub(super) fn decode(page: &[u8; PAGE]) -> Result<Self, Malformed> {
        let node = TreeNode::decode(page)?;
        Ok(Self {
            level: node.level,
            pages: node.pages,
            family: Arc::new(Family {
                sort: sort_of(node.level.saturating_sub(1)),
                children: node.children,
                group: node.group,
                parity: node.parity,
            }),
        })
    }

    /// Whether it covers what the node of `level` has to that has page `first` below it.
    pub(super) fn fits(&self, shape: Shape, level: u8, first: u64) -> bool {
        self.level == level
            && self.family.group == shape.rate().group(level.saturating_sub(1))
            && self.pages == shape.covered(level, first).1
            && u64::try_from(self.family.children.len()) == Ok(shape.fan(level, first))
    }
}

/// The contents of `inode`, of at most `most` bytes.
///
/// # Errors
/// [`ContentsError`] when a part is not to be had or makes no sense.
pub(super) async fn contents(
    fetcher: &Fetcher,
    inode: &Inode,
    most: u64,
) -> Result<Zeroizing<Vec<u8>>, ContentsError> {
    if inode.size > most {
        return Err(ContentsError::Large(inode.size));
    }
    let Some((_, row)) = descend(fetcher, inode, |level, _| level > 0).await? else {
        let Contents::Inline(bytes) = &inode.contents else {
            return Ok(Zeroizing::default());
        };
        return Ok(Zeroizing::new(bytes.to_vec()));
    };
    let size = usize::try_from(inode.size).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(vec![0; size]);
    for (first, page) in read_all(fetcher, Sort::Page, row).await? {
        let from = usize::try_from(first).unwrap_or(usize::MAX);
        let place = bytes
            .get_mut(from.saturating_mul(PAGE)..)
            .unwrap_or_default();
        for (to, from) in place.iter_mut().zip(page.expose()) {
            *to = *from;
        }
    }
    Ok(bytes)
}

/// Where a large file has pages, roughly: what lies between is a hole. In ascending order, apart from each other.
///
/// # Errors
/// [`ContentsError`] when a node is not to be had or makes no sense.
pub(super) async fn outline(
    fetcher: &Fetcher,
    inode: &Inode,
) -> Result<Vec<Range<u64>>, ContentsError> {
    let finer = |level, nodes| level > 1 && nodes <= OUTLINE_NODES;
    let Some((shape, row)) = descend(fetcher, inode, finer).await? else {
        return Ok(Vec::from_iter((inode.size > 0).then_some(0..1)));
    };
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for Below { first, level, .. } in row {
        let end = first.saturating_add(shape.covered(level, first).1);
        match ranges.last_mut() {
            Some(last) if last.end >= first => last.end = end,
            _ => ranges.push(first..end),
        }
    }
    Ok(ranges)
}

/// Goes down from an inode as long as `on` says so of the level that is reached and the number of nodes in it. What
/// is there at that level, in order; nothing when there is no tree.
async fn descend(
    fetcher: &Fetcher,
    inode: &Inode,
    on: impl Fn(u8, usize) -> bool,
) -> Result<Option<(Shape, Vec<Below>)>, ContentsError> {
    let Contents::Tree {
        shape,
        children,
        parity,
    } = &inode.contents
    else {
        return Ok(None);
    };
    let shape = *shape;
    let family = Arc::new(Family::of_inode(shape, children, parity));
    let mut row = below(&family, (shape, shape.level()), 0);
    let mut level = shape.level();
    while on(level, row.len()) {
        let nodes = read_all(fetcher, Sort::Node, row).await?;
        row = Vec::new();
        for (first, node) in nodes {
            let node = Tree::decode(node.expose())?;
            if !node.fits(shape, level, first) {
                return Err(Malformed("file node").into());
            }
            row.extend(below(&node.family, (shape, level.saturating_sub(1)), first));
        }
        row.sort_unstable_by_key(|below| below.first);
        level = level.saturating_sub(1);
    }
    Ok(Some((shape, row)))
}

fn below(family: &Arc<Family>, (shape, level): (Shape, u8), first: u64) -> Vec<Below> {
    let span = shape.span(level);
    let children = (0_u64..).zip(&family.children);
    let children = children.filter_map(|(at, child)| {
        Some(Below {
            first: first.saturating_add(at.saturating_mul(span)),
            level,
            reference: child.clone()?,
            family: Arc::clone(family),
        })
    });
    children.collect()
}

async fn read_all(
    fetcher: &Fetcher,
    sort: Sort,
    row: Vec<Below>,
) -> Result<Vec<(u64, Secret<PAGE>)>, FetchError> {
    let mut reading = JoinSet::new();
    let lost = row.first().map(|below| below.reference.address());
    for Below {
        first,
        reference,
        family,
        ..
    } in row
    {
        let fetcher = fetcher.clone();
        reading.spawn(async move {
            let page = fetcher.open(sort, &reference, &family).await?;
            Ok::<_, FetchError>((first, page))
        });
    }
    let mut pages = Vec::with_capacity(reading.len());
    while let Some(read) = reading.join_next().await {
        match (read, lost) {
            (Ok(read), _) => pages.push(read?),
            (Err(_), Some(lost)) => return Err(FetchError::Missing(lost)),
            (Err(_), None) => {}
        }
    }
    Ok(pages)
}
