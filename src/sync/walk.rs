//! A walk over published trees, node by node: what this machine does not have is fetched and kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use crate::crypto::publish::Reference;
use crate::format::published::{
    Contents, Inner, Inode, InodeKind, Leaf, Place, Shape, TreeNode, XattrPlace,
};
use crate::format::rows::Published;
use crate::format::wire::Malformed;
use crate::journal::Class;
use crate::sync::edit::KeptEdit;
use crate::sync::error::SyncError;
use crate::sync::evict::shortage;
use crate::sync::fetch::{FetchError, Opened};
use crate::sync::network::Network;
use crate::sync::publisher::Publisher;
use crate::sync::queue::Mark;
use crate::sync::reader::ReadError;
use crate::types::limits::{NODE_READS_MAX, PREPARED_ROWS};
use crate::types::{Ino, ROOT};

/// A node that is published, and what is below it.
struct Step {
    ino: Ino,
    place: Place,
    reference: Reference,
    below: Below,
}

/// What a node leads to.
#[derive(Clone, Copy)]
enum Below {
    /// Contents and attributes.
    Inode(InodeKind),
    /// What stands below a node of a file, or of its attributes.
    Tree {
        shape: Shape,
        level: u8,
        first: u64,
        of_attributes: bool,
    },
    /// Nodes of the names of a directory.
    Names,
    /// Nothing: a page of attributes.
    Page,
    /// Nothing: parity. Without it all the rest is still there.
    Parity,
}

/// What is done with what is found.
pub(super) enum Errand<'a> {
    /// It is queued. What is lost is looked for wherever it may be.
    Queue(&'a Network, KeptEdit),
    /// It is counted.
    Count(Tally),
}

/// Chunks that were found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Nodes, parity, and pages of lists of attributes.
    pub(super) nodes: u64,
    /// Pages of contents.
    pub(super) pages: u64,
}

/// One walk.
pub(super) struct Walk<'a> {
    publisher: &'a Publisher,
    errand: Errand<'a>,
    marked: usize,
    /// The newest on top: deep before wide.
    steps: Vec<Step>,
    running: JoinSet<(Step, Result<Opened, SyncError>)>,
}

type Done = Option<Result<(Step, Result<Opened, SyncError>), tokio::task::JoinError>>;

impl<'a> Walk<'a> {
    pub(super) fn new(publisher: &'a Publisher, errand: Errand<'a>) -> Self {
        Self {
            publisher,
            errand,
            marked: 0,
            steps: Vec::new(),
            running: JoinSet::new(),
        }
    }

    /// What the newest head alone refers to.
    pub(super) fn heads(&mut self) -> Result<(), SyncError> {
        let Some((_, head)) = self.publisher.last_head()? else {
            return Ok(());
        };
        let of_changes = (0..).zip(&head.journal.parity);
        let of_changes =
            of_changes.map(|(group, it)| (Place::parity_of_changes(group), it.clone()));
        let of_root = head.root.parity.iter();
        let of_root = of_root.map(|it| (Place::parity_of_root(), it.clone()));
        for (place, reference) in of_changes.chain(of_root) {
            self.push(ROOT, place, reference, Below::Parity);
        }
        Ok(())
    }

    pub(super) fn begin(&mut self, ino: Ino, published: Published) {
        if let Some(reference) = published.contents {
            self.push(ino, Place::INODE, reference, Below::Inode(InodeKind::File));
        }
        if let Some(reference) = published.directory {
            self.push(ino, Place::NAMES, reference, Below::Names);
        }
    }

    fn push(&mut self, ino: Ino, place: Place, reference: Reference, below: Below) {
        self.steps.push(Step {
            ino,
            place,
            reference,
            below,
        });
    }

