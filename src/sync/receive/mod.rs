//! What another person shares, brought into the rows of this machine as far as names and attributes go; the bytes of
//! files are fetched when they are read.
//!
//! A directory whose published names are those that were brought before is not looked into. It counts as brought only
//! when everything below it is: what was interrupted is gone on with.

mod allowance;
mod item;
mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::format::published::{Attributes, Place};
use crate::format::rows::Key;
use crate::journal::{Change, Class, JournalError};
use crate::sync::edit::KeptEdit;
use crate::sync::fetch::{Family, Fetcher, Sort};
use crate::sync::kept::{Kept, UNFINISHED};
use crate::sync::receive::allowance::Allowance;
use crate::sync::receive::names::{Below, Found};
use crate::sync::restore::{RESTORED, RestoreError};
use crate::types::limits::{
    RECEIVED_BYTES_MAX, RECEIVED_DEPTH_MAX, RECEIVED_DIRECTORIES, RECEIVED_NAMES_MAX,
};
use crate::types::{Ino, Name, RECEIVED};

pub use item::Item;

/// Rows that are looked at together.
const ROWS: usize = 256;

/// Where it is brought: the tree of the file system that is the receiver's.
pub trait Tree: Send + Sync {
    /// The names in a directory, and what they name.
    ///
    /// # Errors
    /// A sentence that says why not; so below.
    fn names(&self, dir: Ino) -> Result<Vec<(Name, Ino)>, String>;

    /// From now on `name` in `dir` is this; a directory stays the one that it was. Gives its number.
    fn put(&self, dir: Ino, name: &Name, item: Item) -> Result<Ino, String>;

    /// Takes a name away, with all that is below it.
    fn remove(&self, dir: Ino, name: &Name) -> Result<(), String>;
}

/// Why something that is shared was not brought, or not all of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The network does not give it, or it makes no sense.
    #[error(transparent)]
    Published(#[from] RestoreError),
    /// It has more names, or deeper directories, than anybody shares in earnest.
    #[error(
        "more is shared than fits: at most {RECEIVED_NAMES_MAX} names, {RECEIVED_DEPTH_MAX} directories deep, {} GiB",
        RECEIVED_BYTES_MAX >> 30
    )]
    TooMuch,
    /// The file system does not take it.
    #[error("{0}")]
    Refused(String),
    /// The log failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Who receives.
pub struct Receiver {
    /// Rows and what is kept.
    pub kept: Arc<Kept>,
    /// Where the nodes come from.
    pub fetcher: Fetcher,
    /// Where it is brought.
    pub tree: Arc<dyn Tree>,
    /// User and group of whoever receives: to them it belongs.
    pub owner: (u32, u32),
}

/// A directory of which not everything is brought yet.
struct Open {
    /// The one that it stands in, among those that are open; none of the topmost.
    above: Option<usize>,
    /// The directory that it stands in.
    dir: Ino,
    ino: Ino,
    found: Found,
    depth: usize,
    /// Directories in it that are open, and one until its own names are brought.
    left: usize,
}

/// One bringing.
struct Bringing<'a> {
    receiver: &'a Receiver,
    open: Vec<Open>,
    /// Of those, the ones whose names are to be read.
    queue: Vec<usize>,
    allowance: Arc<Allowance>,
    /// Something went, or was replaced.
    is_less: bool,
}

impl Receiver {
    /// Brings what `attributes` say to `name` in `dir`. Gives its number.
    ///
    /// # Errors
    /// [`ReceiveError`]; a part may be brought by then, and the rest is when it is done again.
    pub async fn receive(
        &self,
        (dir, name): (Ino, &Name),
        attributes: &Attributes,
    ) -> Result<Ino, ReceiveError> {
        let mut bringing = Bringing {
            receiver: self,
            open: Vec::new(),
            queue: Vec::new(),
            allowance: Arc::new(Allowance::new()),
            is_less: false,
        };
        let family = Arc::new(Family::none(Sort::Node));
        let found = Found::of(&self.fetcher, name.clone(), attributes.clone(), family).await?;
        bringing.allowance.admit(&found)?;
        let known = self.known(dir)?;
        let ino = bringing.put((dir, None), &known, found)?;
        bringing.run().await?;
        if bringing.is_less {
            self.sweep()?;
        }
        ino.ok_or_else(|| ReceiveError::Refused("nothing that can be shared".to_owned()))
    }

    /// Forgets what was published of inodes that are no more.
    ///
    /// # Errors
    /// When the log fails.
    pub fn sweep(&self) -> Result<(), JournalError> {
        let rows = self.kept.rows();
        let last = Key::published(Ino(u64::MAX));
        let mut next = Some(Key::published(Ino::new(RECEIVED, 0)));
        while let Some(from) = next {
            let found = rows.scan(&from, &last, ROWS)?;
            next = found.last().and_then(|(key, _)| key.successor());
            next = next.filter(|_| found.len() == ROWS);
            for (key, _) in found {
                let ino = Ino(key.field(0));
                if ino.is_received() && rows.get(&Key::inode(ino))?.is_none() {
                    self.forget(ino)?;
                }
            }
        }
        Ok(())
    }

