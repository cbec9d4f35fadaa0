//! The log and the index against a sorted map: random operations, checkpoints, clean closes and crashes.

use std::collections::BTreeMap;
use std::path::Path;

use podfs::crypto::Secret;
use podfs::format::rows::{Bucket, Key, Run, RunData, RunKind, Slot};
use podfs::index::{Rows, RowsParts};
use podfs::journal::{Batch, Class};
use podfs::types::Ino;
use podfs::types::limits::PAGE;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub(crate) fn parts(dir: &Path) -> RowsParts {
    RowsParts {
        dir: dir.to_owned(),
        secret: Secret::from_bytes(&[7; 32]),
        budget: None,
        read_only: false,
    }
}

fn random_key(rng: &mut StdRng) -> Key {
    let (a, b) = (rng.random_range(0..40), rng.random_range(0..60));
    match rng.random_range(0..4) {
        0 => Key::inode(Ino(a * 60 + b)),
        1 => Key::dentry(Ino(a), b),
        2 => Key::parent(Ino(a), Ino(b), 5),
        _ => Key::xattr(Ino(a), b),
    }
}

/// A page whose bytes tell its number.
fn page(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(PAGE / 8)
}

struct Model {
    rows: BTreeMap<Key, Vec<u8>>,
    pages: BTreeMap<u64, u64>,
}

fn change(rng: &mut StdRng, rows: &Rows, model: &mut Model, count: &mut u64) {
    let mut batch = Batch::new(Class::Data);
    let mut touched = BTreeMap::new();
    for _ in 0..rng.random_range(1..6) {
        let value = rng
            .random_bool(0.7)
            .then(|| vec![rng.random(); rng.random_range(0..300)]);
        touched.insert(random_key(rng), value);
    }
    for (key, value) in touched {
        match &value {
            Some(value) => batch.put(key, value.clone()),
            None => batch.delete(key),
        }
        let _old = match value {
            Some(value) => model.rows.insert(key, value),
            None => model.rows.remove(&key),
        };
    }
    let mut sealed = None;
    if rng.random_bool(0.3) {
        *count += 1;
        let bucket = rng.random_range(0..50);
        let pages = rows.seal(page(*count));
        let data = RunData {
            slot: Slot::pending(0),
            number: pages.number,
            shared: false,
            tags: pages.tags.clone(),
        };
        let key = Key::extent(Ino(9), bucket);
        if let Some(old) = rows.get(&key).unwrap() {
            let old = Bucket::decode(&old).unwrap().runs[0]
                .data()
                .unwrap()
                .clone();
            batch.frees.push(podfs::format::rows::SlotRange {
                slot: old.slot,
                count: 1,
            });
        }
        batch.extent(
            key,
            Bucket {
                runs: vec![Run {
                    start: 0,
                    count: 1,
                    kind: RunKind::Data(data),
                }],
            },
        );
        model.pages.insert(bucket, *count);
        sealed = Some(pages);
    }
    rows.append(batch, sealed).unwrap();
}

fn compare(rng: &mut StdRng, rows: &Rows, model: &Model) {
    for _ in 0..10 {
        let key = random_key(rng);
        assert_eq!(
            rows.get(&key).unwrap().as_deref(),
            model.rows.get(&key).map(Vec::as_slice),
            "{key:?}"
        );
        let (mut from, mut to) = (random_key(rng), random_key(rng));
        if to < from {
            std::mem::swap(&mut from, &mut to);
        }
        let limit = rng.random_range(1..200);
        let within = |key: &Key| key.kind() != b'E';
        let scanned: Vec<_> = rows.scan(&from, &to, usize::MAX).unwrap();
        let mine: Vec<_> = scanned
            .iter()
            .filter(|(key, _)| within(key))
            .map(|(key, value)| (*key, value.to_vec()))
            .collect();
        let theirs: Vec<_> = model
            .rows
            .range(from..=to)
            .map(|(key, value)| (*key, value.clone()))
            .collect();
        assert_eq!(mine, theirs, "{from:?} to {to:?}");
        let limited: Vec<_> = rows.scan(&from, &to, limit).unwrap();
        assert_eq!(limited[..], scanned[..limit.min(scanned.len())]);
        let last = rows.last(&from, &to).unwrap();
        assert_eq!(last, scanned.last().cloned());
    }
    for (bucket, number) in &model.pages {
        let row = rows.get(&Key::extent(Ino(9), *bucket)).unwrap().unwrap();
        let data = Bucket::decode(&row).unwrap().runs[0]
            .data()
            .unwrap()
            .clone();
        let mut out = vec![0; PAGE];
        rows.read(&data, 0, &mut out).unwrap();
        assert_eq!(out, page(*number));
    }
}

