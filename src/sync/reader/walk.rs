use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::{Contents, Inode, InodeKind, Place, Shape};
use crate::format::rows::Published;
use crate::format::wire::Malformed;
use crate::journal::JournalError;
use crate::sync::contents::{Tree, sort_of};
use crate::sync::fetch::{Family, FetchError, Opened, Sort};
use crate::sync::reader::keep::At;
use crate::sync::reader::memory::Known;
use crate::sync::reader::{ReadError, Reader};
use crate::types::Ino;
use crate::types::limits::{FETCHED_AHEAD, PAGE};

/// Where a page is, as far as this machine knows.
pub(super) enum Found {
    /// A node on the way is not here.
    Absent,
    /// It is a page of zeros.
    Hole,
    /// The inode has it.
    Inline(Box<[u8]>),
    /// A chunk has it.
    Page(Reference),
}

/// A page or node on the way down.
pub(super) struct Below {
    /// The first page below it.
    pub(super) first: u64,
    pub(super) reference: Reference,
    pub(super) family: Arc<Family>,
}

impl Known {
    pub(super) fn decode(page: &[u8; PAGE], kind: InodeKind) -> Result<Self, Malformed> {
        let inode = Inode::decode(page, kind)?;
        let family = match &inode.contents {
            Contents::Inline(_) => None,
            Contents::Tree {
                shape,
                children,
                parity,
            } => Some(Arc::new(Family::of_inode(*shape, children, parity))),
        };
        Ok(Self { inode, family })
    }

    /// The tree below it, if there is one.
    pub(super) fn tree(&self) -> Option<(Shape, &Arc<Family>)> {
        let Contents::Tree { shape, .. } = &self.inode.contents else {
            return None;
        };
        Some((*shape, self.family.as_ref()?))
    }
}

impl Reader {
    /// What is published of `ino`.
    pub(super) fn published(&self, ino: Ino) -> Result<Published, ReadError> {
        let published = self.kept.published(ino)?;
        published.ok_or(ReadError::Unpublished(ino))
    }

    /// Finds a page without asking anybody.
    pub(super) fn find(
        &self,
        ino: Ino,
        published: &Published,
        page: u64,
    ) -> Result<Found, ReadError> {
        let reference = published.contents.as_ref().ok_or(ReadError::Behind(ino))?;
        let Some(known) = self.inode_here(ino, Place::INODE, reference)? else {
            return Ok(Found::Absent);
        };
        if known.inode.size != published.size {
            return Err(ReadError::Malformed(ino, Malformed("size of an inode")));
        }
        let Some((shape, family)) = known.tree() else {
            let Contents::Inline(bytes) = &known.inode.contents else {
                return Err(ReadError::Behind(ino));
            };
            let there = page == 0 && !bytes.is_empty();
            return if there {
                Ok(Found::Inline(bytes.clone()))
            } else {
                Err(ReadError::Behind(ino))
            };
        };
        if page >= shape.pages() {
            return Err(ReadError::Behind(ino));
        }
        let mut family = Arc::clone(family);
        for level in (0..=shape.level()).rev() {
            let child = family.children.get(shape.slot(level, page)).cloned();
            let Some(reference) = child.flatten() else {
                return Ok(Found::Hole);
            };
            if level == 0 {
                return Ok(Found::Page(reference));
            }
            let place = Place::node(level, page / shape.span(level));
            let Some(tree) = self.tree_here(ino, place, &reference)? else {
                return Ok(Found::Absent);
            };
            fitting(ino, &tree, shape, (level, page))?;
            family = Arc::clone(&tree.family);
        }
        Ok(Found::Absent)
    }

    /// Fetches pages, and the nodes that lead to them; gives the shape of the tree, if there is one.
    pub(super) async fn fetch_pages(
        self: &Arc<Self>,
        at: &Arc<At>,
        published: &Published,
        pages: Range<u64>,
    ) -> Result<Option<Shape>, ReadError> {
        let mut shape = None;
        let mut start = pages.start;
        while start < pages.end {
            let end = pages.end.min(start.saturating_add(FETCHED_AHEAD));
            let Some((found, row)) = self.pages_of(at, published, start..end).await? else {
                return Ok(None);
            };
            let row: Vec<_> = row
                .into_iter()
                .filter(|page| !self.is_here(at.ino, page))
                .collect();
            for (page, opened) in self.open_all(at.ino, Sort::Page, row).await? {
                at.note(Place::page(page.first), &page.reference, &opened);
            }
            (shape, start) = (Some(found), end);
            if start >= found.pages() {
                break;
            }
        }
        Ok(shape)
    }

    /// Where pages are, holes left out; nothing when the inode has no tree. Nodes that are not here are fetched.
    pub(super) async fn pages_of(
        self: &Arc<Self>,
        at: &Arc<At>,
        published: &Published,
        pages: Range<u64>,
    ) -> Result<Option<(Shape, Vec<Below>)>, ReadError> {
        let reference = published.contents.as_ref();
        let reference = reference.ok_or(ReadError::Behind(at.ino))?;
        let known = self.inode(at, reference).await?;
        let Some((shape, family)) = known.tree() else {
            return Ok(None);
        };
        let mut row = below(family, (shape, shape.level()), 0, &pages);
        for level in (1..=shape.level()).rev() {
            let mut next = Vec::new();
            let mut absent = Vec::new();
            for node in row {
                let place = Place::node(level, node.first / shape.span(level));
                match self.tree_here(at.ino, place, &node.reference)? {
                    Some(tree) => {
                        fitting(at.ino, &tree, shape, (level, node.first))?;
                        next.extend(below(&tree.family, (shape, level - 1), node.first, &pages));
                    }
                    None => absent.push(node),
                }
            }
            for (node, page) in self.open_all(at.ino, Sort::Node, absent).await? {
                let tree = Arc::new(Tree::decode(page.expose()).map_err(malformed(at.ino))?);
                fitting(at.ino, &tree, shape, (level, node.first))?;
                self.memory.lock().put_tree(node.reference.address(), &tree);
                at.note(
                    Place::node(level, node.first / shape.span(level)),
                    &node.reference,
                    &page,
                );
                next.extend(below(&tree.family, (shape, level - 1), node.first, &pages));
            }
            row = next;
        }
        Ok(Some((shape, row)))
    }

