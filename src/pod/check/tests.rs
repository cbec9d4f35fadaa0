use super::*;
use crate::format::card::SignedCard;
use crate::format::rows::{Bucket, Inode, Shared, Slot};
use crate::journal::{Batch, Class};
use crate::pod::{Caller, Taken, XattrMode};
use crate::types::ROOT;

const OWNER: Caller = Caller { uid: 0, gid: 0 };

/// A pod with a directory in a directory, a file with two names and an attribute, and its clone.
fn pod() -> (Pod, Ino, Ino, Ino) {
    let pod = Pod::in_memory();
    let dir = pod.mkdir(ROOT, b"d", 0o700, OWNER).unwrap().ino;
    pod.mkdir(dir, b"e", 0o700, OWNER).unwrap();
    let file = pod.create(dir, b"f", 0o600, OWNER).unwrap().ino;
    let copy = pod.create(ROOT, b"c", 0o600, OWNER).unwrap().ino;
    pod.link(file, ROOT, b"g").unwrap();
    pod.setxattr(file, b"user.a", b"1", XattrMode::Either)
        .unwrap();
    pod.write(file, 0, &vec![7; 300_000], false).unwrap();
    assert_eq!(pod.copy_range(file, 0, copy, 0, 200_000).unwrap(), 200_000);
    (pod, dir, file, copy)
}

fn findings(pod: &Pod) -> Vec<Finding> {
    pod.check(true).unwrap().findings
}

fn put(pod: &Pod, key: Key, row: Option<Vec<u8>>) {
    let mut batch = Batch::new(Class::Meta);
    match row {
        Some(row) => batch.put(key, row),
        None => batch.delete(key),
    }
    pod.rows.append(batch, None).unwrap();
}

fn change(pod: &Pod, ino: Ino, change: impl FnOnce(&mut Inode)) {
    let mut inode = pod.inode(ino).unwrap();
    change(&mut inode);
    put(pod, Key::inode(ino), Some(inode.encode()));
}

fn bucket(pod: &Pod, ino: Ino) -> Bucket {
    let row = pod.rows.get(&Key::extent(ino, 0)).unwrap().unwrap();
    Bucket::decode(&row).unwrap()
}

#[test]
fn a_sound_pod_has_no_findings_and_is_counted() {
    let (pod, ..) = pod();
    let report = pod.check(true).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.inodes, report.names, report.orphans), (5, 5, 0));
    assert_eq!(report.pages, 74 + 49);
}

#[test]
fn wrong_numbers_in_an_inode_are_found() {
    let (pod, dir, file, _) = pod();
    change(&pod, file, |inode| {
        inode.nlink = 3;
        inode.pages += 1;
        inode.xattrs = 0;
    });
    change(&pod, dir, |inode| inode.size = 9);
    let ino = file;
    assert_eq!(
        findings(&pod),
        [
            Finding::Entries {
                ino: dir,
                said: 9,
                found: 2
            },
            Finding::Links {
                ino,
                said: 3,
                found: 2
            },
            Finding::Pages {
                ino,
                said: 75,
                found: 74
            },
            Finding::Attributes {
                ino,
                said: 0,
                found: 1
            },
        ]
    );
}

#[test]
fn an_inode_that_is_gone_leaves_its_rows_behind() {
    let (pod, _, _, copy) = pod();
    put(&pod, Key::inode(copy), None);
    let found = findings(&pod);
    assert!(found.contains(&Finding::Dangling(ROOT, copy)));
    assert!(found.contains(&Finding::NoInode(Key::extent(copy, 0))));
}

#[test]
fn a_name_that_is_gone_is_missed_by_everyone() {
    let (pod, dir, file, _) = pod();
    let hash = pod.rows.name_hash(dir, b"f");
    put(&pod, Key::dentry(dir, hash), None);
    let found = findings(&pod);
    assert!(found.contains(&Finding::ParentDiffers(file, dir)));
    assert!(
        found
            .iter()
            .any(|f| matches!(f, Finding::Links { found: 1, .. }))
    );
    put(&pod, Key::parent(file, dir, hash), None);
    let hash = pod.rows.name_hash(ROOT, b"d");
    put(&pod, Key::dentry(ROOT, hash), None);
    assert!(findings(&pod).contains(&Finding::NotInTree(dir)));
}