fn run(seed: u64, steps: usize) {
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    Rows::create(&parts(dir.path())).unwrap();
    let mut rows = Rows::open(&parts(dir.path())).unwrap();
    let mut model = Model {
        rows: BTreeMap::new(),
        pages: BTreeMap::new(),
    };
    let mut count = 0;
    for _ in 0..steps {
        match rng.random_range(0..1000) {
            0..3 => {
                rows.close(true).unwrap();
                drop(rows);
                rows = Rows::open(&parts(dir.path())).unwrap();
                assert_eq!(rows.journal().replayed(), 0);
            }
            3..6 => {
                drop(rows);
                rows = Rows::open(&parts(dir.path())).unwrap();
            }
            6..20 => rows.checkpoint().unwrap(),
            20..30 => rows.sync().unwrap(),
            30..60 => compare(&mut rng, &rows, &model),
            _ => change(&mut rng, &rows, &mut model, &mut count),
        }
        assert_eq!(rows.journal().broken(), None);
    }
    compare(&mut rng, &rows, &model);
}

#[test]
fn rows_are_what_was_appended_last() {
    for _ in 0..4 {
        run(rand::random(), 6000);
    }
}

#[test]
fn a_row_is_never_missed_while_a_checkpoint_moves_it() {
    let dir = tempfile::tempdir().unwrap();
    Rows::create(&parts(dir.path())).unwrap();
    let rows = Rows::open(&parts(dir.path())).unwrap();
    for ino in 0..5000 {
        let mut batch = Batch::new(Class::Data);
        batch.put(Key::inode(Ino(ino)), vec![1; 200]);
        rows.append(batch, None).unwrap();
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..2_u64 {
            let (rows, done) = (&rows, &done);
            scope.spawn(move || {
                let mut at = reader;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    at = (at * 31 + 7) % 4900;
                    assert!(rows.get(&Key::inode(Ino(at))).unwrap().is_some(), "{at}");
                    let found = rows
                        .scan(&Key::inode(Ino(at)), &Key::inode(Ino(at + 99)), usize::MAX)
                        .unwrap();
                    assert_eq!(found.len(), 100, "from {at}");
                    let last = rows
                        .last(&Key::inode(Ino(at)), &Key::inode(Ino(at + 50)))
                        .unwrap();
                    assert_eq!(last.unwrap().0, Key::inode(Ino(at + 50)));
                }
            });
        }
        for round in 0..60_u64 {
            for ino in 0..200 {
                let mut batch = Batch::new(Class::Data);
                batch.put(
                    Key::inode(Ino((ino * 23 + round) % 5000)),
                    vec![2; 150 + (round % 90) as usize],
                );
                rows.append(batch, None).unwrap();
            }
            rows.checkpoint().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// A power cut can undo the removal of a file whose pages were all dead.
#[test]
fn a_removed_segment_that_comes_back_begins_no_session() {
    let dir = tempfile::tempdir().unwrap();
    let parts = parts(dir.path());
    Rows::create(&parts).unwrap();
    let put = |rows: &Rows, at: u64| {
        let mut batch = Batch::new(Class::Meta);
        batch.put(Key::xattr(Ino(1), at), vec![7]);
        rows.append(batch, None).unwrap();
    };
    let rows = Rows::open(&parts).unwrap();
    put(&rows, 1);
    rows.close(false).unwrap();
    drop(rows);
    let first = dir.path().join("log/0000000000000000.seg");
    let away = dir.path().join("away");
    std::fs::hard_link(&first, &away).unwrap();

    let rows = Rows::open(&parts).unwrap();
    for at in 2..4 {
        put(&rows, at);
        rows.checkpoint().unwrap();
    }
    assert!(!first.exists(), "the first segment holds nothing any more");
    put(&rows, 4);
    rows.sync().unwrap();
    rows.close(false).unwrap();
    drop(rows);
    std::fs::rename(&away, &first).unwrap();

    let rows = Rows::open(&parts).unwrap();
    assert_eq!(rows.journal().broken(), None);
    for at in 1..5 {
        let row = rows.get(&Key::xattr(Ino(1), at)).unwrap();
        assert!(row.is_some(), "row {at}");
    }
    rows.close(true).unwrap();
}
