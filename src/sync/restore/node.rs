use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::{Inner, Leaf, Place};
use crate::format::wire::Malformed;
use crate::sync::fetch::{Family, Fetcher, Sort};
use crate::sync::restore::{Job, Restore, RestoreError};
use crate::types::limits::PAGE;
use crate::types::{Ino, Name};

/// A node of a directory that is to be fetched, and what its parent says of it.
pub(super) struct Node {
    directory: Ino,
    reference: Reference,
    family: Arc<Family>,
    below: Option<Below>,
}

/// What is known of a node that is not the root.
struct Below {
    /// 0: a leaf.
    level: u8,
    first: Name,
    /// All its names are before this one.
    end: Option<Name>,
    sum: Arc<Sum>,
}

/// What the children of a node must add up to.
struct Sum {
    nodes: AtomicU64,
    names: AtomicU64,
}

impl Node {
    pub(super) const fn root(directory: Ino, reference: Reference, family: Arc<Family>) -> Self {
        Self {
            directory,
            reference,
            family,
            below: None,
        }
    }

    pub(super) async fn fetch(&self, fetcher: &Fetcher) -> Result<Secret<PAGE>, RestoreError> {
        let page = fetcher
            .open(Sort::Node, &self.reference, &self.family)
            .await;
        page.map_err(|error| RestoreError::Fetch(self.directory, error))
    }

    fn place(&self) -> Place {
        self.below.as_ref().map_or(Place::NAMES, |below| {
            Place::names(below.level, below.first.as_bytes())
        })
    }

    fn wrong(&self) -> RestoreError {
        let why = "the nodes of this directory do not fit together";
        RestoreError::Contradiction(self.directory, why)
    }

    /// Whether level, first and last name and the number of names are those that the parent asks for.
    fn check(&self, level: u8, ends: Option<(&Name, &Name)>, names: u64) -> bool {
        let Some(below) = &self.below else {
            return true;
        };
        let placed = ends.is_some_and(|(first, last)| {
            *first == below.first && below.end.as_ref().is_none_or(|end| last < end)
        });
        placed && below.level == level && below.sum.take(names)
    }
}

impl Sum {
    fn of(node: &Inner) -> Self {
        Self {
            nodes: AtomicU64::new(u64::try_from(node.pointers.len()).unwrap_or(u64::MAX)),
            names: AtomicU64::new(node.names),
        }
    }

    /// One of the children has so many names; false when they do not add up.
    fn take(&self, names: u64) -> bool {
        let nodes = self.nodes.fetch_sub(1, Ordering::Relaxed).saturating_sub(1);
        let left = self.names.load(Ordering::Relaxed).checked_sub(names);
        self.names.store(left.unwrap_or(0), Ordering::Relaxed);
        left.is_some_and(|left| nodes > 0 || left == 0)
    }
}

impl Restore<'_> {
    /// Takes a node of a directory in.
    pub(super) fn node(&mut self, node: Node, page: Secret<PAGE>) -> Result<(), RestoreError> {
        let is_lowest = match &node.below {
            Some(below) => below.level == 0,
            None => Leaf::decode(page.expose()).is_ok(),
        };
        let malformed = |error: Malformed| RestoreError::Malformed(node.directory, error);
        if is_lowest {
            let entries = Leaf::decode(page.expose()).map_err(malformed)?;
            self.leaf(&node, entries)?;
        } else {
            let inner = Inner::decode(page.expose()).map_err(malformed)?;
            self.inner(&node, &inner)?;
        }
        let place = node.place();
        self.writer
            .keep(node.directory, place, node.reference, page);
        self.left_directory(node.directory)
    }

    fn leaf(&mut self, node: &Node, leaf: Leaf) -> Result<(), RestoreError> {
        let names = u64::try_from(leaf.entries.len()).unwrap_or(u64::MAX);
        let ends = leaf.entries.first().zip(leaf.entries.last());
        if !node.check(
            0,
            ends.map(|(first, last)| (&first.name, &last.name)),
            names,
        ) {
            return Err(node.wrong());
        }
        let family = Arc::new(Family::nodes(leaf.references(), leaf.group, &leaf.parity));
        let changes = self.head.journal.of(node.directory);
        for entry in leaf.entries {
            let newer = changes.binary_search_by(|change| change.name.cmp(&entry.name));
            if newer.is_err() {
                self.entry(node.directory, &entry.name, &entry.attributes, &family)?;
            }
        }
        Ok(())
    }

    fn inner(&mut self, node: &Node, inner: &Inner) -> Result<(), RestoreError> {
        let ends = inner.pointers.first().zip(inner.pointers.last());
        let ends = ends.map(|(first, last)| (&first.first, &last.first));
        if !node.check(inner.level, ends, inner.names) {
            return Err(node.wrong());
        }
        let nodes = inner.pointers.iter().map(|pointer| &pointer.node);
        let family = Arc::new(Family::nodes(nodes, inner.group, &inner.parity));
        let sum = Arc::new(Sum::of(inner));
        let mut end = node.below.as_ref().and_then(|below| below.end.clone());
        for pointer in inner.pointers.iter().rev() {
            let below = Below {
                level: inner.level.saturating_sub(1),
                first: pointer.first.clone(),
                end: end.replace(pointer.first.clone()),
                sum: Arc::clone(&sum),
            };
            self.entered_directory(node.directory);
            self.queue.push(Job::Node(Node {
                directory: node.directory,
                reference: pointer.node.clone(),
                family: Arc::clone(&family),
                below: Some(below),
            }));
        }
        Ok(())
    }
}
