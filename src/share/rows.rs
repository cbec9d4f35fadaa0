//! Rows about other people, each of which a file carries to the owner's other machines.
//!
//! The rows are in the log of this machine. What becomes of a pod elsewhere is its files; so each row is also a file in
//! a place that programs do not see, named by the hexadecimal digits of its key, with the value of the row in it. A row
//! is written before its file, and a file is removed before its row: a row without its file was not written to the
//! end, and a file without a row comes from another machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::format::rows::{
    Key, check_blocked_row, check_card_row, check_given_row, check_received_row,
    check_revocation_row, check_seen_log_row,
};
use crate::format::wire::Malformed;
use crate::index::Rows;
use crate::journal::{Batch, Class, JournalError, Value};
use crate::share::error::ShareError;
use crate::types::limits::ROW_VALUE_MAX;

/// A kind of row about people.
struct Kind {
    /// The first byte of its keys.
    letter: u8,
    /// Numbers of eight bytes behind it.
    fields: usize,
    /// Whether a row from another machine is one.
    check: fn(&Key, &[u8]) -> Result<(), Malformed>,
}

/// All kinds. What is not listed here stays on this machine.
const KINDS: &[Kind] = &[
    Kind {
        letter: b'C',
        fields: 1,
        check: check_card_row,
    },
    Kind {
        letter: b'G',
        fields: 1,
        check: check_given_row,
    },
    Kind {
        letter: b'S',
        fields: 1,
        check: check_received_row,
    },
    Kind {
        letter: b'U',
        fields: 1,
        check: check_blocked_row,
    },
    Kind {
        letter: b'W',
        fields: 1,
        check: check_revocation_row,
    },
    Kind {
        letter: b'Z',
        fields: 1,
        check: check_seen_log_row,
    },
];

/// Where the files are.
pub trait Shelf: Send + Sync {
    /// The file holds these bytes from now on, or what it held before.
    ///
    /// # Errors
    /// Says why it holds what it held before.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError>;

    /// There is no such file from now on.
    ///
    /// # Errors
    /// Says why there still is.
    fn remove(&self, name: &str) -> Result<(), ShelfError>;

    /// Whether there is such a file.
    ///
    /// # Errors
    /// When nobody knows.
    fn holds(&self, name: &str) -> Result<bool, ShelfError>;
}

/// What is wrong with the files, for people.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ShelfError(pub String);

/// The rows about people. There is one of these for a pod, and nobody else writes them.
pub struct PeopleRows {
    rows: Arc<Rows>,
    shelf: Arc<dyn Shelf>,
    /// Held while a row and its file are written, so that they end as the same.
    writing: Mutex<()>,
    /// Rows whose files could not be written, and why.
    uncarried: Mutex<BTreeMap<Key, ShelfError>>,
}

impl PeopleRows {
    /// Those among `rows`, with their files on `shelf`.
    pub fn new(rows: Arc<Rows>, shelf: Arc<dyn Shelf>) -> Self {
        Self {
            rows,
            shelf,
            writing: Mutex::new(()),
            uncarried: Mutex::default(),
        }
    }

