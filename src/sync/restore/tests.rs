use super::*;
use crate::crypto::publish::Reference;
use crate::format::published::{Attributes, Change, Contents, Inode as PublishedInode, InodeKind};
use crate::format::rows::{Bucket, Dentries, FileKind, Inode, Published, RunKind, Xattr};
use crate::sync::sample::{Sample, attributes, entry, file, head, kept, row, wait};
use crate::types::Name;
use crate::types::limits::{BUCKET_PAGES, PAGE_BYTES};

const DIRECTORY: u32 = 0o040_755;

fn recovered(sample: &Sample, head: &Head) -> Result<(Arc<Kept>, Restored), RestoreError> {
    let kept = kept();
    let parts = RestoreParts {
        kept: Arc::clone(&kept),
        fetcher: sample.fetcher(),
        secret: &sample.secret,
        head,
        seen: &SeenHeads::default(),
        owner: (7, 8),
    };
    wait(restore(parts, &|_| ())).map(|restored| (kept, restored))
}

fn refused(sample: &Sample, root: Attributes, changes: Vec<Change>) -> Ino {
    match recovered(sample, &head(root, changes)) {
        Err(RestoreError::Contradiction(ino, _) | RestoreError::Malformed(ino, _)) => ino,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it contradicts itself"),
    }
}

fn change(directory: u64, name: &str, now: Option<Attributes>) -> Change {
    Change {
        directory: Ino(directory),
        name: Name::parse(name.as_bytes()).unwrap(),
        now,
    }
}

#[test]
fn names_cost_a_request_a_node_and_files_none() {
    let mut sample = Sample::new();
    let small = sample.inline(b"small", Vec::new());
    let mut ino = 100;
    let mut directories = Vec::new();
    for number in 0..10 {
        let names = (0..1000).map(|at| {
            ino += 1;
            entry(&format!("IMG_{number}{at:05}.jpg"), file(ino, 5, &small))
        });
        let names: Vec<_> = names.collect();
        let of = sample.directory(attributes(DIRECTORY, 10 + number), &names);
        directories.push(entry(&format!("{number}"), of));
    }
    let root = sample.directory(attributes(DIRECTORY, 1), &directories);
    let before = sample.store.counts().gets;
    let (kept, restored) = recovered(&sample, &head(root, Vec::new())).unwrap();
    assert_eq!(
        (restored.names, restored.directories, restored.bytes),
        (10_010, 11, 50_000)
    );
    let requests = sample.store.counts().gets - before;
    assert!(requests <= 700, "{requests} requests for 10 010 names");
    let inodes = kept
        .rows()
        .scan(&Key::inode(Ino(0)), &Key::inode(Ino(u64::MAX)), 20_000);
    assert_eq!(inodes.unwrap().len(), 10_011);
    let inode = Inode::decode(&row(&kept, Key::inode(Ino(101))).unwrap()).unwrap();
    assert_eq!(
        (inode.uid, inode.gid, inode.size, inode.pages),
        (7, 8, 5, 1)
    );
    let bucket = Bucket::decode(&row(&kept, Key::extent(Ino(101), 0)).unwrap()).unwrap();
    assert_eq!(
        (bucket.runs.len(), &bucket.runs[0].kind),
        (1, &RunKind::Remote)
    );
    let published = Published::decode(&row(&kept, Key::published(Ino(101))).unwrap()).unwrap();
    assert!(published.contents == Some(small) && published.publication == RESTORED);
    assert!(row(&kept, Key::seen_heads()).is_some());
}

#[test]
fn changes_of_the_head_lie_over_the_directories() {
    let mut sample = Sample::new();
    let mut of = |bytes: &[u8], ino| {
        let inode = sample.inline(bytes, Vec::new());
        file(ino, bytes.len() as u64, &inode)
    };
    let (a, b, c, newer) = (of(b"a", 20), of(b"b", 21), of(b"c", 22), of(b"newer", 20));
    let below = sample.directory(attributes(DIRECTORY, 5), &[entry("deep", c.clone())]);
    let root = sample.directory(
        attributes(DIRECTORY, 1),
        &[entry("a", a), entry("b", b), entry("d", below.clone())],
    );
    let made = Attributes {
        size: 1,
        ..attributes(DIRECTORY, 6)
    };
    let root = Attributes {
        size: 3,
        nlink: 4,
        ..root
    };
    let moved = Attributes {
        size: 0,
        directory: below.directory.clone(),
        ..below
    };
    let changes = vec![
        change(1, "a", Some(newer)),
        change(1, "b", None),
        change(1, "d", Some(moved)),
        change(1, "e", Some(made)),
        change(5, "deep", None),
        change(6, "deeper", Some(c)),
    ];
    let (kept, restored) = recovered(&sample, &head(root, changes)).unwrap();
    assert_eq!((restored.names, restored.bytes), (4, 6));
    let names = |dir: u64| {
        let (from, to) = (Key::dentry(Ino(dir), 0), Key::dentry(Ino(dir), u64::MAX));
        let rows = kept.rows().scan(&from, &to, 10).unwrap();
        let entries = rows
            .iter()
            .flat_map(|(_, row)| Dentries::decode(row).unwrap().0);
        let mut inos: Vec<_> = entries.map(|entry| entry.ino.0).collect();
        inos.sort_unstable();
        inos
    };
    assert_eq!(
        (names(1), names(5), names(6)),
        (vec![5, 6, 20], vec![], vec![22])
    );
    // Only the head could have made these again.
    let inode = Inode::decode(&row(&kept, Key::inode(Ino(20))).unwrap()).unwrap();
    assert_eq!(inode.size, 5);
    assert!(
        kept.get(Ino(20), crate::format::published::Place::INODE)
            .unwrap()
            .is_some()
    );
}

