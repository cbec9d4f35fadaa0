use std::sync::Arc;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::{Inner, InodeKind, Leaf, Place, XattrPlace};
use crate::format::rows::{Dentries, Key};
use crate::sync::contents::Tree;
use crate::sync::fetch::{Family, FetchError, Opened, Sort};
use crate::sync::reader::keep::At;
use crate::sync::reader::memory::Known;
use crate::sync::reader::walk::malformed;
use crate::sync::reader::{ReadError, Reader};
use crate::types::limits::PAGE;
use crate::types::{Ino, Name, ROOT};

/// Names of an inode whose directories are looked through for what it can be made from.
const PARENTS: usize = 4;
/// Directories in directories, more than any path names.
const PATH_MAX: usize = 4096;

impl Reader {
    /// The page or node that `reference` is to and that is published at `place` of `ino`: from the log, or fetched and
    /// kept there. For whoever publishes and has not all of the tree.
    ///
    /// # Errors
    /// [`ReadError`] when it is not to be had.
    pub async fn node(
        self: &Arc<Self>,
        ino: Ino,
        place: Place,
        reference: &Reference,
    ) -> Result<Opened, ReadError> {
        if let Some(kept) = self.kept_node(ino, place, reference) {
            return Ok(Arc::new(kept));
        }
        let parts = place.parts();
        let page = (parts.level, parts.group, place.is_of_names()) == (Some(0), None, false);
        let sort = if page { Sort::Page } else { Sort::Node };
        let opened = match self.open(sort, reference, &Family::none(sort)).await {
            Err(lost @ FetchError::Missing(_)) => {
                let family = self.family(ino, place, reference).await?;
                let family = family.ok_or(ReadError::Fetch(ino, lost))?;
                self.open(sort, reference, &family).await
            }
            other => other,
        };
        let opened = opened.map_err(|error| ReadError::Fetch(ino, error))?;
        if let Some(published) = self.kept.published(ino)? {
            let at = At::new(ino, published.publication);
            at.note(place, reference, &opened);
            self.keep_now(at).await?;
        }
        Ok(opened)
    }

    /// What a lost page or node can be made from.
    async fn family(
        self: &Arc<Self>,
        ino: Ino,
        place: Place,
        reference: &Reference,
    ) -> Result<Option<Arc<Family>>, ReadError> {
        // Parity of what the head tells of: no inode knows it, and the next head has its own.
        if place.is_of_head() {
            return Ok(None);
        }
        let parts = place.parts();
        let root = parts.level.is_none() && parts.group.is_none();
        if root && !place.is_of_attributes() {
            return Ok(self.family_in_parent(ino, reference).await);
        }
        if place.is_of_names() {
            return self.family_of_names(ino, reference).await;
        }
        let published = self.published(ino)?;
        let at = At::new(ino, published.publication);
        let inode = published.contents.as_ref().ok_or(ReadError::Behind(ino))?;
        let mut known = self.inode(&at, inode).await?;
        let of_list = place == Place::parity_of_attributes();
        if place.is_of_attributes() || of_list {
            let XattrPlace::Elsewhere { node, parity } = &known.inode.xattrs else {
                return Ok(None);
            };
            let alone = Family::alone(node, parity.as_ref());
            if root || of_list {
                return Ok(Some(Arc::new(alone)));
            }
            let list = self.open(Sort::Node, node, &alone).await;
            let list = list.map_err(|error| ReadError::Fetch(ino, error))?;
            let list = Known::decode(list.expose(), InodeKind::Attributes);
            known = Arc::new(list.map_err(malformed(ino))?);
        }
        self.family_down(ino, place, &known).await
    }

    /// The children of the node above `place`; of the node itself when `place` is its parity.
    async fn family_down(
        self: &Arc<Self>,
        ino: Ino,
        place: Place,
        known: &Known,
    ) -> Result<Option<Arc<Family>>, ReadError> {
        let Some((shape, family)) = known.tree() else {
            return Ok(None);
        };
        let parts = place.parts();
        let (level, page) = match (parts.level, parts.group) {
            (None, _) => (shape.level(), 0),
            (Some(level), group) => {
                let page = parts
                    .number
                    .saturating_mul(shape.span(level.min(shape.level())));
                (level.saturating_sub(u8::from(group.is_some())), page)
            }
        };
        let (mut family, mut above) = (Arc::clone(family), shape.level());
        while above > level {
            let child = family.children.get(shape.slot(above, page)).cloned();
            let Some(child) = child.flatten() else {
                return Ok(None);
            };
            let node = self.open(Sort::Node, &child, &family).await;
            let node = node.map_err(|error| ReadError::Fetch(ino, error))?;
            let node = Tree::decode(node.expose()).map_err(malformed(ino))?;
            (family, above) = (node.family, above - 1);
        }
        Ok((above == level).then_some(family))
    }

