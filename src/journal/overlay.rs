use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::format::rows::Key;
use crate::journal::Value;

/// What a record left of a row: its value, or `None` when it is gone.
pub type Image = Option<Value>;

/// After-images by key.
pub(in crate::journal) type Images = BTreeMap<Key, Image>;

/// Rows changed since the newest checkpoint, in memory: those of the checkpoint in the making are frozen.
#[derive(Default)]
pub(in crate::journal) struct Overlay {
    layers: RwLock<Layers>,
}

#[derive(Default)]
struct Layers {
    current: Images,
    frozen: Option<Arc<Images>>,
    bytes: usize,
    /// Frozen layers that went into checkpoints.
    epoch: u64,
}

/// What a row costs in memory beside its bytes.
const ROW_COST: usize = 96;

fn cost(value: Option<&Value>) -> usize {
    value.map_or(0, |value| value.len()) + ROW_COST
}

/// Rows of the overlay in a range, with what they hide.
pub struct Layered {
    /// The images, in key order.
    pub rows: Vec<(Key, Image)>,
    /// Whether the range was read to its end.
    pub complete: bool,
    /// [`Journal::epoch`](crate::journal::Journal::epoch) when it was read.
    pub epoch: u64,
}

impl Overlay {
    /// Sets rows.
    pub(in crate::journal) fn apply(&self, rows: impl Iterator<Item = (Key, Image)>) {
        let mut layers = self.layers.write();
        for (key, value) in rows {
            let added = cost(value.as_ref());
            let removed = layers
                .current
                .insert(key, value)
                .map_or(0, |old| cost(old.as_ref()));
            layers.bytes = layers.bytes + added - removed.min(layers.bytes + added);
        }
    }

    /// What the overlay says of a row: nothing, gone, or its value.
    pub(in crate::journal) fn get(&self, key: &Key) -> Option<Image> {
        let layers = self.layers.read();
        let found = layers
            .current
            .get(key)
            .or_else(|| layers.frozen.as_ref()?.get(key));
        found.cloned()
    }

    /// Images with `from <= key <= to`; reading stops after `limit` rows that exist.
    pub(in crate::journal) fn range(&self, from: &Key, to: &Key, limit: usize) -> Layered {
        let layers = self.layers.read();
        let mut current = layers.current.range(from..=to).peekable();
        let empty = Images::new();
        let frozen = layers.frozen.as_deref().unwrap_or(&empty);
        let mut frozen = frozen.range(from..=to).peekable();
        let (mut rows, mut existing) = (Vec::new(), 0);
        loop {
            let next = match (current.peek(), frozen.peek()) {
                (None, None) => {
                    return Layered {
                        rows,
                        complete: true,
                        epoch: layers.epoch,
                    };
                }
                (Some((newer, _)), Some((older, _))) if newer == older => {
                    frozen.next();
                    current.next()
                }
                (Some((newer, _)), Some((older, _))) if newer > older => frozen.next(),
                (None, Some(_)) => frozen.next(),
                (Some(_), _) => current.next(),
            };
            let Some((key, value)) = next else { continue };
            existing += usize::from(value.is_some());
            rows.push((*key, value.clone()));
            if existing >= limit {
                return Layered {
                    rows,
                    complete: false,
                    epoch: layers.epoch,
                };
            }
        }
    }

    /// The images with `from <= key <= to`, from the last on, up to and with the first that exists.
    pub(in crate::journal) fn range_back(&self, from: &Key, to: &Key) -> Layered {
        let layers = self.layers.read();
        let mut rows = Images::new();
        for (key, value) in layers.current.range(from..=to).rev() {
            rows.insert(*key, value.clone());
            if value.is_some() {
                break;
            }
        }
        for (key, value) in layers
            .frozen
            .iter()
            .flat_map(|frozen| frozen.range(from..=to).rev())
        {
            rows.entry(*key).or_insert_with(|| value.clone());
            if value.is_some() && rows.get(key).is_some_and(Option::is_some) {
                break;
            }
        }
        Layered {
            rows: rows.into_iter().rev().collect(),
            complete: false,
            epoch: layers.epoch,
        }
    }

    /// Bytes of the layer that grows.
    pub(in crate::journal) fn bytes(&self) -> usize {
        self.layers.read().bytes
    }

    /// Frozen layers that went into checkpoints so far.
    pub(in crate::journal) fn epoch(&self) -> u64 {
        self.layers.read().epoch
    }

    /// Sets the grown layer aside for a checkpoint.
    pub(in crate::journal) fn freeze(&self) -> Arc<Images> {
        let mut layers = self.layers.write();
        let frozen = Arc::new(std::mem::take(&mut layers.current));
        layers.frozen = Some(Arc::clone(&frozen));
        layers.bytes = 0;
        frozen
    }

    /// The checkpoint holds the frozen layer now.
    pub(in crate::journal) fn forget_frozen(&self) {
        let mut layers = self.layers.write();
        layers.frozen = None;
        layers.epoch += 1;
    }

    /// The checkpoint failed: the frozen layer goes back under the current one.
    pub(in crate::journal) fn thaw(&self) {
        let mut layers = self.layers.write();
        let Some(frozen) = layers.frozen.take() else {
            return;
        };
        for (key, value) in frozen.iter() {
            if !layers.current.contains_key(key) {
                layers.bytes += cost(value.as_ref());
                layers.current.insert(*key, value.clone());
            }
        }
    }
}
