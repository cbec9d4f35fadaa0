use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::{Attributes, Entry, Inner, Leaf};
use crate::format::rows::{FileKind, Xattr};
use crate::format::wire::Malformed;
use crate::sync::fetch::{Family, FetchError, Fetcher, Sort};
use crate::sync::receive::ReceiveError;
use crate::sync::receive::allowance::Allowance;
use crate::sync::restore::RestoreError;
use crate::sync::restore::details::{Details, all_pages, is_large};
use crate::types::limits::{DIRECTORY_LEVEL_MAX, PAGE, RECEIVED_XATTRS_EACH, RESTORE_READS_MAX};
use crate::types::{Ino, Name};

/// One name that was found, and all that is to be known of it.
pub(super) struct Found {
    pub(super) name: Name,
    pub(super) attributes: Attributes,
    /// What its nodes can be made again from.
    pub(super) family: Arc<Family>,
    /// Of a symlink.
    pub(super) target: Box<[u8]>,
    pub(super) xattrs: Vec<Xattr>,
    pub(super) pages: Vec<Range<u64>>,
}

/// A directory whose names are to be read.
pub(super) struct Below {
    pub(super) fetcher: Fetcher,
    pub(super) attributes: Attributes,
    pub(super) family: Arc<Family>,
    pub(super) allowance: Arc<Allowance>,
}

/// A node to be read: its level as far as it is known, and what it can be made again from.
type Wanted = (Option<u8>, Reference, Arc<Family>);

type Entries = Vec<(Entry, Arc<Family>)>;

/// A node under way: its level as far as it is known, and what it is.
type Read = (Option<u8>, Secret<PAGE>);

impl Found {
    /// What an entry says, and what has to be fetched for it.
    pub(super) async fn of(
        fetcher: &Fetcher,
        name: Name,
        attributes: Attributes,
        family: Arc<Family>,
    ) -> Result<Self, RestoreError> {
        let mut found = Self {
            pages: all_pages(&attributes),
            target: attributes.target.clone(),
            xattrs: Vec::new(),
            name,
            family,
            attributes,
        };
        let of = &found.attributes;
        let is_long = of.kind() == FileKind::Symlink && of.target.is_empty();
        if let Some(inode) = of.contents.clone()
            && (is_long || of.xattrs || is_large(of))
        {
            let details = Details {
                attributes: of.clone(),
                inode,
                family: Arc::clone(&found.family),
            };
            if let Some(more) = details.fetch(fetcher, RECEIVED_XATTRS_EACH).await? {
                found.xattrs = more.xattrs;
                found.pages = more.pages;
                if is_long {
                    found.target = more.target;
                }
            }
        }
        if found.attributes.kind() == FileKind::Symlink && found.target.is_empty() {
            let why = "a symlink without a target";
            return Err(RestoreError::Contradiction(found.attributes.ino, why));
        }
        Ok(found)
    }
}

impl Found {
    /// Whether it is a symlink that does not stay within what is shared, `depth` directories below whose top it stands.
    /// `..` counts at the beginning alone: behind a name it is relative to wherever another symlink leads.
    pub(super) fn leads_out(&self, depth: usize) -> bool {
        if self.attributes.kind() != FileKind::Symlink {
            return false;
        }
        let parts = self.target.split(|byte| *byte == b'/');
        let parts: Vec<_> = parts.filter(|part| *part != b".").collect();
        let above = parts.iter().take_while(|part| **part == b"..").count();
        let more = parts.iter().skip(above).any(|part| *part == b"..");
        self.target.starts_with(b"/") || more || above >= depth
    }
}

impl Below {
    /// Reads all names of the directory.
    pub(super) async fn read(self) -> Result<Vec<Found>, ReceiveError> {
        let ino = self.attributes.ino;
        let mut entries = self.entries().await?.into_iter();
        let mut found = BTreeMap::new();
        let mut running = JoinSet::new();
        loop {
            while running.len() < RESTORE_READS_MAX
                && let Some((entry, family)) = entries.next()
            {
                let fetcher = self.fetcher.clone();
                let Entry { name, attributes } = entry;
                running.spawn(async move { Found::of(&fetcher, name, attributes, family).await });
            }
            let Some(more) = running.join_next().await else {
                break;
            };
            let more = more.map_err(|_| crate::journal::JournalError::Busy)??;
            self.allowance.admit(&more)?;
            if found.insert(more.name.clone(), more).is_some() {
                return Err(contradiction(ino, "a name stands twice in this directory"));
            }
        }
        if found.len() as u64 != self.attributes.size {
            return Err(contradiction(
                ino,
                "this directory has other names than it says",
            ));
        }
        Ok(found.into_values().collect())
    }

    /// Walks the tree of names, a level at a time.
    async fn entries(&self) -> Result<Entries, ReceiveError> {
        let of = &self.attributes;
        self.allowance.admit_names(of.size)?;
        let (mut entries, mut reading) = (Entries::new(), JoinSet::new());
        let mut queue: Vec<Wanted> = Vec::new();
        let root = of.directory.clone();
        queue.extend(root.map(|root| (None, root, Arc::clone(&self.family))));
        loop {
            while reading.len() < RESTORE_READS_MAX
                && let Some((level, node, family)) = queue.pop()
            {
                let fetcher = self.fetcher.clone();
                reading.spawn(async move {
                    let page = fetcher.open(Sort::Node, &node, &family).await;
                    page.map(|page| (level, page))
                });
            }
            let Some(read) = reading.join_next().await else {
                return Ok(entries);
            };
            let read: Result<Read, FetchError> =
                read.map_err(|_| crate::journal::JournalError::Busy)?;
            let read = read.map_err(|error| RestoreError::Fetch(of.ino, error))?;
            queue.extend(take(of.ino, read, &mut entries)?);
            if entries.len().saturating_add(queue.len()) as u64 > of.size {
                return Err(contradiction(of.ino, "it has more names than it says"));
            }
        }
    }
}

/// Takes a node in; gives those below it.
fn take(ino: Ino, (level, page): Read, entries: &mut Entries) -> Result<Vec<Wanted>, ReceiveError> {
    let malformed = |error: Malformed| RestoreError::Malformed(ino, error);
    let is_lowest = level.map_or_else(|| Leaf::decode(page.expose()).is_ok(), |level| level == 0);
    if is_lowest {
        let leaf = Leaf::decode(page.expose()).map_err(malformed)?;
        let family = Arc::new(Family::nodes(leaf.references(), leaf.group, &leaf.parity));
        let leaf = leaf.entries.into_iter();
        entries.extend(leaf.map(|entry| (entry, Arc::clone(&family))));
        return Ok(Vec::new());
    }
    let inner = Inner::decode(page.expose()).map_err(malformed)?;
    if level.is_some_and(|level| level != inner.level) || inner.level > DIRECTORY_LEVEL_MAX {
        return Err(contradiction(
            ino,
            "the nodes of this directory do not fit together",
        ));
    }
    let nodes = inner.pointers.iter().map(|pointer| &pointer.node);
    let family = Arc::new(Family::nodes(nodes, inner.group, &inner.parity));
    let below = Some(inner.level.saturating_sub(1));
    let pointers = inner.pointers.into_iter();
    let pointers = pointers.map(|pointer| (below, pointer.node, Arc::clone(&family)));
    Ok(pointers.collect())
}

fn contradiction(ino: Ino, why: &'static str) -> ReceiveError {
    RestoreError::Contradiction(ino, why).into()
}
