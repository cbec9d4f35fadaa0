//! Promise 2 when the power goes: what is left is a prefix of the operations that is not older than the last sync.

use std::path::Path;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::crypto::Secret;
use crate::index::{Rows, RowsParts};
use crate::journal::history;
use crate::pod::{Caller, FileKind, Nowhere, Pod, PodError, PodParts, Taken, XattrMode};
use crate::types::limits::PAGE;
use crate::types::{ROOT, Timespec};

const OWNER: Caller = Caller { uid: 0, gid: 0 };
const OPERATIONS: usize = 260;
const IMAGES: usize = 320;

fn open(dir: &Path) -> Pod {
    let parts = RowsParts {
        dir: dir.to_owned(),
        secret: Secret::from_bytes(&[3; 32]),
        budget: Some(1 << 30),
        read_only: false,
    };
    if !dir.join("manifest").exists() {
        Rows::create(&parts).unwrap();
    }
    let rows = Rows::open(&parts).unwrap();
    assert_eq!(rows.journal().broken(), None);
    let parts = PodParts {
        rows: Arc::new(rows),
        remote: Arc::new(Nowhere),
        clock: Arc::new(|| Timespec { secs: 1, nanos: 2 }),
        device: 0,
        owner: OWNER,
    };
    Pod::over(parts).unwrap()
}

/// One operation that is there wholly or not at all.
fn operate(pod: &Pod, rng: &mut StdRng) -> Result<(), PodError> {
    if rng.random_range(0..8) == 0 {
        return keep(pod, rng);
    }
    let name = |rng: &mut StdRng| format!("f{}", rng.random_range(0..9)).into_bytes();
    let (file, other) = (name(rng), name(rng));
    let Ok(found) = pod.lookup(ROOT, &file) else {
        return pod.mknod(ROOT, &file, (0o100_644, 0), OWNER).map(drop);
    };
    match rng.random_range(0..10) {
        0 => pod.unlink(ROOT, &file),
        1 => pod.rename((ROOT, &file), (ROOT, &other), Taken::Replace),
        2 => {
            let value = vec![rng.random(); rng.random_range(0..500)];
            pod.setxattr(found.ino, b"user.x", &value, XattrMode::Either)
        }
        _ => {
            let data: Vec<u8> = (0..PAGE * rng.random_range(1..9))
                .map(|_| rng.random())
                .collect();
            let at = rng.random_range(0..20) * PAGE as u64;
            pod.write(found.ino, at, &data, false).map(drop)
        }
    }
}

/// One of a file in `.pod`.
fn keep(pod: &Pod, rng: &mut StdRng) -> Result<(), PodError> {
    let name = format!("s{}", rng.random_range(0..4));
    let bytes: Vec<u8> = (0..rng.random_range(0..40_000))
        .map(|_| rng.random())
        .collect();
    match rng.random_range(0..6) {
        0 => pod.remove_state(&name),
        1 | 2 => pod.append_state(&name, &bytes),
        _ => pod.put_state(&name, &bytes),
    }
}

fn digest(pod: &Pod) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut out = Vec::new();
    for name in pod.state_names().unwrap() {
        let (ino, size) = pod.state_file(&name).unwrap().unwrap();
        let size = u32::try_from(size).unwrap();
        pod.read(ino, 0, size, &mut out).unwrap();
        hasher
            .update(name.as_bytes())
            .update(&size.to_le_bytes())
            .update(&out);
    }
    for nth in 0..9 {
        let Ok(file) = pod.lookup(ROOT, format!("f{nth}").as_bytes()) else {
            continue;
        };
        assert_eq!(file.kind, FileKind::Regular);
        let size = u32::try_from(file.size).unwrap();
        pod.read(file.ino, 0, size, &mut out).unwrap();
        hasher
            .update(&[nth])
            .update(&file.size.to_le_bytes())
            .update(&out);
        if let Ok(value) = pod.getxattr(file.ino, b"user.x") {
            hasher.update(&value);
        }
    }
    hasher.finalize()
}

