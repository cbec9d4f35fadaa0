//! Pinned checkpoints against copies of a sorted map: they stay as they were, whatever is written since.

use std::collections::BTreeMap;

use podfs::format::rows::{Bucket, Key, Run, RunData, RunKind, Slot, SlotRange};
use podfs::index::Rows;
use podfs::journal::{Batch, Class, Snapshot};
use podfs::types::Ino;
use podfs::types::limits::PAGE;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::rows::parts;
use crate::support::rounds;

type Map = BTreeMap<Key, Vec<u8>>;

/// Rows and one page for each of some buckets, as they should be.
#[derive(Clone, Default)]
struct Model {
    rows: Map,
    pages: BTreeMap<u64, u8>,
}

fn change(rng: &mut StdRng, rows: &Rows, model: &mut Model) {
    let mut batch = Batch::new(Class::Data);
    let (bucket, byte) = (rng.random_range(0..20), rng.random());
    let pages = rows.seal(vec![byte; PAGE]);
    let key = Key::extent(Ino(9), bucket);
    if let Some(old) = rows.get(&key).unwrap() {
        let old = Bucket::decode(&old).unwrap().runs[0]
            .data()
            .unwrap()
            .clone();
        batch.frees.push(SlotRange {
            slot: old.slot,
            count: 1,
        });
    }
    let data = RunData {
        slot: Slot::pending(0),
        number: pages.number,
        shared: false,
        tags: pages.tags.clone(),
    };
    let run = Run {
        start: 0,
        count: 1,
        kind: RunKind::Data(data),
    };
    batch.extent(key, Bucket { runs: vec![run] });
    let _old = model.pages.insert(bucket, byte);
    for _ in 0..rng.random_range(1..5) {
        let key = Key::xattr(Ino(1), rng.random_range(0..900));
        if rng.random_bool(0.3) {
            if model.rows.remove(&key).is_some() {
                batch.delete(key);
            }
        } else {
            let value = vec![rng.random(); rng.random_range(0..400)];
            batch.put(key, value.clone());
            let _old = model.rows.insert(key, value);
        }
    }
    rows.append(batch, Some(pages)).unwrap();
}

/// All rows of a kind in a pinned checkpoint, leaf by leaf.
fn read(rows: &Rows, at: &Snapshot, from: Key, to: Key) -> Map {
    let mut found = Map::new();
    let mut cursor = Some(from);
    while let Some(from) = cursor {
        let step = rows.journal().rows_at(at, &from, &to).unwrap();
        let values = step.rows.into_iter();
        found.extend(values.map(|(key, value)| (key, value.to_vec())));
        cursor = step.next;
    }
    found
}

fn holds(rows: &Rows, at: &Snapshot, model: &Model) {
    let xattrs = (Key::xattr(Ino(1), 0), Key::xattr(Ino(1), u64::MAX));
    assert_eq!(read(rows, at, xattrs.0, xattrs.1), model.rows);
    for (key, value) in model.rows.iter().step_by(50) {
        let row = rows.journal().row_at(at, key).unwrap();
        assert_eq!(row.as_deref(), Some(&value[..]));
    }
    for (bucket, byte) in &model.pages {
        let row = rows.journal().row_at(at, &Key::extent(Ino(9), *bucket));
        let bucket = Bucket::decode(&row.unwrap().unwrap()).unwrap();
        let mut page = vec![0; PAGE];
        let data = bucket.runs[0].data().unwrap().clone();
        rows.read(&data, 0, &mut page).unwrap();
        assert!(page.iter().all(|found| found == byte));
    }
}

fn differences(
    rows: &Rows,
    old: Option<&Snapshot>,
    new: &Snapshot,
) -> BTreeMap<Key, [Option<Vec<u8>>; 2]> {
    let mut found = BTreeMap::new();
    let xattr = Key::xattr(Ino(1), 0).kind();
    let shown = rows.journal().differences(old, new, |it| {
        if it.key.kind() == xattr {
            let sides = [it.old, it.new].map(|side| side.map(|value| value.to_vec()));
            let twice = found.insert(it.key, sides);
            assert_eq!(twice, None);
        }
        Ok(())
    });
    shown.unwrap();
    found
}