#[test]
fn what_does_not_add_up_is_refused_and_named() {
    let mut sample = Sample::new();
    let inode = sample.inline(b"x", Vec::new());
    let one = |ino| file(ino, 1, &inode);
    let below = sample.directory(attributes(DIRECTORY, 5), &[entry("x", one(20))]);
    let mut root = |of: Attributes| sample.directory(attributes(DIRECTORY, 1), &[entry("d", of)]);
    let short = root(Attributes {
        size: 2,
        ..below.clone()
    });
    let parted = root(Attributes {
        nlink: 3,
        ..below.clone()
    });
    let other = root(Attributes {
        directory: Some(inode.clone()),
        ..below.clone()
    });
    let good = root(below.clone());
    assert_eq!(refused(&sample, short, Vec::new()), Ino(5));
    assert_eq!(refused(&sample, parted, Vec::new()), Ino(5));
    assert_eq!(refused(&sample, other, Vec::new()), Ino(5));
    let nowhere = change(9, "x", Some(one(30)));
    assert_eq!(refused(&sample, good.clone(), vec![nowhere]), Ino(9));
    let twice = change(5, "y", Some(one(20)));
    assert_eq!(refused(&sample, good.clone(), vec![twice]), Ino(20));
    let elsewhere = Attributes {
        ino: Ino(2),
        ..good.clone()
    };
    assert_eq!(refused(&sample, elsewhere, Vec::new()), Ino(2));
    let itself = change(5, "y", Some(attributes(DIRECTORY, 1)));
    assert_eq!(refused(&sample, good, vec![itself]), Ino(1));
    let linked = |size| Attributes {
        nlink: 2,
        ..file(20, size, &inode)
    };
    for names in [
        vec![entry("a", linked(1)), entry("b", linked(2))],
        vec![entry("a", linked(1))],
        vec![
            entry("a", linked(1)),
            entry("b", linked(1)),
            entry("c", linked(1)),
        ],
        vec![entry("a", linked(1)), entry("b", one(20))],
    ] {
        let root = sample.directory(attributes(DIRECTORY, 1), &names);
        assert_eq!(refused(&sample, root, Vec::new()), Ino(20));
    }
    let names = [entry("a", linked(1)), entry("b", linked(1))];
    let root = sample.directory(attributes(DIRECTORY, 1), &names);
    assert_eq!(
        recovered(&sample, &head(root, Vec::new())).unwrap().1.names,
        2
    );
}

#[test]
fn nodes_stand_where_their_parents_say() {
    let mut sample = Sample::new();
    let inode = sample.inline(b"x", Vec::new());
    let one = |name: &str, ino| entry(name, file(ino, 1, &inode));
    let (ab, cd) = (
        sample.leaf(vec![one("a", 20), one("b", 21)]),
        sample.leaf(vec![one("c", 22), one("d", 23)]),
    );
    let mut later = cd.clone();
    later.first = Name::parse(b"ca").unwrap();
    let wide = sample.leaf(vec![one("a", 20), one("z", 21)]);
    let good = sample.inner(1, 4, vec![ab.clone(), cd.clone()]);
    let deep = sample.inner(2, 4, vec![good.clone()]);
    let roots = [
        sample.inner(1, 5, vec![ab.clone(), cd.clone()]),
        sample.inner(1, 3, vec![ab.clone(), cd.clone()]),
        sample.inner(1, 4, vec![ab.clone(), later]),
        sample.inner(1, 4, vec![wide, cd.clone()]),
        sample.inner(3, 4, vec![good.clone()]),
        sample.inner(2, 4, vec![ab, cd]),
    ];
    let of = |root: Reference| Attributes {
        size: 4,
        directory: Some(root),
        ..attributes(DIRECTORY, 1)
    };
    for root in roots {
        assert_eq!(refused(&sample, of(root.node), Vec::new()), ROOT);
    }
    for root in [good, deep] {
        recovered(&sample, &head(of(root.node), Vec::new())).unwrap();
    }
}

