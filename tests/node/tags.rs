//! Tags: how far the chunks of an upload have come.

use std::collections::BTreeMap;

use podfs::types::Address;

/// The counters of one upload.
#[derive(Clone, Default)]
pub struct Tag {
    pub uid: u64,
    /// Chunks that came in.
    pub split: u64,
    /// Of these, chunks that still waited here from an earlier request.
    pub seen: u64,
    pub stored: u64,
    pub sent: u64,
    /// Chunks for which a storer gave a receipt.
    pub synced: u64,
    pub address: Option<Address>,
    /// Nanoseconds of Unix time.
    pub started: u64,
}

#[derive(Default)]
pub struct Tags {
    tags: BTreeMap<u64, Tag>,
    last: u64,
}

impl Tags {
    pub fn create(&mut self, now: u64) -> Tag {
        self.last += 1;
        let tag = Tag {
            uid: self.last,
            started: now,
            ..Tag::default()
        };
        self.tags.insert(tag.uid, tag.clone());
        tag
    }

    pub fn get(&self, uid: u64) -> Option<&Tag> {
        self.tags.get(&uid)
    }

    pub fn get_mut(&mut self, uid: u64) -> Option<&mut Tag> {
        self.tags.get_mut(&uid)
    }

    pub fn remove(&mut self, uid: u64) -> bool {
        self.tags.remove(&uid).is_some()
    }

    pub fn all(&self) -> impl Iterator<Item = &Tag> {
        self.tags.values()
    }

    /// A tag from before a restart.
    pub fn insert(&mut self, tag: Tag) {
        self.last = self.last.max(tag.uid);
        self.tags.insert(tag.uid, tag);
    }
}
