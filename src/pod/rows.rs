use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::format::rows::{Key, RunData, Slot, Tag};
use crate::journal::{Batch, Change, JournalError, Sealed, Value};
use crate::types::limits::PAGE;

/// Room, in bytes of disk.
pub struct Space {
    /// What the pod may take.
    pub total: u64,
    /// What new data may still take.
    pub free: u64,
}

/// The pod's rows: what was appended last, wherever it is.
pub struct Rows {
    map: RwLock<Memory>,
    number: AtomicU64,
}

/// Rows and pages in memory, strict about what a log would lose silently.
struct Memory(BTreeMap<Key, Value>, Vec<u8>, Vec<PlacedPage>, i64);

/// What is known of a page that was appended.
#[derive(Clone, Copy)]
struct PlacedPage {
    number: u64,
    tag: Tag,
    live: bool,
}

impl Rows {
    /// An empty map.
    pub fn memory() -> Self {
        let header = PlacedPage {
            number: 0,
            tag: [0; 16],
            live: false,
        };
        Self {
            map: RwLock::new(Memory(BTreeMap::new(), vec![0; PAGE], vec![header], 0)),
            number: AtomicU64::new(1),
        }
    }

    /// The slots that were appended and not freed, and the preallocated pages.
    #[cfg(test)]
    pub(in crate::pod) fn live(&self) -> (Vec<u64>, i64) {
        let map = self.map.read();
        let live = map.2.iter().enumerate().filter(|(_, page)| page.live);
        (live.map(|(at, _)| at as u64).collect(), map.3)
    }

    /// The row of that key.
    pub fn get(&self, key: &Key) -> Result<Option<Value>, JournalError> {
        Ok(self.map.read().0.get(key).cloned())
    }

    /// The first `limit` rows with `from <= key <= to`, in order.
    pub fn scan(
        &self,
        from: &Key,
        to: &Key,
        limit: usize,
    ) -> Result<Vec<(Key, Value)>, JournalError> {
        Ok(self
            .map
            .read()
            .0
            .range(from..=to)
            .take(limit)
            .map(|(k, v)| (*k, v.clone()))
            .collect())
    }

    /// The last row with `from <= key <= to`.
    pub fn last(&self, from: &Key, to: &Key) -> Result<Option<(Key, Value)>, JournalError> {
        Ok(self
            .map
            .read()
            .0
            .range(from..=to)
            .next_back()
            .map(|(k, v)| (*k, v.clone())))
    }

    /// Seals whole pages in place. Holds no lock.
    pub fn seal(&self, bytes: Vec<u8>) -> Sealed {
        let pages = (bytes.len() / PAGE) as u64;
        let number = self.number.fetch_add(pages, Ordering::Relaxed);
        let tag = |number: u64| {
            *blake3::hash(&number.to_le_bytes())
                .as_bytes()
                .first_chunk()
                .unwrap()
        };
        Sealed {
            bytes,
            number,
            tags: (number..number + pages).map(tag).collect(),
        }
    }

    /// Appends one operation: when this returns it survives the end of this process.
    pub fn append(&self, batch: Batch, pages: Option<Sealed>) -> Result<(), JournalError> {
        let mut map = self.map.write();
        let base = Slot {
            segment: 0,
            page: u32::try_from(map.1.len() / PAGE).unwrap(),
        };
        if let Some(pages) = pages {
            map.1.extend_from_slice(&pages.bytes);
            map.2.extend(
                (pages.number..)
                    .zip(pages.tags)
                    .map(|(number, tag)| PlacedPage {
                        number,
                        tag,
                        live: true,
                    }),
            );
        }
        for free in batch.frees {
            for page in free.slot.page..free.slot.page + free.count {
                let page = &mut map.2[page as usize];
                assert!(std::mem::take(&mut page.live), "a page is freed twice");
            }
        }
        map.3 += batch.reserve;
        let mut keys: Vec<Key> = batch.rows.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        assert!(
            keys.windows(2).all(|pair| pair[0] != pair[1]),
            "a key is named twice"
        );
        for (key, change) in batch.rows {
            match change {
                Change::Delete => drop(map.0.remove(&key)),
                Change::Put(value) => drop(map.0.insert(key, value)),
                Change::Extent(mut bucket) => {
                    bucket.resolve(base);
                    map.0.insert(key, bucket.encode().into());
                }
            }
        }
        Ok(())
    }

    /// Waits until there is room for more unsynced bytes. Call before locks are taken.
    pub fn admit(&self, _bytes: u64) -> Result<(), JournalError> {
        Ok(())
    }

    /// Reads and opens pages of `data`, from its page `from` on, into `out` (whole pages).
    pub fn read(&self, data: &RunData, from: usize, out: &mut [u8]) -> Result<(), JournalError> {
        let map = self.map.read();
        let first = data.slot.page as usize + from;
        for (nth, at) in (from..).zip(first..first + out.len() / PAGE) {
            let page = map.2[at];
            if !page.live || page.number != data.number + nth as u64 || page.tag != data.tags[nth] {
                return Err(JournalError::Corrupt(data.slot));
            }
        }
        out.copy_from_slice(&map.1[first * PAGE..first * PAGE + out.len()]);
        Ok(())
    }

    /// Makes everything appended so far durable: one shared `fdatasync`.
    pub fn sync(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Where the room is.
    pub fn space(&self) -> Space {
        let taken = self.map.read().1.len() as u64;
        Space {
            total: 1 << 40,
            free: (1 << 40) - taken,
        }
    }

    /// A number no inode of this pod ever had, for its counter.
    pub fn next_ino(&self) -> u64 {
        let last = self
            .map
            .read()
            .0
            .range(..=Key::inode(crate::types::Ino(u64::MAX)))
            .next_back()
            .map(|(k, _)| k.field(0));
        last.unwrap_or(0) + 1
    }

    /// The 63-bit keyed hash of a name in a directory (or of an xattr name on an inode): never 0, 1 or 2.
    pub fn name_hash(&self, ino: crate::types::Ino, name: &[u8]) -> u64 {
        let hash = blake3::keyed_hash(&[7; 32], &[&ino.0.to_le_bytes(), name].concat());
        (u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap()) >> 1).max(3)
    }
}