    /// Walks until no more than so many steps are left.
    pub(super) async fn go_on(&mut self, left: usize) -> Result<(), SyncError> {
        while self.steps.len() + self.running.len() > left {
            while self.running.len() < NODE_READS_MAX
                && let Some(step) = self.steps.pop()
            {
                self.start(step)?;
            }
            let done = self.running.join_next().await;
            self.take(done).await?;
            if self.marked >= PREPARED_ROWS {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn start(&mut self, step: Step) -> Result<(), SyncError> {
        let kept = &self.publisher.kept;
        let known = kept.reference(step.ino, step.place)?;
        // What is fetched must not take the last of the room, which the folder needs.
        if known.as_ref() != Some(&step.reference) && shortage(kept) > 0 {
            return Err(SyncError::NoRoom);
        }
        let reader = Arc::clone(&self.publisher.reader);
        self.running.spawn(async move {
            let page = reader.node(step.ino, step.place, &step.reference).await;
            (step, page.map_err(SyncError::from))
        });
        Ok(())
    }

    async fn take(&mut self, done: Done) -> Result<(), SyncError> {
        let Some(done) = done else { return Ok(()) };
        let (step, page) = done.map_err(|_| SyncError::Interrupted)?;
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.is_lost(&step, error).await,
        };
        self.mark(step.ino, step.place);
        let bytes = page.expose();
        match step.below {
            Below::Page | Below::Parity => {}
            Below::Inode(kind) => self.inode(&step, kind, Inode::decode(bytes, kind)?),
            Below::Tree { .. } => self.tree(&step, TreeNode::decode(bytes)?),
            Below::Names => match Leaf::decode(bytes) {
                Ok(leaf) => {
                    let first = leaf.entries.first().map(|entry| entry.name.as_bytes());
                    self.parity_of_names(&step, (0, first), leaf.parity);
                }
                Err(_) => self.names(&step, Inner::decode(bytes)?)?,
            },
        }
        Ok(())
    }

    /// Goes on without a node that everybody says is nowhere: what is below it cannot be read either.
    async fn is_lost(&self, step: &Step, error: SyncError) -> Result<(), SyncError> {
        if !error.is_loss() {
            return Err(error);
        }
        let Errand::Queue(network, _) = &self.errand else {
            return Ok(());
        };
        // Perhaps who has it does not answer now.
        if let SyncError::Read(ReadError::Fetch(_, FetchError::Missing(address))) = &error
            && network.endpoints.search(*address).await?.is_some()
        {
            return Err(error);
        }
        if !matches!(step.below, Below::Parity) {
            self.publisher.leftover.lock().is_nowhere(step.ino);
        }
        tracing::warn!(ino = %step.ino, "a node is neither here nor in the network");
        Ok(())
    }

    fn mark(&mut self, ino: Ino, place: Place) {
        match &mut self.errand {
            Errand::Queue(_, edit) => {
                edit.mark(ino, place, Mark::Unsent);
                self.marked += 1;
                self.publisher.enlisted.fetch_add(1, Ordering::Relaxed);
            }
            Errand::Count(tally) if place.as_page().is_some() => tally.pages += 1,
            Errand::Count(tally) => tally.nodes += 1,
        }
    }

    fn inode(&mut self, step: &Step, kind: InodeKind, inode: Inode) {
        let of_attributes = kind == InodeKind::Attributes;
        if let Contents::Tree {
            shape,
            children,
            parity,
        } = inode.contents
        {
            self.parity(step, parity);
            let below = Below::Tree {
                shape,
                level: shape.level(),
                first: 0,
                of_attributes,
            };
            self.children(step.ino, below, children);
        }
        if let XattrPlace::Elsewhere { node, parity } = inode.xattrs {
            let place = Place::INODE.of_attributes();
            self.push(step.ino, place, node, Below::Inode(InodeKind::Attributes));
            if let Some(parity) = parity {
                let place = Place::parity_of_attributes();
                self.push(step.ino, place, parity, Below::Parity);
            }
        }
    }

    fn tree(&mut self, step: &Step, node: TreeNode) {
        self.parity(step, node.parity);
        if let Below::Tree {
            shape,
            level,
            first,
            of_attributes,
        } = step.below
        {
            let below = Below::Tree {
                shape,
                level: level.saturating_sub(1),
                first,
                of_attributes,
            };
            self.children(step.ino, below, node.children);
        }
    }

    /// Children that stand at a level, from the page on that `below` says.
    fn children(&mut self, ino: Ino, below: Below, children: Vec<Option<Reference>>) {
        let Below::Tree {
            shape,
            level,
            first: start,
            of_attributes,
        } = below
        else {
            return;
        };
        let span = shape.span(level);
        for (at, child) in (0_u64..).zip(children) {
            let Some(reference) = child else { continue };
            let first = start.saturating_add(at.saturating_mul(span));
            let place = Place::node(level, first.checked_div(span).unwrap_or(0));
            let place = if of_attributes {
                place.of_attributes()
            } else {
                place
            };
            if place.as_page().is_some() {
                self.mark(ino, place);
                continue;
            }
            let below = match level {
                0 => Below::Page,
                _ => Below::Tree {
                    shape,
                    level,
                    first,
                    of_attributes,
                },
            };
            self.push(ino, place, reference, below);
        }
    }

    fn parity(&mut self, step: &Step, parity: Vec<Option<Reference>>) {
        for (group, reference) in (0..).zip(parity) {
            if let Some(reference) = reference {
                let place = step.place.parity(group);
                self.push(step.ino, place, reference, Below::Parity);
            }
        }
    }

    /// The nodes below one of a directory.
    fn names(&mut self, step: &Step, inner: Inner) -> Result<(), SyncError> {
        let level = inner.level.checked_sub(1);
        let level = level.ok_or(Malformed("directory node"))?;
        let first = inner.pointers.first().map(|it| it.first.as_bytes());
        self.parity_of_names(step, (inner.level, first), inner.parity);
        for pointer in inner.pointers.into_iter().rev() {
            let mut place = Place::names(level, pointer.first.as_bytes());
            // Names whose hashes are equal stand beside each other.
            while self
                .publisher
                .kept
                .reference(step.ino, place)?
                .is_some_and(|kept| kept != pointer.node)
            {
                place = place.beside();
            }
            self.push(step.ino, place, pointer.node, Below::Names);
        }
        Ok(())
    }

    /// Parity of a node of names stands with the place that the node has by its first name, the root's too.
    fn parity_of_names(
        &mut self,
        step: &Step,
        (level, first): (u8, Option<&[u8]>),
        parity: Vec<Reference>,
    ) {
        let place = match first {
            Some(first) if step.place == Place::NAMES => Place::names(level, first),
            _ => step.place,
        };
        for (group, reference) in (0..).zip(parity) {
            self.push(step.ino, place.parity(group), reference, Below::Parity);
        }
    }

    /// Ends the walk; gives what it counted.
    pub(super) async fn end(mut self) -> Result<Tally, SyncError> {
        self.go_on(0).await?;
        self.flush()?;
        Ok(match self.errand {
            Errand::Queue(..) => Tally::default(),
            Errand::Count(tally) => tally,
        })
    }

    fn flush(&mut self) -> Result<(), SyncError> {
        let Errand::Queue(_, edit) = &mut self.errand else {
            return Ok(());
        };
        let edit = std::mem::replace(edit, KeptEdit::new(Class::Meta));
        self.marked = 0;
        let kept = &self.publisher.kept;
        let write = || {
            kept.rows().admit(0)?;
            kept.write(edit)
        };
        Ok(tokio::task::block_in_place(write)?)
    }
}
