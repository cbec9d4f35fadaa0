//! Several threads rename, link, make and remove in the same few directories; what is left must fit together.

use std::collections::BTreeMap;

use crate::format::rows::{Dentries, FileKind, Inode, Key};
use crate::pod::{Caller, Pod, Taken};
use crate::types::{Ino, ROOT};

const OWNER: Caller = Caller { uid: 0, gid: 0 };
const THREADS: u64 = 4;
const STEPS: u64 = 4_000;

/// A small generator of numbers (xorshift); the seed is in every message.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn name(&mut self) -> Vec<u8> {
        format!("n{}", self.below(12)).into_bytes()
    }
}

/// Some directory that was there a moment ago, up to three deep.
fn somewhere(pod: &Pod, dice: &mut Dice) -> Ino {
    let mut at = ROOT;
    for _ in 0..dice.below(4) {
        match pod.lookup(at, &dice.name()) {
            Ok(attr) if attr.kind == FileKind::Directory => at = attr.ino,
            _ => break,
        }
    }
    at
}

/// One step; that it fails for want of what another thread took away is part of the game.
fn step(pod: &Pod, dice: &mut Dice) {
    let (dir, other) = (somewhere(pod, dice), somewhere(pod, dice));
    let (name, new_name) = (dice.name(), dice.name());
    match dice.below(9) {
        0 => drop(pod.mkdir(dir, &name, 0o755, OWNER)),
        1 => {
            if let Ok(made) = pod.create(dir, &name, 0o644, OWNER) {
                pod.unlink(dir, &name).ok();
                pod.release(made.ino).unwrap();
            }
        }
        2 => drop(pod.mknod(dir, &name, (0o644, 0), OWNER)),
        3 => drop(pod.unlink(dir, &name)),
        4 => drop(pod.rmdir(dir, &name)),
        5 => {
            if let Ok(found) = pod.lookup(dir, &name) {
                pod.link(found.ino, other, &new_name).ok();
            }
        }
        6 => drop(pod.rename((dir, &name), (other, &new_name), Taken::Exchange)),
        _ => drop(pod.rename((dir, &name), (other, &new_name), Taken::Replace)),
    }
}

fn rows(pod: &Pod, from: Key, to: Key) -> Vec<(Key, crate::journal::Value)> {
    pod.rows.scan(&from, &to, usize::MAX).unwrap()
}

/// Inodes, names and parent rows tell the same story, and every directory can be reached.
fn assert_consistent(pod: &Pod, seed: u64) {
    let last = Ino(u64::MAX);
    let inodes: BTreeMap<Ino, Inode> = rows(pod, Key::inode(Ino(0)), Key::inode(last))
        .into_iter()
        .map(|(key, row)| (Ino(key.field(0)), Inode::decode(&row).unwrap()))
        .collect();
    let mut names = BTreeMap::new();
    let mut parents = Vec::new();
    for (key, row) in rows(pod, Key::dentry(Ino(0), 0), Key::dentry(last, u64::MAX)) {
        let (dir, hash) = (Ino(key.field(0)), key.field(1));
        for entry in Dentries::decode(&row).unwrap().0 {
            assert_eq!(
                inodes[&entry.ino].kind(),
                entry.kind,
                "seed {seed}: {}",
                entry.ino
            );
            names.entry(entry.ino).or_insert_with(Vec::new).push(dir);
            parents.push((entry.ino, dir, hash));
        }
    }
    parents.sort_unstable();
    let found: Vec<_> = rows(
        pod,
        Key::parent(Ino(0), Ino(0), 0),
        Key::parent(last, last, u64::MAX),
    )
    .iter()
    .map(|(key, _)| (Ino(key.field(0)), Ino(key.field(1)), key.field(2)))
    .collect();
    assert_eq!(found, parents, "seed {seed}");
    for (ino, inode) in &inodes {
        let links = names.get(ino).map_or(0, Vec::len);
        if !inode.is_dir() {
            assert_eq!(inode.nlink as usize, links, "seed {seed}: links of {ino}");
            continue;
        }
        let entries: Vec<Ino> = parents
            .iter()
            .filter(|(_, dir, _)| dir == ino)
            .map(|(child, _, _)| *child)
            .collect();
        let subdirs = entries.iter().filter(|child| inodes[child].is_dir());
        assert_eq!(
            inode.size,
            entries.len() as u64,
            "seed {seed}: entries of {ino}"
        );
        assert_eq!(
            inode.nlink as usize,
            2 + subdirs.count(),
            "seed {seed}: links of {ino}"
        );
        let mut at = *ino;
        for _ in 0..inodes.len() {
            if at != ROOT {
                assert_eq!(names[&at].len(), 1, "seed {seed}: {at} has one name");
                at = names[&at][0];
            }
        }
        assert_eq!(at, ROOT, "seed {seed}: {ino} can be reached");
    }
    let orphans = rows(pod, Key::orphan(Ino(0)), Key::orphan(last));
    assert!(orphans.is_empty(), "seed {seed}: {} orphans", orphans.len());
}

#[test]
fn threads_in_the_same_directories_leave_them_consistent() {
    for seed in 1..=4_u64 {
        let pod = Pod::in_memory();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let pod = &pod;
                scope.spawn(move || {
                    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ thread);
                    for _ in 0..STEPS {
                        step(pod, &mut dice);
                    }
                });
            }
        });
        assert_consistent(&pod, seed);
    }
}