    fn forget(&self, ino: Ino) -> Result<(), JournalError> {
        loop {
            let kept = self.kept.places(ino, 0, ROWS)?;
            let is_last = kept.len() < ROWS;
            let mut edit = KeptEdit::new(Class::Meta);
            for (bucket, nodes) in kept {
                for (position, _) in nodes.0 {
                    edit.remove(ino, Place::of_row(bucket, position));
                }
            }
            if is_last {
                edit.row(Key::published(ino), Change::Delete);
            }
            self.kept.write(edit)?;
            if is_last {
                return Ok(());
            }
        }
    }

    fn known(&self, dir: Ino) -> Result<BTreeMap<Name, Ino>, ReceiveError> {
        let names = self.tree.names(dir).map_err(ReceiveError::Refused)?;
        Ok(names.into_iter().collect())
    }
}

impl Bringing<'_> {
    async fn run(&mut self) -> Result<(), ReceiveError> {
        let mut reading = JoinSet::new();
        loop {
            while reading.len() < RECEIVED_DIRECTORIES
                && let Some(at) = self.queue.pop()
            {
                let Some(open) = self.open.get(at) else {
                    continue;
                };
                let below = Below {
                    fetcher: self.receiver.fetcher.clone(),
                    attributes: open.found.attributes.clone(),
                    family: Arc::clone(&open.found.family),
                    allowance: Arc::clone(&self.allowance),
                };
                reading.spawn(async move { (at, below.read().await) });
            }
            let Some(read) = reading.join_next().await else {
                return Ok(());
            };
            let (at, found) = read.map_err(|_| JournalError::Busy)?;
            let found = found?;
            tokio::task::block_in_place(|| self.directory(at, found))?;
        }
    }

    /// Brings the names of one directory.
    fn directory(&mut self, at: usize, found: Vec<Found>) -> Result<(), ReceiveError> {
        let Some(dir) = self.open.get(at).map(|open| open.ino) else {
            return Ok(());
        };
        let mut known = self.receiver.known(dir)?;
        for found in found {
            let name = found.name.clone();
            if self.put((dir, Some(at)), &known, found)?.is_some() {
                known.remove(&name);
            }
        }
        for name in known.into_keys() {
            self.is_less = true;
            let removed = self.receiver.tree.remove(dir, &name);
            removed.map_err(ReceiveError::Refused)?;
        }
        self.close(at)
    }

    /// Brings one name; nothing when it is of a kind that is not shared, or a symlink that leads elsewhere.
    fn put(
        &mut self,
        (dir, above): (Ino, Option<usize>),
        known: &BTreeMap<Name, Ino>,
        found: Found,
    ) -> Result<Option<Ino>, ReceiveError> {
        let depth = above.and_then(|at| self.open.get(at));
        if found.leads_out(depth.map_or(0, |open| open.depth)) {
            return Ok(None);
        }
        let before = known.get(&found.name).copied();
        let row = match before {
            Some(ino) => self.receiver.kept.published(ino)?,
            None => None,
        };
        let is_brought = row.as_ref().is_some_and(|row| {
            row.publication == RESTORED && row.directory == found.attributes.directory
        });
        let is_open = found.attributes.is_dir() && !is_brought;
        let publication = if is_open { UNFINISHED } else { RESTORED };
        let names = row.and_then(|row| row.directory);
        let Some(item) = found.item(self.receiver.owner, (publication, names)) else {
            return Ok(None);
        };
        let put = self.receiver.tree.put(dir, &found.name, item);
        let ino = put.map_err(ReceiveError::Refused)?;
        self.is_less |= before.is_some_and(|before| before != ino);
        if is_open {
            self.open(above, (dir, found), ino)?;
        }
        Ok(Some(ino))
    }

    fn open(
        &mut self,
        above: Option<usize>,
        (dir, found): (Ino, Found),
        ino: Ino,
    ) -> Result<(), ReceiveError> {
        let parent = above.and_then(|at| self.open.get_mut(at));
        let depth = parent.map_or(1, |parent| {
            parent.left = parent.left.saturating_add(1);
            parent.depth.saturating_add(1)
        });
        if depth > RECEIVED_DEPTH_MAX {
            return Err(ReceiveError::TooMuch);
        }
        self.queue.push(self.open.len());
        self.open.push(Open {
            above,
            dir,
            ino,
            found,
            depth,
            left: 1,
        });
        Ok(())
    }

    /// One thing less is open in a directory; after the last it counts as brought.
    fn close(&mut self, at: usize) -> Result<(), ReceiveError> {
        let mut next = Some(at);
        while let Some(open) = next.and_then(|at| self.open.get_mut(at)) {
            open.left = open.left.saturating_sub(1);
            if open.left > 0 {
                return Ok(());
            }
            let names = open.found.attributes.directory.clone();
            if let Some(item) = open.found.item(self.receiver.owner, (RESTORED, names)) {
                let put = self.receiver.tree.put(open.dir, &open.found.name, item);
                put.map_err(ReceiveError::Refused)?;
            }
            next = open.above;
        }
        Ok(())
    }
}
