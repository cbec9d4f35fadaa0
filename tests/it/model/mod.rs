//! Promises 2 and 3: random operations on a pod, compared with a reference after each, and the whole tree after
//! clean stops and crashes.

mod contents;
mod reference;
mod steps;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use podfs::crypto::Secret;
use podfs::format::rows::FileKind;
use podfs::index::{Rows, RowsParts};
use podfs::pod::{Caller, Nowhere, Pod, PodParts};
use podfs::types::{Ino, ROOT, Timespec};

use crate::support::random::Random;
use crate::support::rounds;
use reference::Reference;

const OWNER: Caller = Caller { uid: 0, gid: 0 };
/// Operations between two ends of the pod, at most.
const LIFE: u64 = 3000;

/// A pod and the reference that it has to equal.
struct Pair {
    dir: tempfile::TempDir,
    clock: Arc<AtomicI64>,
    pod: Option<Arc<Pod>>,
    reference: Reference,
    random: Random,
}

fn open(dir: &std::path::Path, clock: &Arc<AtomicI64>, new: bool) -> Arc<Pod> {
    let parts = RowsParts {
        dir: dir.to_owned(),
        secret: Secret::from_bytes(&[9; 32]),
        budget: None,
        read_only: false,
    };
    if new {
        Rows::create(&parts).unwrap();
    }
    let clock = Arc::clone(clock);
    let pod = Pod::over(PodParts {
        rows: Arc::new(Rows::open(&parts).unwrap()),
        remote: Arc::new(Nowhere),
        clock: Arc::new(move || time(clock.load(Ordering::Relaxed))),
        device: 0,
        owner: OWNER,
    });
    Arc::new(pod.unwrap())
}

/// The time of an operation; some are before 1970.
fn time(turn: i64) -> Timespec {
    Timespec {
        secs: turn - 1000,
        nanos: turn.unsigned_abs() as u32,
    }
}

impl Pair {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1));
        let pod = open(dir.path(), &clock, true);
        let reference = Reference::new(&pod.getattr(ROOT).unwrap());
        Self {
            dir,
            clock,
            pod: Some(pod),
            reference,
            random: Random::new("model"),
        }
    }

    fn pod(&self) -> Arc<Pod> {
        Arc::clone(self.pod.as_ref().unwrap())
    }

    /// Ends the pod, well or not, and opens it again.
    fn reopen(&mut self) {
        let kind = self.random.below(4);
        let pod = self.pod.take().unwrap();
        pod.stop_reaper();
        if kind == 0 {
            pod.rows().close(true).unwrap();
        } else if kind == 1 {
            pod.rows().checkpoint().unwrap();
        }
        let pod = Arc::into_inner(pod).expect("nobody else has it");
        drop(pod);
        self.reference.crash();
        let pod = open(self.dir.path(), &self.clock, false);
        if self.random.below(2) == 0 {
            pod.start_reaper().unwrap();
        }
        self.pod = Some(pod);
    }

    /// The whole tree, and all rows among themselves.
    fn compare(&self) {
        let pod = self.pod();
        let mut seen = BTreeSet::from([ROOT]);
        let mut dirs = vec![ROOT];
        while let Some(dir) = dirs.pop() {
            let mut found = Vec::new();
            pod.readdir(dir, 2, |entry| {
                found.push((entry.name.to_vec(), entry.ino, entry.kind));
                true
            })
            .unwrap();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            let expected = &self.reference.nodes[&dir].entries;
            assert!(
                found.iter().map(|(name, ino, _)| (name, ino)).eq(expected),
                "entries of {dir} differ"
            );
            for (_, ino, kind) in found {
                assert_eq!(kind, self.reference.nodes[&ino].kind);
                if seen.insert(ino) && kind == FileKind::Directory {
                    assert_eq!(pod.parent(ino).unwrap(), dir);
                    dirs.push(ino);
                }
            }
        }
        for ino in seen {
            self.compare_node(ino);
        }
    }

    fn compare_node(&self, ino: Ino) {
        let (pod, node) = (self.pod(), &self.reference.nodes[&ino]);
        let attr = pod.getattr(ino).unwrap();
        assert!(
            node.agrees(&attr),
            "{ino}: {attr:?}, times {:?}",
            node.times
        );
        let mut names = pod.listxattr(ino).unwrap();
        names.pop();
        let names: BTreeSet<_> = names.split(|b| *b == 0).filter(|n| !n.is_empty()).collect();
        assert!(
            names
                .iter()
                .copied()
                .eq(node.xattrs.keys().map(Vec::as_slice))
        );
        for (name, value) in &node.xattrs {
            assert_eq!(*pod.getxattr(ino, name).unwrap(), **value);
        }
        match node.kind {
            FileKind::Symlink => assert_eq!(*pod.readlink(ino).unwrap(), *node.bytes),
            FileKind::Regular => {
                let mut out = Vec::new();
                pod.read(ino, 0, u32::MAX, &mut out).unwrap();
                assert!(out == node.bytes, "contents of {ino} differ");
            }
            FileKind::Directory
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => {}
        }
    }

    /// Nothing is left over that no file names.
    fn check(&self) {
        let pod = self.pod();
        pod.reap_all().unwrap();
        let report = pod.check(true).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        let open = self.reference.inos(|node| node.nlink == 0).len() as u64;
        assert_eq!(
            report.orphans, open,
            "only what is open may be left without a name"
        );
        assert_eq!(report.inodes, self.reference.nodes.len() as u64);
    }
}

#[test]
fn random_operations_agree_with_the_reference() {
    let mut pair = Pair::new();
    let (mut done, rounds) = (0, rounds(100_000, 2_000_000));
    while done < rounds {
        let life = 1 + pair.random.below(LIFE).min(rounds - done);
        for turn in done..done + life {
            let at = i64::try_from(turn).unwrap() + 2;
            pair.clock.store(at, Ordering::Relaxed);
            pair.reference.now = time(at);
            pair.step();
        }
        done += life;
        pair.compare();
        pair.reopen();
        pair.compare();
        pair.check();
    }
    println!("model: {done} operations, 0 differences");
}