#[test]
fn of_a_huge_sparse_file_only_what_there_is_gets_rows() {
    let mut sample = Sample::new();
    let size = 64 << 30;
    let page = |page: u64| (page == 70_000).then_some([9; PAGE]);
    let inode = sample.contents(size, &page);
    let note = Xattr {
        name: b"user.note".as_slice().into(),
        value: Box::default(),
    };
    let link = sample.inline(&[b'/'; 300], vec![note]);
    let link = Attributes {
        size: 300,
        xattrs: true,
        contents: Some(link),
        ..attributes(0o120_777, 21)
    };
    let names = [entry("link", link), entry("sparse", file(20, size, &inode))];
    let root = sample.directory(attributes(DIRECTORY, 1), &names);
    let (kept, restored) = recovered(&sample, &head(root, Vec::new())).unwrap();
    assert_eq!(restored.bytes, size);
    let buckets = kept.rows().scan(
        &Key::extent(Ino(20), 0),
        &Key::extent(Ino(20), u64::MAX),
        9999,
    );
    let buckets: Vec<_> = buckets
        .unwrap()
        .iter()
        .map(|(key, _)| key.field(1))
        .collect();
    assert!(
        buckets.contains(&(70_000 / 32)) && buckets.len() < 5,
        "{buckets:?}"
    );
    let link = Inode::decode(&row(&kept, Key::inode(Ino(21))).unwrap()).unwrap();
    assert_eq!(
        (link.kind(), link.target.len(), link.xattrs),
        (FileKind::Symlink, 300, 1)
    );
}

#[test]
fn a_lost_part_of_a_large_file_does_not_take_the_names() {
    let mut sample = Sample::new();
    let size = 1 << 30;
    let inode = sample.contents(size, &|page| (page == 70_000).then_some([9; PAGE]));
    let plain = sample.plain.get(&inode.address()).unwrap().expose();
    let Contents::Tree {
        children, parity, ..
    } = PublishedInode::decode(plain, InodeKind::File)
        .unwrap()
        .contents
    else {
        panic!("so large a file has a tree");
    };
    for lost in children.iter().chain(&parity).flatten() {
        sample.store.lose(lost.address());
    }
    let names = [entry("sparse", file(20, size, &inode))];
    let root = sample.directory(attributes(DIRECTORY, 1), &names);
    let (kept, restored) = recovered(&sample, &head(root, Vec::new())).unwrap();
    assert_eq!(restored.bytes, size);
    // As far as anyone knows there may be data anywhere.
    let last = size / PAGE_BYTES / BUCKET_PAGES as u64 - 1;
    assert!(row(&kept, Key::extent(Ino(20), last)).is_some());
}

#[test]
fn lost_attributes_of_the_top_directory_do_not_take_the_names() {
    let mut sample = Sample::new();
    let note = Xattr {
        name: b"user.note".as_slice().into(),
        value: Box::default(),
    };
    let inode = sample.inline(b"", vec![note]);
    let root = Attributes {
        xattrs: true,
        contents: Some(inode.clone()),
        ..sample.directory(
            attributes(DIRECTORY, 1),
            &[entry("x", attributes(0o100_644, 20))],
        )
    };
    for (lost, attributes) in [(0, 1), (1, 0)] {
        if lost == 1 {
            sample.store.lose(inode.address());
        }
        let (kept, restored) = recovered(&sample, &head(root.clone(), Vec::new())).unwrap();
        assert_eq!((restored.names, restored.lost), (1, lost));
        let top = Inode::decode(&row(&kept, Key::inode(ROOT)).unwrap()).unwrap();
        assert_eq!(top.xattrs, attributes);
    }
}

#[test]
fn a_lost_node_is_named_and_silence_is_another_thing() {
    let mut sample = Sample::new();
    let inode = sample.inline(b"x", Vec::new());
    let below = sample.directory(attributes(DIRECTORY, 5), &[entry("x", file(20, 1, &inode))]);
    let lost = below.directory.clone().unwrap().address();
    let root = sample.directory(attributes(DIRECTORY, 1), &[entry("d", below)]);
    let head = head(root, Vec::new());
    sample.store.lose(lost);
    recovered(&sample, &head).unwrap();
    let faults = crate::store::Faults {
        not_found: 1000,
        ..Default::default()
    };
    sample.store.set(faults);
    let missing = recovered(&sample, &head);
    assert!(matches!(
        missing,
        Err(RestoreError::Fetch(ROOT, FetchError::Missing(_)))
    ));
    let faults = crate::store::Faults {
        unreachable: 1000,
        ..Default::default()
    };
    sample.store.set(faults);
    let silent = recovered(&sample, &head);
    assert!(matches!(
        silent,
        Err(RestoreError::Fetch(ROOT, FetchError::Unavailable(..)))
    ));
}
