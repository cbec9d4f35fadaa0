//! Values of every layout that no layout refuses, from a seed.

use crate::crypto::keys::ScopeId;
use crate::crypto::publish::Reference;
use crate::format::published::tests::reference;
use crate::format::published::*;
use crate::format::rows::{Attached, FileKind, Xattr};
use crate::types::limits::{FILE_SIZE_MAX, INLINE_MAX, NODE_REFERENCES};
use crate::types::{Ino, Name, Timespec};
use rand::Rng;
use rand::rngs::StdRng;

pub(super) fn name(rng: &mut StdRng) -> Name {
    let len = if rng.random_ratio(1, 20) {
        255
    } else {
        rng.random_range(3..20)
    };
    let bytes: Vec<u8> = (0..len).map(|_| rng.random_range(b'0'..=0xff)).collect();
    Name::parse(&bytes).unwrap()
}

fn some(rng: &mut StdRng) -> Reference {
    reference(rng.random_range(0..50))
}

fn time(rng: &mut StdRng) -> Timespec {
    Timespec {
        secs: rng.random_range(-3..3),
        nanos: if rng.random() { 0 } else { 999_999_999 },
    }
}

fn owner(rng: &mut StdRng) -> Option<u32> {
    rng.random_bool(0.3).then(|| rng.random_range(0..u32::MAX))
}

pub(super) fn attributes(rng: &mut StdRng) -> Attributes {
    let kind = [
        FileKind::Regular,
        FileKind::Directory,
        FileKind::Symlink,
        FileKind::Fifo,
        FileKind::CharDevice,
    ][rng.random_range(0..5)];
    let xattrs = rng.random_bool(0.2);
    let attached = kind == FileKind::Directory && rng.random_bool(0.2);
    let size = match kind {
        FileKind::Regular => rng.random_range(0..3) * rng.random_range(0..=FILE_SIZE_MAX / 2),
        FileKind::Directory => rng.random_range(0..100),
        FileKind::Symlink => rng.random_range(1..=300),
        _ => 0,
    };
    let long = match kind {
        FileKind::Regular => size > 0,
        FileKind::Symlink => size > 255,
        _ => false,
    };
    let target = if kind == FileKind::Symlink && !long {
        size as usize
    } else {
        0
    };
    let mtime = time(rng);
    Attributes {
        mode: kind.bits() | rng.random_range(0..0o10_000),
        ino: Ino(rng.random()),
        uid: owner(rng),
        gid: owner(rng),
        nlink: rng.random_range(2..4) - u32::from(kind != FileKind::Directory),
        rdev: u32::from(kind == FileKind::CharDevice) * 0x0103,
        size,
        mtime,
        ctime: if rng.random() { mtime } else { time(rng) },
        btime: time(rng),
        atime: time(rng),
        xattrs,
        target: vec![b't'; target].into(),
        contents: (long || xattrs).then(|| some(rng)),
        directory: (kind == FileKind::Directory && rng.random()).then(|| some(rng)),
        attached: attached.then(|| Attached {
            number: rng.random_range(1..=u32::MAX),
            one_scope: rng.random(),
        }),
    }
}

pub(super) fn entry(rng: &mut StdRng) -> Entry {
    Entry {
        name: name(rng),
        attributes: attributes(rng),
    }
}

/// Entries in order, no name twice.
pub(super) fn entries(rng: &mut StdRng, count: usize) -> Vec<Entry> {
    let mut entries: Vec<_> = (0..count).map(|_| entry(rng)).collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    entries.dedup_by(|one, other| one.name == other.name);
    entries
}

/// Parity of so many children, none of which is a hole.
pub(super) fn parity(children: usize, group: u8) -> Vec<Reference> {
    (0..parity_len(children, group))
        .map(|at| reference(1000 + at as u64))
        .collect()
}

fn group(rng: &mut StdRng) -> u8 {
    [0, 1, 3, 16, 255][rng.random_range(0..5)]
}

/// A leaf of a few entries, which fit.
pub(super) fn leaf(rng: &mut StdRng) -> Leaf {
    let count = rng.random_range(1..5);
    let (entries, group) = (entries(rng, count), group(rng));
    let references = entries.iter().flat_map(Entry::references).count();
    Leaf {
        parity: parity(references, group),
        entries,
        group,
    }
}

pub(super) fn inner(rng: &mut StdRng) -> Inner {
    let (mut names, group): (Vec<_>, _) = ((0..5).map(|_| name(rng)).collect(), group(rng));
    names.sort();
    names.dedup();
    let pointer = |first| Pointer {
        first,
        node: some(rng),
    };
    let pointers: Vec<_> = names.into_iter().map(pointer).collect();
    Inner {
        level: rng.random_range(1..=16),
        names: rng.random_range(pointers.len() as u64..=u64::MAX),
        parity: parity(pointers.len(), group),
        pointers,
        group,
    }
}