/// A life and how far its history was at each step.
struct Life {
    /// Digest after so many operations.
    digests: Vec<blake3::Hash>,
    /// Events when an operation began.
    began: Vec<usize>,
    /// Events when a sync had returned, and operations before it.
    synced: Vec<(usize, usize)>,
}

fn live(dir: &Path, rng: &mut StdRng) -> Life {
    let mut pod = open(dir);
    // Makes the directory, so that each of the following is one record.
    pod.put_state("first", b"").unwrap();
    pod.fsync().unwrap();
    let mut life = Life {
        digests: vec![digest(&pod)],
        began: Vec::new(),
        synced: vec![(history::length(dir), 0)],
    };
    for done in 1..=OPERATIONS {
        life.began.push(history::length(dir));
        operate(&pod, rng).unwrap();
        life.digests.push(digest(&pod));
        match rng.random_range(0..40) {
            0..6 => pod.fsync().unwrap(),
            6..9 => pod.rows().checkpoint().unwrap(),
            9 => {
                // A clean end, or one like a kill.
                if rng.random() {
                    pod.rows().close(true).unwrap();
                }
                drop(pod);
                pod = open(dir);
            }
            _ => continue,
        }
        life.synced.push((history::length(dir), done));
    }
    life
}

/// Whether a pod in `image`, cut after so many events, is what it may be.
fn verify(image: &Path, life: &Life, cut: usize, said: &str) {
    let pod = open(image);
    let least = life
        .synced
        .iter()
        .rfind(|(at, _)| *at <= cut)
        .map_or(0, |(_, done)| *done);
    let most = life.began.iter().filter(|at| **at <= cut).count();
    let found = digest(&pod);
    let allowed = life.digests.get(least..=most).unwrap();
    let known = life.digests.iter().position(|digest| *digest == found);
    assert!(
        allowed.contains(&found),
        "{said}: {known:?}, not from {least} to {most}"
    );
    assert_eq!(pod.check(true).unwrap().findings, [], "{said}");
    pod.mkdir(ROOT, b"after", 0o755, OWNER).unwrap();
    pod.rows().checkpoint().unwrap();
    drop(pod);
    assert!(open(image).lookup(ROOT, b"after").is_ok(), "{said}");
}

#[test]
fn after_a_power_cut_a_prefix_is_left() {
    let seed: u64 = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut visited, mut lives) = (0, 0);
    while visited < IMAGES {
        let dir = tempfile::tempdir().unwrap();
        history::begin(dir.path());
        let life = live(dir.path(), &mut rng);
        let (first, last) = (life.synced[0].0, history::length(dir.path()));
        for _ in 0..IMAGES / 4 {
            let cut = rng.random_range(first..=last);
            let image = tempfile::tempdir().unwrap();
            history::cut(dir.path(), cut, image.path(), &mut rng);
            let said = format!("seed {seed}, life {lives}, cut {cut} of {last}");
            verify(image.path(), &life, cut, &said);
            visited += 1;
        }
        history::end(dir.path());
        lives += 1;
    }
}

/// A few lives with a few ends each, of which each is gone on from: enough to see what is sealed on the way.
#[test]
#[ignore = "crypto::account runs it"]
fn some_lives_and_what_goes_on_from_them() {
    let mut rng = StdRng::seed_from_u64(1);
    let dir = tempfile::tempdir().unwrap();
    history::begin(dir.path());
    let life = live(dir.path(), &mut rng);
    let (first, last) = (life.synced[0].0, history::length(dir.path()));
    for _ in 0..4 {
        let cut = rng.random_range(first..=last);
        let image = tempfile::tempdir().unwrap();
        history::cut(dir.path(), cut, image.path(), &mut rng);
        verify(image.path(), &life, cut, "one of several ends");
    }
    history::end(dir.path());
}
