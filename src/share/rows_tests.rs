use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::format::card::SignedCard;
use crate::format::rows::Key;
use crate::index::Rows;
use crate::share::rows::{PeopleRows, Shelf, ShelfError, file_name, key_of_file};
use crate::share::{Contacts, ShareError};
use crate::types::limits::ROW_VALUE_MAX;

/// Files in memory, which can refuse to be written.
#[derive(Default)]
pub(super) struct Files {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    refuse: Mutex<bool>,
}

impl Files {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn refuse(&self, refuse: bool) {
        *self.refuse.lock() = refuse;
    }

    pub(super) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.files.lock().clone()
    }

    fn admit(&self) -> Result<(), ShelfError> {
        let refuse = *self.refuse.lock();
        if refuse {
            return Err(ShelfError("no space left".to_owned()));
        }
        Ok(())
    }
}

impl Shelf for Files {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError> {
        self.admit()?;
        self.files.lock().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), ShelfError> {
        self.admit()?;
        self.files.lock().remove(name);
        Ok(())
    }

    fn holds(&self, name: &str) -> Result<bool, ShelfError> {
        Ok(self.files.lock().contains_key(name))
    }
}

pub(super) fn people_rows(files: &Arc<Files>) -> PeopleRows {
    people_rows_over(&Arc::new(Rows::memory()), files)
}

pub(super) fn people_rows_over(rows: &Arc<Rows>, files: &Arc<Files>) -> PeopleRows {
    let shelf = Arc::clone(files) as Arc<dyn Shelf>;
    PeopleRows::new(Arc::clone(rows), shelf)
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/golden/v1/{name}.bin")).unwrap()
}

fn contact() -> (Key, Vec<u8>) {
    let card = SignedCard::read(&golden("card-signed-good")).unwrap();
    let key = Key::contact_of(&card.card().identity);
    (key, golden("rows-contact-good"))
}

#[test]
fn a_row_is_a_file_as_long_as_it_is_there() {
    let files = Files::new();
    let rows = people_rows(&files);
    let (key, value) = contact();
    rows.put(key, value.clone()).unwrap();
    rows.put(Key::own_card(), b"1".to_vec()).unwrap();
    rows.put(Key::own_card(), b"22".to_vec()).unwrap();
    let wanted = [
        ("430000000000000000".to_owned(), b"22".to_vec()),
        (file_name(&key), value),
    ];
    assert_eq!(files.all(), BTreeMap::from(wanted));
    assert_eq!(rows.keys().unwrap(), [Key::own_card(), key]);
    rows.delete(key).unwrap();
    rows.delete(key).unwrap();
    assert_eq!(files.all().len(), 1);
    assert_eq!(rows.get(&key).unwrap(), None);
}

#[test]
fn only_names_of_rows_about_people_are_keys() {
    let (key, _) = contact();
    assert_eq!(key_of_file(&file_name(&key)), Some(key));
    for other in [
        "",
        "audit.jsonl",
        "43",
        "43000000000000000",
        "4300000000000000000",
        "43000000000000000G",
        "43FFFFFFFFFFFFFFFF",
        "490000000000000001",
        "4400000000000000010000000000000001",
    ] {
        assert_eq!(key_of_file(other), None, "{other}");
    }
}

#[test]
fn a_row_whose_file_cannot_be_written_is_there_and_says_so() {
    let files = Files::new();
    let rows = people_rows(&files);
    let (key, value) = contact();
    files.refuse(true);
    let put = rows.put(key, value.clone());
    assert!(matches!(put, Err(ShareError::NotCarried(_))));
    assert_eq!(rows.get(&key).unwrap().as_deref(), Some(&value[..]));
    assert!(rows.renew(&key).is_err());
    files.refuse(false);
    rows.renew(&key).unwrap();
    assert_eq!(
        files.all(),
        BTreeMap::from([(file_name(&key), value.clone())])
    );
    files.refuse(true);
    rows.put_now(key, value.clone()).unwrap();
    let trouble = rows.trouble(&key);
    assert!(matches!(trouble, Some(ShareError::NotCarried(_))));
    assert!(rows.carry().is_err());
    files.refuse(false);
    rows.carry().unwrap();
    assert!(rows.trouble(&key).is_none());
    files.refuse(true);
    assert!(rows.delete(key).is_err());
    assert!(rows.get(&key).unwrap().is_some(), "a removal is whole");
}

#[test]
fn what_another_machine_wrote_becomes_a_row_if_it_is_one() {
    let files = Files::new();
    let (key, value) = contact();
    people_rows(&files).put(key, value.clone()).unwrap();
    let rows = people_rows(&files);
    let mut damaged = value.clone();
    damaged[700] ^= 1;
    let long = vec![0; ROW_VALUE_MAX + 1];
    for bad in [&damaged[..], &value[1..], b"", &long] {
        let adopted = rows.adopt(key, bad);
        assert!(matches!(adopted, Err(ShareError::NoRow(_))));
        assert_eq!(rows.get(&key).unwrap(), None);
    }
    let elsewhere = Key::contact(7);
    files.put(&file_name(&elsewhere), &value).unwrap();
    let adopted = rows.adopt(elsewhere, &value);
    assert!(matches!(adopted, Err(ShareError::NoRow(_))));
    rows.adopt(key, &value).unwrap();
    assert_eq!(rows.get(&key).unwrap().as_deref(), Some(&value[..]));
    let all = Contacts::new(Arc::new(rows)).all().unwrap();
    assert_eq!(all.len(), 1);
}

#[test]
fn a_row_that_is_here_and_one_that_was_removed_are_not_replaced() {
    let files = Files::new();
    let rows = people_rows(&files);
    let (key, value) = contact();
    rows.put(key, b"newer".to_vec()).unwrap();
    rows.adopt(key, &value).unwrap();
    assert_eq!(rows.get(&key).unwrap().as_deref(), Some(&b"newer"[..]));
    rows.delete(key).unwrap();
    rows.adopt(key, &value).unwrap();
    assert_eq!(rows.get(&key).unwrap(), None);
}