    /// The inode, from here or from the network.
    pub(super) async fn inode(
        self: &Arc<Self>,
        at: &At,
        reference: &Reference,
    ) -> Result<Arc<Known>, ReadError> {
        if let Some(known) = self.inode_here(at.ino, Place::INODE, reference)? {
            return Ok(known);
        }
        let none = Family::none(Sort::Node);
        let page = match self.open(Sort::Node, reference, &none).await {
            Err(lost @ FetchError::Missing(_)) => {
                let family = self.family_in_parent(at.ino, reference).await;
                let family = family.ok_or(ReadError::Fetch(at.ino, lost))?;
                self.open(Sort::Node, reference, &family).await
            }
            other => other,
        };
        let page = page.map_err(|error| ReadError::Fetch(at.ino, error))?;
        let known = Known::decode(page.expose(), InodeKind::File).map_err(malformed(at.ino))?;
        let known = Arc::new(known);
        self.memory.lock().put_inode(reference.address(), &known);
        at.note(Place::INODE, reference, &page);
        Ok(known)
    }

    /// The inode at `place`, if it is here.
    pub(super) fn inode_here(
        &self,
        ino: Ino,
        place: Place,
        reference: &Reference,
    ) -> Result<Option<Arc<Known>>, ReadError> {
        let address = reference.address();
        let known = self.memory.lock().inode(&address);
        if known.is_some() {
            return Ok(known);
        }
        let Some(page) = self.kept_node(ino, place, reference) else {
            return Ok(None);
        };
        let kind = if place.is_of_attributes() {
            InodeKind::Attributes
        } else {
            InodeKind::File
        };
        let known = Arc::new(Known::decode(page.expose(), kind).map_err(malformed(ino))?);
        self.memory.lock().put_inode(address, &known);
        Ok(Some(known))
    }

    /// A node of a file, if it is here.
    fn tree_here(
        &self,
        ino: Ino,
        place: Place,
        reference: &Reference,
    ) -> Result<Option<Arc<Tree>>, ReadError> {
        let address = reference.address();
        let known = self.memory.lock().tree(&address);
        if known.is_some() {
            return Ok(known);
        }
        let Some(page) = self.kept_node(ino, place, reference) else {
            return Ok(None);
        };
        let tree = Arc::new(Tree::decode(page.expose()).map_err(malformed(ino))?);
        self.memory.lock().put_tree(address, &tree);
        Ok(Some(tree))
    }

    /// What the log keeps at `place`, if it is what `reference` is to. What the log does not give is fetched.
    pub(super) fn kept_node(
        &self,
        ino: Ino,
        place: Place,
        reference: &Reference,
    ) -> Option<Secret<PAGE>> {
        match self.kept.get(ino, place) {
            Ok(kept) => kept.and_then(|(kept, page)| (kept == *reference).then_some(page)),
            Err(error) => {
                tracing::warn!(%error, %ino, "a kept page or node");
                None
            }
        }
    }

    fn is_here(&self, ino: Ino, page: &Below) -> bool {
        let known = self.memory.lock().page(&page.reference.address());
        known.is_some() || {
            let kept = self.kept_node(ino, Place::page(page.first), &page.reference);
            kept.is_some()
        }
    }

    /// Opens all at once.
    async fn open_all(
        self: &Arc<Self>,
        ino: Ino,
        sort: Sort,
        row: Vec<Below>,
    ) -> Result<Vec<(Below, Opened)>, ReadError> {
        let mut opening = JoinSet::new();
        let mut opened = Vec::with_capacity(row.len());
        for below in row {
            let reader = Arc::clone(self);
            opening.spawn(async move {
                let page = reader.open(sort, &below.reference, &below.family).await;
                page.map(|page| (below, page))
            });
        }
        while let Some(answer) = opening.join_next().await {
            let answer = answer.map_err(|_| JournalError::Busy)?;
            opened.push(answer.map_err(|error| ReadError::Fetch(ino, error))?);
        }
        Ok(opened)
    }
}

/// The children that have any of `pages` below them, holes left out.
fn below(
    family: &Arc<Family>,
    (shape, level): (Shape, u8),
    first: u64,
    pages: &Range<u64>,
) -> Vec<Below> {
    debug_assert_eq!(family.sort, sort_of(level), "pages and nodes do not mix");
    let span = shape.span(level);
    let children = (0_u64..).zip(&family.children);
    let children = children.filter_map(|(at, child)| {
        let first = first.saturating_add(at.saturating_mul(span));
        let within = first < pages.end && first.saturating_add(span) > pages.start;
        let reference = child.as_ref().filter(|_| within)?.clone();
        let family = Arc::clone(family);
        Some(Below {
            first,
            reference,
            family,
        })
    });
    children.collect()
}

fn fitting(ino: Ino, tree: &Tree, shape: Shape, (level, page): (u8, u64)) -> Result<(), ReadError> {
    if tree.fits(shape, level, page) {
        Ok(())
    } else {
        Err(ReadError::Malformed(ino, Malformed("file node")))
    }
}

pub(super) fn malformed(ino: Ino) -> impl Fn(Malformed) -> ReadError {
    move |error| ReadError::Malformed(ino, error)
}
