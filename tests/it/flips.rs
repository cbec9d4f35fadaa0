//! Promise 3 below the mount: bits, bytes and ends of the state's files change. The pod refuses to open, says that it
//! is damaged, or is as it was; what it shows of rows and pages is true or an error.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use podfs::format::rows::{Bucket, Key, Run, RunData, RunKind, Slot};
use podfs::index::Rows;
use podfs::journal::{Batch, Class};
use podfs::types::Ino;
use podfs::types::limits::PAGE;

use crate::rows::parts;
use crate::support::pod::{Files, read_files, write_files};
use crate::support::random::Random;
use crate::support::rounds;

/// Rows of the last state, and the bytes of the page each extent row names.
#[derive(Default)]
struct Truth {
    rows: BTreeMap<Key, Vec<u8>>,
    pages: BTreeMap<Key, Vec<u8>>,
    /// All values that a row ever had: what is shown of a log that ends early.
    older: BTreeMap<Key, Vec<Vec<u8>>>,
}

fn change(rows: &Rows, truth: &mut Truth, random: &mut Random) {
    let mut batch = Batch::new(Class::Data);
    for nth in 0..3 {
        let key = Key::inode(Ino(random.below(60) * 3 + nth));
        let len = 40 + random.index(200);
        let value = random.bytes(len);
        batch.put(key, value.clone());
        truth.older.entry(key).or_default().push(value.clone());
        truth.rows.insert(key, value);
    }
    let bytes = random.bytes(PAGE);
    let sealed = rows.seal(bytes.clone());
    let data = RunData {
        slot: Slot::pending(0),
        number: sealed.number,
        shared: false,
        tags: sealed.tags.clone(),
    };
    let run = Run {
        start: 0,
        count: 1,
        kind: RunKind::Data(data),
    };
    // Each page stays: it has a row of its own.
    let key = Key::extent(Ino(9), truth.pages.len() as u64);
    batch.extent(key, Bucket { runs: vec![run] });
    rows.append(batch, Some(sealed)).unwrap();
    truth.pages.insert(key, bytes);
}

/// A checkpoint, a clean end, records behind it in two sessions that were not ended.
fn build(dir: &Path, random: &mut Random) -> Truth {
    let mut truth = Truth::default();
    Rows::create(&parts(dir)).unwrap();
    for session in 0..4 {
        let rows = Rows::open(&parts(dir)).unwrap();
        for _ in 0..40 {
            change(&rows, &mut truth, random);
        }
        rows.sync().unwrap();
        if session == 0 {
            rows.checkpoint().unwrap();
        } else if session == 1 {
            rows.close(true).unwrap();
        }
    }
    truth
}

/// Changes one file; tells how, and whether it was one of the log.
fn hurt(files: &mut Files, random: &mut Random) -> (String, bool) {
    let nth = random.index(files.len());
    let (name, bytes) = &mut files[nth];
    let written = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    let log = name.starts_with("log");
    if written == 0 {
        return (format!("{} is empty", name.display()), log);
    }
    let at = random.index(written);
    let how = match random.below(4) {
        0 => {
            bytes.truncate(at);
            "cut"
        }
        1 => {
            let end = bytes.len().min(at + 1 + random.index(600));
            bytes[at..end].fill(0);
            "zeroed"
        }
        2 => {
            bytes[at] = bytes[at].wrapping_add(1 + random.index(255) as u8);
            "changed"
        }
        _ => {
            bytes[at] ^= 1 << random.below(8);
            "flipped"
        }
    };
    (format!("{} {how} at {at}", name.display()), log)
}

/// How a damaged state answered.
#[derive(Default, Debug)]
struct Answers {
    refused: u64,
    read_only: u64,
    row_errors: u64,
    page_errors: u64,
    whole: u64,
}

fn look(dir: &Path, truth: &Truth, said: &str, answers: &mut Answers) {
    let Ok(rows) = Rows::open(&parts(dir)) else {
        answers.refused += 1;
        return;
    };
    let broken = rows.journal().broken().is_some();
    let mut errors = 0;
    for (key, value) in &truth.rows {
        match rows.get(key) {
            Err(_) => errors += 1,
            Ok(Some(found)) if found[..] == value[..] => {}
            Ok(found) => {
                let found = found.as_deref();
                let older = |found: &[u8]| truth.older[key].iter().any(|old| old == found);
                assert!(
                    broken && found.is_none_or(older),
                    "{said}: {key:?} is another"
                );
            }
        }
    }
    answers.row_errors += u64::from(errors > 0);
    let mut torn = 0;
    for (key, bytes) in &truth.pages {
        let row = match rows.get(key) {
            Ok(Some(row)) => row,
            Ok(None) => {
                assert!(broken, "{said}: {key:?} is gone");
                continue;
            }
            Err(_) => continue,
        };
        let data = Bucket::decode(&row).unwrap().runs[0]
            .data()
            .unwrap()
            .clone();
        let mut out = vec![0; PAGE];
        match rows.read(&data, 0, &mut out) {
            Ok(()) => assert!(out == *bytes, "{said}: a page of {key:?} is another"),
            Err(_) => torn += 1,
        }
    }
    answers.page_errors += u64::from(torn > 0);
    answers.read_only += u64::from(broken);
    answers.whole += u64::from(!broken && errors + torn == 0);
}

#[test]
fn damage_of_any_file_is_never_shown_as_data() {
    let mut random = Random::new("flips");
    let base = tempfile::tempdir().unwrap();
    let truth = build(base.path(), &mut random);
    let mut files = Files::new();
    read_files(base.path(), Path::new(""), &mut files);
    for (_, bytes) in &mut files {
        // What is preallocated behind the records takes time to copy and holds nothing.
        let written = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        bytes.truncate(written.next_multiple_of(1 << 17));
    }
    let rounds = rounds(250, 1000);
    let (mut log, mut beside) = (Answers::default(), Answers::default());
    for _ in 0..rounds {
        let mut hurt_files = files.clone();
        let (said, of_log) = hurt(&mut hurt_files, &mut random);
        let image = tempfile::tempdir().unwrap();
        fs::create_dir_all(image.path().join("log")).unwrap();
        write_files(image.path(), &hurt_files);
        look(
            image.path(),
            &truth,
            &said,
            if of_log { &mut log } else { &mut beside },
        );
    }
    println!("{rounds} cases; log: {log:?}; beside: {beside:?}");
    assert!(
        log.read_only + log.row_errors + log.page_errors + log.refused > 0,
        "the log was never hurt"
    );
}