#[test]
fn directories_in_a_ring_are_found() {
    let (pod, dir, ..) = pod();
    let inner = pod.lookup(dir, b"e").unwrap().ino;
    pod.rename((ROOT, b"d"), (ROOT, b"x"), Taken::Replace)
        .unwrap();
    let (was, hash) = (
        pod.rows.name_hash(ROOT, b"x"),
        pod.rows.name_hash(inner, b"x"),
    );
    let row = pod.rows.get(&Key::dentry(ROOT, was)).unwrap().unwrap();
    put(&pod, Key::dentry(ROOT, was), None);
    put(&pod, Key::dentry(inner, hash), Some(row.to_vec()));
    let found = findings(&pod);
    assert!(found.contains(&Finding::NotInTree(dir)));
    assert!(found.contains(&Finding::NotInTree(inner)));
}

#[test]
fn an_inode_without_names_needs_a_note() {
    let (pod, _, _, copy) = pod();
    pod.open(copy).unwrap();
    pod.unlink(ROOT, b"c").unwrap();
    assert_eq!(findings(&pod), []);
    put(&pod, Key::orphan(copy), None);
    assert_eq!(findings(&pod), [Finding::Lost(copy)]);
}

#[test]
fn counts_of_shared_pages_are_compared_with_the_runs() {
    let (pod, _, _, copy) = pod();
    let slot = bucket(&pod, copy).runs[0].data().unwrap().slot;
    let shared = Shared {
        count: 40,
        references: 3,
    };
    put(&pod, Key::shared(slot), Some(shared.encode()));
    let found = findings(&pod);
    let pages = |says: i64| -> u64 {
        let of = |finding: &Finding| {
            if let Finding::References {
                pages,
                named: 2,
                counted,
                ..
            } = finding
                && *counted == says
            {
                *pages
            } else {
                0
            }
        };
        found.iter().map(of).sum()
    };
    assert_eq!((pages(3), pages(1)), (40, 8), "48 pages are shared");
}

#[test]
fn damaged_misplaced_and_unmarked_runs_are_found() {
    let (pod, _, file, copy) = pod();
    let mut row = bucket(&pod, copy);
    let data = row.runs[0].kind.data_mut().unwrap();
    data.tags[3][0] ^= 1;
    data.shared = false;
    let slot = data.slot;
    put(&pod, Key::extent(copy, 0), Some(row.encode()));
    change(&pod, file, |inode| inode.size = 4097);
    let found = findings(&pod);
    assert!(matches!(found[0], Finding::BehindEnd(ino) if ino == file));
    assert!(
        found
            .iter()
            .any(|f| matches!(f, Finding::Unreadable(ino, 3, _) if *ino == copy))
    );
    assert!(found.contains(&Finding::Unmarked(Slot { ..slot }, 32)));
    put(&pod, Key::extent(file, 1), Some(vec![1, 2, 9]));
    let malformed =
        |f: &Finding| matches!(f, Finding::Malformed(key, _) if *key == Key::extent(file, 1));
    assert!(findings(&pod).iter().any(malformed));
}

#[test]
fn a_card_that_is_none_or_somebody_elses_is_found() {
    let (pod, ..) = pod();
    let golden = |name: &str| std::fs::read(format!("tests/golden/v1/{name}.bin")).unwrap();
    let (own, contact) = (golden("rows-own-card-good"), golden("rows-contact-good"));
    let card = SignedCard::read(&golden("card-signed-good")).unwrap();
    let key = Key::contact_of(&card.card().identity);
    put(&pod, Key::own_card(), Some(own.clone()));
    put(&pod, key, Some(contact.clone()));
    assert_eq!(findings(&pod), []);
    let changed = |row: &[u8], at: usize| {
        let mut row = row.to_vec();
        row[at] ^= 1;
        Some(row)
    };
    let damages = [
        (Key::own_card(), changed(&own, 700)),
        (Key::own_card(), Some(contact.clone())),
        (key, changed(&contact, 700)),
        (Key::contact(7), Some(contact)),
    ];
    for (at, row) in damages {
        let before = pod.rows.get(&at).unwrap();
        put(&pod, at, row);
        let found = findings(&pod);
        assert!(
            matches!(&found[..], [Finding::Malformed(key, _)] if *key == at),
            "{found:?}"
        );
        put(&pod, at, before.map(|row| row.to_vec()));
        assert_eq!(findings(&pod), []);
    }
}
