//! Directories as they are published. A directory that is written is written whole: its nodes depend on the names
//! alone, so those that did not change come out as they were, and are not sent again.

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::{
    Attributes, Entry, Inner, Item, Leaf, Place, Pointer, Splitter, complement_sum, members,
    parity_len,
};
use crate::format::rows::Published;
use crate::format::wire::Malformed;
use crate::sync::error::SyncError;
use crate::sync::prepare::known::Writing;
use crate::sync::prepare::{Preparation, RATE, ROWS, Sealed};
use crate::sync::queue::Mark;
use crate::types::limits::{DIRECTORY_LEVEL_MAX, PAGE};
use crate::types::{Ino, Name};

/// Something that a node refers to, and where its plain page is.
pub(super) struct Child {
    pub(super) ino: Ino,
    pub(super) place: Place,
    pub(super) reference: Reference,
}

/// A node that is not placed yet: whether it is the root shows only at the end.
struct Made {
    place: Place,
    first: Name,
    names: u64,
    plain: Secret<PAGE>,
}

/// A node that is kept at its place.
struct Placed {
    pointer: Pointer,
    names: u64,
    place: Place,
}

/// The nodes of one level, in order; the newest is not placed as long as it may be the root.
#[derive(Default)]
struct Level {
    height: u8,
    newest: Option<Made>,
    placed: Vec<Placed>,
}

impl Writing {
    /// A place for a node that no other node of the directory has.
    fn place(&mut self, level: u8, first: &Name) -> Place {
        let mut place = Place::names(level, first.as_bytes());
        while !self.used.insert(place) {
            place = place.beside();
        }
        place
    }
}