/// Some holes, not all, and the parity of the rest.
fn slots(
    rng: &mut StdRng,
    count: usize,
    group: u8,
) -> (Vec<Option<Reference>>, Vec<Option<Reference>>) {
    let mut children: Vec<_> = (0..count)
        .map(|_| rng.random_bool(0.4).then(|| some(rng)))
        .collect();
    children[rng.random_range(0..count)] = Some(some(rng));
    let groups = children.chunks(usize::from(group).max(1));
    let parity = groups
        .filter(|_| group > 0)
        .map(|group| group.iter().any(Option::is_some).then(|| reference(1000)));
    (children.clone(), parity.collect())
}

pub(super) fn tree(rng: &mut StdRng) -> TreeNode {
    let (level, group) = (rng.random_range(1..=12), group(rng));
    let most = (1..=NODE_REFERENCES)
        .rev()
        .find(|count| count + parity_len(*count, group) <= NODE_REFERENCES);
    let count = rng.random_range(1..=most.unwrap());
    let (children, parity) = slots(rng, count, group);
    let pages = if level == 1 {
        count as u64
    } else {
        rng.random_range(count as u64..=u64::MAX)
    };
    TreeNode {
        level,
        pages,
        group,
        children,
        parity,
    }
}

pub(super) fn xattrs(rng: &mut StdRng) -> Vec<Xattr> {
    let count = rng.random_range(0..4);
    (0..count)
        .map(|at| Xattr {
            name: format!("user.{at}").into_bytes().into(),
            value: vec![rng.random(); rng.random_range(0..100)].into(),
        })
        .collect()
}

pub(super) fn inode(rng: &mut StdRng) -> Inode {
    let size = match rng.random_range(0..3) {
        0 => rng.random_range(0..=INLINE_MAX),
        1 => rng.random_range(0..200_000),
        _ => rng.random_range(0..=FILE_SIZE_MAX),
    };
    let rate = Rate {
        pages: group(rng),
        nodes: group(rng),
    };
    let contents = match Shape::of(size, rate) {
        None => Contents::Inline(vec![rng.random(); size as usize].into()),
        Some(shape) => {
            let group = rate.group(shape.level());
            let (children, parity) = slots(rng, shape.children() as usize, group);
            Contents::Tree {
                shape,
                children,
                parity,
            }
        }
    };
    let kind = if size > 0 && rng.random_bool(0.2) {
        InodeKind::Attributes
    } else {
        InodeKind::File
    };
    let list = if kind == InodeKind::File {
        xattrs(rng)
    } else {
        Vec::new()
    };
    let bytes = encode_xattrs(&list).unwrap().len();
    let xattrs = if Inode::holds_xattrs(size, rate, bytes) {
        XattrPlace::Inline(list)
    } else {
        XattrPlace::Elsewhere {
            node: some(rng),
            parity: rng.random::<bool>().then(|| some(rng)),
        }
    };
    Inode {
        kind,
        scope: ScopeId(rng.random()),
        size,
        contents,
        xattrs,
    }
}

fn root(rng: &mut StdRng) -> Root {
    let mut attributes = attributes(rng);
    while !attributes.is_dir() || attributes.attached.is_some() {
        attributes = self::attributes(rng);
    }
    let parity = attributes.directory.is_some() && rng.random();
    Root {
        attributes,
        parity: parity.then(|| some(rng)),
    }
}

fn journal(rng: &mut StdRng) -> Journal {
    let count = rng.random_range(0..6);
    let mut changes: Vec<_> = (0..count)
        .map(|_| Change {
            directory: Ino(rng.random_range(0..3)),
            name: name(rng),
            now: rng.random_bool(0.7).then(|| attributes(rng)),
        })
        .collect();
    changes.sort_by(|a, b| (a.directory, &a.name).cmp(&(b.directory, &b.name)));
    changes.dedup_by(|a, b| (a.directory, &a.name) == (b.directory, &b.name));
    let mut journal = Journal {
        group: if changes.is_empty() { 0 } else { group(rng) },
        changes,
        parity: Vec::new(),
    };
    journal.parity = parity(journal.references().count(), journal.group);
    journal
}

pub(super) fn head(rng: &mut StdRng) -> Head {
    let index = rng.random_range(1..u64::MAX);
    let adopted = Adopted {
        epoch: rng.random(),
        box_epoch: rng.random(),
        device: rng.random(),
        index: rng.random(),
        hash: rng.random(),
    };
    let batch = |pays| Batch {
        id: [pays as u8; 32],
        pays,
        depth: 20,
        expires: -1,
    };
    Head {
        one_scope: rng.random(),
        device: rng.random(),
        epoch: rng.random(),
        box_number: rng.random(),
        box_epoch: rng.random(),
        index,
        previous: rng
            .random::<bool>()
            .then(|| (rng.random_range(0..index), rng.random())),
        nonce: rng.random(),
        time: time(rng),
        next_ino: rng.random(),
        root: root(rng),
        adopted: rng.random::<bool>().then_some(adopted),
        journal: journal(rng),
        batches: [
            BatchUse::All,
            BatchUse::Pages,
            BatchUse::Nodes,
            BatchUse::Past,
        ]
        .into_iter()
        .filter(|_| rng.random())
        .map(batch)
        .collect(),
        skippable: [Head::AUDIT, Head::RING, 255]
            .into_iter()
            .filter(|_| rng.random())
            .map(|kind| Skippable {
                kind,
                bytes: vec![7; kind.into()].into(),
            })
            .collect(),
    }
}