    /// Looks through the tree of names of a directory for the node that names `reference`.
    async fn family_of_names(
        &self,
        ino: Ino,
        reference: &Reference,
    ) -> Result<Option<Arc<Family>>, ReadError> {
        let Some(root) = self.published(ino)?.directory else {
            return Ok(None);
        };
        let none = Arc::new(Family::none(Sort::Node));
        let mut stack = vec![(Place::NAMES, root, none)];
        while let Some((place, node, family)) = stack.pop() {
            let page = self.names_node(ino, place, &node, &family).await;
            let page = page.map_err(|error| ReadError::Fetch(ino, error))?;
            let below = if let Ok(leaf) = Leaf::decode(page.expose()) {
                Family::nodes(leaf.references(), leaf.group, &leaf.parity)
            } else {
                let inner = Inner::decode(page.expose()).map_err(malformed(ino))?;
                let below = family_of(&inner);
                if !has(&below, reference) {
                    let level = inner.level.saturating_sub(1);
                    let below = Arc::new(below);
                    stack.extend(inner.pointers.into_iter().map(|pointer| {
                        let place = Place::names(level, pointer.first.as_bytes());
                        (place, pointer.node, Arc::clone(&below))
                    }));
                    continue;
                }
                below
            };
            if has(&below, reference) {
                return Ok(Some(Arc::new(below)));
            }
        }
        Ok(None)
    }

    /// The leaf in which the entry of `ino` stands, if the names of today lead there: it is what makes its inode, or
    /// the root of its names, again.
    pub(super) async fn family_in_parent(
        &self,
        ino: Ino,
        reference: &Reference,
    ) -> Option<Arc<Family>> {
        for (dir, name) in self.names_of(ino) {
            let mut node = self
                .published(dir)
                .ok()
                .and_then(|published| published.directory);
            let (mut place, mut family) = (Place::NAMES, Family::none(Sort::Node));
            while let Some(reference_of_node) = node.take() {
                let page = self
                    .names_node(dir, place, &reference_of_node, &family)
                    .await
                    .ok()?;
                if let Ok(leaf) = Leaf::decode(page.expose()) {
                    let family = Family::nodes(leaf.references(), leaf.group, &leaf.parity);
                    if has(&family, reference) {
                        return Some(Arc::new(family));
                    }
                } else if let Ok(inner) = Inner::decode(page.expose()) {
                    family = family_of(&inner);
                    let pointer = inner.child(&name).and_then(|at| inner.pointers.get(at));
                    if let Some(pointer) = pointer {
                        let level = inner.level.saturating_sub(1);
                        place = Place::names(level, pointer.first.as_bytes());
                        node = Some(pointer.node.clone());
                    }
                }
            }
        }
        None
    }

    /// A path to an inode from the top of the pod, as it is now; nothing when no names lead there.
    pub fn path_of(&self, ino: Ino) -> Option<Vec<Name>> {
        let (mut path, mut at) = (Vec::new(), ino);
        while at != ROOT && path.len() <= PATH_MAX {
            let (dir, name) = self.names_of(at).into_iter().next()?;
            path.push(name);
            at = dir;
        }
        path.reverse();
        Some(path)
    }

    /// Some of the names that an inode has now.
    fn names_of(&self, ino: Ino) -> Vec<(Ino, Name)> {
        let from = Key::parent(ino, Ino(0), 0);
        let to = Key::parent(ino, Ino(u64::MAX), u64::MAX);
        let rows = self
            .kept
            .rows()
            .scan(&from, &to, PARENTS)
            .unwrap_or_default();
        let mut names = Vec::new();
        for (key, _) in rows {
            let dir = Ino(key.field(1));
            let row = self.kept.rows().get(&Key::dentry(dir, key.field(2)));
            let Ok(Some(row)) = row else { continue };
            let entries = Dentries::decode(&row).unwrap_or_default().0.into_iter();
            let ours = entries.filter(|entry| entry.ino == ino);
            names.extend(ours.map(|entry| (dir, entry.name)));
        }
        names
    }

    async fn names_node(
        &self,
        dir: Ino,
        place: Place,
        reference: &Reference,
        family: &Family,
    ) -> Result<Opened, FetchError> {
        let kept: Option<Secret<PAGE>> = self.kept_node(dir, place, reference);
        match kept {
            Some(kept) => Ok(Arc::new(kept)),
            None => self.open(Sort::Node, reference, family).await,
        }
    }
}

fn family_of(inner: &Inner) -> Family {
    let nodes = inner.pointers.iter().map(|pointer| &pointer.node);
    Family::nodes(nodes, inner.group, &inner.parity)
}

fn has(family: &Family, reference: &Reference) -> bool {
    let members = family.children.iter().chain(&family.parity);
    members.flatten().any(|member| member == reference)
}