impl Preparation<'_> {
    /// Writes the tree of names of a directory; afterwards its row says where it is.
    pub(super) fn names(&mut self, dir: Ino) -> Result<(), SyncError> {
        let own = self.kept.published(dir)?;
        let here = self.make(dir, own.as_ref())?;
        if self.is_mixed(dir) {
            self.current = own.clone().map(|own| (dir, own));
        }
        let scope = self.own_scope(dir)?;
        let mut writing = self.writing(dir, own.as_ref())?;
        let mut level = self.leaves(&mut writing)?;
        while !level.placed.is_empty() {
            level = self.inner_nodes(&mut writing, level)?;
        }
        let root = match level.newest {
            Some(root) => {
                writing.used.remove(&root.place);
                let placed = self.place_node(&mut writing, Place::NAMES, root)?;
                Some(placed.pointer.node)
            }
            None => None,
        };
        self.drop_unused(&writing)?;
        let own = own.unwrap_or(Published {
            publication: self.publication,
            scope,
            size: 0,
            contents: None,
            directory: None,
            number: None,
        });
        let published = Published {
            publication: self.publication,
            directory: root,
            number: Some(here),
            ..own
        };
        self.current = None;
        self.publish(dir, &published);
        self.flush()
    }

    /// Entries in the order of their names, cut into leaves.
    fn leaves(&mut self, writing: &mut Writing) -> Result<Level, SyncError> {
        let mut splitter = Splitter::new(0, RATE.nodes);
        let (mut level, mut entries) = (Level::default(), Vec::new());
        for (name, ino) in self.view.names(writing.dir)? {
            let attributes = self.attributes_of(ino)?;
            let entry = Entry { name, attributes };
            let item = Item {
                name: entry.name.as_bytes(),
                bytes: entry.encode()?.len(),
                references: entry.references().count(),
            };
            if splitter.begins(item) && !entries.is_empty() {
                let leaf = self.leaf(writing, std::mem::take(&mut entries))?;
                self.push(writing, &mut level, leaf)?;
            }
            entries.push(entry);
        }
        if !entries.is_empty() {
            let leaf = self.leaf(writing, entries)?;
            self.push(writing, &mut level, leaf)?;
        }
        self.finish(writing, level)
    }

    fn leaf(&mut self, writing: &mut Writing, entries: Vec<Entry>) -> Result<Made, SyncError> {
        let first = entries.first().ok_or(Malformed("leaf"))?.name.clone();
        let place = writing.place(0, &first);
        let below = entries.iter().map(|entry| &entry.attributes);
        let children: Vec<_> = below.flat_map(children_of).collect();
        let parity = self.parity_of(writing, &children, |group| place.parity(group))?;
        let names = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let leaf = Leaf {
            entries,
            group: RATE.nodes,
            parity,
        };
        Ok(Made {
            place,
            first,
            names,
            plain: leaf.encode()?,
        })
    }

    /// The level above a level of several nodes.
    fn inner_nodes(&mut self, writing: &mut Writing, below: Level) -> Result<Level, SyncError> {
        let mut level = Level {
            height: below.height.saturating_add(1),
            ..Level::default()
        };
        if level.height > DIRECTORY_LEVEL_MAX {
            return Err(Malformed("a directory of too many levels").into());
        }
        let mut splitter = Splitter::new(level.height, RATE.nodes);
        let mut nodes = Vec::new();
        for node in below.placed {
            let item = Item {
                name: node.pointer.first.as_bytes(),
                bytes: node.pointer.encoded_len(),
                references: 1,
            };
            if splitter.begins(item) && !nodes.is_empty() {
                let made = self.inner(writing, level.height, std::mem::take(&mut nodes))?;
                self.push(writing, &mut level, made)?;
            }
            nodes.push(node);
        }
        if !nodes.is_empty() {
            let made = self.inner(writing, level.height, nodes)?;
            self.push(writing, &mut level, made)?;
        }
        self.finish(writing, level)
    }

    fn inner(
        &mut self,
        writing: &mut Writing,
        level: u8,
        nodes: Vec<Placed>,
    ) -> Result<Made, SyncError> {
        let first = nodes.first().ok_or(Malformed("directory node"))?;
        let first = first.pointer.first.clone();
        let place = writing.place(level, &first);
        let child = |node: &Placed| Child {
            ino: writing.dir,
            place: node.place,
            reference: node.pointer.node.clone(),
        };
        let children: Vec<_> = nodes.iter().map(child).collect();
        let parity = self.parity_of(writing, &children, |group| place.parity(group))?;
        let names = nodes.iter().map(|node| node.names).sum();
        let inner = Inner {
            level,
            names,
            pointers: nodes.into_iter().map(|node| node.pointer).collect(),
            group: RATE.nodes,
            parity,
        };
        Ok(Made {
            place,
            first,
            names,
            plain: inner.encode()?,
        })
    }

    fn push(
        &mut self,
        writing: &mut Writing,
        level: &mut Level,
        made: Made,
    ) -> Result<(), SyncError> {
        if let Some(before) = level.newest.replace(made) {
            let place = before.place;
            level.placed.push(self.place_node(writing, place, before)?);
            self.flush_if_large()?;
        }
        Ok(())
    }

    /// The last node of a level is the root if it is the only one.
    fn finish(&mut self, writing: &mut Writing, mut level: Level) -> Result<Level, SyncError> {
        if !level.placed.is_empty()
            && let Some(last) = level.newest.take()
        {
            let place = last.place;
            level.placed.push(self.place_node(writing, place, last)?);
        }
        Ok(level)
    }

    fn place_node(
        &mut self,
        writing: &mut Writing,
        place: Place,
        made: Made,
    ) -> Result<Placed, SyncError> {
        let node = self.settle_name(writing, place, made.plain)?;
        Ok(Placed {
            pointer: Pointer {
                first: made.first,
                node,
            },
            names: made.names,
            place,
        })
    }

    /// Parity of `children`, none of which is a hole.
    pub(super) fn parity_of(
        &mut self,
        writing: &mut Writing,
        children: &[Child],
        place: impl Fn(u8) -> Place,
    ) -> Result<Vec<Reference>, SyncError> {
        let mut parity = Vec::new();
        for group in 0..parity_len(children.len(), RATE.nodes) {
            let of_group = children.iter().map(|child| Some(&child.reference));
            let members = members(of_group, RATE.nodes, group);
            let plain = self.plain_of(members.iter().filter_map(|at| children.get(*at)))?;
            let sum = complement_sum(plain.iter().map(Secret::expose));
            let place = place(u8::try_from(group).unwrap_or(u8::MAX));
            parity.push(self.settle_name(writing, place, sum)?);
        }
        Ok(parity)
    }

    /// The plain pages of children, those that are not here all fetched together. One that is lost is left out: no
    /// parity brings it back.
    fn plain_of<'c>(
        &self,
        children: impl Iterator<Item = &'c Child>,
    ) -> Result<Vec<Secret<PAGE>>, SyncError> {
        let (mut plain, mut lacking) = (Vec::new(), Vec::new());
        for child in children {
            match self.at_hand(child.ino, child.place, &child.reference)? {
                Some(page) => plain.push(page),
                None => lacking.push((child.ino, child.place, child.reference.clone())),
            }
        }
        if lacking.is_empty() {
            return Ok(plain);
        }
        for fetched in self.fetched(lacking) {
            match fetched {
                Err(error) if error.is_loss() => {
                    tracing::error!(%error, "what is lost has no parity from now on");
                }
                other => plain.push(other?),
            }
        }
        Ok(plain)
    }

    /// Gives a node of the tree its reference, keeps it, and queues it unless it is published already.
    fn settle_name(
        &mut self,
        writing: &mut Writing,
        place: Place,
        plain: Secret<PAGE>,
    ) -> Result<Reference, SyncError> {
        let dir = writing.dir;
        writing.used.insert(place);
        let reference = match self.sealed((dir, place), &writing.conv, &plain)? {
            Sealed::Before(reference) => return Ok(reference),
            Sealed::Now(reference) => reference,
        };
        self.keep((dir, place), &reference, plain);
        let known = writing.known.get(&reference.address()).copied();
        self.edit.mark(dir, place, known.unwrap_or(Mark::Unsent));
        self.changed += 1;
        Ok(reference)
    }

    /// Gives up the nodes that the new tree does not have.
    fn drop_unused(&mut self, writing: &Writing) -> Result<(), SyncError> {
        let mut next = Some(0);
        while let Some(from) = next {
            let rows = self.kept.places(writing.dir, from, ROWS)?;
            next = rows.last().map(|(bucket, _)| bucket.saturating_add(1));
            for (bucket, nodes) in rows {
                for (position, _) in nodes.0 {
                    let place = Place::of_row(bucket, position);
                    if place.is_of_names() && !writing.used.contains(&place) {
                        self.drop_place(writing.dir, place);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What an entry refers to, in the order in which it counts for parity.
pub(super) fn children_of(attributes: &Attributes) -> Vec<Child> {
    let child = |place, reference: &Reference| Child {
        ino: attributes.ino,
        place,
        reference: reference.clone(),
    };
    let contents = attributes.contents.iter().map(|it| child(Place::INODE, it));
    let directory = attributes.directory.iter();
    contents
        .chain(directory.map(|it| child(Place::NAMES, it)))
        .collect()
}
