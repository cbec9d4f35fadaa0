//! Looks again whether the network holds what it was seen to hold, and has what it lost sent again.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::publish::Reference;
use crate::format::published::{Contents, Inode, InodeKind, Place, TreeNode};
use crate::format::rows::{KeptNodes, Key};
use crate::journal::Class;
use crate::store::endpoints::{Sought, Verdict};
use crate::sync::edit::KeptEdit;
use crate::sync::error::SyncError;
use crate::sync::kept::{Kept, damaged};
use crate::sync::network::Network;
use crate::sync::queue::Mark;
use crate::sync::remake::{Remake, Wanted};
use crate::types::Ino;
use crate::types::limits::CONFIRMING;

/// What a scrub found, in chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Looked for.
    pub looked: u64,
    /// Not in the network any more.
    pub missing: u64,
    /// Of those, the ones that this machine can make: they are sent again.
    pub sent_again: u64,
}

/// Looks for the chunks of what is kept on this machine, or for some of them.
pub(super) struct Scrub {
    pub(super) kept: Arc<Kept>,
    pub(super) network: Network,
}

/// A published page or node.
struct Stored {
    ino: Ino,
    place: Place,
    reference: Reference,
}

/// Rows of kept nodes that are looked at together.
const ROWS: usize = 64;
/// Chunks that are made while nobody else writes.
const MADE: usize = 64;

impl Scrub {
    /// Looks for all chunks whose row of nodes `takes` chooses; tells `progress` how far it is.
    ///
    /// # Errors
    /// When nobody who could tell answers, or the log fails.
    pub(super) async fn run(
        &self,
        takes: impl Fn() -> bool,
        progress: &(dyn Fn(Scrubbed) + Sync),
    ) -> Result<Scrubbed, SyncError> {
        let mut found = Scrubbed::default();
        let mut next = Some(Key::nodes(Ino(0), 0));
        while let Some(from) = next {
            let last = Key::nodes(Ino::LAST_OWN, 0);
            let rows = self.kept.rows().scan(&from, &last, ROWS)?;
            next = rows.last().and_then(|(key, _)| key.successor());
            if rows.len() < ROWS {
                next = None;
            }
            for (key, row) in rows {
                if takes() {
                    let nodes = KeptNodes::decode(&row).map_err(damaged)?;
                    let stored = self.stored(Ino(key.field(0)), key.field(1), &nodes)?;
                    self.look_for(stored, &mut found).await?;
                    progress(found);
                }
            }
        }
        Ok(found)
    }

    /// What the nodes of one row are, and the pages that they refer to.
    fn stored(&self, ino: Ino, bucket: u64, nodes: &KeptNodes) -> Result<Vec<Stored>, SyncError> {
        let mut stored = Vec::new();
        for (position, node) in &nodes.0 {
            let place = Place::of_row(bucket, *position);
            stored.push(Stored {
                ino,
                place,
                reference: node.reference.clone(),
            });
            let Some((_, plain)) = self.kept.get(ino, place)? else {
                continue;
            };
            let (first, children) = if place == Place::INODE {
                match Inode::decode(plain.expose(), InodeKind::File)?.contents {
                    Contents::Tree {
                        shape, children, ..
                    } if shape.level() == 0 => (0, children),
                    Contents::Tree { .. } | Contents::Inline(_) => continue,
                }
            } else if let Some(first) = place.first_page() {
                (first, TreeNode::decode(plain.expose())?.children)
            } else {
                continue;
            };
            for (page, child) in (first..).zip(children) {
                stored.extend(child.map(|reference| Stored {
                    ino,
                    place: Place::page(page),
                    reference,
                }));
            }
        }
        Ok(stored)
    }

    async fn look_for(&self, stored: Vec<Stored>, found: &mut Scrubbed) -> Result<(), SyncError> {
        let mut looking = JoinSet::new();
        let mut missing = Vec::new();
        for one in stored {
            // What is on its way is looked for anyway.
            if self.kept.mark(one.ino, one.place)? != Mark::Done {
                continue;
            }
            if looking.len() >= CONFIRMING {
                note(looking.join_next().await, found, &mut missing)?;
            }
            let network = self.network.clone();
            looking.spawn(async move {
                let sought = Sought::Content(one.reference.address());
                let verdict = network.endpoints.verify(sought, &network.writer).await;
                verdict.map(|verdict| (one, verdict))
            });
        }
        while !looking.is_empty() {
            note(looking.join_next().await, found, &mut missing)?;
        }
        self.send_again(missing, found)
    }

    fn send_again(&self, missing: Vec<Stored>, found: &mut Scrubbed) -> Result<(), SyncError> {
        let mut missing = missing.into_iter().peekable();
        while missing.peek().is_some() {
            let mut edit = KeptEdit::new(Class::Meta);
            // Or the local copy, perhaps the last there is, is given up before the mark holds it.
            let _held = self.kept.hold();
            for one in missing.by_ref().take(MADE) {
                let remake = Remake::new(&self.kept, None, one.ino)?;
                let wanted = [Wanted::of(one.place, Some(one.reference))];
                if remake.chunks(&wanted)?.iter().all(Option::is_some) {
                    edit.mark(one.ino, one.place, Mark::Unsent);
                    found.sent_again += 1;
                }
            }
            self.kept.write(edit)?;
        }
        Ok(())
    }
}

type Looked = Result<(Stored, Verdict), crate::store::StoreError>;

fn note(
    looked: Option<Result<Looked, tokio::task::JoinError>>,
    found: &mut Scrubbed,
    missing: &mut Vec<Stored>,
) -> Result<(), SyncError> {
    let Some(looked) = looked else { return Ok(()) };
    let (one, verdict) = looked.map_err(|_| SyncError::Interrupted)??;
    found.looked += 1;
    if !matches!(verdict, Verdict::Held(_)) {
        found.missing += 1;
        missing.push(one);
    }
    Ok(())
}