    /// The row.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn get(&self, key: &Key) -> Result<Option<Value>, ShareError> {
        Ok(self.rows.get(key)?)
    }

    /// Up to `limit` rows from `from` to `to`, both included, in order.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn scan(
        &self,
        from: &Key,
        to: &Key,
        limit: usize,
    ) -> Result<Vec<(Key, Value)>, ShareError> {
        Ok(self.rows.scan(from, to, limit)?)
    }

    /// The row has this value from now on.
    ///
    /// # Errors
    /// [`ShareError::NotCarried`]: the row is written, and its file will be at the next mount. Else nothing was changed.
    pub fn put(&self, key: Key, value: Vec<u8>) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        self.append(key, value)?;
        self.shelve(&key)
    }

    /// The row has this value from now on, and its file when it is put or at the next mount: for what is written often,
    /// and would have the pod published each time.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn note(&self, key: Key, value: Vec<u8>) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        Ok(self.append(key, value)?)
    }

    /// The same for a row of which something else follows already: it counts, and its file is written later if it cannot
    /// be now.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn put_now(&self, key: Key, value: Vec<u8>) -> Result<(), ShareError> {
        match self.put(key, value) {
            Err(error @ ShareError::NotCarried(_)) => {
                tracing::warn!(%error, "a row about people");
                Ok(())
            }
            put => put,
        }
    }

    /// Why the file of a row was not written, if it was not.
    pub fn trouble(&self, key: &Key) -> Option<ShareError> {
        let uncarried = self.uncarried.lock().get(key).cloned();
        uncarried.map(ShareError::NotCarried)
    }

    /// Writes the files that could not be written before.
    ///
    /// # Errors
    /// [`ShareError::NotCarried`]: one cannot be still; or the log does not give the row.
    pub fn carry(&self) -> Result<(), ShareError> {
        let keys: Vec<Key> = self.uncarried.lock().keys().copied().collect();
        keys.iter().try_for_each(|key| self.renew(key))
    }

    /// There is no such row from now on.
    ///
    /// # Errors
    /// The row is still there.
    pub fn delete(&self, key: Key) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        self.shelf.remove(&file_name(&key))?;
        let mut batch = Batch::new(Class::Meta);
        batch.delete(key);
        Ok(self.rows.append(batch, None)?)
    }

    /// The keys of all rows, in order.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn keys(&self) -> Result<Vec<Key>, ShareError> {
        let mut keys = Vec::new();
        for kind in KINDS {
            let [Some(from), Some(to)] = [0, u8::MAX].map(|byte| kind.key(byte)) else {
                continue;
            };
            let rows = self.rows.scan(&from, &to, usize::MAX)?;
            keys.extend(rows.into_iter().map(|(key, _)| key));
        }
        Ok(keys)
    }

    /// Writes the file of a row anew, if there is the row.
    ///
    /// # Errors
    /// [`ShareError::NotCarried`]; or the log does not give the row.
    pub fn renew(&self, key: &Key) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        self.shelve(key)
    }

    /// Makes the row of a file that another machine wrote, unless there is one, or the file is gone.
    ///
    /// # Errors
    /// [`ShareError::NoRow`]: these bytes are no such row. Else it cannot be written.
    pub fn adopt(&self, key: Key, value: &[u8]) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        if self.rows.get(&key)?.is_some() || !self.shelf.holds(&file_name(&key))? {
            return Ok(());
        }
        let kind = kind_of(&key).filter(|_| value.len() <= ROW_VALUE_MAX);
        let kind = kind.ok_or(Malformed("row about people"));
        let checked = kind.and_then(|kind| (kind.check)(&key, value));
        checked.map_err(ShareError::NoRow)?;
        Ok(self.append(key, value.to_vec())?)
    }

    fn append(&self, key: Key, value: Vec<u8>) -> Result<(), JournalError> {
        let mut batch = Batch::new(Class::Meta);
        batch.put(key, value);
        self.rows.append(batch, None)
    }

    fn shelve(&self, key: &Key) -> Result<(), ShareError> {
        if let Some(row) = self.rows.get(key)? {
            let shelved = self.shelf.put(&file_name(key), &row);
            if let Err(error) = &shelved {
                self.uncarried.lock().insert(*key, error.clone());
            }
            shelved?;
        }
        self.uncarried.lock().remove(key);
        Ok(())
    }
}

impl Kind {
    /// A key whose numbers have all bytes alike.
    fn key(&self, byte: u8) -> Option<Key> {
        let mut bytes = vec![self.letter];
        bytes.resize(self.fields.saturating_mul(8).saturating_add(1), byte);
        Key::parse(&bytes)
    }
}

fn kind_of(key: &Key) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.letter == key.kind())
}

/// Name of the file that carries a row: the hexadecimal digits of its key.
pub fn file_name(key: &Key) -> String {
    hex::encode(key.as_bytes())
}

/// The key of the row that a file of this name carries, if it carries any.
pub fn key_of_file(name: &str) -> Option<Key> {
    let key = Key::parse(&hex::decode(name).ok()?)?;
    kind_of(&key)
        .filter(|_| file_name(&key) == name)
        .map(|_| key)
}