fn expected(old: &Map, new: &Map) -> BTreeMap<Key, [Option<Vec<u8>>; 2]> {
    let keys = old.keys().chain(new.keys());
    keys.map(|key| (*key, [old.get(key).cloned(), new.get(key).cloned()]))
        .filter(|(_, [old, new])| old != new)
        .collect()
}

fn run(seed: u64, steps: usize) {
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    Rows::create(&parts(dir.path())).unwrap();
    let mut rows = Rows::open(&parts(dir.path())).unwrap();
    let mut model = Model::default();
    let (mut base, mut cut) = (None::<Model>, None::<Model>);
    for _ in 0..steps {
        match rng.random_range(0..100) {
            0 => {
                rows.close(true).unwrap();
                drop(rows);
                rows = Rows::open(&parts(dir.path())).unwrap();
            }
            1 => {
                drop(rows);
                rows = Rows::open(&parts(dir.path())).unwrap();
            }
            2..6 => rows.checkpoint().unwrap(),
            6..8 if cut.is_none() => {
                rows.make_cut().unwrap();
                cut = Some(model.clone());
            }
            8 if cut.is_some() => {
                rows.journal().settle_cut().unwrap();
                // Only a manifest makes it last.
                rows.checkpoint().unwrap();
                base = cut.take();
            }
            9 => {
                rows.journal().drop_cut().unwrap();
                rows.checkpoint().unwrap();
                cut = None;
            }
            10..13 => {
                let (old, new) = (rows.journal().base(), rows.journal().cut());
                assert_eq!(
                    (old.is_some(), new.is_some()),
                    (base.is_some(), cut.is_some())
                );
                if let (Some(new), Some(model)) = (&new, &cut) {
                    holds(&rows, new, model);
                    let before = base.clone().unwrap_or_default().rows;
                    let found = differences(&rows, old.as_deref(), new);
                    assert_eq!(found, expected(&before, &model.rows));
                }
            }
            _ => change(&mut rng, &rows, &mut model),
        }
        assert_eq!(rows.journal().broken(), None);
    }
    rows.journal().settle_cut().unwrap();
    rows.journal().drop_cut().unwrap();
    rows.checkpoint().unwrap();
}

#[test]
fn a_pinned_checkpoint_stays_as_it_was() {
    for _ in 0..rounds(2, 40) {
        run(rand::random(), 1500);
    }
}

/// Publication after publication, only what the last one names is held.
#[test]
fn what_is_held_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    Rows::create(&parts(dir.path())).unwrap();
    let rows = Rows::open(&parts(dir.path())).unwrap();
    let mut rng = StdRng::seed_from_u64(2);
    let mut model = Model::default();
    let mut live = Vec::new();
    for _ in 0..12 {
        for _ in 0..4 {
            (0..100).for_each(|_| change(&mut rng, &rows, &mut model));
            rows.checkpoint().unwrap();
        }
        rows.make_cut().unwrap();
        (0..100).for_each(|_| change(&mut rng, &rows, &mut model));
        rows.journal().settle_cut().unwrap();
        (0..2).for_each(|_| rows.checkpoint().unwrap());
        live.push(rows.space().live);
    }
    let (early, late) = (live[3], live[11]);
    assert!(late <= early + early / 4, "{live:?}");
}

/// Held pages count as in use while a pin names them and go when none does.
#[test]
fn what_is_held_goes_back_to_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    Rows::create(&parts(dir.path())).unwrap();
    let rows = Rows::open(&parts(dir.path())).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let mut model = Model::default();
    let write = |rng: &mut StdRng, model: &mut Model| {
        (0..400).for_each(|_| change(rng, &rows, model));
        rows.checkpoint().unwrap();
    };
    write(&mut rng, &mut model);
    let settled = rows.space().live;
    rows.make_cut().unwrap();
    let pinned = model.clone();
    (0..5).for_each(|_| write(&mut rng, &mut model));
    holds(&rows, &rows.journal().cut().unwrap(), &pinned);
    assert!(rows.space().live > settled, "nothing is held");
    rows.journal().drop_cut().unwrap();
    (0..2).for_each(|_| rows.checkpoint().unwrap());
    let left = rows.space().live;
    assert!(
        left <= settled + settled / 4,
        "{left} of {settled} are in use"
    );
}
